"""A worker process of the fault tests, which prints its port.

`python -m tests.faults.worker URL LEASE_SECONDS WRITE_SECONDS`, with how long each write takes besides.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.state_store.from_url import open_state_store


async def counter(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Waits and counts as the state says, a number every few milliseconds."""
    state: dict[str, Any] = input.state or {}
    yield events.state_snapshot(state)
    await asyncio.sleep(state["pause"])
    id = f"{input.run_id}-m"
    yield events.text_start(id)
    for number in range(state["count"]):
        await asyncio.sleep(0.003)
        yield events.text_content(id, f"{number} ")
    yield events.text_end(id)


def slow_down(store: Any, seconds: float) -> None:
    """Has every write take so long."""
    append_many = store.append_many

    async def slowly(appends: Any) -> Any:
        await asyncio.sleep(seconds)
        return await append_many(appends)

    store.append_many = slowly


def main() -> None:
    url, lease_seconds, write_seconds = sys.argv[1:]
    store = open_state_store(url, lease_seconds=float(lease_seconds))
    if float(write_seconds):
        slow_down(store, float(write_seconds))
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime({"counter": counter}, state_store=store)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - it is what the test reads
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


if __name__ == "__main__":
    main()
