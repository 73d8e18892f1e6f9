"""Floods that nobody reads, and what they take: `python -m tests.runs.floods BUDGET FLOODS BYTES EVENT URL`.

Each of them has so many bytes, in events of that size.

Prints the bytes of memory of the process: at rest, the peak while the floods went on, and afterwards.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.state_store.from_url import open_state_store
from tests.run_request import run_request


async def flood(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start(f"{input.run_id}-m")
    state: dict[str, int] = input.state or {}
    for _ in range(state["bytes"] // state["event"]):
        yield events.text_content(f"{input.run_id}-m", "x" * state["event"])
    yield events.text_end(f"{input.run_id}-m")


async def run_floods(runtime: CopilotRuntime, name: str, count: int, size: int, event: int) -> None:
    """Runs floods at the same time, without a reader."""
    runs = []
    for number in range(count):
        id = f"{name}-{number}"
        message = {"id": f"{id}-u", "role": "user", "content": "hi"}
        body = {"threadId": id, "runId": id, "messages": [message], "tools": [], "context": []}
        input = RunAgentInput.model_validate(
            {**body, "state": {"bytes": size, "event": event}, "forwardedProps": {}}
        )
        request = await run_request(runtime, "flood", input, RequestContext(owner="ann"))
        runs.append(await runtime.start_run(request))
    while runs:
        # What refers to a run has its log.
        await runs.pop().wait()


def highest() -> int:
    """Returns the most memory that the process had. `ru_maxrss` counts the parent's before the start, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def main(budget: int, count: int, size: int, event: int, url: str) -> None:
    limits = Limits(live_log_bytes=budget, runs_per_owner=None, runs_per_minute_per_owner=None)
    store = open_state_store(url)
    process = psutil.Process()
    runtime = CopilotRuntime({"flood": flood}, state_store=store, limits=limits)
    try:
        await run_floods(runtime, "warm", 2, 500_000, 20_000)
        gc.collect()
        rest = process.memory_info().rss
        await run_floods(runtime, "flood", count, size, event)
        gc.collect()
        peak = highest()
        after = process.memory_info().rss
        # What was freed goes back to the system after a moment, in a thread.
        for _ in range(100):
            if after - rest < budget / 4:
                break
            await asyncio.sleep(0.1)
            after = min(after, process.memory_info().rss)
    finally:
        await runtime.aclose()
        await store.aclose()
    sys.stdout.write(json.dumps({"rest": rest, "peak": peak, "after": after}))


if __name__ == "__main__":
    budget, count, size, event = map(int, sys.argv[1:5])
    asyncio.run(main(budget, count, size, event, sys.argv[5]))
