"""What interrupted nodes said before they asked, and say again when they run anew with the answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from langchain_core.messages import AIMessageChunk, BaseMessage

from ..langchain.content import reasoning_of, text_of

Streamed: TypeAlias = tuple[AIMessageChunk, Mapping[str, Any]]
"""A chunk and its metadata."""


class Repetition:
    """Holds back what a client has, as long as a node says it again. One per run.

    Args:
        tasks: the ids of the interrupted tasks.
        said: the client's last messages that the graph does not hold.

    Attributes:
        replaced: how many messages of these tasks differ from what was said before.
    """

    def __init__(self, tasks: Collection[str] = (), said: Iterable[BaseMessage] = ()) -> None:
        self.replaced = 0
        self._tasks = tuple(f":{task}" for task in tasks)
        self._said = [text_of(message.content) for message in said]
        self._ids = [(text_of(message.content), message.id) for message in said]
        self._held: dict[str | None, list[Streamed]] = {}
        self._texts: dict[str | None, str] = {}
        self._passed: set[str | None] = set()

    def concerns(self, namespace: str) -> bool:
        """Whether a namespace is one of an interrupted task."""
        return any(task in namespace for task in self._tasks)

    def take_id(self, namespace: str, text: str) -> str | None:
        """Returns the id under which a client has an answer of an interrupted task, each id once."""
        for entry in self._ids if self.concerns(namespace) else ():
            if entry[0] == text:
                self._ids.remove(entry)
                return entry[1]
        return None

    def feed(self, chunk: AIMessageChunk, metadata: Mapping[str, Any]) -> list[Streamed]:
        """Takes a chunk of an interrupted task, and returns the chunks that a client does not have."""
        id = chunk.id
        if id in self._passed:
            return [(chunk, metadata)]
        self._held.setdefault(id, []).append((chunk, metadata))
        text = self._texts[id] = self._texts.get(id, "") + text_of(chunk.content)
        differs = chunk.tool_call_chunks or reasoning_of(chunk.content, chunk.additional_kwargs)
        if differs or not any(said.startswith(text) for said in self._said):
            return self._pass(id)
        return self._settle(id) if chunk.chunk_position == "last" else []

    def end(self, task: str | None = None) -> list[Streamed]:
        """Returns the chunks that are still held back where a task, or every task, has ended."""
        found: list[Streamed] = []
        for id, held in list(self._held.items()):
            if task is None or f":{task}" in str(held[0][1].get("langgraph_checkpoint_ns")):
                found += self._settle(id)
        return found

    def _settle(self, id: str | None) -> list[Streamed]:
        if self._texts[id] not in self._said:
            return self._pass(id)
        self._said.remove(self._texts[id])
        del self._held[id]
        return []

    def _pass(self, id: str | None) -> list[Streamed]:
        self._passed.add(id)
        self.replaced += 1
        return self._held.pop(id)
