"""Signals about threads, over Redis channels."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import RedisError

from ..backoff import pause_after
from ..errors import StoreUnavailableError
from ..logs.records import get_logger
from .base import Signal
from .signals import SignalBoard

logger = get_logger(__name__)

# After how many seconds of silence the server is asked whether it is there, and how long it has to answer.
_HEARTBEAT: Final = 5.0
# How long to wait before connecting again, in seconds: the first time, and at most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

_SIGNALS: Final = {b"e": Signal.EVENTS, b"s": Signal.STOP}


class RedisSignals:
    """Subscribes to the channels that this process watches, all on one connection.

    redis-py's own `PubSub` reconnects silently, and does not report that messages may have been
    missed. This class notices the lost connection: once it has subscribed again, it sends every signal
    once.

    Args:
        pool: where the connection comes from.
        stops: the channel of requests to stop a run.
    """

    def __init__(self, pool: ConnectionPool, stops: str) -> None:
        self._pool = pool
        self._stops = stops
        self._board = SignalBoard()
        self._watchers: Counter[str] = Counter()
        # Commands for the current connection. Only one task writes them, since a watcher may be
        # cancelled at any moment, which must not interrupt a command.
        self._commands: asyncio.Queue[tuple[str, ...]] | None = None
        # What the server still has to confirm, in how many answers, and the waiters.
        self._unconfirmed: Counter[str] = Counter()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._missed = False
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def watch(self, channel: str, listener: Callable[[Signal], None]) -> AsyncIterator[None]:
        """Calls `listener` with the signals of a channel while the context is open.

        Raises:
            StoreUnavailableError: the server cannot be reached.
        """
        async with self._board.watch(channel, listener):
            self._watchers[channel] += 1
            try:
                await self._subscribe(channel)
                yield
            finally:
                self._watchers[channel] -= 1
                if not self._watchers[channel]:
                    del self._watchers[channel]
                    self._tell("UNSUBSCRIBE", channel)

    @contextlib.asynccontextmanager
    async def watch_stops(self, listener: Callable[[str | None], None]) -> AsyncIterator[None]:
        """Calls `listener` for requests to stop a run; see `BatchStateStore.watch_stops`.

        Raises:
            StoreUnavailableError: the server cannot be reached.
        """
        async with self._board.watch_stops(listener), self.watch(self._stops, lambda _: None):
            yield

    async def aclose(self) -> None:
        """Ends the connection."""
        while self._task is not None and not self._task.done():
            # `asyncio.wait_for`, with which redis-py sends, may lose a cancellation in Python 3.11.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1)
        self._task = None

    async def _subscribe(self, channel: str) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="signals from Redis")
        if self._watchers[channel] == 1:
            self._tell("SUBSCRIBE", channel)
        elif self._commands is not None and not self._unconfirmed[channel]:
            return
        answer = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(channel, []).append(answer)
        try:
            async with asyncio.timeout(_HEARTBEAT):
                await answer
        except TimeoutError as error:
            raise StoreUnavailableError from error

    def _tell(self, *command: str) -> None:
        """Sends a command, if there is a connection. A new one subscribes to every watched channel anyway."""
        if self._commands is not None:
            if command[0] == "SUBSCRIBE":
                self._unconfirmed.update(command[1:])
            self._commands.put_nowait(command)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
                try:
                    await self._listen(connection)
                finally:
                    await connection.disconnect(nowait=True)
                    await self._pool.release(connection)
            except (RedisError, OSError) as error:
                self._fail(error)
            await asyncio.sleep(pause_after(self._failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
            self._failures += 1

    def _fail(self, error: Exception) -> None:
        if not self._failures:
            logger.warning("the connection to Redis for signals is lost: %s %s", type(error).__name__, error)
        self._missed = True
        self._unconfirmed.clear()
        waiting, self._waiting = self._waiting, {}
        for answer in (answer for answers in waiting.values() for answer in answers):
            if not answer.done():
                answer.set_exception(StoreUnavailableError())

    async def _listen(self, connection: AbstractConnection) -> None:
        commands = self._commands = asyncio.Queue[tuple[str, ...]]()
        if self._watchers:
            self._tell("SUBSCRIBE", *self._watchers)
        self._recover()
        writing = asyncio.create_task(self._write(connection, commands), name="signals from Redis: commands")
        try:
            asked = False
            while True:
                message = await connection.read_response(
                    timeout=_HEARTBEAT, disconnect_on_error=False, push_request=True
                )
                if message is not None:
                    asked = False
                    if isinstance(message, list):
                        self._receive(message)
                elif asked:
                    raise TimeoutError("no answer")
                else:
                    asked = True
                    self._tell("PING")
        finally:
            self._commands = None
            commands.put_nowait(())
            writing.cancel()
            await asyncio.wait({writing})

    async def _write(self, connection: AbstractConnection, commands: asyncio.Queue[tuple[str, ...]]) -> None:
        # If this fails, reading fails too.
        with contextlib.suppress(RedisError, OSError):
            while (command := await commands.get()) and self._commands is commands:
                await connection.send_command(*command, check_health=False)

    def _receive(self, message: list[bytes]) -> None:
        self._failures = 0
        kind, channel = message[0], message[1].decode()
        if kind == b"message":
            signal = _SIGNALS.get(message[2])
            if channel == self._stops:
                self._board.give_stop(message[2].decode("utf-8", "surrogatepass"))
            elif signal is not None:
                self._board.give(channel, signal)
        elif kind == b"subscribe":
            self._unconfirmed[channel] -= 1
            if self._unconfirmed[channel] <= 0:
                del self._unconfirmed[channel]
                for answer in self._waiting.pop(channel, ()):
                    if not answer.done():
                        answer.set_result(None)
                self._recover()

    def _recover(self) -> None:
        """Sends the signals that may have been missed, once all channels are subscribed to again."""
        if self._missed and not self._unconfirmed:
            self._missed = False
            logger.warning("signals from Redis arrive again")
            self._board.give_all()
