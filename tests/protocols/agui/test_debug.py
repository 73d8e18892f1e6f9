"""The events of all runs, for developer tools."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events as ev
from tests.protocols.agui.served import Event, serve

pytestmark = pytest.mark.anyio


async def talk(input: RunAgentInput) -> AsyncIterator[Event]:
    yield ev.text_start(f"{input.run_id}-m")


async def test_in_development_every_run_can_be_watched() -> None:
    async with serve({"agent": talk}, development=True) as served:
        async with served.request("GET", "/cpk-debug-events") as watching:
            assert watching.headers["content-type"] == "text/event-stream"
            told = watching.events()
            runs = [await served.events(served.run(thread=thread)) for thread in ("a", "b")]
            for thread, run in zip(("a", "b"), runs, strict=True):
                for event in run:
                    debug = await anext(told)
                    assert isinstance(debug.pop("timestamp"), int)
                    assert debug == {"agentId": "agent", "threadId": thread, "runId": "r1", "event": event}
        await served.events(served.run(thread="c"))


async def test_otherwise_there_is_nothing_to_watch() -> None:
    async with serve({"agent": talk}) as served, served.request("GET", "/cpk-debug-events") as watching:
        assert (watching.status, await watching.body()) == (404, b"Not Found")
