"""LangGraph's own savers, opened by the URL of the place where the runtime keeps threads."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

from ...errors import ConfigurationError
from ...state_store.from_url import sqlite_path

Saver: TypeAlias = BaseCheckpointSaver[Any]

_ADVICE = "Or compile the graph with a checkpointer of yours, or with checkpointer=False."
# Any number that no other program asks the database to lock.
_SETUP_LOCK = 0x636F_7069_6C6F_7469


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of database.

    Attributes:
        module: where LangGraph's saver for it is.
        install: what to install for it.
        failures: the exceptions, by their dotted names, of a database that is unavailable or busy.
    """

    module: str
    install: str
    failures: tuple[str, ...]


_KINDS = {
    "sqlite": _Kind("langgraph.checkpoint.sqlite.aio", "langgraph", ("sqlite3.OperationalError",)),
    "postgresql": _Kind(
        "langgraph.checkpoint.postgres.aio",
        "langgraph,postgres",
        ("psycopg.OperationalError", "psycopg_pool.PoolTimeout"),
    ),
    "redis": _Kind(
        "langgraph.checkpoint.redis.aio",
        "langgraph-redis",
        ("redis.exceptions.ConnectionError", "redis.exceptions.TimeoutError"),
    ),
}
_KINDS["postgres"], _KINDS["rediss"] = _KINDS["postgresql"], _KINDS["redis"]


def check_saver(url: str) -> None:
    """Makes sure that LangGraph's saver for a URL is installed.

    Raises:
        ConfigurationError: it is not, or there is none for such a URL.
    """
    kind = _kind(url)
    try:
        importlib.import_module(kind.module)
    except ImportError as error:
        raise ConfigurationError(
            "A LangGraph graph without a checkpointer needs the runtime's store, and the package "
            f"for that is missing ({error}): pip install 'copilotkit-runtime-py[{kind.install}]'. {_ADVICE}"
        ) from error


def outages(url: str) -> tuple[type[Exception], ...]:
    """Returns the exceptions that an open saver raises when its database is unavailable or busy."""
    names = (name.rpartition(".") for name in _kind(url).failures)
    # What is not imported cannot have raised anything.
    return tuple(getattr(sys.modules[module], name) for module, _, name in names if sys.modules.get(module))


def open_saver(url: str) -> AbstractAsyncContextManager[Saver]:
    """Opens LangGraph's saver for a URL, with its tables in place.

    Raises:
        ConfigurationError: it is not installed, or the database lacks what it needs.
    """
    check_saver(url)
    kind = _kind(url)
    if kind is _KINDS["sqlite"]:
        return _sqlite(url)
    return _postgres(url) if kind is _KINDS["postgresql"] else _redis(url)


def _kind(url: str) -> _Kind:
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme not in _KINDS:
        raise ConfigurationError(f"LangGraph has no checkpointer for a store at {scheme}://. {_ADVICE}")
    return _KINDS[scheme]


@asynccontextmanager
async def _sqlite(url: str) -> AsyncIterator[Saver]:
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with aiosqlite.connect(sqlite_path(url), timeout=10) as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        # What a crash of the process loses, if anything, is decided by the log; this is about power cuts.
        await connection.execute("PRAGMA synchronous=NORMAL")
        yield saver


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[Saver]:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow, dict_row
    from psycopg_pool import AsyncConnectionPool

    scheme, separator, rest = url.partition("://")
    pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
        scheme.partition("+")[0] + separator + rest,
        min_size=1,
        max_size=2,  # the saver uses one at a time, and the lock takes another
        open=False,
        timeout=5,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    async with pool:
        saver = AsyncPostgresSaver(pool)
        # The saver builds indexes concurrently, which must not meet another that does so. A worker that
        # waited for the lock inside the database would be what the index waits for.
        async with pool.connection() as connection:
            while True:
                cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS got", [_SETUP_LOCK])
                row = await cursor.fetchone()
                if row is not None and row["got"]:
                    break
                await asyncio.sleep(0.05)
            try:
                await saver.setup()
            finally:
                await connection.execute("SELECT pg_advisory_unlock(%s)", [_SETUP_LOCK])
        yield saver


@asynccontextmanager
async def _redis(url: str) -> AsyncIterator[Saver]:
    from langgraph.checkpoint.redis.aio import AsyncRedisSaver
    from redis.asyncio import Redis
    from redis.exceptions import ResponseError

    async with Redis.from_url(url) as client:
        try:
            await client.ft().execute_command("FT._LIST")
            await client.json().get("copilotkit")
        except ResponseError as error:
            raise ConfigurationError(
                "LangGraph's checkpointer for Redis needs the modules for search and JSON, which this "
                f"server lacks; Redis 8 has them. {_ADVICE}"
            ) from error
        if client.connection_pool.connection_kwargs.get("db"):
            raise ConfigurationError(
                f"Redis searches in database 0 only, and LangGraph's checkpointer has to search. {_ADVICE}"
            )
        saver = AsyncRedisSaver(redis_client=client)
        async with client.lock("copilotkit:checkpoints:setup", timeout=30):
            await saver.asetup()
        yield saver
