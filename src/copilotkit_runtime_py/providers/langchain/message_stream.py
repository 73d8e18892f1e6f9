"""Messages on their way from a chat model: tokens to text, reasoning and tool-call events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage

from ...agui import events
from ...agui.events import Event
from .content import reasoning_of, text_of, tool_text
from .messages import reasoning_id

_TEXT = "copilotkit:emit-messages"
_CALLS = "copilotkit:emit-tool-calls"
_PREDICT = "copilotkit:emit-intermediate-state"


@dataclass(slots=True)
class _Call:
    """A tool call that is being streamed."""

    id: str
    name: str
    predicts: list[dict[str, Any]]
    args: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A message that is being streamed.

    Attributes:
        id: the message's id.
        task: the graph task that the model was called in.
        shows_text: whether the client gets the text.
        shows_call: whether the client gets the call of a tool.
        predictions: the calls whose arguments foretell a part of the state, as the graph configured them.
        text: whether a text message is open.
        reasoning: whether a reasoning message is open.
        calls: the open calls by the chat model's own index.
    """

    id: str
    task: str
    shows_text: bool
    shows_call: Callable[[str], bool]
    predictions: list[dict[str, Any]]
    text: bool = False
    reasoning: bool = False
    calls: dict[int | str, _Call | None] = field(default_factory=dict)


class MessageStream:
    """Turns what LangGraph's `messages` mode yields into events. One per run.

    Every message keeps the id that it has in the graph. What a client already knows is not sent again, and
    every tool call gets one result.

    Attributes:
        predicted: parts of the state that finished tool calls have foretold, until they are taken out.
    """

    def __init__(self, known: Iterable[BaseMessage]) -> None:
        self.predicted: dict[str, Any] = {}
        self._open: dict[str, _Open] = {}
        self._done: set[str | None] = set()
        self._answered: set[str] = set()
        self._hidden_calls: set[str] = set()
        for message in known:
            self._done.add(message.id)
            if isinstance(message, ToolMessage):
                self._answered.add(message.tool_call_id)

    def feed(self, message: BaseMessage, metadata: Mapping[str, Any]) -> list[Event]:
        """Returns the events of one chunk, one whole message or one tool result."""
        if isinstance(message, AIMessageChunk):
            return self._chunk(message, metadata)
        if isinstance(message, AIMessage):
            return self._whole(message, metadata)
        if isinstance(message, ToolMessage):
            return self._result(message)
        return []

    def _chunk(self, chunk: AIMessageChunk, metadata: Mapping[str, Any]) -> list[Event]:
        message = self._open.get(chunk.id or "")
        if message is None:
            message = self._open[chunk.id or ""] = _opened(chunk, metadata)
        found: list[Event] = []
        if reasoning := reasoning_of(chunk.content, chunk.additional_kwargs):
            self._reason(message, reasoning, found)
        if text := text_of(chunk.content):
            self._write(message, text, found)
        for part in chunk.tool_call_chunks:
            self._call(message, part, found)
        if chunk.chunk_position == "last":
            self._close(message, found)
        return found

    def _whole(self, message: AIMessage, metadata: Mapping[str, Any]) -> list[Event]:
        if message.id in self._done or message.id in self._open:
            return []
        opened, found = _opened(message, metadata), list[Event]()
        if reasoning := reasoning_of(message.content, message.additional_kwargs):
            self._reason(opened, reasoning, found)
        if text := text_of(message.content):
            self._write(opened, text, found)
        for index, call in enumerate(message.tool_calls):
            args = events.arguments_text(call["args"])
            self._call(opened, {"index": index, "id": call["id"], "name": call["name"], "args": args}, found)
        self._close(opened, found)
        return found

    def _result(self, message: ToolMessage) -> list[Event]:
        call_id = message.tool_call_id
        if call_id in self._answered or call_id in self._hidden_calls:
            return []
        self._answered.add(call_id)
        return [events.tool_call_result(str(message.id), call_id, tool_text(message.content))]

    def close(self, task: str | None = None) -> list[Event]:
        """Ends the messages that were left open, all of them or those of one graph task."""
        found: list[Event] = []
        for message in list(self._open.values()):
            if task is None or message.task == task:
                self._close(message, found)
        return found

    def _reason(self, message: _Open, delta: str, found: list[Event]) -> None:
        if not message.shows_text:
            return
        id = reasoning_id(message.id)
        if not message.reasoning:
            message.reasoning = True
            found.append({"type": "REASONING_START", "messageId": id})
            found.append({"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"})
        found.append({"type": "REASONING_MESSAGE_CONTENT", "messageId": id, "delta": delta})

    def _end_reasoning(self, message: _Open, found: list[Event]) -> None:
        if message.reasoning:
            message.reasoning = False
            id = reasoning_id(message.id)
            found.append({"type": "REASONING_MESSAGE_END", "messageId": id})
            found.append({"type": "REASONING_END", "messageId": id})

    def _write(self, message: _Open, delta: str, found: list[Event]) -> None:
        if not message.shows_text:
            return
        self._end_reasoning(message, found)
        if not message.text:
            message.text = True
            found.append(events.text_start(message.id))
        found.append(events.text_content(message.id, delta))

    def _end_text(self, message: _Open, found: list[Event]) -> None:
        if message.text:
            message.text = False
            found.append(events.text_end(message.id))

    def _call(self, message: _Open, part: Mapping[str, Any], found: list[Event]) -> None:
        index = part.get("index")
        if index is None:
            index = part.get("id") or next(reversed(message.calls), 0)
        if index not in message.calls:
            if not part.get("name"):
                return
            self._start_call(message, index, part, found)
        call = message.calls[index]
        if call is not None and (delta := part.get("args")):
            if call.predicts:
                call.args.append(delta)
            found.append(events.tool_call_args(call.id, delta))

    def _start_call(
        self, message: _Open, index: int | str, part: Mapping[str, Any], found: list[Event]
    ) -> None:
        self._end_reasoning(message, found)
        self._end_text(message, found)
        name, id = str(part["name"]), str(part.get("id") or f"{message.id}-call-{index}")
        if not message.shows_call(name):
            message.calls[index] = None
            self._hidden_calls.add(id)
            return
        predicts = [entry for entry in message.predictions if entry.get("tool") == name]
        message.calls[index] = _Call(id, name, predicts)
        if predicts:
            found.append(events.custom("PredictState", message.predictions))
        found.append(events.tool_call_start(id, name, message.id))

    def _close(self, message: _Open, found: list[Event]) -> None:
        self._end_reasoning(message, found)
        self._end_text(message, found)
        for call in message.calls.values():
            if call is not None:
                found.append(events.tool_call_end(call.id))
                self.predicted.update(_foretold(call))
        self._open.pop(message.id, None)
        self._done.add(message.id)


def _opened(message: AIMessage, metadata: Mapping[str, Any]) -> _Open:
    shows_text = metadata.get(_TEXT, metadata.get("emit-messages", True))
    predictions = metadata.get(_PREDICT) or metadata.get("predict_state") or ()
    return _Open(
        id=message.id or "",
        task=str(metadata.get("langgraph_checkpoint_ns", "")).rpartition(":")[2],
        shows_text=shows_text is not False,
        shows_call=_call_filter(metadata.get(_CALLS, metadata.get("emit-tool-calls", True))),
        predictions=[dict(entry) for entry in predictions],
    )


def _call_filter(setting: Any) -> Callable[[str], bool]:
    """Returns the filter for `emit_tool_calls`: all, none, the tool of that name, or those of these names."""
    if isinstance(setting, str):
        return setting.__eq__
    if isinstance(setting, list | tuple | set | frozenset):
        return setting.__contains__
    return lambda name: setting is not False


def _foretold(call: _Call) -> dict[str, Any]:
    if not call.predicts:
        return {}
    try:
        args = orjson.loads("".join(call.args))
    except orjson.JSONDecodeError:
        return {}
    foretold: dict[str, Any] = {}
    for entry in call.predicts:
        argument = entry.get("tool_argument")
        if not argument:
            foretold[entry["state_key"]] = args
        elif isinstance(args, dict) and argument in args:
            foretold[entry["state_key"]] = args[argument]
    return foretold
