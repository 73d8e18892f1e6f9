"""What many runs write to PostgreSQL, in one statement of each kind.

A statement takes one row for each thread. It answers with the places of the rows that went right at the end
of their producer's own log; the others have changed nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from ..base import Append, RunRecord
from ..codec import encode_state, join
from .statement import escape

_NOW: Final = "extract(epoch from clock_timestamp())::double precision"

_BEGIN_COLUMNS: Final = {
    "place": "int",
    "thread_id": "text",
    "owner": "text",
    "agent_name": "text",
    "started_at": "float8",
    "at": "float8",
    "run_id": "text",
    "producer": "text",
}
_APPEND_COLUMNS: Final = {
    "place": "int",
    "thread_id": "text",
    "owner": "text",
    "number": "int",
    "producer": "text",
    "position": "int",
    "count": "int",
    "data": "bytea",
}
_END_COLUMNS: Final = {
    **_APPEND_COLUMNS,
    "agent_name": "text",
    "compacted": "bytea",
    "state": "bytea",
    "changed_at": "float8",
}


def _rows(columns: dict[str, str]) -> str:
    arrays = ", ".join(
        f"%({name}){'b' if type == 'bytea' else 's'}::{type}[]" for name, type in columns.items()
    )
    return f"new AS MATERIALIZED (SELECT * FROM unnest({arrays}) AS new ({', '.join(columns)}))"


# The order of the threads is the same in all workers, so that none wait for each other in a circle.
_BEGIN: Final = f"""
WITH {_rows(_BEGIN_COLUMNS)}, claimed AS (
    INSERT INTO copilotkit_threads AS t (
        id, owner, agent_name, archived, created_at, updated_at, last_number, running, bytes
    )
    SELECT thread_id, owner, agent_name, false, started_at, at, 1, true, 0 FROM new ORDER BY thread_id
    ON CONFLICT (id) DO UPDATE SET
        agent_name = excluded.agent_name, updated_at = excluded.updated_at, last_number = t.last_number + 1,
        running = true
    WHERE t.owner = excluded.owner AND NOT t.running
    RETURNING id, last_number
), begun AS (
    INSERT INTO copilotkit_runs (
        thread_id, number, id, agent_name, producer, started_at, lease_until, stop_requested, ended, length,
        whole, bytes
    )
    SELECT thread_id, last_number, run_id, agent_name, producer, started_at, {_NOW} + %(lease)s, false, false,
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
_EXTEND: Final = f"""
WITH {_rows(_APPEND_COLUMNS)}, written AS (
    UPDATE copilotkit_runs r SET
        length = r.length + new.count, bytes = r.bytes + length(new.data), lease_until = {_NOW} + %(lease)s
    FROM new JOIN copilotkit_threads t ON t.id = new.thread_id AND t.owner = new.owner
    WHERE {_OWN}
    RETURNING new.place, r.stop_requested
), added AS ({_ADDED})
SELECT place, stop_requested FROM written
"""
# All parts see what was there before the statement. The thread is locked before the run, as where a thread is
# deleted.
_END: Final = f"""
WITH {_rows(_END_COLUMNS)}, locked AS MATERIALIZED (
    SELECT t.id FROM copilotkit_threads t JOIN new ON t.id = new.thread_id AND t.owner = new.owner
    ORDER BY t.id FOR UPDATE OF t
), written AS (
    UPDATE copilotkit_runs r SET
        length = r.length + new.count, bytes = r.bytes + length(new.data) + length(new.compacted),
        lease_until = {_NOW} + %(lease)s, ended = true, compacted = new.compacted
    FROM new JOIN locked ON locked.id = new.thread_id
    WHERE {_OWN}
    RETURNING new.place, r.stop_requested, r.bytes
), added AS ({_ADDED}), done AS MATERIALIZED (
    SELECT new.*, written.bytes FROM new JOIN written USING (place)
), dropped AS (
    DELETE FROM copilotkit_batches b USING done
    WHERE b.thread_id = done.thread_id AND b.number = done.number - 1
), removed AS (
    DELETE FROM copilotkit_runs r USING done
    WHERE r.thread_id = done.thread_id AND r.number <= done.number - %(max_runs)s::int
), compacted AS (
    UPDATE copilotkit_runs r SET whole = false, bytes = coalesce(length(r.compacted), 0) FROM done
    WHERE r.thread_id = done.thread_id AND r.number = done.number - 1 AND r.whole
        AND (%(max_runs)s::int IS NULL OR %(max_runs)s::int > 1)
), kept AS (
    INSERT INTO copilotkit_states (thread_id, agent_name, data) SELECT thread_id, agent_name, state FROM done
    ON CONFLICT (thread_id, agent_name) DO UPDATE SET data = excluded.data
), idle AS (
    UPDATE copilotkit_threads t SET
        running = false,
        updated_at = greatest(t.created_at, done.changed_at),
        bytes = t.bytes + done.bytes + length(done.state) - coalesce((
            SELECT length(s.data) FROM copilotkit_states s
            WHERE s.thread_id = done.thread_id AND s.agent_name = done.agent_name
        ), 0) - coalesce((
            SELECT sum(
                CASE WHEN r.number <= done.number - %(max_runs)s::int THEN r.bytes
                    ELSE r.bytes - coalesce(length(r.compacted), 0) END
            )
            FROM copilotkit_runs r
            WHERE r.thread_id = done.thread_id AND r.number < done.number AND (
                r.number <= done.number - %(max_runs)s::int OR r.number = done.number - 1 AND r.whole
            )
        ), 0)
    FROM done WHERE t.id = done.thread_id
)
SELECT place, stop_requested FROM written
"""


def begin(runs: Sequence[RunRecord], lease_seconds: float) -> tuple[str, dict[str, Any]]:
    """Returns the statement that claims threads for runs. It answers with places and the runs' numbers."""
    now = time.time()
    rows = []
    for place, run in enumerate(runs):
        started_at = run.started_at.timestamp()
        names = (escape(run.thread_id), escape(run.owner), escape(run.agent_name))
        rows.append((place, *names, started_at, max(now, started_at), escape(run.id), escape(run.producer)))
    return _BEGIN, {**_arrays(_BEGIN_COLUMNS, rows), "lease": lease_seconds}


def extend(appends: Sequence[Append], lease_seconds: float) -> tuple[str, dict[str, Any]]:
    """Returns the statement that adds events. It answers with places and whether a stop was requested."""
    rows = [_added(place, append) for place, append in enumerate(appends)]
    return _EXTEND, {**_arrays(_APPEND_COLUMNS, rows), "lease": lease_seconds}


def end(appends: Sequence[Append], lease_seconds: float, max_runs: int | None) -> tuple[str, dict[str, Any]]:
    """Returns the statement that adds last events and endings. It answers as that of `extend` does."""
    now = time.time()
    rows = []
    for place, append in enumerate(appends):
        ending = append.ending
        assert ending is not None
        changed_at = now if ending.changed_at is None else ending.changed_at.timestamp()
        left = (escape(append.run.agent_name), join(ending.compacted), encode_state(ending.state), changed_at)
        rows.append((*_added(place, append), *left))
    return _END, {**_arrays(_END_COLUMNS, rows), "lease": lease_seconds, "max_runs": max_runs}


def _added(place: int, append: Append) -> tuple[Any, ...]:
    run = append.run
    names = (escape(run.thread_id), escape(run.owner), run.number, escape(run.producer))
    return (place, *names, append.position, len(append.events), join(append.events))


def _arrays(columns: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
