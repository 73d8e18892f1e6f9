"""SQLite: one file, which any number of processes may use."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from ...errors import ConfigurationError, StoreUnusableError
from ...logs.records import get_logger
from ..base import Append, AppendResult, Retention, RunRecord, Signal
from ..signals import SignalBoard
from . import sqlite_batches as batches
from .database import Outages
from .log import abandon, explain_refusal, reconcile
from .retention import bounds_threads, evict
from .schema import migrate
from .sqlite_users import FileUsers
from .statement import Steps
from .worker_threads import WorkerThreads

logger = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# How long to wait for another process that writes to the file, in seconds.
_BUSY_SECONDS: Final = 5.0
_READERS: Final = 4
# How many writes share a transaction at most.
_AT_ONCE: Final = 500
# After about this many bytes, the write-ahead log is copied into the file.
_CHECKPOINT: Final = 4 * 1024 * 1024
# How many bytes a write adds to the log besides its data.
_OVERHEAD: Final = 8 * 1024
# A log of more pages than this is copied to its end while writers wait; a larger one's file is truncated.
_LONGEST_LOG: Final = 16_000
_LARGEST_LOG_FILE: Final = 16 * 1024 * 1024
# RETURNING came with this version.
_OLDEST: Final = (3, 35)

# Errors that make a file unusable permanently, and not just for the moment.
_UNUSABLE: Final = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}

# Stores of the same file in this process share their signals.
_boards: WeakValueDictionary[str, SignalBoard] = WeakValueDictionary()


class SQLiteDatabase:
    """A SQLite file. Statements run in threads: one that writes, and a few that read.

    Simultaneous writes share one transaction, and often one statement.

    Args:
        path: the file, by its absolute path.
        lease_seconds: how long a producer holds a run after it last wrote, in seconds.
        retention: how much is stored.

    Raises:
        ConfigurationError: Python's SQLite is too old.
    """

    def __init__(self, path: str, *, lease_seconds: float, retention: Retention) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old for the state store, which needs "
                f"{'.'.join(map(str, _OLDEST))} or newer."
            )
        self._path = path
        self._lease_seconds = lease_seconds
        self._retention = retention
        self._board = _boards.setdefault(path, SignalBoard())
        self._outages = Outages(sqlite3.Error, _is_outage)
        self._opened: tuple[WorkerThreads[Any], WorkerThreads[Steps[Any]]] | None = None
        self._checkpoints: WorkerThreads[None] | None = None
        self._unchecked = 0
        self._opening = asyncio.Lock()
        self._users = FileUsers(path)

    async def begin(self, run: RunRecord) -> RunRecord:
        """See `Database.begin`."""
        with self._outages.noticed():
            writer, _ = self._opened or await self._open()
            begun: RunRecord = await writer.submit(run)
            return begun

    async def append(self, appends: Sequence[Append]) -> list[AppendResult | Exception]:
        """See `Database.append`."""
        results: list[AppendResult | Exception]
        try:
            writer, _ = self._opened or await self._open()
            results = await writer.submit(appends)
        except Exception as error:
            results = [error] * len(appends)
        self._count(sum(_OVERHEAD + sum(map(len, append.events)) for append in appends))
        return self._outages.reported_all(results)

    def _count(self, written: int) -> None:
        """Copies the write-ahead log once it has grown enough."""
        self._unchecked += written
        if self._unchecked > _CHECKPOINT and self._checkpoints is not None:
            self._unchecked = 0
            self._checkpoints.submit(None)

    async def read(self, work: Callable[P, Steps[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.read`."""
        with self._outages.noticed():
            _, readers = self._opened or await self._open()
            result: T = await readers.submit(work(*args, **kwargs))
            return result

    async def write(self, work: Callable[P, Steps[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.write`."""
        with self._outages.noticed():
            writer, _ = self._opened or await self._open()
            result: T = await writer.submit(work(*args, **kwargs))
        self._count(_OVERHEAD + sum(len(value) for value in args if isinstance(value, bytes)))
        return result

    def give(self, thread_id: str, signal: Signal, producer: str = "") -> None:
        """See `Database.give`."""
        self._board.give(thread_id, signal)
        if signal is Signal.STOP:
            self._board.give_stop(producer)

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `Database.watch`."""
        return self._board.watch(thread_id, listener)

    def watch_stops(self, listener: Callable[[str | None], None]) -> AbstractAsyncContextManager[None]:
        """See `Database.watch_stops`."""
        return self._board.watch_stops(listener)

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        async with self._opening:
            opened, self._opened = self._opened, None
            for threads in (*(opened or ()), *((self._checkpoints,) if self._checkpoints else ())):
                await asyncio.to_thread(threads.close)
            self._checkpoints = None
            if opened:
                self._users.leave()
        self._opening = asyncio.Lock()  # the next use may be on another loop

    async def _open(self) -> tuple[WorkerThreads[Any], WorkerThreads[Steps[Any]]]:
        async with self._opening:
            if self._opened is None:
                await asyncio.to_thread(self._prepare)
                self._opened = (
                    WorkerThreads(1, _AT_ONCE, self._writer, name="copilotkit-sqlite-writer"),
                    WorkerThreads(_READERS, 1, self._reader, name="copilotkit-sqlite-reader"),
                )
                self._checkpoints = WorkerThreads(
                    1, 100, self._checkpointer, name="copilotkit-sqlite-checkpoints"
                )
            return self._opened

    def _prepare(self) -> None:
        """Creates the file and its tables."""
        try:
            connection = self._connect()
            try:
                _use_wal(connection)
                _transact(connection, migrate())
                self._users.join(if_first=lambda: _transact(connection, abandon()))
            finally:
                connection.close()
        except sqlite3.Error as error:
            if _code(error) in _UNUSABLE:
                name = Path(self._path).name
                raise StoreUnusableError(
                    f"'{name}' cannot be used as the state store's SQLite file: {error}."
                ) from error
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            cached_statements=256,
            check_same_thread=False,
        )
        _configure(connection)
        return connection

    def _reader(self) -> _Reader:
        return _Reader(self._connect())

    def _checkpointer(self) -> _Checkpointer:
        return _Checkpointer(self._connect())

    def _writer(self) -> _Writer:
        return _Writer(self._connect(), self._lease_seconds, self._retention)


class _Reader:
    """Does the work of a thread that reads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def work(self, items: Sequence[Steps[Any]]) -> list[Any]:
        """Returns what the steps read."""
        return [_outcome(partial(_run, self._connection, steps)) for steps in items]

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class _Checkpointer:
    """Copies the write-ahead log into the file, while others write and read.

    SQLite would do so at the end of a transaction, which would then wait for the disk twice.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def work(self, items: Sequence[None]) -> list[None]:
        """Copies it once, for all items."""
        try:
            ((_, pages, _),) = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            if pages > _LONGEST_LOG:
                self._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        except sqlite3.Error as error:
            logger.warning("the write-ahead log could not be copied: %s", error)
        return [None] * len(items)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class _Writer:
    """Does the work of the thread that writes: waiting writes share one transaction.

    A write that does not extend its producer's own log changes nothing in that transaction
    and is retried afterwards, in a transaction of its own. If the shared transaction fails, each write gets
    one of its own, so that an error of one does not affect the others.
    """

    def __init__(self, connection: sqlite3.Connection, lease_seconds: float, retention: Retention) -> None:
        self._connection = connection
        self._lease_seconds = lease_seconds
        self._retention = retention
        batches.prepare(connection)

    def work(self, items: Sequence[RunRecord | Sequence[Append] | Steps[Any]]) -> list[Any]:
        """Returns the result of each item: a run that began, or what an append or steps return."""
        writes: list[RunRecord | Append] = []
        for item in items:
            if isinstance(item, RunRecord):
                writes.append(item)
            elif isinstance(item, Sequence):
                writes += item
        written = iter(self._written(writes))
        outcomes: list[Any] = []
        for item in items:
            if isinstance(item, RunRecord):
                outcomes.append(next(written))
            elif isinstance(item, Sequence):
                outcomes.append(list(islice(written, len(item))))
            else:
                outcomes.append(_outcome(partial(_transact, self._connection, item)))
        return outcomes

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _written(self, writes: Sequence[RunRecord | Append]) -> list[Any]:
        """Returns the result of each write."""
        try:
            answers = self._write_together(writes)
        except Exception as error:
            if len(writes) == 1 or _is_outage(error):
                return [error] * len(writes)
            return [result for write in writes for result in self._written([write])]
        results = [
            _result(write, answer) if answer is not None else _outcome(partial(self._write_alone, write))
            for write, answer in zip(writes, answers, strict=True)
        ]
        if bounds_threads(self._retention) and any(
            isinstance(write, Append) and write.ending is not None for write in writes
        ):
            self._evict()
        return results

    def _write_together(self, writes: Sequence[RunRecord | Append]) -> list[Any]:
        """Returns the result of the statements for each write."""
        kinds: dict[Callable[..., list[Any]], list[int]] = {}
        for place, write in enumerate(writes):
            kinds.setdefault(self._kind(write), []).append(place)
        answers: list[Any] = [None] * len(writes)
        with _transaction(self._connection, several=len(kinds) > 1 or len(writes) > batches.ROWS):
            for insert, places in kinds.items():
                for place, answer in zip(places, insert([writes[place] for place in places]), strict=True):
                    answers[place] = answer
        return answers

    def _kind(self, write: RunRecord | Append) -> Callable[..., list[Any]]:
        if isinstance(write, RunRecord):
            return self._begin
        return self._extend if write.ending is None else self._end

    def _begin(self, runs: Sequence[RunRecord]) -> list[Any]:
        return batches.begin(self._connection, runs, self._lease_seconds)

    def _extend(self, appends: Sequence[Append]) -> list[Any]:
        return batches.extend(self._connection, appends, self._lease_seconds)

    def _end(self, appends: Sequence[Append]) -> list[Any]:
        bound = self._retention.max_runs_per_thread
        return batches.end(self._connection, appends, self._lease_seconds, bound)

    def _write_alone(self, write: RunRecord | Append) -> RunRecord | AppendResult:
        """Writes a refused write alone, or raises the reason."""
        with _transaction(self._connection):
            if isinstance(write, RunRecord):
                return _run(self._connection, explain_refusal(write))
            left = _run(self._connection, reconcile(write))
            if isinstance(left, AppendResult):
                return left
            (asked,) = self._kind(left)([left])
            assert asked is not None
            return AppendResult(stop_requested=bool(asked))

    def _evict(self) -> None:
        try:
            _transact(self._connection, evict(self._retention))
        except sqlite3.Error as error:
            # The run has ended nevertheless, and the end of the next run tries again.
            logger.warning("data beyond the retention could not be deleted: %s", error)


def _result(write: RunRecord | Append, answer: Any) -> RunRecord | AppendResult:
    if isinstance(write, RunRecord):
        return replace(write, number=answer)
    return AppendResult(stop_requested=bool(answer))


def _outcome(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as error:
        return error


def _run(connection: sqlite3.Connection, steps: Steps[T]) -> T:
    rows: Sequence[Any] = ()
    try:
        statement, parameters = next(steps)
        while True:
            rows = connection.execute(statement.sqlite, {**parameters, "now": time.monotonic()}).fetchall()
            statement, parameters = steps.send(rows)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _transact(connection: sqlite3.Connection, steps: Steps[T]) -> T:
    with _transaction(connection):
        return _run(connection, steps)


@contextmanager
def _transaction(connection: sqlite3.Connection, *, several: bool = True) -> Iterator[None]:
    """A transaction that writes; a single statement is one by itself, unless it begins one."""
    # A transaction that reads first cannot wait for another process that writes.
    if several:
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        if connection.in_transaction:
            connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the error itself may have ended the transaction
            connection.execute("ROLLBACK")
        raise


def _configure(connection: sqlite3.Connection) -> None:
    # With a write-ahead log, nothing is lost when the process dies; a power cut may lose the last writes.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")  # see `_Checkpointer`
    connection.execute(f"PRAGMA journal_size_limit={_LARGEST_LOG_FILE}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turns on the write-ahead log, so that readers and the writer do not wait for each other.

    The file keeps the setting. SQLite itself does not wait for other processes that do the same.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _is_outage(error: BaseException) -> bool:
    """Whether the error is one of the file: every error but wrong SQL and violated constraints."""
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
