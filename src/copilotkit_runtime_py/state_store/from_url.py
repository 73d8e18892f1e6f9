"""Stores by URL."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from ..errors import ConfigurationError
from .base import Retention, StateStore
from .memory import MemoryStateStore

MEMORY = "memory"


def open_state_store(
    url: str, *, retention: Retention | None = None, lease_seconds: float = 15.0
) -> StateStore:
    """Returns the store at a URL. It connects when it is first used.

    Args:
        url: `memory`, `sqlite:///file.db` (with four slashes: an absolute path),
            `postgresql://user:password@host/database`, or `redis://host:6379/0` (over TLS: `rediss://`).
        retention: how much is stored. By default the store in memory is bounded, and the others are not.
        lease_seconds: how long each write leases a run to its worker, in seconds: a worker that
            dies blocks a thread for this long. Ignored in memory.

    Raises:
        ConfigurationError: there is no store for such a URL, the package for it is missing, or a SQLite file
            cannot be in that place.
    """
    if url == MEMORY:
        return MemoryStateStore(retention=retention)
    scheme = scheme_of(url)
    if scheme == "sqlite":
        _check_directory(url)
    elif scheme == "postgresql":
        _check_package("psycopg", "postgres")
    elif scheme == "redis":
        _check_package("redis", "redis")
        from .redis import RedisStateStore

        return RedisStateStore(url, retention=retention, lease_seconds=lease_seconds)
    else:
        # Only the scheme is shown: the rest may hold a password.
        raise ConfigurationError(
            f"'{scheme}' is not a kind of store: write memory, sqlite:///file.db, postgresql://… or redis://…"
        )
    from .sql import SQLStateStore

    return SQLStateStore(url, retention=retention, lease_seconds=lease_seconds)


def scheme_of(url: str) -> str:
    """Returns the kind of store that a URL names: `memory`, `sqlite` and so on."""
    scheme = url.partition(":")[0].partition("+")[0].lower()
    return {"postgres": "postgresql", "rediss": "redis"}.get(scheme, scheme)


def sqlite_path(url: str) -> Path:
    """Returns the absolute path of the file that a `sqlite:///` URL names.

    Raises:
        ConfigurationError: it names none.
    """
    from .sql import address

    return Path(address.sqlite_path(address.normalize(url)))


def _check_directory(url: str) -> None:
    directory = sqlite_path(url).parent
    if not directory.is_dir():
        raise ConfigurationError(f"The directory {directory} for threads does not exist.")
    if not os.access(directory, os.W_OK):
        raise ConfigurationError(f"Threads cannot be stored in {directory}, which is read-only.")


def _check_package(package: str, extra: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:  # psycopg may be installed without the C library that it needs
        problem = " ".join(str(error).split())
        raise ConfigurationError(
            f"The store needs the package {package}, which cannot be imported ({problem}): "
            f"pip install 'copilotkit-runtime-py[{extra}]'."
        ) from error
