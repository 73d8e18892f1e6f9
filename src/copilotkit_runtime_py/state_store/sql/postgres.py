"""PostgreSQL, for any number of workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from ...errors import ConfigurationError, StoreUnusableError
from ...logs.records import get_logger
from ..base import Append, AppendResult, Retention, RunRecord, Signal
from ..group_commit import GroupCommit
from . import postgres_batches as batches
from .database import Outages
from .log import explain_refusal, reconcile
from .postgres_signals import CHANNEL, PostgresSignals
from .retention import bounds_threads, evict
from .schema import is_current, migrate
from .statement import Steps

if TYPE_CHECKING:
    from psycopg import AsyncConnection

logger = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# How many connections there are besides the one that listens.
_CONNECTIONS: Final = 10
_CONNECT_SECONDS: Final = 5
# How long the caller waits for a transaction, including the wait for a connection.
_SECONDS: Final = 10.0
# How many writes share a connection at most.
_AT_ONCE: Final = 500
# How many prepared statements a connection has in the server: more than there are statements.
_PREPARED: Final = 200

# Any number that no other program uses in the database.
_ADVISORY_LOCK: Final = 7_265_104_881_023_511

# A server that became a standby refuses writes.
_READ_ONLY: Final = "25006"
_INSUFFICIENT_PRIVILEGE: Final = "42501"


class PostgresDatabase:
    """A PostgreSQL database.

    Simultaneous writes share one round trip.

    Args:
        url: `postgresql://…`, with libpq's parameters in the query.
        lease_seconds: how long a producer holds a run after it last wrote, in seconds.
        retention: how much is stored.

    Raises:
        ConfigurationError: the driver is not installed.
    """

    def __init__(self, url: str, *, lease_seconds: float, retention: Retention) -> None:
        try:
            import psycopg
        except ImportError:
            raise ConfigurationError(
                "PostgreSQL needs a driver: install copilotkit-runtime-py[postgres]."
            ) from None
        self._driver = psycopg
        self._url = url
        self._lease_seconds = lease_seconds
        self._retention = retention
        self._outages = Outages(psycopg.Error, _is_outage)
        self._signals = PostgresSignals(url, self._send)
        self._commits: GroupCommit[RunRecord | Append] = GroupCommit(
            self._write, at_once=_AT_ONCE, seconds=_SECONDS
        )
        self._idle: list[AsyncConnection[Any]] = []
        self._free = asyncio.Semaphore(_CONNECTIONS)
        self._migration: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def begin(self, run: RunRecord) -> RunRecord:
        """See `Database.begin`."""
        (begun,) = await self._written([run])
        if isinstance(begun, Exception):
            raise begun
        result: RunRecord = begun
        return result

    async def append(self, appends: Sequence[Append]) -> list[AppendResult | Exception]:
        """See `Database.append`."""
        return await self._written(appends)

    async def read(self, work: Callable[P, Steps[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.read`."""

        async def read(connection: AsyncConnection[Any]) -> T:
            return await _run(connection, work(*args, **kwargs))

        with self._outages.noticed():
            return await self._bounded(self._connected(read))

    async def write(self, work: Callable[P, Steps[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.write`."""

        async def write(connection: AsyncConnection[Any]) -> T:
            async with connection.transaction():
                return await _run(connection, work(*args, **kwargs))

        with self._outages.noticed():
            return await self._bounded(self._connected(write))

    def give(self, thread_id: str, signal: Signal, producer: str = "") -> None:
        """See `Database.give`."""
        self._signals.give(_key(thread_id), signal, producer)

    @asynccontextmanager
    async def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AsyncIterator[None]:
        """See `Database.watch`."""
        key = _key(thread_id)
        async with self._signals.board.watch(key, listener):
            with self._outages.noticed():
                await self._signals.listen(key)
            yield

    @asynccontextmanager
    async def watch_stops(self, listener: Callable[[str | None], None]) -> AsyncIterator[None]:
        """See `Database.watch_stops`."""
        async with self._signals.board.watch_stops(listener):
            with self._outages.noticed():
                await self._signals.listen()
            yield

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        await self._commits.aclose()
        await self._signals.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._close_idle()
        self._free = asyncio.Semaphore(_CONNECTIONS)  # the next use may be on another loop
        self._migration = None

    async def _written(self, writes: Sequence[RunRecord | Append]) -> list[Any]:
        results: list[Any]
        try:
            results = await self._commits.submit(writes)
        except Exception as error:
            results = [error] * len(writes)
        return self._outages.reported_all(results)

    async def _write(self, writes: Sequence[RunRecord | Append]) -> list[Any]:
        """Returns the result of each write.

        Refused writes, and all but the first write to a thread, get a transaction of their own. If a
        statement fails, every write gets one: an error of one does not affect the others.
        """
        together: dict[str, int] = {}
        for place, write in enumerate(writes):
            thread_id = write.thread_id if isinstance(write, RunRecord) else write.run.thread_id
            together.setdefault(thread_id, place)
        places = list(together.values())
        results: list[Any] = [None] * len(writes)
        try:
            some = [writes[place] for place in places]
            answers = await self._connected(lambda connection: self._write_together(connection, some))
            for place, result in zip(places, answers, strict=True):
                results[place] = result
        except self._driver.Error as error:
            if len(writes) == 1 or _is_outage(error):
                raise
        for place, write in enumerate(writes):
            if results[place] is None:
                results[place] = await self._outcome_alone(write)
        if bounds_threads(self._retention) and any(_ends(write) for write in writes):
            await self._evict()
        return results

    async def _write_together(
        self, connection: AsyncConnection[Any], writes: Sequence[RunRecord | Append]
    ) -> list[Any]:
        results: list[Any] = [None] * len(writes)
        for statement in (self._begin, self._extend, self._end):
            places = [place for place, write in enumerate(writes) if self._statement(write) == statement]
            for start in range(0, len(places), batches.ROWS):
                some = places[start : start + batches.ROWS]
                rows: list[Any] = [writes[place] for place in some]
                query, values = statement(rows)
                cursor = await connection.execute(query, values, prepare=True)
                for place, answer in await cursor.fetchall():
                    results[some[place]] = _result(writes[some[place]], answer)
        return results

    def _statement(self, write: RunRecord | Append) -> Callable[[Any], tuple[str, list[Any]]]:
        if isinstance(write, RunRecord):
            return self._begin
        return self._extend if write.ending is None else self._end

    def _begin(self, runs: Sequence[RunRecord]) -> tuple[str, list[Any]]:
        return batches.begin(runs, self._lease_seconds)

    def _extend(self, appends: Sequence[Append]) -> tuple[str, list[Any]]:
        return batches.extend(appends, self._lease_seconds)

    def _end(self, appends: Sequence[Append]) -> tuple[str, list[Any]]:
        return batches.end(appends, self._lease_seconds, self._retention.max_runs_per_thread)

    async def _outcome_alone(self, write: RunRecord | Append) -> Any:
        try:
            return await self._connected(lambda connection: self._write_alone(connection, write))
        except Exception as error:
            return error

    async def _write_alone(
        self, connection: AsyncConnection[Any], write: RunRecord | Append
    ) -> RunRecord | AppendResult:
        """Writes one write alone that failed in the batch, or raises the reason."""
        async with connection.transaction():
            if isinstance(write, Append):
                return await self._append_alone(connection, write)
            (begun,) = await self._write_together(connection, [write])
            if isinstance(begun, RunRecord):
                return begun
            return await _run(connection, explain_refusal(write))

    async def _append_alone(self, connection: AsyncConnection[Any], write: Append) -> AppendResult:
        left = await _run(connection, reconcile(write))
        if isinstance(left, AppendResult):
            return left
        (result,) = await self._write_together(connection, [left])
        assert isinstance(result, AppendResult)
        return result

    async def _evict(self) -> None:
        try:
            await self._connected(self._evict_surplus)
        except self._driver.Error as error:
            # The runs have ended nevertheless, and the end of the next run tries again.
            logger.warning("data beyond the retention could not be deleted: %s", error)

    async def _evict_surplus(self, connection: AsyncConnection[Any]) -> None:
        async with connection.transaction():
            await _run(connection, evict(self._retention))

    async def _send(self, payloads: list[str]) -> None:
        async def notify(connection: AsyncConnection[Any]) -> None:
            await connection.execute(
                "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", [CHANNEL, payloads]
            )

        with self._outages.noticed():
            await self._bounded(self._connected(notify))

    async def _connected(self, work: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
        """Does work on one of a few connections."""
        await self._migrated()
        async with self._free:
            if self._idle:
                connection = self._idle.pop()
                try:
                    return await self._work_on(connection, work)
                except self._driver.OperationalError:
                    if not connection.broken:
                        raise
                    # The idle connection was closed, as the others most likely were. Every step of the store
                    # can be repeated.
                    await self._close_idle()
            return await self._work_on(await self._connect(), work)

    async def _work_on(
        self, connection: AsyncConnection[Any], work: Callable[[AsyncConnection[Any]], Awaitable[T]]
    ) -> T:
        try:
            return await work(connection)
        finally:
            if connection.info.transaction_status is self._driver.pq.TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                await connection.close()

    async def _connect(self) -> AsyncConnection[Any]:
        connection = await self._driver.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS
        )
        connection.prepared_max = _PREPARED
        return connection

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        """Awaits work for a bounded time, and returns at once when the work or the caller is cancelled.

        The driver first asks the server to stop, which takes as long again if the server hangs.
        """
        task = self._start(work)
        try:
            await asyncio.wait({task}, timeout=_SECONDS)
            if not task.done():
                raise TimeoutError(f"no answer within {_SECONDS:g} s")
            return task.result()
        finally:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # it was reported, or has no waiter any more

    async def _migrated(self) -> None:
        """Migrates the tables, which may take longer than its callers wait."""
        if self._migration is None or (
            self._migration.done() and (self._migration.cancelled() or self._migration.exception())
        ):
            self._migration = self._start(self._migrate())
        if not self._migration.done():
            await asyncio.shield(self._migration)

    async def _migrate(self) -> None:
        connection = await self._connect()
        try:
            if not await _run(connection, is_current()):
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
                    await _run(connection, migrate())
        except self._driver.Error as error:
            if error.sqlstate == _INSUFFICIENT_PRIVILEGE:
                cause = str(error).partition("\n")[0]
                raise StoreUnusableError(f"The state store's tables cannot be created: {cause}.") from error
            raise
        finally:
            await connection.close()


async def _run(connection: AsyncConnection[Any], steps: Steps[T]) -> T:
    rows: Sequence[Any] = ()
    try:
        statement, parameters = next(steps)
        while True:
            cursor = await connection.execute(statement.postgresql, parameters)
            rows = await cursor.fetchall() if cursor.description else ()
            statement, parameters = steps.send(rows)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _result(write: RunRecord | Append, answer: Any) -> RunRecord | AppendResult:
    if isinstance(write, RunRecord):
        return replace(write, number=answer)
    return AppendResult(stop_requested=answer)


def _ends(write: RunRecord | Append) -> bool:
    return isinstance(write, Append) and write.ending is not None


def _key(thread_id: str) -> str:
    # A payload is at most 8,000 bytes, and it should not reveal the ids of threads to other listeners.
    return blake2b(thread_id.encode(errors="surrogatepass"), digest_size=12).hexdigest()


def _is_outage(error: BaseException) -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or (
        isinstance(error, psycopg.Error) and error.sqlstate == _READ_ONLY
    )
