"""The agents that the tortured workers serve."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import psutil
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events

Event = dict[str, Any]


async def counter(input: RunAgentInput) -> AsyncIterator[Event]:
    """Counts as far as the state says, with a pause before each number."""
    state: dict[str, Any] = input.state or {}
    id = f"{input.run_id}-m"
    yield events.text_start(id)
    for number in range(state["count"]):
        if state["pause"]:
            await asyncio.sleep(state["pause"])
        yield events.text_content(id, f"{number} ")
    yield events.text_end(id)


async def census(input: RunAgentInput) -> AsyncIterator[Event]:
    """Says what the process holds."""
    gc.collect()
    process = psutil.Process()
    held = {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "descriptors": process.num_fds(),
        "bytes": process.memory_info().rss,
        "names": sorted(task.get_name() for task in asyncio.all_tasks()),
    }
    yield events.custom("census", held)
