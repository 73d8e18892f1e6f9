"""An agent in the server's own process, which does what `bench.agent` does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import events


async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    chunks, pause = map(int, str(input.messages[-1].content).split())
    yield events.text_start("m1")
    for _ in range(chunks):
        if pause:
            await asyncio.sleep(pause / 1000)
        yield events.text_content("m1", f"@{time.monotonic_ns()}@ word ")
    yield events.text_end("m1")
