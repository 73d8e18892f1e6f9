"""What CrewAI asks models for its own purposes: plans, memories, queries, verdicts, and data in a schema."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final

# The functions of CrewAI that ask a model for what the user is to read.
_ANSWERS: Final = frozenset(
    {
        "get_llm_response",
        "aget_llm_response",
        "handle_max_iterations_exceeded",
        "_synthesize_final_answer_from_todos",
        "converse_turn",
        "answer_from_history_turn",
    }
)
# The parts of CrewAI that let agents work for its own purposes.
_PURPOSES: Final = (
    "crewai.experimental.evaluation",
    "crewai.knowledge",
    "crewai.memory",
    "crewai.tasks.hallucination_guardrail",
    "crewai.tasks.llm_guardrail",
    "crewai.utilities.converter",
    "crewai.utilities.evaluators",
    "crewai.utilities.guardrail",
    "crewai.utilities.planning_handler",
    "crewai.utilities.reasoning_handler",
)
_BETWEEN: Final = ("crewai.events", "crewai.llm", "asyncio", "concurrent.futures", "contextlib", "threading")


class InternalWork:
    """Notes which work of a run is CrewAI's own. A stream sink of CrewAI: called with every event.

    The events do not contain it, but their callers do, and the emitter of an event calls the sinks.

    Attributes:
        events: the ids of the events with which such work starts.
    """

    def __init__(self) -> None:
        self.events: set[str] = set()

    def __call__(self, source: Any, event: Any) -> None:
        """Takes an event."""
        if event.type == "llm_call_started":
            internal = _is_internal_call(source, _callers(sys._getframe(1)))
        elif event.type in ("agent_execution_started", "lite_agent_execution_started"):
            internal = any(_module(frame).startswith(_PURPOSES) for frame in _callers(sys._getframe(1)))
        else:
            return
        if internal:
            self.events.add(event.event_id)


def _is_internal_call(model: Any, callers: Iterable[FrameType]) -> bool:
    """Whether CrewAI asks a model for itself, or a flow asks it for data in a schema."""
    in_schema = getattr(model, "response_format", None) is not None
    for frame in callers:
        own = frame.f_locals.get("self") is model
        if own or _module(frame).startswith(_BETWEEN):
            if own and any(frame.f_locals.get(name) for name in ("response_model", "response_format")):
                in_schema = True
            continue
        if _module(frame).startswith("crewai."):
            return frame.f_code.co_name not in _ANSWERS
        return in_schema
    return in_schema


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
