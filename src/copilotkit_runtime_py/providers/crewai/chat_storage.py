"""The storage of CrewAI's memories, of which every chat sees only its own part."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from crewai.memory.types import MemoryRecord, ScopeInfo

CHAT: ContextVar[str | None] = ContextVar("copilotkit_crewai_chat", default=None)
"""The scope in which the current chat remembers. CrewAI hands context variables on to all its threads."""


class ChatStorage:
    """A storage whose root is the current chat; outside of chats it is the storage as it is.

    No scope that a model or a user makes up leads out of the chat, as every scope is relative to it. What has
    no scope, such as `optimize`, goes to the storage.

    Args:
        storage: a `StorageBackend` of CrewAI.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_storage":  # copying asks for these
            raise AttributeError(name)
        return getattr(self._storage, name)

    def save(self, records: list[MemoryRecord]) -> None:
        """Saves records in the chat."""
        self._storage.save([_moved(record, _inside(record.scope)) for record in records])

    async def asave(self, records: list[MemoryRecord]) -> None:
        """Saves records in the chat."""
        await self._storage.asave([_moved(record, _inside(record.scope)) for record in records])

    def update(self, record: MemoryRecord) -> None:
        """Replaces a record of the chat."""
        self._storage.update(_moved(record, _inside(record.scope)))

    def get_record(self, record_id: str) -> MemoryRecord | None:
        """Returns a record of the chat, None where it has none with this id."""
        record = self._storage.get_record(record_id)
        return _moved(record, _seen(record.scope)) if record is not None and _is_inside(record) else None

    def search(
        self, query_embedding: list[float], scope_prefix: str | None = None, *args: Any, **options: Any
    ) -> list[tuple[MemoryRecord, float]]:
        """Searches the chat."""
        return _own(self._storage.search(query_embedding, _inside(scope_prefix), *args, **options))

    async def asearch(
        self, query_embedding: list[float], scope_prefix: str | None = None, *args: Any, **options: Any
    ) -> list[tuple[MemoryRecord, float]]:
        """Searches the chat."""
        return _own(await self._storage.asearch(query_embedding, _inside(scope_prefix), *args, **options))

    def delete(self, scope_prefix: str | None = None, *args: Any, **options: Any) -> int:
        """Deletes records of the chat."""
        deleted: int = self._storage.delete(_inside(scope_prefix), *args, **options)
        return deleted

    async def adelete(self, scope_prefix: str | None = None, *args: Any, **options: Any) -> int:
        """Deletes records of the chat."""
        deleted: int = await self._storage.adelete(_inside(scope_prefix), *args, **options)
        return deleted

    def list_records(self, scope_prefix: str | None = None, *args: Any, **options: Any) -> list[MemoryRecord]:
        """Lists records of the chat."""
        found = self._storage.list_records(_inside(scope_prefix), *args, **options)
        return [_moved(record, _seen(record.scope)) for record in found if _is_inside(record)]

    def get_scope_info(self, scope: str) -> ScopeInfo:
        """Tells of a scope of the chat."""
        info: ScopeInfo = self._storage.get_scope_info(_inside(scope))
        children = [_seen(child) for child in info.child_scopes]
        return info.model_copy(update={"path": _seen(info.path), "child_scopes": children})

    def list_scopes(self, parent: str = "/") -> list[str]:
        """Lists scopes of the chat."""
        return [_seen(scope) for scope in self._storage.list_scopes(_inside(parent))]

    def list_categories(self, scope_prefix: str | None = None) -> dict[str, int]:
        """Lists the categories of the chat."""
        categories: dict[str, int] = self._storage.list_categories(_inside(scope_prefix))
        return categories

    def count(self, scope_prefix: str | None = None) -> int:
        """Counts records of the chat."""
        count: int = self._storage.count(_inside(scope_prefix))
        return count

    def reset(self, scope_prefix: str | None = None) -> None:
        """Deletes what the chat remembers."""
        self._storage.reset(_inside(scope_prefix))


def _inside(scope: str | None) -> str | None:
    """Returns where a scope of the chat is in the storage."""
    chat = CHAT.get()
    if chat is None:
        return scope
    inner = (scope or "").strip("/")
    return f"{chat}/{inner}" if inner else chat


def _seen(scope: str) -> str:
    """Returns a scope of the storage as the chat sees it."""
    return scope.removeprefix(CHAT.get() or "") or "/"


def _own(found: list[tuple[MemoryRecord, float]]) -> list[tuple[MemoryRecord, float]]:
    """Returns what was found in the chat. LanceDB also finds what is at the root, whatever it is asked."""
    return [(_moved(record, _seen(record.scope)), score) for record, score in found if _is_inside(record)]


def _is_inside(record: MemoryRecord) -> bool:
    chat = CHAT.get()
    return chat is None or record.scope == chat or record.scope.startswith(f"{chat}/")


def _moved(record: MemoryRecord, scope: str | None) -> MemoryRecord:
    return record if record.scope == scope else record.model_copy(update={"scope": scope})
