"""Reading, changing and deleting threads: each function is the work of one transaction."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Double, Row, and_, bindparam, case, delete, literal, select, tuple_, update

from ...errors import ThreadNotFoundError
from ..base import AgentState, ThreadRecord
from ..codec import decode_state
from .log import OWNER, THREAD
from .tables import Name, states, threads

_STATE = (
    select(threads.c.owner, states.c.data)
    .select_from(threads)
    .outerjoin(
        states,
        and_(states.c.thread_id == threads.c.id, states.c.agent_name == bindparam("agent")),
    )
    .where(threads.c.id == THREAD)
)


def load_state(connection: Connection, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
    """See `StateStore.load_state`."""
    row = connection.execute(_STATE, {"thread": thread_id, "agent": agent_name}).one_or_none()
    if row is None:
        return None
    if row.owner != owner:
        raise ThreadNotFoundError(thread_id)
    return None if row.data is None else decode_state(row.data)


_RECORD = (
    threads.c.id,
    threads.c.agent_name,
    threads.c.name,
    threads.c.archived,
    threads.c.created_at,
    threads.c.updated_at,
)
_OWNED = and_(threads.c.id == THREAD, threads.c.owner == OWNER)
_PLACE = select(threads.c.updated_at, threads.c.id).where(_OWNED)
_LIST = (
    select(*_RECORD)
    .where(threads.c.owner == OWNER)
    .order_by(threads.c.updated_at.desc(), threads.c.id.desc())
)


def list_threads(
    connection: Connection,
    owner: str,
    agent_name: str | None,
    *,
    include_archived: bool,
    limit: int | None,
    after: str | None,
) -> list[ThreadRecord]:
    """See `StateStore.list_threads`."""
    statement = _LIST
    if after is not None:
        last = connection.execute(_PLACE, {"thread": after, "user": owner}).one_or_none()
        if last is None:
            return []
        statement = statement.where(
            tuple_(threads.c.updated_at, threads.c.id)
            < tuple_(literal(last.updated_at), literal(last.id, Name))
        )
    if agent_name is not None:
        statement = statement.where(threads.c.agent_name == agent_name)
    if not include_archived:
        statement = statement.where(~threads.c.archived)
    if limit is not None:
        statement = statement.limit(limit)
    return [_record(row) for row in connection.execute(statement, {"user": owner})]


_AT = bindparam("at", type_=Double)
_UPDATE = (
    update(threads)
    .where(_OWNED)
    .values(updated_at=case((threads.c.created_at > _AT, threads.c.created_at), else_=_AT))
    .returning(*_RECORD)
)


def update_thread(
    connection: Connection, owner: str, thread_id: str, name: str | None, archived: bool | None
) -> ThreadRecord:
    """See `StateStore.update_thread`."""
    changes = {"name": name, "archived": archived}
    statement = _UPDATE.values({key: value for key, value in changes.items() if value is not None})
    values = {"thread": thread_id, "user": owner, "at": time.time()}
    row = connection.execute(statement, values).one_or_none()
    if row is None:
        raise ThreadNotFoundError(thread_id)
    return _record(row)


_DELETE = delete(threads).where(_OWNED)


def delete_thread(connection: Connection, owner: str, thread_id: str) -> None:
    """See `StateStore.delete_thread`."""
    if not connection.execute(_DELETE, {"thread": thread_id, "user": owner}).rowcount:
        raise ThreadNotFoundError(thread_id)


def _record(row: Row[Any]) -> ThreadRecord:
    return ThreadRecord(
        id=row.id,
        agent_name=row.agent_name,
        name=row.name,
        archived=row.archived,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
    )
