"""The store on a Redis server, for any number of workers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ..errors import (
    ConfigurationError,
    RunLostError,
    StoreUnavailableError,
    ThreadBusyError,
    ThreadNotFoundError,
)
from ..logs.records import get_logger
from . import redis_scripts as scripts
from .base import AgentState, AppendResult, Retention, RunEnding, RunLog, RunRecord, Signal, ThreadRecord
from .codec import decode_state, encode_state, join, split
from .redis_signals import RedisSignals

logger = get_logger(__name__)

# How long a call may take, in seconds.
_TIMEOUT: Final = 5.0
_CONNECTIONS: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class RedisStateStore:
    """Keeps threads on a Redis server (6.2 or newer, or Valkey).

    Every step is one script, so that it takes one round trip and no other worker sees it half done. What
    happens to a thread is published, and each process hears of the threads that it watches on one connection.

    Redis keeps what is said here as well as it is set up to: with `appendonly yes`, and a `maxmemory-policy`
    that evicts nothing. A run that the server has lost is lost to its producer.

    Redis Cluster is not supported: a script changes a thread and its owner's list in one step, and the two
    would have to be in one hash slot. Nothing is kept on more than one server, so Sentinel or a managed
    service with one primary serves as well as a single server.

    One store belongs to one event loop.

    Args:
        url: where the server is, as redis-py takes it: `redis://`, `rediss://` or `unix://`.
        lease_seconds: how long a producer holds a run after it last wrote.
        retention: how much is kept. Defaults to everything.
        prefix: what the names of all keys begin with. Stores with different ones know nothing of each other.

    Raises:
        ConfigurationError: the URL is not one. By the other methods: a newer version of this package has
            written what is there.
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
        self._bounds = _bounds(retention or Retention())
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
        self._signals = RedisSignals(pool)
        # Channels are the same in all databases of a server.
        self._channels = f"{prefix}:{pool.connection_kwargs.get('db') or 0}:"
        self._begin = self._client.register_script(scripts.BEGIN)
        self._append = self._client.register_script(scripts.APPEND)
        self._stop = self._client.register_script(scripts.STOP)
        self._read = self._client.register_script(scripts.READ)
        self._state = self._client.register_script(scripts.STATE)
        self._list = self._client.register_script(scripts.LIST)
        self._update = self._client.register_script(scripts.UPDATE)
        self._delete = self._client.register_script(scripts.DELETE)
        self._checked = False
        self._failing = False

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
        answer = await self._call(
            self._begin,
            run.thread_id,
            _digest(run.owner),
            _encode(run.thread_id),
            _encode(run.agent_name),
            _encode(run.id),
            _encode(run.producer),
            _since_epoch(run.started_at),
            _microseconds(self._lease_seconds),
            scripts.VERSION,
        )
        match answer:
            case [b"ok", number]:
                return replace(run, number=number)
            case [b"busy"]:
                raise ThreadBusyError(run.thread_id)
            case [b"version", version]:
                raise _wrong_version(version)
        raise ThreadNotFoundError(run.thread_id)

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        """See `StateStore.append`."""
        arguments: list[Any] = [
            _digest(run.owner),
            run.number,
            _encode(run.id),
            _since_epoch(run.started_at),
            _encode(run.producer),
            position,
            len(events),
            join(events),
            _microseconds(self._lease_seconds),
        ]
        if ending is not None:
            changed_at = "" if ending.changed_at is None else _since_epoch(ending.changed_at)
            arguments += [encode_state(ending.state), join(ending.compacted), *self._bounds, changed_at]
        answer = await self._call(self._append, run.thread_id, *arguments)
        match answer:
            case [b"ok", stop]:
                return AppendResult(stop_requested=bool(stop))
            case [b"gap", length]:
                raise ValueError(f"events for place {position} of a log of {length}")
        raise RunLostError

    async def request_stop(self, owner: str, thread_id: str, run_id: str | None = None) -> bool:
        """See `StateStore.request_stop`."""
        of_run = () if run_id is None else (_encode(run_id),)
        return bool(await self._call(self._stop, thread_id, _digest(owner), *of_run))

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `StateStore.watch`."""
        return self._signals.watch(self._channels + _digest(thread_id), listener)

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0
    ) -> list[RunLog]:
        """See `StateStore.read_runs`."""
        runs = await self._call(self._read, thread_id, _digest(owner), since, position)
        if runs and since < 0:
            since += runs[-1][0] + 1
        return [_log(owner, thread_id, run, position if run[0] == since else 0) for run in runs]

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """See `StateStore.load_state`."""
        answer = await self._call(self._state, thread_id, _digest(owner), _encode(agent_name))
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
        agent = b"" if agent_name is None else b":" + _encode(agent_name)
        of_last = () if after is None else (_digest(after),)
        bound = -1 if limit is None else limit
        threads = await self._call(self._list, owner, agent, int(include_archived), bound, *of_last)
        return [_thread(fields) for fields in threads]

    async def update_thread(
        self, owner: str, thread_id: str, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        """See `StateStore.update_thread`."""
        changes: list[Any] = []
        if name is not None:
            changes += ["name", _encode(name)]
        if archived is not None:
            changes += ["archived", int(archived)]
        fields = await self._call(self._update, thread_id, _digest(owner), *changes)
        if not fields:
            raise ThreadNotFoundError(thread_id)
        return _thread(fields)

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """See `StateStore.delete_thread`."""
        if not await self._call(self._delete, thread_id, _digest(owner)):
            raise ThreadNotFoundError(thread_id)

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._signals.aclose()
        await self._client.aclose()

    async def _call(self, script: Callable[..., Any], name: str, *arguments: Any) -> Any:
        """Runs a script on what is about the thread or owner of that name."""
        keys = (_encode(self._prefix), _encode(self._channels), _digest(name))
        try:
            async with asyncio.timeout(_TIMEOUT):
                if not self._checked:
                    await self._check_version()
                answer = await script(keys=keys, args=arguments)
        except (RedisError, OSError) as error:
            if not self._failing:
                # Callers show no cause.
                logger.warning("Redis fails: %s %s", type(error).__name__, error)
            self._failing = True
            raise StoreUnavailableError from error
        self._failing = False
        return answer

    async def _check_version(self) -> None:
        version: Any = await self._client.get(f"{self._prefix}:version")
        if version is not None and version != b"%d" % scripts.VERSION:
            raise _wrong_version(version)
        self._checked = True


def _log(owner: str, thread_id: str, run: list[Any], position: int) -> RunLog:
    number, (run_id, agent_name, started_at, producer), lease, compacted, *log = run
    record = RunRecord(
        id=_decode(run_id),
        thread_id=thread_id,
        agent_name=_decode(agent_name),
        owner=owner,
        started_at=_time(started_at),
        number=number,
        producer=_decode(producer),
    )
    if not log:
        return RunLog(run=record, events=split(compacted), compacted=True)
    events: list[bytes] = []
    for _, (_, text) in log[0]:
        events += split(text)
    if log[0] and position:
        del events[: position + 1 - int(log[0][0][0].partition(b"-")[0])]
    return RunLog(run=record, events=events, lease=None if lease is None else int(lease) / 1_000_000)


def _thread(fields: list[Any]) -> ThreadRecord:
    id, agent_name, name, archived, created_at, updated_at = fields
    created = _time(created_at)
    return ThreadRecord(
        id=_decode(id),
        agent_name=_decode(agent_name),
        name=None if name is None else _decode(name),
        archived=archived == b"1",
        created_at=created,
        # The first is by a worker's clock, the other by the server's.
        updated_at=max(created, _time(updated_at)),
    )


def _bounds(retention: Retention) -> list[Any]:
    age = None if retention.max_age is None else retention.max_age // _MICROSECOND
    bounds = (age, retention.max_threads, retention.max_runs_per_thread, retention.max_bytes)
    return ["" if bound is None else bound for bound in bounds]


def _wrong_version(version: bytes) -> ConfigurationError:
    return ConfigurationError(
        f"The Redis store has layout {version.decode(errors='replace')}, and this version of "
        f"copilotkit-runtime-py knows layout {scripts.VERSION}. Please update it, or choose another prefix."
    )


def _encode(text: str) -> bytes:
    # Clients choose ids, and JSON may hold a half of a surrogate pair.
    return text.encode("utf-8", "surrogatepass")


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")


def _digest(text: str) -> str:
    return hashlib.blake2b(_encode(text), digest_size=20).hexdigest()


def _since_epoch(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(microseconds: bytes) -> datetime:
    # Scores may come in exponential notation.
    return _EPOCH + int(float(microseconds)) * _MICROSECOND


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
