"""The server's stream in the form of `graph.astream`, for the mapper of graphs in this process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import orjson
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.types import Interrupt
from pydantic import ValidationError

from ..langgraph.callbacks import DispatchedEvent, emitted_message
from ..langgraph.repetition import Repetition
from ..langgraph.visibility import INTERNAL
from .message_ids import GENERATED, MessageIds
from .observed import Observed
from .run import RawPart
from .structured import StructuredOutput

STREAM_MODES: Final = ["messages-tuple", "values", "custom", "tasks", "events"]
"""The modes to ask the server for. Custom events that a node dispatches are among `events` alone."""

_MESSAGES: Final[dict[str, type[BaseMessage]]] = {
    "AIMessageChunk": AIMessageChunk,
    "ai": AIMessage,
    "human": HumanMessage,
    "remove": RemoveMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
}
_FIRST: Final = b'{"event":"'
_READ: Final = frozenset(
    {
        None,
        b"on_custom_event",
        b"on_chat_model_start",
        b"on_parser_start",
        b"on_tool_start",
        b"on_tool_end",
        b"on_tool_error",
    }
)
"""The names of LangChain's events that are read."""
_INTERRUPT_FIELDS: Final = {field.name for field in dataclasses.fields(Interrupt)}

Part = tuple[tuple[str, ...], str, Any]


class Parts:
    """Translates the parts of one run.

    Args:
        ids: the ids by which clients know the thread's messages; it learns those of this run.
        repetition: what interrupted tasks have said before.

    Attributes:
        tool_tasks: the namespaces of tasks in which tools run.
    """

    def __init__(self, ids: MessageIds, repetition: Repetition) -> None:
        self._ids = ids
        self._repetition = repetition
        self._observed = Observed()
        self._structured = StructuredOutput()
        self.tool_tasks = self._observed.tool_tasks
        self._first_ids: dict[str, str] = {}

    def translate(self, part: RawPart) -> list[Part]:
        """Returns what `graph.astream` yields with subgraphs for a part; nothing for one that it has not."""
        name, data = part
        mode, *namespace = name.split("|")
        where = tuple(namespace)
        match mode:
            case "messages":
                message, metadata = orjson.loads(data)
                return self._message(where, message_from(_chunk(message)), metadata)
            case "values":
                values = self._values(orjson.loads(data))
                return [(where, mode, values)] if values is not None else []
            case "tasks":
                return self._task(where, orjson.loads(data))
            case "custom":
                return [(where, mode, orjson.loads(data))]
            case "events":
                return self._event(where, data)
        return []

    def _message(
        self, where: tuple[str, ...], message: BaseMessage | None, metadata: dict[str, Any]
    ) -> list[Part]:
        if message is None:
            return []
        if reason := self._observed.internal(str(message.id), metadata):
            metadata[INTERNAL] = reason
        if not isinstance(message, AIMessageChunk):
            self._ids.stored(str(metadata.get("langgraph_checkpoint_ns")), message)
        named = self._with_first_id(message, metadata)
        return [(where, "messages", each) for each in self._structured.message(named, metadata)]

    def _event(self, where: tuple[str, ...], data: bytes) -> list[Part]:
        """Most events say nothing here, and hold a whole state: they are not decoded."""
        kind = data[len(_FIRST) : data.find(b'"', len(_FIRST))] if data.startswith(_FIRST) else None
        if kind not in _READ and not (kind == b"on_chain_start" and self._structured.reads(data)):
            return []
        event = orjson.loads(data)
        if event.get("event") == "on_custom_event":
            name, data = str(event.get("name")), event.get("data")
            if (emitted := emitted_message(name, data)) is not None:
                namespace = (event.get("metadata") or {}).get("langgraph_checkpoint_ns")
                self._ids.emit(str(namespace), *emitted)
            return [(where, "custom", DispatchedEvent(name, data))]
        self._observed.event(event)
        return [(where, "messages", each) for each in self._structured.event(event)]

    def _values(self, values: Any) -> Any:
        """Returns the values of a graph; None if there are only interrupts, as of the JavaScript server."""
        if isinstance(values, dict) and values.keys() == {"__interrupt__"}:
            return None
        if isinstance(values, dict) and isinstance(values.get("messages"), list):
            values["messages"] = self._ids.outside(messages_from(values["messages"]))
        return values

    def _task(self, where: tuple[str, ...], task: dict[str, Any]) -> list[Part]:
        if "triggers" in task:
            self._observed.task(task)
            return [(where, "tasks", task)]
        namespace = "|".join((*where, f"{task['name']}:{task['id']}"))
        self._ids.learn(namespace, _with_messages(task.get("result")), self._repetition)
        task["interrupts"] = [interrupt_from(each) for each in task.get("interrupts") or ()]
        held = self._structured.end(namespace)
        return [*((where, "messages", each) for each in held), (where, "tasks", task)]

    def _with_first_id(self, message: BaseMessage, metadata: Mapping[str, Any]) -> BaseMessage:
        """Gives every chunk of one model call the id of its first.

        Some chat models send the provider's id with one chunk and LangChain's with the others.
        """
        if not isinstance(message, AIMessageChunk) or message.id is None:
            return message
        task = str(metadata.get("langgraph_checkpoint_ns"))
        first = self._first_ids.get(task)
        generated = (first or "").startswith(GENERATED) != message.id.startswith(GENERATED)
        if first is None or not generated:
            first = self._first_ids[task] = message.id
        message.id = first
        if message.chunk_position == "last":
            del self._first_ids[task]
        return message


def message_from(data: Any) -> BaseMessage | None:
    """Returns a message that a server sent as JSON, or None if it is malformed or of an unknown type."""
    kind = _MESSAGES.get(data.get("type", "")) if isinstance(data, dict) else None
    if kind is None:
        return None
    try:
        return kind.model_validate(data)
    except ValidationError:
        return None


def messages_from(data: Any) -> list[BaseMessage]:
    """Returns the messages of a list that a server sent as JSON."""
    found = [message_from(each) for each in data] if isinstance(data, list) else []
    return [message for message in found if message is not None]


def interrupt_from(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an interrupt that a server sent as the fields of an `Interrupt`."""
    fields = {"id": data.get("id") or data.get("interrupt_id"), **data}
    return {name: value for name, value in fields.items() if name in _INTERRUPT_FIELDS}


def _chunk(message: Any) -> Any:
    """Returns what the JavaScript server sends of a message that a model streams, with its type in Python."""
    if isinstance(message, dict) and message.get("type") == "ai" and "tool_call_chunks" in message:
        return {**message, "type": "AIMessageChunk"}
    return message


def _with_messages(value: Any) -> Any:
    """Returns JSON with what has the form of a message as one."""
    if isinstance(value, dict):
        message = message_from(value) if "content" in value else None
        return message or {name: _with_messages(each) for name, each in value.items()}
    return [_with_messages(each) for each in value] if isinstance(value, list) else value
