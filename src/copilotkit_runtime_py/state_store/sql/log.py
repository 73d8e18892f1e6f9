"""How runs are claimed, written and read: each function is the work of one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Connection,
    Double,
    Integer,
    LargeBinary,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ...errors import RunLostError, ThreadBusyError, ThreadNotFoundError
from ..base import RunEnding, RunLog, RunRecord
from ..codec import encode_state, join, split
from .tables import Name, batches, now, runs, states, threads

_LARGEST: Final = 2**31 - 1

INSERT: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

THREAD = bindparam("thread", type_=Name)
OWNER = bindparam("user", type_=Name)
NUMBER = bindparam("run_number", type_=Integer)
POSITION = bindparam("place", type_=Integer)
LEASE = bindparam("lease", type_=Double)
_THE_RUN = and_(runs.c.thread_id == THREAD, runs.c.number == NUMBER)
_EARLIER = and_(runs.c.thread_id == THREAD, runs.c.number < NUMBER)

_CLAIM = {
    name: statement.on_conflict_do_update(
        index_elements=["id"], set_={"id": statement.excluded.id}
    ).returning(threads.c.owner, threads.c.last_number, threads.c.running)
    for name, statement in ((name, make(threads)) for name, make in INSERT.items())
}
_PRODUCER = select(runs.c.producer).where(_THE_RUN)
_THREAD_RUNS = (
    update(threads)
    .where(threads.c.id == THREAD)
    .values(
        last_number=NUMBER,
        running=True,
        agent_name=bindparam("agent"),
        updated_at=bindparam("at", type_=Double),
    )
)
_NEW_RUN = insert(runs).values(
    lease_until=now() + LEASE, stop_requested=False, ended=False, length=0, whole=True, bytes=0
)


def begin(connection: Connection, run: RunRecord, lease_seconds: float) -> RunRecord:
    """See `StateStore.begin_run`."""
    at = max(time.time(), run.started_at.timestamp())
    values = {
        "id": run.thread_id,
        "owner": run.owner,
        "agent_name": run.agent_name,
        "archived": False,
        "created_at": run.started_at.timestamp(),
        "updated_at": at,
        "last_number": 0,
        "running": False,
        "bytes": 0,
    }
    thread = connection.execute(_CLAIM[connection.dialect.name], values).one()
    if thread.owner != run.owner:
        raise ThreadNotFoundError(run.thread_id)
    if thread.running:
        key = {"thread": run.thread_id, "run_number": thread.last_number}
        if connection.scalar(_PRODUCER, key) == run.producer:
            return replace(run, number=thread.last_number)
        raise ThreadBusyError(run.thread_id)
    number = thread.last_number + 1
    connection.execute(
        _THREAD_RUNS, {"thread": run.thread_id, "run_number": number, "agent": run.agent_name, "at": at}
    )
    connection.execute(
        _NEW_RUN,
        {
            "thread_id": run.thread_id,
            "number": number,
            "id": run.id,
            "agent_name": run.agent_name,
            "producer": run.producer,
            "started_at": run.started_at.timestamp(),
            "lease": lease_seconds,
        },
    )
    return replace(run, number=number)


_COUNT = bindparam("events", type_=Integer)
_DATA = bindparam("text", type_=LargeBinary)
_EXTEND = (
    update(runs)
    .where(_THE_RUN, runs.c.producer == bindparam("by"), ~runs.c.ended, runs.c.length == POSITION)
    .values(
        length=runs.c.length + _COUNT,
        bytes=runs.c.bytes + bindparam("size", type_=Integer),
        lease_until=now() + LEASE,
    )
    .returning(runs.c.stop_requested)
)
_BATCH = insert(batches).values(thread_id=THREAD, number=NUMBER, position=POSITION, count=_COUNT, data=_DATA)
_extended = _EXTEND.cte("extended")
_added = (
    insert(batches)
    .from_select(
        ["thread_id", "number", "position", "count", "data"],
        select(THREAD, NUMBER, POSITION, _COUNT, _DATA).select_from(_extended).where(_COUNT > 0),
    )
    .cte("added")
)
# All in one statement, which is one round trip to the server.
_EXTEND_AT_ONCE = select(_extended.c.stop_requested).add_cte(_added)


def _values(run: RunRecord, position: int, events: Sequence[bytes], lease_seconds: float) -> dict[str, Any]:
    text = join(events)
    return {
        "thread": run.thread_id,
        "run_number": run.number,
        "by": run.producer,
        "place": position,
        "events": len(events),
        "text": text,
        "size": len(text),
        "lease": lease_seconds,
    }


def extend(
    connection: Connection, run: RunRecord, position: int, events: Sequence[bytes], lease_seconds: float
) -> bool | None:
    """Appends what belongs right at the end of the log of a run that its own producer writes.

    Args:
        connection: where; on PostgreSQL, it takes one statement.
        run: see `StateStore.append`.
        position: see `StateStore.append`.
        events: see `StateStore.append`.
        lease_seconds: for how long the run is leased.

    Returns:
        Whether somebody asked the run to stop; None if nothing was done, for `settle` to say why.
    """
    values = _values(run, position, events, lease_seconds)
    if connection.dialect.name == "postgresql":
        return connection.execute(_EXTEND_AT_ONCE, values).scalar_one_or_none()
    asked = connection.execute(_EXTEND, values).scalar_one_or_none()
    if asked is not None and events:
        connection.execute(_BATCH, values)
    return asked


_LOCKED_THREAD = select(threads.c.owner).where(threads.c.id == THREAD).with_for_update()
_LOCKED_RUN = select(runs, (runs.c.lease_until > now()).label("held")).where(_THE_RUN).with_for_update()
_SETTLE = (
    update(runs)
    .where(_THE_RUN)
    .values(
        producer=bindparam("by"),
        length=POSITION + _COUNT,
        bytes=runs.c.bytes + bindparam("size", type_=Integer),
        lease_until=now() + LEASE,
    )
)


def settle(
    connection: Connection,
    run: RunRecord,
    position: int,
    events: Sequence[bytes],
    ending: RunEnding | None,
    *,
    lease_seconds: float,
    max_runs: int | None = None,
) -> bool:
    """See `StateStore.append`.

    The thread is locked before the run, as where a thread is deleted, so that nobody waits in a circle.
    """
    key = {"thread": run.thread_id, "run_number": run.number}
    owner = connection.scalar(_LOCKED_THREAD, key)
    kept = connection.execute(_LOCKED_RUN, key).one_or_none()
    if owner != run.owner or kept is None:
        raise RunLostError
    if kept.producer != run.producer:
        # A thread that was deleted may be there again, with another run of that number.
        same = (kept.id, kept.started_at) == (run.id, run.started_at.timestamp())
        if kept.ended or kept.held or not same:
            raise RunLostError
    elif kept.ended:
        return bool(kept.stop_requested)
    if not 0 <= position <= kept.length:
        raise ValueError(f"events for place {position} of a log of {kept.length}")
    new = events[kept.length - position :]
    values = _values(run, kept.length, new, lease_seconds)
    if new:
        connection.execute(_BATCH, values)
    connection.execute(_SETTLE, values)
    if ending is not None:
        _end(connection, run, ending, max_runs)
    return bool(kept.stop_requested)


_ENDED = (
    update(runs)
    .where(_THE_RUN)
    .values(ended=True, compacted=_DATA, bytes=runs.c.bytes + bindparam("size", type_=Integer))
)
_DROP_BATCHES = delete(batches).where(batches.c.thread_id == THREAD, batches.c.number < NUMBER)
_COMPACT = (
    update(runs)
    .where(_EARLIER, runs.c.whole)
    .values(whole=False, bytes=func.coalesce(func.length(runs.c.compacted), 0))
)
_DROP_RUNS = delete(runs).where(runs.c.thread_id == THREAD, runs.c.number <= NUMBER)
_KEEP_STATE = {
    name: statement.on_conflict_do_update(
        index_elements=["thread_id", "agent_name"], set_={"data": statement.excluded.data}
    )
    for name, statement in ((name, make(states)) for name, make in INSERT.items())
}
_THREAD_IDLE = (
    update(threads)
    .where(threads.c.id == THREAD)
    .values(
        running=False,
        updated_at=case(
            (threads.c.created_at > bindparam("at", type_=Double), threads.c.created_at),
            else_=bindparam("at", type_=Double),
        ),
        bytes=select(func.coalesce(func.sum(runs.c.bytes), 0))
        .where(runs.c.thread_id == THREAD)
        .scalar_subquery()
        + select(func.coalesce(func.sum(func.length(states.c.data)), 0))
        .where(states.c.thread_id == THREAD)
        .scalar_subquery(),
    )
)


def _end(connection: Connection, run: RunRecord, ending: RunEnding, max_runs: int | None) -> None:
    key = {"thread": run.thread_id, "run_number": run.number}
    compacted = join(ending.compacted)
    connection.execute(_ENDED, key | {"text": compacted, "size": len(compacted)})
    connection.execute(_DROP_BATCHES, key)
    connection.execute(_COMPACT, key)
    if max_runs is not None:
        connection.execute(_DROP_RUNS, key | {"run_number": run.number - max_runs})
    connection.execute(
        _KEEP_STATE[connection.dialect.name],
        {"thread_id": run.thread_id, "agent_name": run.agent_name, "data": encode_state(ending.state)},
    )
    connection.execute(_THREAD_IDLE, key | {"at": time.time()})


_OWNED_LAST = select(threads.c.last_number).where(threads.c.id == THREAD, threads.c.owner == OWNER)
_STOP = (
    update(runs)
    .where(
        runs.c.thread_id == THREAD,
        runs.c.number == _OWNED_LAST.scalar_subquery(),
        ~runs.c.ended,
        or_(bindparam("any_run", type_=Boolean), runs.c.id == bindparam("run_id", type_=Name)),
    )
    .values(stop_requested=True)
    .returning((runs.c.lease_until > now()).label("held"))
)


def request_stop(connection: Connection, owner: str, thread_id: str, run_id: str | None) -> bool:
    """See `StateStore.request_stop`."""
    held = connection.execute(
        _STOP, {"thread": thread_id, "user": owner, "any_run": run_id is None, "run_id": run_id}
    ).scalar_one_or_none()
    return bool(held)


_SINCE = bindparam("since", type_=Integer)
_FIRST = case((_SINCE < 0, threads.c.last_number + 1 + _SINCE), else_=_SINCE)
_first = (
    select(
        threads.c.id,
        _FIRST.label("number"),
        # Where the batch with the place begins: the index leads there, past all before it.
        func.coalesce(
            select(func.max(batches.c.position))
            .where(
                batches.c.thread_id == threads.c.id,
                batches.c.number == _FIRST,
                batches.c.position <= POSITION,
            )
            .scalar_subquery(),
            0,
        ).label("start"),
    )
    .where(threads.c.id == THREAD, threads.c.owner == OWNER)
    .cte("first")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
# One statement, so that what is read is of one moment.
_READ = (
    select(
        *(runs.c.number, runs.c.id, runs.c.agent_name, runs.c.started_at, runs.c.producer),
        *(runs.c.ended, runs.c.whole, (runs.c.lease_until - now()).label("lease")),
        case((runs.c.whole, null()), else_=runs.c.compacted).label("compacted"),
        *(_first.c.number.label("first"), batches.c.position, batches.c.data),
    )
    .select_from(_first)
    .join(runs, and_(runs.c.thread_id == _first.c.id, runs.c.number >= _first.c.number))
    .outerjoin(
        batches,
        and_(
            batches.c.thread_id == runs.c.thread_id,
            batches.c.number == runs.c.number,
            runs.c.whole,
            batches.c.position >= case((runs.c.number == _first.c.number, _first.c.start), else_=0),
        ),
    )
    .order_by(runs.c.number, batches.c.position)
)


def read(connection: Connection, owner: str, thread_id: str, since: int, position: int) -> list[RunLog]:
    """See `StateStore.read_runs`."""
    # The numbers may be a client's, who has them from a reader's cursor.
    since, position = max(min(since, _LARGEST), -_LARGEST), min(position, _LARGEST)
    rows = connection.execute(
        _READ, {"user": owner, "thread": thread_id, "since": since, "place": position}
    ).all()
    return [
        _log(owner, thread_id, list(of_run), position)
        for _, of_run in groupby(rows, key=lambda row: row.number)
    ]


def _log(owner: str, thread_id: str, rows: list[Row[Any]], position: int) -> RunLog:
    run = rows[0]
    if run.whole:
        events = [event for row in rows if row.data is not None for event in split(row.data)]
        if run.number == run.first and run.position is not None:
            del events[: max(position - run.position, 0)]
    else:
        events = split(run.compacted or b"")
    return RunLog(
        run=RunRecord(
            id=run.id,
            thread_id=thread_id,
            agent_name=run.agent_name,
            owner=owner,
            started_at=datetime.fromtimestamp(run.started_at, UTC),
            number=run.number,
            producer=run.producer,
        ),
        events=events,
        compacted=not run.whole,
        lease=None if run.ended else run.lease,
    )
