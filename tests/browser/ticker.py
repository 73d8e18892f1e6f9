"""An agent that writes until it is cancelled, and prints when that happens."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from typing import Any

from ag_ui.core import RunAgentInput


async def ticker(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    message = f"ticks-of-{input.run_id}"
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    try:
        for tick in itertools.count(1):
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": f"{tick} "}
            await asyncio.sleep(0.03)
    finally:
        sys.stdout.write(f"cancelled: {input.thread_id}\n")
