"""Messages on their way from a chat model: tokens to text, reasoning and tool-call events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage

from ...agui import events
from ...agui.call_ids import original
from ...agui.events import Event
from ..streamed_calls import StreamedCall, StreamedCalls
from .content import reasoning_of, text_of, tool_text
from .messages import call_id, calls_of, reasoning_id

_TEXT = "copilotkit:emit-messages"
_CALLS = "copilotkit:emit-tool-calls"
_PREDICT = "copilotkit:emit-intermediate-state"


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
        calls: its tool calls.
        started: how many of them have started.
    """

    id: str
    task: str
    shows_text: bool
    shows_call: Callable[[str], bool]
    predictions: list[dict[str, Any]]
    text: bool = False
    reasoning: bool = False
    calls: StreamedCalls = field(default_factory=StreamedCalls)
    started: int = 0


class MessageStream:
    """Turns what LangGraph's `messages` mode yields into events. One per run.

    Every message keeps the id that it has in the graph. What a client already knows is not sent again, and
    every tool call gets one result.

    Args:
        known: the messages that the client knows, with the ids by which it knows their tool calls.

    Attributes:
        predicted: parts of the state that finished tool calls have foretold, until they are taken out.
    """

    def __init__(self, known: Iterable[BaseMessage]) -> None:
        self.predicted: dict[str, Any] = {}
        self._open: dict[str, _Open] = {}
        known = list(known)
        results = {message.tool_call_id for message in known if isinstance(message, ToolMessage)}
        calls = {call["id"] for m in known if isinstance(m, AIMessage) for call in calls_of(m)}
        self._done: set[str | None] = {message.id for message in known}
        # By the ids that models gave, of which several calls may have the same.
        self._unanswered = Counter(original(id) for id in calls - results)
        self._answered = set(map(original, results))
        self._hidden_calls: set[str] = set()

    def know(self, messages: Iterable[BaseMessage]) -> None:
        """Notes messages that the client has, or is not to get."""
        for message in messages:
            if message.id is not None and message.id in self._done:
                continue
            self._done.add(message.id)
            if isinstance(message, ToolMessage):
                self._settle(message.tool_call_id)
            elif isinstance(message, AIMessage):
                self._unanswered.update(call["id"] for call in calls_of(message))

    def hide(self, message: BaseMessage) -> None:
        """Keeps back the results of a message's calls. If the message comes again, it is shown then."""
        if isinstance(message, AIMessage):
            calls = message.tool_call_chunks if isinstance(message, AIMessageChunk) else message.tool_calls
            self._hidden_calls.update(str(call["id"]) for call in calls if call["id"])

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
        for index, call in enumerate(calls_of(message)):
            self._call(opened, {"index": index, **call}, found)
        self._close(opened, found)
        return found

    def _result(self, message: ToolMessage) -> list[Event]:
        call_id = message.tool_call_id
        if message.id is not None:
            if message.id in self._done:
                return []
            self._done.add(message.id)
        answered = call_id in self._answered and not self._unanswered[call_id]
        self._settle(call_id)
        if answered or call_id in self._hidden_calls:
            return []
        return [events.tool_call_result(str(message.id), call_id, tool_text(message.content))]

    def _settle(self, call_id: str) -> None:
        self._answered.add(call_id)
        if self._unanswered[call_id]:
            self._unanswered[call_id] -= 1

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
        call = message.calls.add(part)
        if not call.id:
            if not call.name or call.model_id is None:
                return  # what is missing may still come
            for each in message.calls:
                if not each.id and each.name:
                    self._start_call(message, each, found)
                    self._grow_call(message, each, found)
                if each is call:
                    break
        self._grow_call(message, call, found)

    def _start_call(self, message: _Open, call: StreamedCall, found: list[Event]) -> None:
        call.id = call.model_id or call_id(message.id, message.started)
        message.started += 1
        self._end_reasoning(message, found)
        self._end_text(message, found)
        self._unanswered[call.id] += 1
        if not message.shows_call(call.name):
            self._hidden_calls.add(call.id)
            return
        self._hidden_calls.discard(call.id)
        if any(entry.get("tool") == call.name for entry in message.predictions):
            found.append(events.custom("PredictState", message.predictions))
        found.append(events.tool_call_start(call.id, call.name, message.id))

    def _grow_call(self, message: _Open, call: StreamedCall, found: list[Event]) -> None:
        if message.shows_call(call.name):
            found += [events.tool_call_args(call.id, delta) for delta in call.args[call.sent :]]
        call.sent = len(call.args)

    def _close(self, message: _Open, found: list[Event]) -> None:
        self._end_reasoning(message, found)
        self._end_text(message, found)
        message.calls.close()
        for call in message.calls:
            if not call.id:
                self._start_call(message, call, found)
            self._grow_call(message, call, found)
        for call in message.calls:
            if message.shows_call(call.name):
                found.append(events.tool_call_end(call.id))
                self.predicted.update(_foretold(message.predictions, call))
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


def _foretold(predictions: list[dict[str, Any]], call: StreamedCall) -> dict[str, Any]:
    predicts = [entry for entry in predictions if entry.get("tool") == call.name]
    args = call.arguments() if predicts else None
    foretold: dict[str, Any] = {}
    for entry in predicts if args is not None else ():
        argument = entry.get("tool_argument")
        if not argument:
            foretold[entry["state_key"]] = args
        elif isinstance(args, dict) and argument in args:
            foretold[entry["state_key"]] = args[argument]
    return foretold
