"""The URLs of SQL stores, as users write them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ...errors import ConfigurationError

_POSTGRESQL: Final = ("postgresql", "postgres")
_PASSWORD: Final = re.compile(r"(?<=:)[^:/?#]*(?=@[^@]*$)")


def normalize(url: str) -> str:
    """Returns a URL in one spelling: `sqlite:////absolute/path` or `postgresql://…`.

    Raises:
        ConfigurationError: it names no SQLite file and no PostgreSQL server.
    """
    scheme, separator, rest = url.partition("://")
    dialect = scheme.partition("+")[0].lower()
    if not separator or not _is_valid(url):
        # The URL itself may hold a password.
        raise ConfigurationError(
            "The store's URL is malformed: write one such as sqlite:///threads.db or "
            "postgresql://user:password@host/database."
        )
    if dialect in _POSTGRESQL:
        return f"postgresql://{rest}"
    if dialect != "sqlite":
        raise ConfigurationError(f"'{dialect}' is not an SQL store: write a URL with sqlite or postgresql.")
    return f"sqlite:///{_path(rest)}"


def sqlite_path(url: str) -> str:
    """Returns the absolute path of the file that a normalized URL names."""
    return url.removeprefix("sqlite:///")


def hide_password(url: str) -> str:
    """Returns a URL without its password."""
    return _PASSWORD.sub("***", url)


def _is_valid(url: str) -> bool:
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def _path(rest: str) -> Path:
    host, _, path = rest.partition("/")
    path = path.partition("?")[0]
    if host:
        written = "/".join(filter(None, (host, path)))
        raise ConfigurationError(
            f"Two slashes are not enough: write sqlite:///{written} for a file in the working directory, and "
            "four slashes before an absolute path."
        )
    if path in ("", ":memory:") or path.startswith("file:"):
        raise ConfigurationError("A SQLite store needs a file: write a URL such as sqlite:///threads.db.")
    return Path(path).resolve()
