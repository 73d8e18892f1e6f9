"""An agent whose every run fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ag_ui.core import RunAgentInput


async def overloaded(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield {"type": "RUN_ERROR", "message": "The model is overloaded.", "code": "OVERLOADED"}
