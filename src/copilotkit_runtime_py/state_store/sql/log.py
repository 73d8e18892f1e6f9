"""Runs and their logs: reading them, and finding out why a write was refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from ...agui.lines import split
from ...errors import RunLostError, ThreadBusyError, ThreadNotFoundError
from ..base import Append, AppendResult, RunLog, RunRecord
from .statement import Row, Statement, Steps, escape, unescape

_LARGEST: Final = 2**31 - 1

_HOLDER = Statement("""
    SELECT t.owner, t.running, t.last_number, r.producer
    FROM copilotkit_threads t LEFT JOIN copilotkit_runs r ON r.thread_id = t.id AND r.number = t.last_number
    WHERE t.id = :thread
""")


def explain_refusal(run: RunRecord) -> Steps[RunRecord]:
    """Raises the reason why a thread was not claimed, or returns a run whose producer claimed it before.

    Raises:
        ThreadNotFoundError: the thread belongs to another owner.
        ThreadBusyError: the thread has a run in progress.
    """
    rows = yield _HOLDER, {"thread": escape(run.thread_id)}
    for owner, running, number, producer in rows:
        if owner != escape(run.owner):
            raise ThreadNotFoundError(run.thread_id)
        if running and producer == escape(run.producer):
            return replace(run, number=number)
    raise ThreadBusyError(run.thread_id)


_LOCKED_THREAD = Statement("SELECT owner FROM copilotkit_threads WHERE id = :thread {lock}")
_LOCKED_RUN = Statement("""
    SELECT producer, id, started_at, ended, stop_requested, length, {lease}
    FROM copilotkit_runs WHERE thread_id = :thread AND number = :number {lock}
""")
_TAKE_OVER = Statement("""
    UPDATE copilotkit_runs SET producer = :producer WHERE thread_id = :thread AND number = :number
""")


def reconcile(append: Append) -> Steps[Append | AppendResult]:
    """Compares a write that does not extend its producer's own log with the stored log.

    The thread is locked before the run, as for a deletion, to rule out a deadlock.

    Returns:
        The part that is still to be written, in the same transaction; or the result of a run that is over,
        for which nothing is left to do.

    Raises:
        RunLostError: see `StateStore.append`.
        ValueError: see `StateStore.append`.
    """
    run = append.run
    key = {"thread": escape(run.thread_id), "number": run.number}
    threads = yield _LOCKED_THREAD, key
    runs = yield _LOCKED_RUN, key
    if not runs or not threads or threads[0][0] != escape(run.owner):
        raise RunLostError
    producer, id, started_at, ended, stop_requested, length, lease = runs[0]
    if producer != escape(run.producer):
        # A deleted thread may exist again, with another run of that number.
        same = (id, started_at) == (escape(run.id), run.started_at.timestamp())
        if ended or lease > 0 or not same:
            raise RunLostError
        yield _TAKE_OVER, {**key, "producer": escape(run.producer)}
    elif ended:
        return AppendResult(stop_requested=bool(stop_requested))
    if not 0 <= append.position <= length:
        raise ValueError(f"events for position {append.position} of a log of {length}")
    return replace(append, position=length, events=append.events[length - append.position :])


_STOP = Statement("""
    UPDATE copilotkit_runs SET stop_requested = true
    WHERE thread_id = :thread AND NOT ended
        AND number = (SELECT last_number FROM copilotkit_threads WHERE id = :thread AND owner = :owner)
        AND (:any_run OR id = :run_id)
    RETURNING {lease}, producer
""")


def request_stop(owner: str, thread_id: str, run_id: str | None) -> Steps[str | None]:
    """See `StateStore.request_stop`. Returns the producer of the run, if it holds the run."""
    rows = yield (
        _STOP,
        {
            "thread": escape(thread_id),
            "owner": escape(owner),
            "any_run": run_id is None,
            "run_id": escape(run_id or ""),
        },
    )
    return next((unescape(producer) for lease, producer in rows if lease > 0), None)


# One statement, so that everything is of one moment. The batch with the first position to read is found by
# the index, without a look at earlier ones.
_READ = Statement("""
    WITH wanted AS {materialized} (
        SELECT id AS thread_id, CASE WHEN :since < 0 THEN last_number + 1 + :since ELSE :since END AS number
        FROM copilotkit_threads WHERE id = :thread AND owner = :owner
    ), first AS {materialized} (
        SELECT thread_id, number, coalesce((
            SELECT max(b.position) FROM copilotkit_batches b
            WHERE b.thread_id = wanted.thread_id AND b.number = wanted.number AND b.position <= :position
        ), 0) AS start
        FROM wanted
    )
    SELECT r.number, r.id, r.agent_name, r.started_at, r.producer, r.ended, r.whole, {lease},
        CASE WHEN r.whole THEN NULL ELSE r.compacted END, first.number, b.position, b.data
    FROM first
    JOIN copilotkit_runs r ON r.thread_id = first.thread_id AND r.number >= first.number
        AND (r.number = first.number OR :until >= 2147483647)
    LEFT JOIN copilotkit_batches b ON b.thread_id = r.thread_id AND b.number = r.number AND r.whole
        AND b.position >= CASE WHEN r.number = first.number THEN first.start ELSE 0 END
        AND (r.number > first.number OR b.position < :until)
    ORDER BY r.number, b.position
""")


_ABANDON = Statement("""
    UPDATE copilotkit_runs SET lease_until = -1e10
    WHERE NOT ended AND thread_id IN (SELECT id FROM copilotkit_threads WHERE running)
""")


def abandon() -> Steps[None]:
    """Records that the producers of all runs are gone."""
    yield _ABANDON, {}


def read(owner: str, thread_id: str, since: int, position: int, limit: int | None) -> Steps[list[RunLog]]:
    """See `StateStore.read_runs`."""
    # A client's cursor may have any numbers.
    since, position = max(min(since, _LARGEST), -_LARGEST), min(position, _LARGEST)
    rows = yield (
        _READ,
        {
            "owner": escape(owner),
            "thread": escape(thread_id),
            "since": since,
            "position": position,
            "until": _LARGEST if limit is None else min(position + limit, _LARGEST - 1),
        },
    )
    return [
        _log(owner, thread_id, list(of_run), position, limit)
        for _, of_run in groupby(rows, key=lambda row: row[0])
    ]


def _log(owner: str, thread_id: str, rows: Sequence[Row], position: int, limit: int | None) -> RunLog:
    number, id, agent_name, started_at, producer, ended, whole, lease, compacted, first, start, _ = rows[0]
    if whole:
        events = [event for row in rows if row[-1] is not None for event in split(row[-1])]
        if number == first and start is not None:
            events = events[max(position - start, 0) :][:limit]
    else:
        events = split(compacted or b"")
    run = RunRecord(
        id=unescape(id),
        thread_id=thread_id,
        agent_name=unescape(agent_name),
        owner=owner,
        started_at=datetime.fromtimestamp(started_at, UTC),
        number=number,
        producer=unescape(producer),
    )
    if ended:
        lease = None
    elif lease < -_LARGEST / 2:  # see `abandon`
        lease = -math.inf
    return RunLog(run=run, events=events, compacted=not whole, lease=lease)
