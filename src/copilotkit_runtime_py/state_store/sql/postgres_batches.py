"""Batched writes to PostgreSQL: one statement of each kind for many runs.

A statement takes one row for each thread. It returns the places of the rows that extend their producer's
own log; the others have changed nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from ...agui.lines import join
from ..base import Append, RunRecord
from ..codec import encode_state
from .statement import escape

_NOW: Final = "extract(epoch from clock_timestamp())::double precision"

ROWS: Final = 40
"""How many rows a statement takes at most: there is a statement for each number of rows."""

_ADDED_COLUMNS: Final = (
    "place:int thread_id:text owner:text number:int producer:text position:int count:int data:bytea "
    "lease:float8"
)
_COLUMNS: Final = {
    "begin": "place:int thread_id:text owner:text agent_name:text title:text started_at:float8 at:float8 "
    "run_id:text producer:text lease:float8",
    "extend": _ADDED_COLUMNS,
    "end": f"{_ADDED_COLUMNS} agent_name:text title:text compacted:bytea state:bytea at:float8 max_runs:int",
}

# The order of the threads is the same in all workers, which rules out deadlocks.
_BEGIN: Final = """
WITH {new}, claimed AS (
    INSERT INTO copilotkit_threads AS t (
        id, owner, agent_name, name, archived, created_at, updated_at, last_run_at, last_number, running,
        bytes
    )
    SELECT thread_id, owner, agent_name, title, false, started_at, at, at, 1, true, 0
    FROM new ORDER BY thread_id
    ON CONFLICT (id) DO UPDATE SET
        agent_name = excluded.agent_name, name = coalesce(t.name, excluded.name),
        updated_at = excluded.updated_at, last_run_at = excluded.last_run_at,
        last_number = t.last_number + 1, running = true
    WHERE t.owner = excluded.owner AND NOT t.running
    RETURNING id, last_number
), begun AS (
    INSERT INTO copilotkit_runs (
        thread_id, number, id, agent_name, producer, started_at, lease_until, stop_requested, ended, length,
        whole, bytes
    )
    SELECT thread_id, last_number, run_id, agent_name, producer, started_at, {now} + lease, false, false,
        0, true, 0
    FROM new JOIN claimed ON id = thread_id
)
SELECT place, last_number FROM new JOIN claimed ON id = thread_id
"""
_OWN: Final = """
    r.thread_id = new.thread_id AND r.number = new.number AND r.producer = new.producer AND NOT r.ended
    AND r.length = new.position
"""
_ADDED: Final = """
    INSERT INTO copilotkit_batches (thread_id, number, position, count, data)
    SELECT thread_id, number, position, count, data FROM new JOIN written USING (place) WHERE count > 0
"""
_EXTEND: Final = """
WITH {new}, written AS (
    UPDATE copilotkit_runs r SET
        length = r.length + new.count, bytes = r.bytes + length(new.data), lease_until = {now} + lease
    FROM new JOIN copilotkit_threads t ON t.id = new.thread_id AND t.owner = new.owner
    WHERE {own}
    RETURNING new.place, r.stop_requested
), added AS ({added})
SELECT place, stop_requested FROM written
"""
# All parts see what was there before the statement. The thread is locked before the run, as where a thread is
# deleted.
_END: Final = """
WITH {new}, locked AS MATERIALIZED (
    SELECT t.id FROM copilotkit_threads t JOIN new ON t.id = new.thread_id AND t.owner = new.owner
    ORDER BY t.id FOR UPDATE OF t
), written AS (
    UPDATE copilotkit_runs r SET
        length = r.length + new.count, bytes = r.bytes + length(new.data) + length(new.compacted),
        lease_until = {now} + lease, ended = true, compacted = new.compacted
    FROM new JOIN locked ON locked.id = new.thread_id
    WHERE {own}
    RETURNING new.place, r.stop_requested, r.bytes
), added AS ({added}), done AS MATERIALIZED (
    SELECT new.*, written.bytes FROM new JOIN written USING (place)
), dropped AS (
    DELETE FROM copilotkit_batches b USING done
    WHERE b.thread_id = done.thread_id AND b.number = done.number - 1
), removed AS (
    DELETE FROM copilotkit_runs r USING done
    WHERE r.thread_id = done.thread_id AND r.number <= done.number - max_runs
), compacted AS (
    UPDATE copilotkit_runs r SET whole = false, bytes = coalesce(length(r.compacted), 0) FROM done
    WHERE r.thread_id = done.thread_id AND r.number = done.number - 1 AND r.whole
        AND (max_runs IS NULL OR max_runs > 1)
), kept AS (
    INSERT INTO copilotkit_states (thread_id, agent_name, data) SELECT thread_id, agent_name, state FROM done
    ON CONFLICT (thread_id, agent_name) DO UPDATE SET data = excluded.data
), idle AS (
    UPDATE copilotkit_threads t SET
        running = false,
        name = coalesce(t.name, done.title),
        updated_at = greatest(t.created_at, done.at),
        last_run_at = greatest(t.created_at, done.at),
        bytes = t.bytes + done.bytes + length(done.state) - coalesce((
            SELECT length(s.data) FROM copilotkit_states s
            WHERE s.thread_id = done.thread_id AND s.agent_name = done.agent_name
        ), 0) - coalesce((
            SELECT sum(
                CASE WHEN r.number <= done.number - max_runs THEN r.bytes
                    ELSE r.bytes - coalesce(length(r.compacted), 0) END
            )
            FROM copilotkit_runs r
            WHERE r.thread_id = done.thread_id AND r.number < done.number AND (
                r.number <= done.number - max_runs OR r.number = done.number - 1 AND r.whole
            )
        ), 0)
    FROM done WHERE t.id = done.thread_id
)
SELECT place, stop_requested FROM written
"""


_STATEMENTS: Final = {"begin": _BEGIN, "extend": _EXTEND, "end": _END}


def begin(runs: Sequence[RunRecord], lease_seconds: float) -> tuple[str, list[Any]]:
    """Returns the statement that claims threads for runs. It returns places and the runs' numbers."""
    now = time.time()
    values: list[Any] = []
    for place, run in enumerate(runs):
        started_at = run.started_at.timestamp()
        values += (
            place,
            escape(run.thread_id),
            escape(run.owner),
            escape(run.agent_name),
            None if run.title is None else escape(run.title),
            started_at,
            max(now, started_at),
            escape(run.id),
            escape(run.producer),
            lease_seconds,
        )
    return _statement("begin", len(runs)), values


def extend(appends: Sequence[Append], lease_seconds: float) -> tuple[str, list[Any]]:
    """Returns the statement that adds events. It returns places and whether a stop was requested."""
    values: list[Any] = []
    for place, append in enumerate(appends):
        values += _added(place, append, lease_seconds)
    return _statement("extend", len(appends)), values


def end(appends: Sequence[Append], lease_seconds: float, max_runs: int | None) -> tuple[str, list[Any]]:
    """Returns the statement that adds last events and endings. It returns what `extend` does."""
    now = time.time()
    values: list[Any] = []
    for place, append in enumerate(appends):
        ending = append.ending
        assert ending is not None
        values += _added(place, append, lease_seconds)
        values += (
            escape(append.run.agent_name),
            None if ending.title is None else escape(ending.title),
            join(ending.compacted),
            encode_state(ending.state),
            now if ending.changed_at is None else ending.changed_at.timestamp(),
            max_runs,
        )
    return _statement("end", len(appends)), values


def _added(place: int, append: Append, lease_seconds: float) -> tuple[Any, ...]:
    run = append.run
    return (
        place,
        escape(run.thread_id),
        escape(run.owner),
        run.number,
        escape(run.producer),
        append.position,
        len(append.events),
        join(append.events),
        lease_seconds,
    )


@cache
def _statement(kind: str, rows: int) -> str:
    columns = [column.split(":") for column in _COLUMNS[kind].split()]
    marks = ["%b" if type == "bytea" else "%s" for _, type in columns]
    first = ", ".join(f"{mark}::{type}" for mark, (_, type) in zip(marks, columns, strict=True))
    values = "), (".join([first, *[", ".join(marks)] * (rows - 1)])
    names = ", ".join(name for name, _ in columns)
    return _STATEMENTS[kind].format(
        new=f"new ({names}) AS MATERIALIZED (VALUES ({values}))", now=_NOW, own=_OWN, added=_ADDED
    )
