"""One answer of a chat model: streamed as events, and whole for the next question."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import orjson
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import add_ai_message_chunks

from ...agui.events import Event
from ..langchain.message_stream import MessageStream


@dataclass(slots=True)
class CalledTool:
    """A tool call in the answer."""

    id: str
    name: str
    args: list[str] = field(default_factory=list)

    def arguments(self) -> Any:
        """Returns the arguments, None if they are not JSON."""
        try:
            return orjson.loads("".join(self.args) or "{}")
        except orjson.JSONDecodeError:
            return None


class Answer:
    """An answer, which has an id of its own: vendors give none, or several."""

    def __init__(self) -> None:
        self._id = str(uuid.uuid4())
        self._stream = MessageStream(())
        self._chunks: list[AIMessageChunk] = []
        self._calls: dict[str, CalledTool] = {}

    def feed(self, chunk: AIMessage) -> list[Event]:
        """Returns the events of a chunk."""
        chunk.id = self._id
        if isinstance(chunk, AIMessageChunk):
            self._chunks.append(chunk)
        found = self._stream.feed(chunk, {})
        for event in found:
            if event["type"] == "TOOL_CALL_START":
                id = event["toolCallId"]
                self._calls[id] = CalledTool(id, event["toolCallName"])
            elif event["type"] == "TOOL_CALL_ARGS":
                self._calls[event["toolCallId"]].args.append(event["delta"])
        return found

    def calls_of(self, names: Collection[str]) -> list[CalledTool]:
        """Returns the calls of these tools."""
        return [call for call in self._calls.values() if call.name in names]

    def calls_others(self, names: Collection[str]) -> bool:
        """Whether the answer calls other tools than these."""
        return any(call.name not in names for call in self._calls.values())

    def message(self) -> AIMessage:
        """Returns the answer as the model's vendor wants it back, with what it has thought."""
        whole = add_ai_message_chunks(*self._chunks)
        calls: list[Any] = []
        for call in self._calls.values():
            arguments = call.arguments()
            args = arguments if isinstance(arguments, dict) else {}
            calls.append({"name": call.name, "args": args, "id": call.id})
        return AIMessage(whole.content, additional_kwargs=whole.additional_kwargs, tool_calls=calls)
