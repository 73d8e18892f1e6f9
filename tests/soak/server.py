"""The process under load: `python -m tests.soak.server STORE_URL` prints its port.

Besides the endpoint it answers `GET /state` with what it holds: tasks, threads, descriptors, bytes.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import psutil
import uvicorn
from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, Limits, create_health_router, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.state_store.base import Retention
from copilotkit_runtime_py.state_store.from_url import open_state_store

Event = dict[str, Any]

PLANNED = "as planned"


async def talker(input: RunAgentInput) -> AsyncIterator[Event]:
    """Answers at some length, calls an action, keeps a state."""
    id = f"{input.run_id}-m"
    yield events.state_snapshot({"run": input.run_id})
    yield events.text_start(id)
    for number in range(30):
        yield events.text_content(id, f"word {number} ")
        await asyncio.sleep(0.002)
    yield events.text_end(id)


async def faulty(input: RunAgentInput) -> AsyncIterator[Event]:
    """Fails in the middle of a message."""
    yield events.text_start(f"{input.run_id}-m")
    await asyncio.sleep(0.002)
    raise ValueError(PLANNED)


async def hanging(input: RunAgentInput) -> AsyncIterator[Event]:
    """Says one word, and nothing more until it is stopped."""
    yield events.text_start(f"{input.run_id}-m")
    await asyncio.Event().wait()


async def flooding(input: RunAgentInput) -> AsyncIterator[Event]:
    """Says more than it may."""
    id = f"{input.run_id}-m"
    yield events.text_start(id)
    while True:
        yield events.text_content(id, "x" * 1000)


async def stubborn(input: RunAgentInput) -> AsyncIterator[Event]:
    """Takes its time when it is stopped."""
    try:
        yield events.text_start(f"{input.run_id}-m")
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.05)


class Surprises(logging.Handler):
    """Prints what the runtime logs, but for the faults that are planned, and counts it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is None or str(record.exc_info[1]) != PLANNED:
            self.count += 1
            print(self.format(record), file=sys.stderr, flush=True)


def state(surprises: Surprises) -> dict[str, int]:
    """What the process holds."""
    gc.collect()
    process = psutil.Process()
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "descriptors": process.num_fds(),
        "bytes": process.memory_info().rss,
        "surprises": surprises.count,
    }


def main() -> None:
    surprises = Surprises()
    logging.getLogger("copilotkit_runtime_py").addHandler(surprises)
    store = open_state_store(sys.argv[1], retention=Retention(max_threads=200, max_runs_per_thread=10))
    agents = {each.__name__: each for each in (talker, faulty, hanging, flooding, stubborn)}
    limits = Limits(events_per_run=300, idle_seconds=1.0, busy_seconds=0.0)
    runtime = CopilotRuntime(agents, state_store=store, limits=limits)
    app = FastAPI()
    app.include_router(create_health_router(runtime))
    app.include_router(create_router(runtime))

    @app.get("/state")
    async def tell() -> dict[str, int]:
        return state(surprises)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="critical")).run([listener])


if __name__ == "__main__":
    main()
