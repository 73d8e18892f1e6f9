"""Chat models at work: the chunks of their answers to text, reasoning and tool-call events."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from crewai.utilities.string_utils import sanitize_tool_name

from ...agui import events
from ...agui.events import Event
from ...agui.json_input import parse_json
from ..streamed_calls import StreamedCall, StreamedCalls
from .answers import called_tools

# How an agent whose model knows no tool calls writes: https://arxiv.org/abs/2210.03629 (ReAct), which CrewAI
# asks for in its prompts.
_REACT = ("thought:", "action:")
_FINAL = re.compile(r"Final Answer:\s*", re.IGNORECASE)


@dataclass(slots=True)
class _Call:
    """A tool call in a run."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)
    ended: bool = False


@dataclass(slots=True)
class _Open:
    """A model's answer that is being streamed.

    Attributes:
        id: the id of its message.
        may_reason: the answer may be written as thoughts and actions, of which only the end is for the user.
        held: text that is held back until that is known; None once it may be shown.
        text: whether a text message is open.
        said: the text that was shown.
        reasoning: whether a reasoning message is open.
        streamed_calls: its tool calls as the model streams them.
        calls: these calls as events show them.
        parts: how many text messages it has had.
    """

    id: str
    may_reason: bool
    held: str | None
    text: bool = False
    said: list[str] = field(default_factory=list)
    reasoning: bool = False
    streamed_calls: StreamedCalls = field(default_factory=StreamedCalls)
    calls: dict[StreamedCall, _Call] = field(default_factory=dict)
    parts: int = 0
    streamed: bool = False


class MessageStream:
    """Turns the events of chat models and tools into AG-UI events. One per run.

    Args:
        names: the names of the frontend's tools by the names that models know them by.

    Attributes:
        conversation: the messages that were made, in OpenAI's format.
        said: the texts that were shown.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.conversation: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._names = names
        self._open: dict[str, _Open] = {}
        self._unanswered: list[_Call] = []

    def start(self, call_id: str, *, by_agent: bool) -> None:
        """A model is asked."""
        self._open[call_id] = _Open(call_id, by_agent, "" if by_agent else None)

    def chunk(self, event: Any) -> list[Event]:
        """Returns the events of a `LLMStreamChunkEvent`."""
        answer = self._open.get(event.call_id)
        if answer is None:
            return []
        found: list[Event] = []
        answer.streamed = True
        if event.tool_call is not None:
            part = event.tool_call
            named = {"id": part.id, "index": part.index, "name": part.function.name, "args": event.chunk}
            self._call(answer, named, found)
        elif event.chunk:
            self._text(answer, event.chunk, found)
        return found

    def thought(self, event: Any) -> list[Event]:
        """Returns the events of a `LLMThinkingChunkEvent`."""
        answer = self._open.get(event.call_id)
        if answer is None or not event.chunk:
            return []
        id = f"{answer.id}-reasoning"
        found: list[Event] = []
        if not answer.reasoning:
            answer.reasoning = True
            found.append({"type": "REASONING_START", "messageId": id})
            found.append({"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"})
        return [*found, {"type": "REASONING_MESSAGE_CONTENT", "messageId": id, "delta": event.chunk}]

    def complete(self, event: Any) -> list[Event]:
        """Returns the events of a `LLMCallCompletedEvent`: all of the answer, if it was not streamed."""
        answer = self._open.get(event.call_id)
        if answer is None:
            return []
        found: list[Event] = []
        if not answer.streamed:
            if isinstance(event.response, str):
                self._text(answer, event.response, found)
            for index, call in enumerate(called_tools(event.response)):
                whole = {"id": call.id, "index": index, "name": call.name, "args": call.arguments}
                self._call(answer, whole, found)
        return found + self.end(event.call_id)

    def end(self, call_id: str) -> list[Event]:
        """Returns the events that close an answer, whole or not."""
        answer = self._open.pop(call_id, None)
        if answer is None:
            return []
        found: list[Event] = []
        if answer.held is not None and not answer.held.lstrip().lower().startswith(_REACT):
            held, answer.held = answer.held, None
            self._show(answer, held, found)
        self._end_reasoning(answer, found)
        self._end_text(answer, found)
        for call in answer.calls.values():
            call.ended = True
            found.append(events.tool_call_end(call.id))
        self._keep(answer)
        return found

    def close(self) -> list[Event]:
        """Returns the events that close all answers."""
        return [event for call_id in list(self._open) for event in self.end(call_id)]

    def tool_started(self, event: Any) -> list[Event]:
        """Returns the events of a tool that an agent uses: its call, if no model's answer had it."""
        name = sanitize_tool_name(event.tool_name)
        if self._find(name, event.tool_args) is not None:
            return []
        call = _Call(f"call_{uuid.uuid4().hex}", self._names.get(name, event.tool_name), ended=True)
        call.arguments.append(_json(event.tool_args))
        self._unanswered.append(call)
        self.conversation.append(_assistant(f"{call.id}-message", "", [call]))
        return [
            events.tool_call_start(call.id, call.name),
            events.tool_call_args(call.id, call.arguments[0]),
            events.tool_call_end(call.id),
        ]

    def tool_finished(self, event: Any, content: str) -> list[Event]:
        """Returns the result of a tool that an agent used."""
        call = self._find(sanitize_tool_name(event.tool_name), event.tool_args)
        return self._answer(call, content)

    def tool_answered(self, call_id: str, content: str) -> list[Event]:
        """Returns the result of a tool that a flow ran itself."""
        return self._answer(next((call for call in self._unanswered if call.id == call_id), None), content)

    def _answer(self, call: _Call | None, content: str) -> list[Event]:
        if call is None:
            return []
        self._unanswered.remove(call)
        id = f"{call.id}-result"
        message = {"id": id, "role": "tool", "content": content, "tool_call_id": call.id}
        self.conversation.append(message)
        return [events.tool_call_result(id, call.id, content)]

    def say(self, id: str, text: str) -> list[Event]:
        """Returns the events of a whole text message."""
        self.said.append(text.strip())
        self.conversation.append({"id": id, "role": "assistant", "content": text})
        return [events.text_start(id), events.text_content(id, text), events.text_end(id)]

    # Text

    def _text(self, answer: _Open, delta: str, found: list[Event]) -> None:
        if answer.held is None:
            self._show(answer, delta, found)
            return
        answer.held += delta
        start = answer.held.lstrip().lower()
        if start.startswith(_REACT):
            final = _FINAL.search(answer.held)
            if final is None or final.end() == len(answer.held):
                return
            rest = answer.held[final.end() :]
        elif any(marker.startswith(start) for marker in _REACT):
            return
        else:
            rest = answer.held
        answer.held = None
        self._show(answer, rest, found)

    def _show(self, answer: _Open, delta: str, found: list[Event]) -> None:
        if not delta:
            return
        self._end_reasoning(answer, found)
        if not answer.text:
            answer.text = True
            answer.parts += 1
            found.append(events.text_start(_part_id(answer)))
        answer.said.append(delta)
        found.append(events.text_content(_part_id(answer), delta))

    def _end_text(self, answer: _Open, found: list[Event]) -> None:
        if answer.text:
            answer.text = False
            found.append(events.text_end(_part_id(answer)))

    def _end_reasoning(self, answer: _Open, found: list[Event]) -> None:
        if answer.reasoning:
            answer.reasoning = False
            id = f"{answer.id}-reasoning"
            found.append({"type": "REASONING_MESSAGE_END", "messageId": id})
            found.append({"type": "REASONING_END", "messageId": id})

    # Tool calls

    def _call(self, answer: _Open, part: Mapping[str, Any], found: list[Event]) -> None:
        streamed = answer.streamed_calls.add(part)
        if not streamed.name:
            return
        call = answer.calls.get(streamed)
        if call is None:
            call = answer.calls[streamed] = self._start_call(answer, streamed, found)
        for delta in streamed.args[streamed.sent :]:
            call.arguments.append(delta)
            found.append(events.tool_call_args(call.id, delta))
        streamed.sent = len(streamed.args)

    def _start_call(self, answer: _Open, streamed: StreamedCall, found: list[Event]) -> _Call:
        self._end_reasoning(answer, found)
        self._end_text(answer, found)
        name = self._names.get(sanitize_tool_name(streamed.name), streamed.name)
        call = _Call(streamed.model_id or f"{answer.id}-call-{len(answer.calls)}", name)
        self._unanswered.append(call)
        found.append(events.tool_call_start(call.id, name, answer.id))
        return call

    def _find(self, name: str, arguments: Any) -> _Call | None:
        """Returns the open call of a tool, the one with these arguments if there are several."""
        named = [call for call in self._unanswered if sanitize_tool_name(call.name) == name and call.ended]
        wanted = _parsed(arguments)
        alike = (call for call in named if _parsed("".join(call.arguments)) == wanted)
        return next(alike, named[0] if len(named) == 1 else None)

    def _keep(self, answer: _Open) -> None:
        text = "".join(answer.said)
        if text:
            self.said.append(text.strip())
        if text or answer.calls:
            self.conversation.append(_assistant(answer.id, text, list(answer.calls.values())))


def _part_id(answer: _Open) -> str:
    """An answer that goes on after tool calls has a message for each part."""
    return answer.id if answer.parts == 1 else f"{answer.id}-{answer.parts}"


def _assistant(id: str, text: str, calls: list[_Call]) -> dict[str, Any]:
    message: dict[str, Any] = {"id": id, "role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.arguments) or "{}"},
            }
            for call in calls
        ]
    return message


def _json(arguments: Any) -> str:
    if isinstance(arguments, str):
        try:
            orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return orjson.dumps({"input": arguments}).decode()
        return arguments
    return events.arguments_text(arguments)


def _parsed(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return parse_json(arguments or "{}")
    except orjson.JSONDecodeError:
        return arguments
