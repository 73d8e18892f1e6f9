"""The tables, as the newest migration leaves them. Times are seconds since 1970, in UTC."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_ESCAPED: Final = re.compile(r"\\(?:(\\)|0|u([0-9a-f]{4}))")


class Name(TypeDecorator[str]):
    """A text that somebody else chose. What databases take for no text is written with a backslash."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escapes the null character, and halves of surrogate pairs."""
        if value is None:
            return None
        text = value.replace("\\", "\\\\").replace("\0", "\\0")
        return text if text.isascii() else text.encode(errors="backslashreplace").decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Returns the text as it was."""
        return value if value is None or "\\" not in value else _ESCAPED.sub(_unescaped, value)


def _unescaped(escape: re.Match[str]) -> str:
    backslash, surrogate = escape.groups()
    return backslash or (chr(int(surrogate, 16)) if surrogate else "\0")


metadata = MetaData()

threads = Table(
    "copilotkit_threads",
    metadata,
    Column("id", Name, primary_key=True),
    Column("owner", Name, nullable=False),
    Column("agent_name", Name, nullable=False),
    Column("name", Name),
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
    Column("thread_id", Name, ForeignKey(threads.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", Name, nullable=False),
    Column("agent_name", Name, nullable=False),
    Column("producer", Name, nullable=False),
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
    Column("thread_id", Name, primary_key=True),
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
    Column("thread_id", Name, ForeignKey(threads.c.id, ondelete="CASCADE"), primary_key=True),
    Column("agent_name", Name, primary_key=True),
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
