"""Signals between workers, by PostgreSQL notifications."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from ...backoff import pause_after
from ...logs.records import get_logger
from ..base import Signal
from ..signals import SignalBoard

logger = get_logger(__name__)

CHANNEL: Final = "copilotkit"

# How long signals are collected after the first ones were sent, in seconds.
_INTERVAL: Final = 0.01
_CLOSING_SECONDS: Final = 1.0

# How long to wait before connecting or sending is retried, in seconds: the first time, and at most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

# How often a worker announces what it watches, and how long others remember it, in seconds.
_ANNOUNCEMENT: Final = 20.0
_MEMORY: Final = 60.0
# How long a worker waits to hear itself and the others after it has connected, in seconds.
_ECHO: Final = 3.0
# How often watchers poll if notifications do not arrive, in seconds.
_POLL: Final = 1.0
# How many unsent signals of threads without watchers are remembered.
_UNSENT: Final = 10_000

# A connection that only listens learns from these probes, in seconds, that the server's machine is gone.
_CONNECTION: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

_WATCH: Final = "watch"
_WHO: Final = "who"


class SignalSender:
    """Sends signals to all workers, in small batches.

    They are not part of the transactions that cause them: PostgreSQL commits transactions that notify one by
    one, and each waits for the disk. If a signal is lost with its process, the lease makes up for it: when it
    expires, every watcher looks again.

    Args:
        send: notifies of payloads.
    """

    def __init__(self, send: Callable[[list[str]], Awaitable[None]]) -> None:
        self._send = send
        # A dictionary serves as an ordered set.
        self._payloads: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def send(self, payload: str) -> None:
        """Sends a payload, soon."""
        self._payloads[payload] = None
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="sender of signals")

    async def aclose(self) -> None:
        """Sends the rest, if that is possible at once."""
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=_CLOSING_SECONDS)
            for task in late:
                task.cancel()
                await asyncio.wait({task})
        self._payloads.clear()

    async def _work(self) -> None:
        failures = 0
        try:
            while self._payloads:
                payloads, self._payloads = self._payloads, {}
                try:
                    await self._send(list(payloads))
                    failures = 0
                    await asyncio.sleep(_INTERVAL)
                except Exception as error:
                    if failures == 0:
                        logger.warning("signals cannot be sent to other workers at the moment: %r", error)
                    self._payloads = payloads | self._payloads
                    await asyncio.sleep(pause_after(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
                    failures += 1
        finally:
            self._task = None


class PostgresSignals:
    """Sends signals, and listens for them on a connection of its own.

    Most runs are read on their own worker only, and a notification costs as much as a write. So workers
    announce which threads they watch, and others notify them only about these.

    Args:
        url: the server.
        send: notifies of payloads, on another connection.
    """

    def __init__(self, url: str, send: Callable[[list[str]], Awaitable[None]]) -> None:
        self.board = SignalBoard()
        self._url = url
        self._sender = SignalSender(send)
        self._id = uuid.uuid4().hex
        # Until when others watch a thread, by the loop's clock; and the signals that were not
        # sent.
        self._watched: dict[str, float] = {}
        self._unsent: dict[str, None] = {}
        # Since when signals of others arrive.
        self._hearing_since: float | None = None
        self._is_deaf = False
        self._listening: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def give(self, key: str, signal: Signal, producer: str = "") -> None:
        """Queues a signal for the watchers of `key`.

        Args:
            key: stands for the thread.
            signal: the signal.
            producer: for a request to stop, the run's producer.
        """
        self._receive(key, signal, producer)
        if signal is Signal.STOP or self._may_be_watched(key):
            self._sender.send(f"{signal.value} {key} {producer}".rstrip())
        else:
            self._unsent[key] = None
            if len(self._unsent) > _UNSENT:
                del self._unsent[next(iter(self._unsent))]

    async def listen(self, key: str | None = None) -> None:
        """Waits until signals arrive, for `key` if one is given.

        Raises:
            ConnectionError: the server cannot be reached.
        """
        if self._task is None:
            self._listening = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._listen(), name="signals of PostgreSQL")
        if key is not None:
            self._sender.send(f"{_WATCH} {key} {self._id}")
        assert self._listening is not None
        await asyncio.shield(self._listening)

    async def aclose(self) -> None:
        """Stops listening."""
        await self._sender.aclose()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._fail("the store is being closed")
        self._hearing_since = None
        self._watched.clear()
        self._unsent.clear()

    def _may_be_watched(self, key: str) -> bool:
        """Whether another worker may watch a thread."""
        now, since = asyncio.get_running_loop().time(), self._hearing_since
        return since is None or self._is_deaf or now < since + _ECHO or self._watched.get(key, now) > now

    async def _listen(self) -> None:
        import psycopg

        failures = 0
        while True:
            try:
                # The context's own end would wait for an answer of the server.
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **_CONNECTION)
                try:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    failures = 0
                    self._ready()
                    await self._hear_from(connection)
                finally:
                    self._hearing_since = None
                    await connection.close()
            except (psycopg.Error, OSError) as error:
                if failures == 0:
                    logger.warning("signals of other workers do not arrive at the moment: %s", _line(error))
                failures += 1
                self._fail(_line(error))
            pause = pause_after(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    async def _hear_from(self, connection: Any) -> None:
        period = _ECHO
        while True:
            heard_itself = False
            self._sender.send(f"{_WHO} {self._id}")
            async for notice in connection.notifies(timeout=period):
                heard_itself = self._hear(notice.payload) or heard_itself
            if not heard_itself and not self._is_deaf:
                logger.error(
                    "signals of other workers do not arrive, so runs are read every second: if a pooler such "
                    "as PgBouncer shares connections by transaction, give the address of the server itself"
                )
            elif heard_itself and self._is_deaf:
                logger.warning("signals of other workers arrive again")
            self._is_deaf = not heard_itself
            if self._is_deaf:
                self.board.give_all()
            now = asyncio.get_running_loop().time()
            self._watched = {key: until for key, until in self._watched.items() if until > now}
            period = _POLL if self._is_deaf else _ANNOUNCEMENT

    def _ready(self) -> None:
        loop = asyncio.get_running_loop()
        self._hearing_since = loop.time()
        assert self._listening is not None
        if self._listening.done():  # again, after an outage
            self._listening = loop.create_future()
            self.board.give_all()
        self._listening.set_result(None)

    def _fail(self, cause: str) -> None:
        assert self._listening is not None
        if self._listening.done():
            self._listening = asyncio.get_running_loop().create_future()
        self._listening.set_exception(ConnectionError(cause))
        self._listening.exception()  # there may be no waiter

    def _hear(self, payload: str) -> bool:
        """Handles a payload, and returns whether it asks which workers watch."""
        what, _, rest = payload.partition(" ")
        key, _, who = rest.partition(" ")
        if what == _WHO:
            for watched in self.board.watched():
                self._sender.send(f"{_WATCH} {watched} {self._id}")
            return key == self._id
        if what == _WATCH:
            if who != self._id:
                self._watched[key] = asyncio.get_running_loop().time() + _MEMORY
                if key in self._unsent:
                    del self._unsent[key]
                    self._sender.send(f"{Signal.EVENTS.value} {key}")
            return False
        with suppress(ValueError):  # from another program
            self._receive(key, Signal(what), who)
        return False

    def _receive(self, key: str, signal: Signal, producer: str) -> None:
        self.board.give(key, signal)
        if producer:
            self.board.give_stop(producer)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or repr(error)
