"""SQL for both databases, and transactions of such statements."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
Parameters: TypeAlias = Mapping[str, Any]

_PARAMETER: Final = re.compile(r":(\w+)")
# A list of strings that one parameter holds, as a JSON array.
_STRINGS: Final = re.compile(r"\{strings:(\w+)\}")
_ESCAPED: Final = re.compile(r"\\(?:(\\)|0|u([0-9a-f]{4}))")
_LONGEST_LEASE: Final = 3600.0
_SPELLINGS: Final = {
    # For how many seconds a run is leased, by a clock on which all workers agree: the database server's, or
    # the one of the machine's uptime, which the parameter `now` has. A longer lease is of an earlier boot.
    "{lease}": (
        f"CASE WHEN lease_until > :now + {_LONGEST_LEASE} THEN -1.0 ELSE lease_until - :now END",
        "(lease_until - extract(epoch from clock_timestamp())::double precision)",
    ),
    # A transaction of SQLite that writes has the whole file to itself.
    "{lock}": ("", "FOR UPDATE"),
    "{lock_free}": ("", "FOR UPDATE SKIP LOCKED"),
    "{materialized}": ("", "MATERIALIZED"),
    # Other transactions that lock the same `name` wait for the end of this one.
    "{lock_name}": ("1", "pg_advisory_xact_lock(hashtextextended(:name, 0))"),
    "{has_version}": (
        "EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'copilotkit_schema')",
        "EXISTS (SELECT 1 FROM pg_class WHERE relname = 'copilotkit_schema' AND pg_table_is_visible(oid))",
    ),
}


class Statement:
    """A statement with parameters of the form `:name`.

    Attributes:
        sqlite: the text for SQLite.
        postgresql: the text for PostgreSQL.
    """

    __slots__ = ("postgresql", "sqlite")

    def __init__(self, text: str) -> None:
        sqlite = postgresql = text
        for mark, (here, there) in _SPELLINGS.items():
            sqlite, postgresql = sqlite.replace(mark, here), postgresql.replace(mark, there)
        sqlite = _STRINGS.sub(r"(SELECT value FROM json_each(:\1))", sqlite)
        postgresql = _STRINGS.sub(r"(SELECT json_array_elements_text(:\1::json))", postgresql)
        self.sqlite = sqlite
        self.postgresql = _PARAMETER.sub(r"%(\1)s", postgresql.replace("::", "\0")).replace("\0", "::")


Steps: TypeAlias = Generator[tuple[Statement, Parameters], Sequence[Row], T]
"""The work of one transaction: it yields statements with parameters, is sent the rows, and returns a result.

So the same code runs in a thread on SQLite and on the event loop on PostgreSQL.
"""


def escape(name: str) -> str:
    """Returns a string from outside in a form that every database stores.

    The null character and halves of surrogate pairs are written with a backslash.
    """
    if "\\" in name or "\0" in name:
        name = name.replace("\\", "\\\\").replace("\0", "\\0")
    return name if name.isascii() else name.encode(errors="backslashreplace").decode()


def unescape(name: str) -> str:
    """Returns the string that `escape` escaped."""
    return name if "\\" not in name else _ESCAPED.sub(_unescaped, name)


def _unescaped(escaped: re.Match[str]) -> str:
    backslash, surrogate = escaped.groups()
    return backslash or (chr(int(surrogate, 16)) if surrogate else "\0")
