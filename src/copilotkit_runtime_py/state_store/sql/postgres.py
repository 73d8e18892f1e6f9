"""PostgreSQL, which any number of workers share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any, Final, TypeVar

from sqlalchemy import ARRAY, URL, Connection, NullPool, Text, bindparam, create_engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ...errors import ConfigurationError
from ..base import Signal
from ..signals import SignalBoard
from .database import Outages
from .postgres_signals import CHANNEL, SignalListener, SignalSender
from .schema import is_current, migrate

T = TypeVar("T")

# How many connections run single statements, and how many longer transactions.
_SINGLE: Final = 6
_LONGER: Final = 4
_CONNECT_SECONDS: Final = 5
# How long the caller waits for a transaction, the wait for a connection among it.
_SECONDS: Final = 10.0

# A server that became a standby takes no writes.
_READ_ONLY: Final = "25006"

_PAYLOADS = func.unnest(bindparam("payloads", type_=ARRAY(Text))).column_valued("payload")
_NOTIFY = select(func.pg_notify(CHANNEL, _PAYLOADS))


class PostgresDatabase:
    """A PostgreSQL database.

    Args:
        url: `postgresql://…`, with libpq's parameters in the query.

    Raises:
        ConfigurationError: the driver is not installed.
    """

    def __init__(self, url: URL) -> None:
        try:
            import psycopg
        except ImportError:
            raise ConfigurationError(
                "PostgreSQL needs a driver: install copilotkit-runtime-py[postgres]."
            ) from None
        self._url = url.set(drivername="postgresql+psycopg")
        self._outages = Outages(psycopg.Error, _is_outage)
        self._board = SignalBoard()
        self._listener: SignalListener | None = None
        self._sender = SignalSender(self._send)
        self._engines: tuple[AsyncEngine, AsyncEngine] | None = None
        self._opening = asyncio.Lock()
        self._migration: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return await self._run(work, single=True)

    async def write(self, work: Callable[[Connection], T], *, single: bool = False) -> T:
        """See `Database.write`."""
        return await self._run(work, single=single)

    def give(self, thread_id: str, signal: Signal) -> None:
        """See `Database.give`."""
        self._sender.give(_key(thread_id), signal)

    @asynccontextmanager
    async def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AsyncIterator[None]:
        """See `Database.watch`."""
        async with self._board.watch(_key(thread_id), listener):
            if self._listener is None:
                self._listener = SignalListener(self._url, self._board)
            with self._outages.noticed():
                await self._listener.ready()
            yield

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        await self._sender.aclose()
        async with self._opening:
            listener, self._listener = self._listener, None
            engines, self._engines = self._engines, None
        self._opening = asyncio.Lock()  # the next use may be on another loop
        if listener is not None:
            await listener.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for engine in engines or ():
            await engine.dispose()

    async def _send(self, payloads: list[str]) -> None:
        await self._run(lambda connection: connection.execute(_NOTIFY, {"payloads": payloads}), single=True)

    async def _run(self, work: Callable[[Connection], T], *, single: bool) -> T:
        with self._outages.noticed():
            return await self._bounded(self._attempt(work, single), _SECONDS)

    async def _attempt(self, work: Callable[[Connection], T], single: bool) -> T:
        engines = self._engines or await self._open()
        engine = engines[0 if single else 1]
        try:
            return await self._once(engine, work, single)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The pool had kept a connection that was cut meanwhile, and made away with all of that age. What
            # the store does can be done twice.
            return await self._once(engine, work, single)

    async def _once(self, engine: AsyncEngine, work: Callable[[Connection], T], single: bool) -> T:
        async with engine.connect() if single else engine.begin() as connection:
            return await connection.run_sync(work)

    async def _bounded(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Awaits work, but neither for long nor until it has let go when it or the caller is cancelled.

        The driver first asks the server to leave off, which takes as long again where that is what hangs.
        """
        task = self._start(work)
        try:
            await asyncio.wait({task}, timeout=seconds)
            if not task.done():
                raise TimeoutError(f"no answer within {seconds:g} s")
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
            task.exception()  # it was told, or nobody waits for it any more

    async def _open(self) -> tuple[AsyncEngine, AsyncEngine]:
        async with self._opening:
            if self._engines is None:
                # Nothing is left open by a single statement, so nothing has to be undone after it.
                single = self._engine(_SINGLE, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)
                try:
                    async with single.connect() as connection:
                        current = await connection.run_sync(is_current)
                    if not current:
                        await self._migrated()
                except BaseException:
                    await single.dispose()
                    raise
                self._engines = single, self._engine(_LONGER)
            return self._engines

    def _engine(self, size: int, **options: Any) -> AsyncEngine:
        return create_async_engine(
            self._url,
            pool_size=size,
            max_overflow=0,
            pool_timeout=_SECONDS,
            pool_use_lifo=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS},
            hide_parameters=True,
            **options,
        )

    async def _migrated(self) -> None:
        """Brings the tables up to date, which may take longer than those wait who need them."""
        if self._migration is None or self._migration.done():
            self._migration = self._start(asyncio.to_thread(self._migrate))
        await asyncio.shield(self._migration)

    def _migrate(self) -> None:
        engine = create_engine(
            self._url,
            poolclass=NullPool,
            connect_args={"connect_timeout": _CONNECT_SECONDS},
            hide_parameters=True,
        )
        migrate(engine)


def _key(thread_id: str) -> str:
    # A payload is at most 8,000 bytes, and whoever may listen need not learn the names of threads.
    return blake2b(thread_id.encode(errors="surrogatepass"), digest_size=12).hexdigest()


def _is_outage(error: BaseException) -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or (
        isinstance(error, psycopg.Error) and error.sqlstate == _READ_ONLY
    )
