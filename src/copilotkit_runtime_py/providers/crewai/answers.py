"""What chat models answered in a run, so that a flow's messages keep the ids that they were streamed with."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ...agui.events import arguments_text


@dataclass(frozen=True, slots=True)
class Answer:
    """What a chat model answered to one call.

    Attributes:
        id: the id of the message that it makes.
        text: its text. Beside tool calls this is what was streamed: CrewAI returns only the calls.
        calls: the ids of the tool calls in it.
    """

    id: str
    text: str
    calls: frozenset[str]


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A tool call that a model made.

    Attributes:
        id: its id, None where the model gave none.
        name: the tool.
        arguments: the arguments as JSON text.
    """

    id: str | None
    name: str
    arguments: str


class Answers:
    """The answers of a run, in order. A stream sink of CrewAI: called with every event, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: defaultdict[str, set[str]] = defaultdict(set)
        self._texts: defaultdict[str, list[str]] = defaultdict(list)
        self._answers: list[Answer] = []

    def __call__(self, source: Any, event: Any) -> None:
        """Takes an event."""
        if event.type == "llm_stream_chunk":
            with self._lock:
                if event.tool_call is None:
                    self._texts[event.call_id].append(event.chunk)
                elif event.tool_call.id:
                    self._calls[event.call_id].add(event.tool_call.id)
        elif event.type == "llm_call_completed":
            ids = {call.id for call in called_tools(event.response) if call.id is not None}
            with self._lock:
                streamed = "".join(self._texts.pop(event.call_id, ()))
                text = event.response if isinstance(event.response, str) else streamed
                calls = frozenset(self._calls.pop(event.call_id, set()) | ids)
                self._answers.append(Answer(event.call_id, text, calls))

    def so_far(self) -> list[Answer]:
        """Returns the answers up to now."""
        with self._lock:
            return list(self._answers)


def called_tools(response: Any) -> list[CalledTool]:
    """Returns the tool calls in the response of a chat model, whichever provider's form they have."""
    if not isinstance(response, list):
        return []
    return [call for call in map(_called, response) if call is not None]


def _called(call: Any) -> CalledTool | None:
    if isinstance(call, BaseModel):  # the model of a vendor's library
        call = call.model_dump(mode="json")
    if not isinstance(call, Mapping):
        return None
    function = call.get("function") or call.get("function_call")
    function = function if isinstance(function, Mapping) else call
    name = function.get("name")
    if not isinstance(name, str) or not name:
        return None
    arguments = next((function[key] for key in ("arguments", "input", "args") if key in function), "{}")
    if not isinstance(arguments, str):
        arguments = arguments_text(arguments)
    id = call.get("id") or call.get("toolUseId")
    return CalledTool(id if isinstance(id, str) else None, name, arguments)
