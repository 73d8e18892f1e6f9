"""The store in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import Connection

from ...errors import StoreUnavailableError
from ...logs.records import get_logger
from ..base import AgentState, AppendResult, Retention, RunEnding, RunLog, RunRecord, Signal, ThreadRecord
from . import log, threads
from .address import parse
from .database import Database
from .retention import evict

logger = get_logger(__name__)


class SQLStateStore:
    """Keeps threads in a SQLite file or a PostgreSQL database. The tables are made at the first use.

    Any number of processes may use one database. On PostgreSQL, runs are followed and stopped live across
    all of them. On SQLite, live signals stay within a process: elsewhere a producer hears of a request to
    stop when it next writes, at the latest when it renews its lease.

    Args:
        url: `sqlite:///file.db`, with four slashes for an absolute path, or `postgresql://user@host/database`.
            A process opens up to 11 connections to PostgreSQL; one of them listens, so it must not go through
            a pooler that shares connections by transaction.
        lease_seconds: how long a producer holds a run after it last wrote, in seconds.
        retention: how much is kept; everything unless given.

    Raises:
        ConfigurationError: the URL names neither, or what it takes is not installed.
    """

    def __init__(self, url: str, *, lease_seconds: float = 15.0, retention: Retention | None = None) -> None:
        self._url = parse(url)
        self._lease_seconds = lease_seconds
        self._retention = retention or Retention()
        self._database: Database
        if self._url.drivername == "sqlite":
            from .sqlite import SQLiteDatabase

            self._database = SQLiteDatabase(self._url)
        else:
            from .postgres import PostgresDatabase

            self._database = PostgresDatabase(self._url)

    def __repr__(self) -> str:
        return f"SQLStateStore({self._url.render_as_string(hide_password=True)!r})"

    @property
    def lease_seconds(self) -> float:
        """See `StateStore`."""
        return self._lease_seconds

    @property
    def url(self) -> str:
        """See `StateStore`. It holds the password, if there is one."""
        return self._url.render_as_string(hide_password=False)

    async def begin_run(self, run: RunRecord) -> RunRecord:
        """See `StateStore.begin_run`."""

        def work(connection: Connection) -> RunRecord:
            return log.begin(connection, run, self._lease_seconds)

        return await self._database.write(work)

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        """See `StateStore.append`."""
        lease = self._lease_seconds

        def extend(connection: Connection) -> bool | None:
            return log.extend(connection, run, position, events, lease)

        def settle(connection: Connection) -> bool:
            bound = self._retention.max_runs_per_thread
            return log.settle(connection, run, position, events, ending, lease_seconds=lease, max_runs=bound)

        stop = None if ending else await self._database.write(extend, single=True)
        if stop is None:
            stop = await self._database.write(settle)
        if events or ending:
            self._database.give(run.thread_id, Signal.EVENTS)
        if ending is not None:
            await self._evict()
        return AppendResult(stop_requested=stop)

    async def request_stop(self, owner: str, thread_id: str, run_id: str | None = None) -> bool:
        """See `StateStore.request_stop`."""

        def work(connection: Connection) -> bool:
            return log.request_stop(connection, owner, thread_id, run_id)

        asked = await self._database.write(work)
        if asked:
            self._database.give(thread_id, Signal.STOP)
        return asked

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `StateStore.watch`."""
        return self._database.watch(thread_id, listener)

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0
    ) -> list[RunLog]:
        """See `StateStore.read_runs`."""
        return await self._database.read(
            lambda connection: log.read(connection, owner, thread_id, since, position)
        )

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """See `StateStore.load_state`."""
        return await self._database.read(
            lambda connection: threads.load_state(connection, owner, thread_id, agent_name)
        )

    async def list_threads(
        self,
        owner: str,
        agent_name: str | None = None,
        *,
        include_archived: bool = False,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[ThreadRecord]:
        """See `StateStore.list_threads`."""

        def work(connection: Connection) -> list[ThreadRecord]:
            return threads.list_threads(
                connection, owner, agent_name, include_archived=include_archived, limit=limit, after=after
            )

        return await self._database.read(work)

    async def update_thread(
        self, owner: str, thread_id: str, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        """See `StateStore.update_thread`."""

        def work(connection: Connection) -> ThreadRecord:
            return threads.update_thread(connection, owner, thread_id, name, archived)

        return await self._database.write(work)

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """See `StateStore.delete_thread`."""

        def work(connection: Connection) -> None:
            threads.delete_thread(connection, owner, thread_id)

        await self._database.write(work)
        self._database.give(thread_id, Signal.EVENTS)

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._database.aclose()

    async def _evict(self) -> None:
        bounds = self._retention
        if not any(bound is not None for bound in (bounds.max_age, bounds.max_threads, bounds.max_bytes)):
            return
        try:
            await self._database.write(lambda connection: evict(connection, bounds))
        except StoreUnavailableError:
            # The run is over all the same, and the end of the next one makes up for it.
            logger.warning("what exceeds the retention could not be deleted for now")
