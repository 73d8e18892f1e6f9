"""The store on a Redis server, for any number of workers."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from ..agui.lines import join
from ..errors import (
    ConfigurationError,
    RunDataLostError,
    RunLostError,
    StoreUnavailableError,
    StoreUnusableError,
    ThreadBusyError,
    ThreadNotFoundError,
)
from ..logs.records import get_logger
from .attachments import AttachmentQuota, AttachmentRecord
from .base import (
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
from .codec import decode_state, encode_state
from .group_commit import GroupCommit
from .outage_log import OutageLog
from .redis_codec import (
    attachment_of,
    bounds_of,
    digest,
    encode,
    log_of,
    microseconds,
    since_epoch,
    thread_of,
)
from .redis_signals import RedisSignals

logger = get_logger(__name__)

# The version of the keys' layout.
_VERSION: Final = 1
# How long a call may take, in seconds.
_TIMEOUT: Final = 5.0
# How many writes share a round trip at most.
_AT_ONCE: Final = 500
_CONNECTIONS: Final = 32
_SCRIPTS: Final = (
    *("begin", "append", "stop", "read", "state", "list", "update", "delete"),
    *("attachment_begin", "attachment_write", "attachment_finish", "attachment_discard"),
    *("attachment_find", "attachment_read", "attachment_send"),
)
# How long the key that a check writes stays, in seconds.
_CHECKED_SECONDS: Final = 60


class RedisStateStore:
    """Stores threads on a Redis server (6.2 or newer, or Valkey).

    Every step is one script, so no other worker sees it half done. Simultaneous writes
    share one round trip. Changes of a thread are published, and each process is notified of the threads
    that it watches on one connection.

    Redis is durable if it is configured to be: with `appendonly yes`, and a `maxmemory-policy` that evicts
    nothing.

    Redis Cluster is not supported: a script changes a thread and its owner's list in one step, and the two
    would have to be in one hash slot. Nothing is stored on more than one server, so Sentinel or a managed
    service with one primary serves as well as a single server.

    One store belongs to one event loop.

    Args:
        url: where the server is, as redis-py takes it: `redis://`, `rediss://` or `unix://`.
        lease_seconds: how long each write leases a run to its producer.
        retention: how much is stored. Defaults to everything.
        prefix: the prefix of all keys. Stores with different prefixes are independent.

    Raises:
        ConfigurationError: the URL is malformed.
        StoreUnusableError: by the other methods, if a newer version of this package wrote the data.
    """

    def __init__(
        self,
        url: str,
        *,
        lease_seconds: float = 15.0,
        retention: Retention | None = None,
        prefix: str = "copilotkit",
    ) -> None:
        self._url = url
        self._lease_seconds = lease_seconds
        self._prefix = prefix
        self._retention = retention
        self._bounds = bounds_of(retention or Retention())
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=_TIMEOUT,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            # The message would show a part of the URL, which may be the password.
            raise ConfigurationError("The URL of the Redis store is not valid.") from None
        self._client = redis.asyncio.Redis.from_pool(pool)
        # Channels are the same in all databases of a server.
        self._channels = f"{prefix}:{pool.connection_kwargs.get('db') or 0}:"
        self._signals = RedisSignals(pool, f"{self._channels}stops")
        self._commits: GroupCommit[RunRecord | Append] = GroupCommit(
            self._write, at_once=_AT_ONCE, seconds=2 * _TIMEOUT
        )
        # The runs that this process produces, by their producers, and the server where they began. If they
        # are missing on another server, as after a restart, that server has lost them.
        self._produced: dict[str, tuple[RunRecord, str]] = {}
        self._server = ""
        self._checked = False
        self._outages = OutageLog()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(prefix={self._prefix!r})"

    @property
    def lease_seconds(self) -> float:
        """See `StateStore`."""
        return self._lease_seconds

    @property
    def url(self) -> str:
        """See `StateStore`. It may hold a password."""
        return self._url

    async def begin_run(self, run: RunRecord) -> RunRecord:
        """See `StateStore.begin_run`."""
        (begun,) = await self._commits.submit([run])
        if isinstance(begun, Exception):
            raise begun
        assert isinstance(begun, RunRecord)
        return begun

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
        return await self._commits.submit(appends)

    async def request_stop(self, owner: str, thread_id: str, run_id: str | None = None) -> bool:
        """See `StateStore.request_stop`."""
        of_run = () if run_id is None else (encode(run_id),)
        return bool(await self._call("stop", thread_id, digest(owner), *of_run))

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `StateStore.watch`."""
        return self._signals.watch(self._channels + digest(thread_id), listener)

    def watch_stops(self, listener: Callable[[str | None], None]) -> AbstractAsyncContextManager[None]:
        """See `BatchStateStore.watch_stops`."""
        return self._signals.watch_stops(listener)

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0, limit: int | None = None
    ) -> list[RunLog]:
        """See `StateStore.read_runs`."""
        runs = await self._call(
            "read", thread_id, digest(owner), since, position, -1 if limit is None else limit
        )
        if runs and since < 0:
            since += runs[-1][0] + 1
        return [log_of(owner, thread_id, run, position if run[0] == since else 0, limit) for run in runs]

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """See `StateStore.load_state`."""
        answer = await self._call("state", thread_id, digest(owner), encode(agent_name))
        if answer[0] != b"ok":
            raise ThreadNotFoundError(thread_id)
        return None if answer[1] is None else decode_state(answer[1])

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
        agent = b"" if agent_name is None else b":" + encode(agent_name)
        of_last = () if after is None else (digest(after),)
        bound = -1 if limit is None else limit
        threads = await self._call("list", owner, agent, int(include_archived), bound, *of_last)
        return [thread_of(fields) for fields in threads]

    async def update_thread(
        self, owner: str, thread_id: str, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        """See `StateStore.update_thread`."""
        changes: list[Any] = []
        if name is not None:
            changes += ["name", encode(name)]
        if archived is not None:
            changes += ["archived", int(archived)]
        fields = await self._call("update", thread_id, digest(owner), *changes)
        if not fields:
            raise ThreadNotFoundError(thread_id)
        return thread_of(fields)

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """See `StateStore.delete_thread`."""
        if not await self._call("delete", thread_id, digest(owner)):
            raise ThreadNotFoundError(thread_id)

    async def attachment_key(self) -> bytes:
        """See `AttachmentStore.attachment_key`."""
        name = f"{self._prefix}:key"
        try:
            await self._client.set(name, secrets.token_bytes(32), nx=True)
            key: Any = await self._client.get(name)
        except (RedisError, OSError) as error:
            raise self._outage(_cause(error)) from error
        return bytes(key)

    async def begin_attachment(
        self, attachment: AttachmentRecord, *, quota: AttachmentQuota, unsent_since: datetime
    ) -> bool:
        """See `AttachmentStore.begin_attachment`."""
        filename = () if attachment.filename is None else (encode(attachment.filename),)
        begun = await self._call(
            "attachment_begin",
            attachment.id,
            encode(attachment.id),
            digest(attachment.owner),
            encode(attachment.owner),
            encode(attachment.media_type),
            attachment.size,
            since_epoch(attachment.created_at),
            since_epoch(unsent_since),
            "" if quota.files is None else quota.files,
            "" if quota.bytes is None else quota.bytes,
            *filename,
        )
        return bool(begun)

    async def write_attachment(self, id: str, place: int, part: bytes) -> None:
        """See `AttachmentStore.write_attachment`."""
        await self._call("attachment_write", id, place, part)

    async def finish_attachment(self, id: str) -> None:
        """See `AttachmentStore.finish_attachment`."""
        await self._call("attachment_finish", id)

    async def discard_attachment(self, id: str) -> None:
        """See `AttachmentStore.discard_attachment`."""
        await self._call("attachment_discard", id)

    async def find_attachments(self, ids: Iterable[str]) -> list[AttachmentRecord]:
        """See `AttachmentStore.find_attachments`."""
        answers = await self._call_all([("attachment_find", id, ()) for id in dict.fromkeys(ids)])
        for answer in answers:
            if isinstance(answer, Exception):
                raise self._outage(_cause(answer))
        return [attachment_of(fields) for fields in answers if fields]

    async def read_attachment(self, id: str, place: int) -> bytes | None:
        """See `AttachmentStore.read_attachment`."""
        part: bytes | None = await self._call("attachment_read", id, place)
        return part

    async def send_attachments(self, owner: str, thread_id: str, ids: Sequence[str]) -> None:
        """See `AttachmentStore.send_attachments`."""
        await self._call("attachment_send", thread_id, digest(owner), *map(digest, ids))

    async def check(self) -> None:
        """See `BatchStateStore.check`."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._client.set(f"{self._prefix}:check", 1, ex=_CHECKED_SECONDS)
        except (RedisError, OSError) as error:
            raise self._outage(_cause(error)) from error

    def reopen(self) -> RedisStateStore:
        """See `BatchStateStore.reopen`."""
        return RedisStateStore(
            self._url, lease_seconds=self._lease_seconds, retention=self._retention, prefix=self._prefix
        )

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._commits.aclose()
        await self._signals.aclose()
        await self._client.aclose()

    async def _write(self, writes: Sequence[RunRecord | Append]) -> list[Any]:
        """Returns the result of each write, or its exception."""
        calls = []
        for write in writes:
            if isinstance(write, RunRecord):
                calls.append(("begin", write.thread_id, self._begin_arguments(write)))
            else:
                calls.append(("append", write.run.thread_id, self._append_arguments(write)))
        answers = await self._call_all(calls)
        return [self._result(write, answer) for write, answer in zip(writes, answers, strict=True)]

    def _begin_arguments(self, run: RunRecord) -> list[Any]:
        return [
            digest(run.owner),
            encode(run.thread_id),
            encode(run.agent_name),
            encode(run.id),
            encode(run.producer),
            since_epoch(run.started_at),
            microseconds(self._lease_seconds),
            _VERSION,
            encode(run.title or ""),
        ]

    def _append_arguments(self, append: Append) -> list[Any]:
        run, events, ending = append.run, append.events, append.ending
        arguments: list[Any] = [
            digest(run.owner),
            run.number,
            encode(run.id),
            since_epoch(run.started_at),
            encode(run.producer),
            append.position,
            len(events),
            join(events),
            microseconds(self._lease_seconds),
        ]
        if ending is not None:
            changed_at = "" if ending.changed_at is None else since_epoch(ending.changed_at)
            arguments += [encode_state(ending.state), join(ending.compacted), *self._bounds, changed_at]
            arguments.append(encode(ending.title or ""))
        return arguments

    def _result(self, write: RunRecord | Append, answer: Any) -> RunRecord | AppendResult | Exception:
        if isinstance(answer, Exception):
            return self._outage(_cause(answer))
        if isinstance(write, RunRecord):
            return self._begun(write, answer)
        return self._appended(write, answer)

    def _begun(self, run: RunRecord, answer: Any) -> RunRecord | Exception:
        match answer:
            case [b"ok", number]:
                run = replace(run, number=number)
                self._produced[run.producer] = run, self._server
                return run
            case [b"busy"]:
                return ThreadBusyError(run.thread_id)
            case [b"version", version]:
                return self._wrong_version(version)
        return ThreadNotFoundError(run.thread_id)

    def _appended(self, append: Append, answer: Any) -> AppendResult | Exception:
        match answer:
            case [b"ok", stop]:
                if append.ending is not None:
                    self._produced.pop(append.run.producer, None)
                return AppendResult(stop_requested=bool(stop))
            case [b"gap", length]:
                return ValueError(f"events for position {append.position} of a log of {length}")
        produced, server = self._produced.pop(append.run.producer, (None, ""))
        match answer:
            case [b"missing", has_data] if produced == append.run and not (
                has_data and server == self._server
            ):
                logger.error("Redis has lost a run in progress: the server does not persist its data")
                return RunDataLostError()
        return RunLostError()

    async def _call(self, script: str, name: str, *arguments: Any) -> Any:
        """Runs a script on the keys of the thread or owner with that name."""
        (answer,) = await self._call_all([(script, name, arguments)])
        if isinstance(answer, Exception):
            raise self._outage(_cause(answer))
        return answer

    async def _call_all(self, calls: Sequence[tuple[str, str, Sequence[Any]]]) -> list[Any]:
        """Runs scripts in one round trip. Returns their answers, or the exceptions of those that failed.

        Raises:
            StoreUnavailableError: the server cannot be reached.
        """
        try:
            async with asyncio.timeout(_TIMEOUT):
                if not self._checked:
                    await self._check_version()
                answers = await self._execute(calls)
                if any(isinstance(answer, NoScriptError) for answer in answers):
                    await self._load_scripts()  # the server was restarted; steps that are done are skipped
                    answers = await self._execute(calls)
        except (RedisError, OSError) as error:
            raise self._outage(_cause(error)) from error
        if not all(isinstance(answer, Exception) for answer in answers):
            self._outages.answered()
        return answers

    async def _execute(self, calls: Sequence[tuple[str, str, Sequence[Any]]]) -> list[Any]:
        prefix, channels = encode(self._prefix), encode(self._channels)
        pipeline = self._client.pipeline(transaction=False)
        for script, name, arguments in calls:
            pipeline.execute_command(
                "EVALSHA", _script(script)[1], 3, prefix, channels, digest(name), *arguments
            )
        return await pipeline.execute(raise_on_error=False)

    def _outage(self, cause: str) -> StoreUnavailableError:
        self._checked = False  # after an outage it may be another server, or one without its data
        return self._outages.unreachable(cause)

    def _wrong_version(self, version: bytes) -> StoreUnusableError:
        error = StoreUnusableError(
            f"The Redis store has layout {version.decode(errors='replace')}, and this version of "
            f"copilotkit-runtime-py knows layout {_VERSION}. Upgrade the package, or choose another prefix."
        )
        return self._outages.unusable(error)

    async def _check_version(self) -> None:
        version: Any = await self._client.get(f"{self._prefix}:version")
        if version is not None and version != b"%d" % _VERSION:
            raise self._wrong_version(version)
        info: Any = await self._client.info("server")
        self._server = str(info.get("run_id", ""))
        await self._load_scripts()
        self._checked = True

    async def _load_scripts(self) -> None:
        for name in _SCRIPTS:
            await self._client.script_load(_script(name)[0])


@cache
def _script(name: str) -> tuple[str, str]:
    """Returns the text of a script, and its hash, by which the server knows it."""
    directory = files(__package__).joinpath("redis_scripts")
    text = "".join(directory.joinpath(f"{part}.lua").read_text("utf-8") for part in ("common", name))
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _cause(error: Exception) -> str:
    return f"{type(error).__name__} {error}"
