"""What a stream of events leaves behind: shared state, conversation and open interrupts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """What an agent's last run left on a thread.

    Attributes:
        state: the shared state.
        messages: the conversation, as AG-UI messages in JSON form.
        interrupts: the interrupts that wait for an answer, as AG-UI 1.0 `Interrupt` objects in JSON form.
    """

    state: Any = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    interrupts: list[dict[str, Any]] = field(default_factory=list)
