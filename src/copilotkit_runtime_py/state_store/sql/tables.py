"""The tables, as the newest migration leaves them. Times are seconds since 1970, in UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

metadata = MetaData()

threads = Table(
    "copilotkit_threads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("agent_name", Text, nullable=False),
    Column("name", Text),
    Column("archived", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    # The number of the last run, and whether it is not over.
    Column("last_number", Integer, nullable=False),
    Column("running", Boolean, nullable=False),
    # The size of runs and states, as the end of the last run left it.
    Column("bytes", BigInteger, nullable=False),
    Index("copilotkit_threads_of_owner", "owner", "updated_at", "id"),
    Index("copilotkit_threads_by_age", "updated_at", "id"),
)

runs = Table(
    "copilotkit_runs",
    metadata,
    Column("thread_id", Text, ForeignKey(threads.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("agent_name", Text, nullable=False),
    Column("producer", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("stop_requested", Boolean, nullable=False),
    Column("ended", Boolean, nullable=False),
    # How many events the log has, and whether they are still there: else only the compacted form is.
    Column("length", Integer, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("compacted", LargeBinary),
)

batches = Table(
    "copilotkit_batches",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # The place of the first event in the log, and how many there are.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    ForeignKeyConstraint(["thread_id", "number"], [runs.c.thread_id, runs.c.number], ondelete="CASCADE"),
)

states = Table(
    "copilotkit_states",
    metadata,
    Column("thread_id", Text, ForeignKey(threads.c.id, ondelete="CASCADE"), primary_key=True),
    Column("agent_name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)


class now(FunctionElement[float]):
    """The time of the database's clock, on which all workers agree."""

    type = Double()
    inherit_cache = True


@compiles(now, "postgresql")
def _postgresql_now(element: now, compiler: SQLCompiler, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(now, "sqlite")
def _sqlite_now(element: now, compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
