"""Batched writes to SQLite: one statement of each kind for many runs.

Every call into SQLite releases the interpreter lock and takes it again, and beside a busy event loop
each time may cost a switch interval of 5 ms. So a whole batch is one call: views of the connection, which
hold no rows, take the rows, and their triggers do the work. A statement returns null for a row that does
not extend its producer's own log; such rows have changed nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from sqlite3 import Connection
from typing import Any, Final, TypeVar

from ...agui.lines import join, parts, size_of
from ..base import Append, RunRecord
from ..codec import encode_state
from .statement import escape

T = TypeVar("T")

ROWS: Final = 50
"""How many rows a statement takes at most: there is a statement for each number of rows."""

_BEGIN: Final = "copilotkit_begin"
_APPEND: Final = "copilotkit_append"
_END: Final = "copilotkit_end"

# A larger value is written in pieces. A statement that got more bytes than this releases them afterwards.
_HELD: Final = 1024 * 1024
_PIECE: Final = 256 * 1024
_KEYS: Final = {
    "copilotkit_batches": ("thread_id", "number", "position"),
    "copilotkit_runs": ("thread_id", "number"),
    "copilotkit_states": ("thread_id", "agent_name"),
}
_ADDED: Final = "place thread_id owner number producer position count size data lease_until"
_COLUMNS: Final = {
    _BEGIN: "place thread_id owner agent_name title started_at at run_id producer lease_until",
    _APPEND: _ADDED,
    _END: f"{_ADDED} agent_name title compacted compacted_size state state_size at max_runs",
}

_WHEN_OWN: Final = """
    WHEN EXISTS (
        SELECT 1 FROM copilotkit_runs
        WHERE thread_id = NEW.thread_id AND number = NEW.number AND producer = NEW.producer AND NOT ended
            AND length = NEW.position
    ) AND EXISTS (SELECT 1 FROM copilotkit_threads WHERE id = NEW.thread_id AND owner = NEW.owner)
"""
_TRIGGERS: Final = {
    _BEGIN: """
        WHEN NOT EXISTS (
            SELECT 1 FROM copilotkit_threads WHERE id = NEW.thread_id AND (owner <> NEW.owner OR running)
        )
        BEGIN
            INSERT INTO copilotkit_threads (
                id, owner, agent_name, name, archived, created_at, updated_at, last_run_at, last_number,
                running, bytes
            ) VALUES (
                NEW.thread_id, NEW.owner, NEW.agent_name, NEW.title, 0, NEW.started_at, NEW.at, NEW.at, 1,
                1, 0
            )
            ON CONFLICT (id) DO UPDATE SET
                agent_name = excluded.agent_name, name = coalesce(name, excluded.name),
                updated_at = excluded.updated_at, last_run_at = excluded.last_run_at,
                last_number = last_number + 1, running = 1;
            INSERT INTO copilotkit_runs (
                thread_id, number, id, agent_name, producer, started_at, lease_until, stop_requested, ended,
                length, whole, bytes
            )
            SELECT id, last_number, NEW.run_id, agent_name, NEW.producer, NEW.started_at, NEW.lease_until,
                0, 0, 0, 1, 0
            FROM copilotkit_threads WHERE id = NEW.thread_id;
        END
    """,
    _APPEND: f"""
        {_WHEN_OWN}
        BEGIN
            INSERT INTO copilotkit_batches
            SELECT NEW.thread_id, NEW.number, NEW.position, NEW.count, NEW.data WHERE NEW.count > 0;
            UPDATE copilotkit_runs SET
                length = length + NEW.count, bytes = bytes + NEW.size, lease_until = NEW.lease_until
            WHERE thread_id = NEW.thread_id AND number = NEW.number;
        END
    """,
    # The sizes are added up before the data changes.
    _END: f"""
        {_WHEN_OWN}
        BEGIN
            INSERT INTO copilotkit_batches
            SELECT NEW.thread_id, NEW.number, NEW.position, NEW.count, NEW.data WHERE NEW.count > 0;
            UPDATE copilotkit_threads SET bytes = bytes - coalesce((
                SELECT sum(bytes) FROM copilotkit_runs
                WHERE thread_id = NEW.thread_id AND number <= NEW.number - NEW.max_runs
            ), 0)
            WHERE id = NEW.thread_id AND NEW.max_runs IS NOT NULL;
            DELETE FROM copilotkit_runs
            WHERE thread_id = NEW.thread_id AND number <= NEW.number - NEW.max_runs;
            UPDATE copilotkit_threads SET
                running = 0,
                name = coalesce(name, NEW.title),
                updated_at = max(created_at, NEW.at),
                last_run_at = max(created_at, NEW.at),
                bytes = bytes + NEW.size + NEW.compacted_size + NEW.state_size + (
                    SELECT bytes FROM copilotkit_runs
                    WHERE thread_id = NEW.thread_id AND number = NEW.number
                ) - coalesce((
                    SELECT length(data) FROM copilotkit_states
                    WHERE thread_id = NEW.thread_id AND agent_name = NEW.agent_name
                ), 0) - coalesce((
                    SELECT bytes - coalesce(length(compacted), 0) FROM copilotkit_runs
                    WHERE thread_id = NEW.thread_id AND number = NEW.number - 1 AND whole
                ), 0)
            WHERE id = NEW.thread_id;
            UPDATE copilotkit_runs SET
                length = length + NEW.count, bytes = bytes + NEW.size + NEW.compacted_size,
                lease_until = NEW.lease_until, ended = 1, compacted = NEW.compacted
            WHERE thread_id = NEW.thread_id AND number = NEW.number;
            DELETE FROM copilotkit_batches
            WHERE thread_id = NEW.thread_id AND number = NEW.number - 1;
            UPDATE copilotkit_runs SET whole = 0, bytes = coalesce(length(compacted), 0)
            WHERE thread_id = NEW.thread_id AND number = NEW.number - 1 AND whole;
            INSERT INTO copilotkit_states VALUES (NEW.thread_id, NEW.agent_name, NEW.state)
            ON CONFLICT (thread_id, agent_name) DO UPDATE SET data = excluded.data;
        END
    """,
}
# The lease tells this write from a similar one.
_RETURNS: Final = {
    _BEGIN: """
        SELECT r.number FROM copilotkit_threads t
        JOIN copilotkit_runs r ON r.thread_id = t.id AND r.number = t.last_number
        WHERE t.id = {0}.thread_id AND t.owner = {0}.owner AND t.running AND r.producer = {0}.producer
    """,
    _APPEND: """
        SELECT stop_requested FROM copilotkit_runs r
        WHERE r.thread_id = {0}.thread_id AND r.number = {0}.number AND r.producer = {0}.producer
            AND NOT r.ended AND r.length = {0}.position + {0}.count AND r.lease_until = {0}.lease_until
    """,
    _END: """
        SELECT stop_requested FROM copilotkit_runs r
        WHERE r.thread_id = {0}.thread_id AND r.number = {0}.number AND r.producer = {0}.producer
            AND r.ended AND r.length = {0}.position + {0}.count AND r.lease_until = {0}.lease_until
    """,
}


def prepare(connection: Connection) -> None:
    """Creates the views and triggers, which belong to the connection."""
    for view, columns in _COLUMNS.items():
        nulls = ", ".join(f"NULL AS {column}" for column in columns.split())
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {nulls}")
        connection.execute(f"CREATE TEMP TRIGGER {view}_rows INSTEAD OF INSERT ON {view} {_TRIGGERS[view]}")


def begin(connection: Connection, runs: Sequence[RunRecord], lease_seconds: float) -> list[int | None]:
    """Claims threads for runs. Returns the runs' numbers, and None for those that were refused."""
    now, until = time.time(), time.monotonic() + lease_seconds

    def row(run: RunRecord, apart: list[_Blob]) -> tuple[Any, ...]:
        started_at = run.started_at.timestamp()
        return (
            escape(run.thread_id),
            escape(run.owner),
            escape(run.agent_name),
            None if run.title is None else escape(run.title),
            started_at,
            max(now, started_at),
            escape(run.id),
            escape(run.producer),
            until,
        )

    return _insert(connection, _BEGIN, runs, row)


def extend(connection: Connection, appends: Sequence[Append], lease_seconds: float) -> list[bool | None]:
    """Adds events to the logs of runs. Returns whether each was asked to stop, and None for those refused."""
    until = time.monotonic() + lease_seconds
    return _insert(connection, _APPEND, appends, lambda append, apart: _added(append, until, apart))


def end(
    connection: Connection, appends: Sequence[Append], lease_seconds: float, max_runs: int | None
) -> list[bool | None]:
    """Adds the last events and the endings of runs. Returns what `extend` does."""
    now, until = time.time(), time.monotonic() + lease_seconds

    def row(append: Append, apart: list[_Blob]) -> tuple[Any, ...]:
        ending = append.ending
        assert ending is not None
        run = escape(append.run.thread_id), append.run.number
        agent = escape(append.run.thread_id), escape(append.run.agent_name)
        return (
            *_added(append, until, apart),
            escape(append.run.agent_name),
            None if ending.title is None else escape(ending.title),
            *_value(ending.compacted, "copilotkit_runs", "compacted", run, apart),
            *_value([encode_state(ending.state)], "copilotkit_states", "data", agent, apart),
            now if ending.changed_at is None else ending.changed_at.timestamp(),
            max_runs,
        )

    return _insert(connection, _END, appends, row)


def _added(append: Append, lease_until: float, apart: list[_Blob]) -> tuple[Any, ...]:
    run = append.run
    key = escape(run.thread_id), run.number, append.position
    data, size = _value(append.events, "copilotkit_batches", "data", key, apart)
    return (
        escape(run.thread_id),
        escape(run.owner),
        run.number,
        escape(run.producer),
        append.position,
        len(append.events),
        size,
        data,
        lease_until,
    )


class _Blob:
    """A large value, which is written into its row piece by piece: as a parameter it would be copied thrice.

    Args:
        table: the table.
        column: the column.
        key: the key of the row.
        size: how many bytes the value has.
        lines: the lines that it consists of.
    """

    def __init__(
        self, table: str, column: str, key: tuple[Any, ...], size: int, lines: Sequence[bytes]
    ) -> None:
        self._table = table
        self._column = column
        self._key = key
        self._size = size
        self._lines = lines

    def write(self, connection: Connection) -> None:
        """Writes the value, in the transaction that has made the row."""
        where = " AND ".join(f"{column} = ?" for column in _KEYS[self._table])
        ((row,),) = connection.execute(
            f"UPDATE {self._table} SET {self._column} = zeroblob(?) WHERE {where} RETURNING rowid",
            (self._size, *self._key),
        ).fetchall()
        with connection.blobopen(self._table, self._column, row) as blob:
            for part in parts(self._lines):
                for start in range(0, len(part), _PIECE):
                    blob.write(part[start : start + _PIECE])


def _value(
    lines: Sequence[bytes], table: str, column: str, key: tuple[Any, ...], apart: list[_Blob]
) -> tuple[bytes, int]:
    """Returns a value that consists of lines, and its size. A large one goes to `apart`."""
    size = size_of(lines) + max(len(lines) - 1, 0)
    if size <= _HELD:
        return join(lines), size
    apart.append(_Blob(table, column, key, size, lines))
    return b"", size


def _insert(
    connection: Connection, view: str, items: Sequence[T], row: Callable[[T, list[_Blob]], tuple[Any, ...]]
) -> list[Any]:
    results: list[Any] = [None] * len(items)
    for start in range(0, len(items), ROWS):
        values: list[Any] = []
        apart: dict[int, list[_Blob]] = {}
        places = range(start, min(start + ROWS, len(items)))
        for place in places:
            values.append(place)
            values += row(items[place], apart.setdefault(place, []))
        if any(apart.values()) and not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        statement = _statement(view, len(places))
        for place, result in connection.execute(statement, values).fetchall():
            results[place] = result
            for blob in apart[place] if result is not None else ():
                blob.write(connection)
        if sum(len(value) for value in values if isinstance(value, bytes)) > _HELD:
            # A cached statement holds a copy of its last parameters. This call replaces them, and changes
            # nothing else.
            connection.execute(statement, [None] * len(values)).fetchall()
    return results


@cache
def _statement(view: str, rows: int) -> str:
    marks = ", ".join("?" * len(_COLUMNS[view].split()))
    values = ", ".join([f"({marks})"] * rows)
    return f"INSERT INTO {view} VALUES {values} RETURNING place, ({_RETURNS[view].format(view)})"
