"""The store in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from ..attachments import AttachmentQuota, AttachmentRecord
from ..base import (
    AgentState,
    Append,
    AppendResult,
    Retention,
    RunEnding,
    RunLog,
    RunRecord,
    Signal,
    ThreadRecord,
)
from . import attachments, log, threads
from .address import hide_password, normalize, sqlite_path
from .database import Database
from .schema import touch


class SQLStateStore:
    """Stores threads in a SQLite file or a PostgreSQL database. The first use creates the tables.

    Any number of processes may use one database. On PostgreSQL, runs are followed and stopped live across
    all of them. On SQLite, live signals stay within a process: elsewhere a producer notices a request to
    stop with its next write, at the latest when it renews its lease.

    Args:
        url: `sqlite:///file.db`, with four slashes for an absolute path, or `postgresql://user@host/database`.
            A process opens up to 11 connections to PostgreSQL; one of them listens, so it must not go through
            a pooler that shares connections by transaction.
        lease_seconds: how long each write leases a run to its producer, in seconds.
        retention: how much is stored. Defaults to everything.

    Raises:
        ConfigurationError: the URL names neither, or a package that it needs is not installed.
    """

    def __init__(self, url: str, *, lease_seconds: float = 15.0, retention: Retention | None = None) -> None:
        self._url = normalize(url)
        self._lease_seconds = lease_seconds
        self._retention = retention = retention or Retention()
        self._database: Database
        if self._url.startswith("sqlite:"):
            from .sqlite import SQLiteDatabase

            path = sqlite_path(self._url)
            self._database = SQLiteDatabase(path, lease_seconds=lease_seconds, retention=retention)
        else:
            from .postgres import PostgresDatabase

            self._database = PostgresDatabase(self._url, lease_seconds=lease_seconds, retention=retention)

    def __repr__(self) -> str:
        return f"SQLStateStore({hide_password(self._url)!r})"

    @property
    def lease_seconds(self) -> float:
        """See `StateStore`."""
        return self._lease_seconds

    @property
    def url(self) -> str:
        """See `StateStore`. It holds the password, if there is one."""
        return self._url

    async def begin_run(self, run: RunRecord) -> RunRecord:
        """See `StateStore.begin_run`."""
        return await self._database.begin(run)

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        """See `StateStore.append`."""
        (result,) = await self.append_many([Append(run, position, events, ending)])
        if isinstance(result, Exception):
            raise result
        return result

    async def append_many(self, appends: Sequence[Append]) -> list[AppendResult | Exception]:
        """See `BatchStateStore.append_many`."""
        results = await self._database.append(appends)
        for append, result in zip(appends, results, strict=True):
            if (append.events or append.ending is not None) and not isinstance(result, Exception):
                self._database.give(append.run.thread_id, Signal.EVENTS)
        return results

    async def request_stop(self, owner: str, thread_id: str, run_id: str | None = None) -> bool:
        """See `StateStore.request_stop`."""
        producer = await self._database.write(log.request_stop, owner, thread_id, run_id)
        if producer is not None:
            self._database.give(thread_id, Signal.STOP, producer)
        return producer is not None

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `StateStore.watch`."""
        return self._database.watch(thread_id, listener)

    async def check(self) -> None:
        """See `BatchStateStore.check`."""
        await self._database.write(touch)

    def watch_stops(self, listener: Callable[[str | None], None]) -> AbstractAsyncContextManager[None]:
        """See `BatchStateStore.watch_stops`."""
        return self._database.watch_stops(listener)

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0, limit: int | None = None
    ) -> list[RunLog]:
        """See `StateStore.read_runs`."""
        return await self._database.read(log.read, owner, thread_id, since, position, limit)

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """See `StateStore.load_state`."""
        return await self._database.read(threads.load_state, owner, thread_id, agent_name)

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
        return await self._database.read(
            threads.list_threads,
            owner,
            agent_name,
            include_archived=include_archived,
            limit=limit,
            after=after,
        )

    async def update_thread(
        self, owner: str, thread_id: str, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        """See `StateStore.update_thread`."""
        return await self._database.write(threads.update_thread, owner, thread_id, name, archived)

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """See `StateStore.delete_thread`."""
        await self._database.write(threads.delete_thread, owner, thread_id)
        self._database.give(thread_id, Signal.EVENTS)

    async def attachment_key(self) -> bytes:
        """See `AttachmentStore.attachment_key`."""
        return await self._database.write(attachments.key)

    async def begin_attachment(
        self, attachment: AttachmentRecord, *, quota: AttachmentQuota, unsent_since: datetime
    ) -> bool:
        """See `AttachmentStore.begin_attachment`."""
        return await self._database.write(attachments.begin, attachment, quota, unsent_since)

    async def write_attachment(self, id: str, place: int, part: bytes) -> None:
        """See `AttachmentStore.write_attachment`."""
        await self._database.write(attachments.write, id, place, part)

    async def finish_attachment(self, id: str) -> None:
        """See `AttachmentStore.finish_attachment`."""
        await self._database.write(attachments.finish, id)

    async def discard_attachment(self, id: str) -> None:
        """See `AttachmentStore.discard_attachment`."""
        await self._database.write(attachments.discard, id)

    async def find_attachments(self, ids: Iterable[str]) -> list[AttachmentRecord]:
        """See `AttachmentStore.find_attachments`."""
        return await self._database.read(attachments.find, list(ids))

    async def read_attachment(self, id: str, place: int) -> bytes | None:
        """See `AttachmentStore.read_attachment`."""
        return await self._database.read(attachments.read, id, place)

    async def send_attachments(self, owner: str, thread_id: str, ids: Sequence[str]) -> None:
        """See `AttachmentStore.send_attachments`."""
        await self._database.write(attachments.send, owner, thread_id, ids)

    def reopen(self) -> SQLStateStore:
        """See `BatchStateStore.reopen`."""
        return SQLStateStore(self._url, lease_seconds=self._lease_seconds, retention=self._retention)

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._database.aclose()
