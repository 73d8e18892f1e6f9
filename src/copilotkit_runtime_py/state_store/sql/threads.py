"""Threads and agents' states: reading, changing and deleting them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from ...errors import ThreadNotFoundError
from ..base import AgentState, ThreadRecord
from ..codec import decode_state
from .statement import Row, Statement, Steps, escape, unescape

_STATE = Statement("""
    SELECT t.owner, s.data
    FROM copilotkit_threads t LEFT JOIN copilotkit_states s ON s.thread_id = t.id AND s.agent_name = :agent
    WHERE t.id = :thread
""")


def load_state(owner: str, thread_id: str, agent_name: str) -> Steps[AgentState | None]:
    """See `StateStore.load_state`."""
    rows = yield _STATE, {"thread": escape(thread_id), "agent": escape(agent_name)}
    for found, data in rows:
        if found != escape(owner):
            raise ThreadNotFoundError(thread_id)
        return None if data is None else decode_state(data)
    return None


# Null for a thread without a run since the column was added.
_RAN_AT = "coalesce(last_run_at, updated_at)"
_RECORD = f"id, agent_name, name, archived, created_at, updated_at, {_RAN_AT}"
_LIST = Statement(f"""
    SELECT {_RECORD} FROM copilotkit_threads
    WHERE owner = :owner AND (:any_agent OR agent_name = :agent) AND (:include_archived OR NOT archived)
    ORDER BY {_RAN_AT} DESC, id DESC LIMIT :limit
""")
_NEXT = Statement(f"""
    SELECT {_RECORD} FROM copilotkit_threads
    WHERE owner = :owner AND (:any_agent OR agent_name = :agent) AND (:include_archived OR NOT archived)
        AND ({_RAN_AT}, id) < (
            SELECT {_RAN_AT}, id FROM copilotkit_threads WHERE id = :after AND owner = :owner
        )
    ORDER BY {_RAN_AT} DESC, id DESC LIMIT :limit
""")
# The largest LIMIT of both databases.
_ALL = 2**62


def list_threads(
    owner: str, agent_name: str | None, *, include_archived: bool, limit: int | None, after: str | None
) -> Steps[list[ThreadRecord]]:
    """See `StateStore.list_threads`."""
    rows = yield (
        _LIST if after is None else _NEXT,
        {
            "owner": escape(owner),
            "any_agent": agent_name is None,
            "agent": escape(agent_name or ""),
            "include_archived": include_archived,
            "limit": _ALL if limit is None else limit,
            "after": escape(after or ""),
        },
    )
    return [_record(row) for row in rows]


_UPDATE = Statement(f"""
    UPDATE copilotkit_threads
    SET name = CASE WHEN :rename THEN :name ELSE name END,
        archived = CASE WHEN :move THEN :archived ELSE archived END,
        last_run_at = {_RAN_AT},
        updated_at = CASE WHEN created_at > :at THEN created_at ELSE :at END
    WHERE id = :thread AND owner = :owner
    RETURNING {_RECORD}
""")


def update_thread(owner: str, thread_id: str, name: str | None, archived: bool | None) -> Steps[ThreadRecord]:
    """See `StateStore.update_thread`."""
    rows = yield (
        _UPDATE,
        {
            "thread": escape(thread_id),
            "owner": escape(owner),
            "rename": name is not None,
            "name": escape(name or ""),
            "move": archived is not None,
            "archived": bool(archived),
            "at": time.time(),
        },
    )
    if not rows:
        raise ThreadNotFoundError(thread_id)
    return _record(rows[0])


_DELETE = Statement("DELETE FROM copilotkit_threads WHERE id = :thread AND owner = :owner RETURNING id")


def delete_thread(owner: str, thread_id: str) -> Steps[None]:
    """See `StateStore.delete_thread`."""
    rows = yield _DELETE, {"thread": escape(thread_id), "owner": escape(owner)}
    if not rows:
        raise ThreadNotFoundError(thread_id)


def _record(row: Row) -> ThreadRecord:
    id, agent_name, name, archived, created_at, updated_at, ran_at = row
    return ThreadRecord(
        id=unescape(id),
        agent_name=unescape(agent_name),
        name=None if name is None else unescape(name),
        archived=bool(archived),
        created_at=datetime.fromtimestamp(created_at, UTC),
        updated_at=datetime.fromtimestamp(updated_at, UTC),
        last_run_at=datetime.fromtimestamp(ran_at, UTC),
    )
