"""The ids by which clients know messages that the server has under others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage

from ..langchain.content import text_of
from ..langgraph.repetition import Repetition

MESSAGE_IDS: Final = "copilotkit_message_ids"
"""The key of a thread's metadata for the ids that clients know, by the server's."""

GENERATED: Final = "lc_run-"
"""What the ids begin with that LangChain gives to the messages of models, and not the provider."""


class MessageIds:
    """Translates the ids of a thread's messages.

    A node that said something and then asked says it again when it goes on with the answer. The server has it
    under the id of the second time, and clients under that of the first. A node may also show a message by
    hand, and then store it under another id.

    Args:
        metadata: the thread's metadata.

    Attributes:
        changed: whether there are ids that the metadata has not.
    """

    def __init__(self, metadata: Mapping[str, Any] | None) -> None:
        self.changed = False
        self._emitted: dict[str, list[tuple[str, str]]] = {}
        known = (metadata or {}).get(MESSAGE_IDS)
        self._outside: dict[str, str] = dict(known) if isinstance(known, Mapping) else {}
        self._inside = {outside: inside for inside, outside in self._outside.items()}

    @property
    def all(self) -> dict[str, str]:
        """The ids that clients know, by the server's."""
        return self._outside

    def outside(self, messages: Iterable[BaseMessage]) -> list[BaseMessage]:
        """Gives messages of the server the ids that clients know."""
        named = list(messages)
        if self._outside:
            for message in named:
                message.id = self._outside.get(message.id or "", message.id)
        return named

    def inside(self, id: str | None) -> str | None:
        """Returns the id that the server has for a message."""
        return self._inside.get(id or "", id)

    def emit(self, namespace: str, id: str, text: str) -> None:
        """Notes a message that a task shows by hand."""
        self._emitted.setdefault(namespace, []).append((id, text))

    def stored(self, namespace: str, message: BaseMessage) -> None:
        """Gives a message that a task stores the id under which the task has shown it by hand."""
        if not isinstance(message, AIMessage) or message.id is None or message.tool_calls:
            return
        entry = next((each for each in self._emitted.get(namespace, ()) if each[1] == message.text), None)
        if entry is not None:
            self._emitted[namespace].remove(entry)
            self._rename(message.id, entry[0])
            message.id = entry[0]

    def learn(self, namespace: str, result: Any, repetition: Repetition) -> None:
        """Takes what a task has returned, and finds in it what the task has said before.

        Args:
            namespace: the task's.
            result: what it has returned; the messages in it are those of LangChain.
            repetition: what interrupted tasks have said.
        """
        if not repetition.concerns(namespace):
            return
        for message in _answers(result):
            id = repetition.take_id(namespace, text_of(message.content))
            if id is not None and message.id is not None:
                self._rename(message.id, id)

    def _rename(self, inside: str, outside: str) -> None:
        if inside != outside:
            self._outside[inside] = outside
            self._inside[outside] = inside
            self.changed = True


def _answers(result: Any) -> Iterable[AIMessage]:
    if isinstance(result, AIMessage):
        yield result
    elif isinstance(result, Mapping):
        for value in result.values():
            yield from _answers(value)
    elif isinstance(result, list | tuple):
        for value in result:
            yield from _answers(value)
