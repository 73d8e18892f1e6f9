"""What the operator decides about the readers of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, RequestContext, create_router
from copilotkit_runtime_py.agui import events as ev
from tests.protocols.agui.served import PATH, Served

pytestmark = pytest.mark.anyio


class Patient:
    """An agent that says something, and waits until it is cancelled."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def run(self, input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield ev.text_start("m")
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


def served(agent: Any, **options: Any) -> Served:
    runtime = CopilotRuntime({"agent": agent})
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH, **options))
    return Served(runtime, app=app)


async def test_a_run_stops_when_its_last_reader_leaves_where_the_operator_wants_it() -> None:
    agent = Patient()
    server = served(agent, stop_unread_runs=True)
    run = server.run()
    reader = server.connect()

    await run.__aenter__()
    await reader.__aenter__()
    await anext(reader.events())
    await run.__aexit__(None, None, None)
    still_running = await server.runtime.is_running("t1", RequestContext())
    await reader.__aexit__(None, None, None)
    await asyncio.wait_for(agent.cancelled.wait(), 10)
    await server.runtime.aclose()

    assert still_running


async def test_a_silent_stream_is_kept_open_as_often_as_the_operator_says() -> None:
    server = served(Patient(), keep_alive_seconds=0.01)

    async with server.run() as run:
        arriving = run.chunks()
        chunks = [await anext(arriving) for _ in range(6)]
    await server.runtime.aclose()

    assert b":" in {chunk[:1] for chunk in chunks}
