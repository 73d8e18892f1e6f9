"""What goes when a store keeps too much."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, select

from ..base import Retention
from .tables import threads

# How many threads one statement deletes; each variable of a statement costs memory.
_CHUNK: Final = 500

_OLDEST_FIRST = (threads.c.updated_at, threads.c.id)
_IDLE = select(threads.c.id).where(~threads.c.running)


def evict(connection: Connection, retention: Retention) -> None:
    """Deletes the threads that exceed a bound, those that changed longest ago first."""
    for surplus in _surplus(connection, retention):
        for start in range(0, len(surplus), _CHUNK):
            # A thread may have a new run by now, and another worker may be deleting it.
            still = _IDLE.where(threads.c.id.in_(surplus[start : start + _CHUNK]))
            ids = connection.scalars(still.with_for_update(skip_locked=True)).all()
            connection.execute(delete(threads).where(threads.c.id.in_(ids)))


def _surplus(connection: Connection, retention: Retention) -> Iterator[Sequence[str]]:
    if retention.max_age is not None:
        since = time.time() - retention.max_age.total_seconds()
        yield connection.scalars(_IDLE.where(threads.c.updated_at < since)).all()
    if retention.max_threads is not None:
        count = (connection.scalar(select(func.count()).select_from(threads)) or 0) - retention.max_threads
        if count > 0:
            yield connection.scalars(_IDLE.order_by(*_OLDEST_FIRST).limit(count)).all()
    if retention.max_bytes is not None:
        size = int(connection.scalar(select(func.sum(threads.c.bytes))) or 0) - retention.max_bytes
        if size > 0:
            before = func.sum(threads.c.bytes).over(order_by=_OLDEST_FIRST) - threads.c.bytes
            idle = select(threads.c.id, before.label("before")).where(~threads.c.running).subquery()
            yield connection.scalars(select(idle.c.id).where(idle.c.before < size)).all()
