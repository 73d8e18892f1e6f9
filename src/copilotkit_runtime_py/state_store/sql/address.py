"""The URLs of SQL stores, as users write them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ...errors import ConfigurationError

_POSTGRESQL = ("postgresql", "postgres")


def parse(url: str) -> URL:
    """Returns a URL with one spelling: `sqlite:////absolute/path` or `postgresql://…`.

    Raises:
        ConfigurationError: it names no SQLite file and no PostgreSQL server.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The URL itself may hold a password.
        raise ConfigurationError(
            "The store's URL is malformed: write one such as sqlite:///threads.db or "
            "postgresql://user:password@host/database."
        ) from None
    dialect = parsed.drivername.partition("+")[0]
    if dialect in _POSTGRESQL:
        return parsed.set(drivername="postgresql")
    if dialect != "sqlite":
        raise ConfigurationError(f"'{dialect}' is no SQL store: write a URL with sqlite or postgresql.")
    if parsed.host:
        path = "/".join(filter(None, (parsed.host, parsed.database)))
        raise ConfigurationError(
            f"Two slashes are not enough: write sqlite:///{path} for a file in the working directory, and "
            "four slashes before an absolute path."
        )
    if parsed.database in (None, "", ":memory:") or (parsed.database or "").startswith("file:"):
        raise ConfigurationError("A SQLite store needs a file: write a URL such as sqlite:///threads.db.")
    return URL.create("sqlite", database=str(Path(parsed.database or "").resolve()))
