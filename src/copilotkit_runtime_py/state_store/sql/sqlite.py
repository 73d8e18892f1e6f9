"""SQLite: one file, which any number of processes may use."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError
from ..base import Signal
from ..signals import SignalBoard
from .database import Outages, cause_of
from .schema import migrate

T = TypeVar("T")

# How long to wait for another process that writes to the file, in seconds.
_BUSY_SECONDS: Final = 5.0
_READERS: Final = 4
# RETURNING came with this version.
_OLDEST: Final = (3, 35)

# What a file makes impossible in the long run, and not just for the moment.
_UNUSABLE: Final = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}

# Stores of the same file in this process hear each other.
_boards: WeakValueDictionary[str, SignalBoard] = WeakValueDictionary()


class SQLiteDatabase:
    """A SQLite file. Statements run in threads: one that writes, and a few that read.

    Args:
        url: names the file by its absolute path.

    Raises:
        ConfigurationError: Python's SQLite is too old.
    """

    def __init__(self, url: URL) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old for the state store, which needs "
                f"{'.'.join(map(str, _OLDEST))} or newer."
            )
        self._url = url
        self._board = _boards.setdefault(str(url.database), SignalBoard())
        self._outages = Outages(sqlite3.Error, _is_outage)
        self._opened: tuple[_Threads, _Threads] | None = None
        self._opening = asyncio.Lock()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        with self._outages.noticed():
            _, readers = self._opened or await self._open()
            return await readers.run(work)

    async def write(self, work: Callable[[Connection], T], *, single: bool = False) -> T:
        """See `Database.write`."""
        with self._outages.noticed():
            writer, _ = self._opened or await self._open()
            return await writer.run(work)

    def give(self, thread_id: str, signal: Signal) -> None:
        """See `Database.give`."""
        self._board.give(thread_id, signal)

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `Database.watch`."""
        return self._board.watch(thread_id, listener)

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        async with self._opening:
            opened, self._opened = self._opened, None
            for threads in opened or ():
                await asyncio.to_thread(threads.close)
        self._opening = asyncio.Lock()  # the next use may be on another loop

    async def _open(self) -> tuple[_Threads, _Threads]:
        async with self._opening:
            if self._opened is None:
                writer = _Threads(self._url, 1, writes=True)
                try:
                    await asyncio.get_running_loop().run_in_executor(writer.executor, self._prepare, writer)
                except BaseException:
                    await asyncio.to_thread(writer.close)
                    raise
                self._opened = writer, _Threads(self._url, _READERS, writes=False)
            return self._opened

    def _prepare(self, writer: _Threads) -> None:
        try:
            _use_wal(writer.engine)
            migrate(writer.engine)
        except (DBAPIError, sqlite3.Error) as error:
            cause = cause_of(error)
            if _code(cause) in _UNUSABLE:
                name = Path(self._url.database or "").name
                raise ConfigurationError(
                    f"'{name}' cannot be used as the state store's SQLite file: {cause}."
                ) from error
            raise


class _Threads:
    """Threads with an engine, which run the work of transactions, each in one go."""

    def __init__(self, url: URL, count: int, *, writes: bool) -> None:
        self.executor = ThreadPoolExecutor(count, thread_name_prefix="copilotkit-sqlite")
        self.engine = create_engine(
            url, connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None}, hide_parameters=True
        )
        event.listen(self.engine, "connect", _configure)
        if writes:
            event.listen(self.engine, "begin", _begin_writing)

    async def run(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._run, work)

    def _run(self, work: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        self.executor.shutdown()
        self.engine.dispose()


def _configure(connection: sqlite3.Connection, _: object) -> None:
    # With a write-ahead log, this loses nothing when the process dies; a power cut may take the last moments.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_writing(connection: Connection) -> None:
    # Else a transaction that reads first cannot wait for another process that writes.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _use_wal(engine: Engine) -> None:
    """Has readers and the writer not wait for each other; the file keeps this.

    SQLite does not wait by itself for others who want the same at the same time.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        finally:
            connection.close()


def _is_outage(error: BaseException) -> bool:
    """Whether the file cannot serve: all but wrong SQL and violated constraints."""
    return isinstance(error, sqlite3.DatabaseError) and _code(error) not in (
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    )


def _code(error: BaseException) -> int:
    # The lower byte of an extended code is the code.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
