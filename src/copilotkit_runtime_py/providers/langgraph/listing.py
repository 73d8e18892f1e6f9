"""The threads that a checkpointer holds.

LangGraph's checkpointers list checkpoints, with the whole state of each. The SQL ones are asked for the ids
alone; the ids of checkpoints are UUIDs of version 6, which hold a time.
"""

from __future__ import annotations

import importlib
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .stored import StoredThreads

_PAGE: Final = 500
# The first is one that both databases understand. A prefix is compared, not matched, so that it means itself.
_THREADS: Final = """
    SELECT thread_id, MIN(checkpoint_id), MAX(checkpoint_id) FROM checkpoints
    WHERE checkpoint_ns = '' AND thread_id > {p} AND substr(thread_id, 1, {p}) = {p}
    GROUP BY thread_id ORDER BY thread_id LIMIT {p}
"""
_COUNT: Final = """
    SELECT COUNT(DISTINCT thread_id) FROM checkpoints
    WHERE checkpoint_ns = '' AND substr(thread_id, 1, {p}) = {p}
"""
_SQL_SAVERS: Final = {"sqlite": "AsyncSqliteSaver", "postgres": "AsyncPostgresSaver"}
_GREGORIAN: Final = datetime(1582, 10, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ListedThread:
    """A thread of a checkpointer.

    Attributes:
        id: the thread's id.
        created_at: when its first checkpoint was made.
        updated_at: when its last checkpoint was made.
    """

    id: str
    created_at: datetime
    updated_at: datetime


async def list_threads(checkpointer: Any) -> AsyncIterator[ListedThread]:
    """Yields the threads that a checkpointer holds. Without a checkpointer there are none."""
    saver, prefix = await _opened(checkpointer)
    if _kind(saver) is None:
        for thread in (await _collected(saver, prefix)).values():
            yield thread
        return
    last = ""
    while True:
        page = await _select(saver, _THREADS, (last, len(prefix), prefix, _PAGE))
        for id, first_checkpoint, last_checkpoint in page:
            yield ListedThread(id.removeprefix(prefix), _time(first_checkpoint), _time(last_checkpoint))
        if len(page) < _PAGE:
            return
        last = page[-1][0]


async def count_threads(checkpointer: Any) -> int:
    """Returns how many threads a checkpointer holds."""
    saver, prefix = await _opened(checkpointer)
    if _kind(saver) is None:
        return len(await _collected(saver, prefix))
    ((count,),) = await _select(saver, _COUNT, (len(prefix), prefix))
    return int(count)


async def _opened(checkpointer: Any) -> tuple[Any, str]:
    if isinstance(checkpointer, StoredThreads):
        return await checkpointer.opened()
    return checkpointer, ""


def _kind(saver: Any) -> str | None:
    """Returns which of LangGraph's SQL savers this is. A program that has one has imported its module."""
    for kind, name in _SQL_SAVERS.items():
        module = sys.modules.get(f"langgraph.checkpoint.{kind}.aio")
        if module is not None and isinstance(saver, getattr(module, name)):
            return kind
    return None


async def _select(saver: Any, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    if _kind(saver) == "sqlite":
        await saver.setup()
        async with saver.conn.execute(statement.format(p="?"), values) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]
    rows = importlib.import_module("psycopg.rows")
    async with AsyncExitStack() as stack:
        connection = saver.conn
        if hasattr(connection, "connection"):  # a pool
            connection = await stack.enter_async_context(connection.connection())
        cursor = await stack.enter_async_context(connection.cursor(row_factory=rows.tuple_row))
        await cursor.execute(statement.format(p="%s"), values)
        return list(await cursor.fetchall())


async def _collected(saver: Any, prefix: str) -> dict[str, ListedThread]:
    found: dict[str, ListedThread] = {}
    if not hasattr(saver, "alist"):
        return found
    async for checkpoint in saver.alist(None):
        id = str(checkpoint.config["configurable"]["thread_id"])
        if not id.startswith(prefix):
            continue
        id = id.removeprefix(prefix)
        at = datetime.fromisoformat(checkpoint.checkpoint["ts"])
        known = found.get(id, ListedThread(id, at, at))
        found[id] = ListedThread(id, min(known.created_at, at), max(known.updated_at, at))
    return found


def _time(checkpoint_id: str) -> datetime:
    """Returns the time in a UUID of version 6 (RFC 9562, section 5.6)."""
    value = uuid.UUID(checkpoint_id).int
    ticks = (value >> 80) << 12 | (value >> 64) & 0xFFF
    return _GREGORIAN + timedelta(microseconds=ticks // 10)
