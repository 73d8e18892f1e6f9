"""What chat models are sent: the conversation without the ids that AG-UI's messages have."""

from __future__ import annotations

from typing import Any

from crewai.hooks.llm_hooks import get_before_llm_call_hooks, register_before_llm_call_hook

from .current import RUN
from .state import conversation_of


def leave_ids_out() -> None:
    """Has CrewAI send no message ids to models: some providers refuse what they do not know."""
    if _without_ids not in get_before_llm_call_hooks():
        register_before_llm_call_hook(_without_ids)


def _without_ids(call: Any) -> None:
    run = RUN.get()
    if run is None or (run.flow is not None and call.messages is conversation_of(run.flow.state)):
        return  # LiteLLM's models get the flow's own list, which keeps its ids
    for index, message in enumerate(call.messages):
        if isinstance(message, dict) and "id" in message:
            call.messages[index] = {name: value for name, value in message.items() if name != "id"}
