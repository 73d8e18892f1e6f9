"""The signals that PostgreSQL passes from worker to worker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from ...backoff import pause_after
from ...errors import StoreUnavailableError
from ...logs.records import get_logger
from ..base import Signal
from ..signals import SignalBoard

logger = get_logger(__name__)

CHANNEL: Final = "copilotkit"

# How long signals are collected after the first ones went out, in seconds.
_INTERVAL: Final = 0.01
_CLOSING_SECONDS: Final = 1.0

# How long to wait before connecting is tried again, in seconds: the first time, and at most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

# A connection that only listens learns from these probes, in seconds, that the server's machine is gone.
_CONNECTION: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class SignalSender:
    """Gives signals to all workers, those of a short while together.

    Not within the transactions that they tell of: those that notify are committed one by one, and each has
    its own wait for the disk. A signal that is lost with the process is made up for by the lease, at the end
    of which everybody looks again.

    Args:
        send: notifies of payloads. It raises `StoreUnavailableError` where that cannot be done.
    """

    def __init__(self, send: Callable[[list[str]], Awaitable[None]]) -> None:
        self._send = send
        # A dictionary, as a set that keeps the order.
        self._payloads: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def give(self, key: str, signal: Signal, producer: str = "") -> None:
        """Gives a signal to those who watch `key`, soon.

        Args:
            key: stands for the thread.
            signal: the signal.
            producer: for a request to stop, the run's producer.
        """
        self._payloads[f"{signal.value} {key} {producer}".rstrip()] = None
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="sender of signals")

    async def aclose(self) -> None:
        """Gives what is left, if that is possible at once."""
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=_CLOSING_SECONDS)
            for task in late:
                task.cancel()
                await asyncio.wait({task})
        self._payloads.clear()

    async def _work(self) -> None:
        try:
            while self._payloads:
                payloads, self._payloads = self._payloads, {}
                try:
                    await self._send(list(payloads))
                    await asyncio.sleep(_INTERVAL)
                except StoreUnavailableError:
                    self._payloads = payloads | self._payloads
                    await asyncio.sleep(_LONGEST_PAUSE)
        finally:
            self._task = None


class SignalListener:
    """Listens, on a connection of its own, for the signals that any worker gives.

    Args:
        url: the server.
        board: where those who watch are told.
    """

    def __init__(self, url: str, board: SignalBoard) -> None:
        self._url = url
        self._board = board
        self._listening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._listen(), name="signals of PostgreSQL")

    async def ready(self) -> None:
        """Waits until signals are heard.

        Raises:
            ConnectionError: the server cannot be reached.
        """
        await asyncio.shield(self._listening)

    async def aclose(self) -> None:
        """Stops to listen."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._fail("the store is being closed")

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
                    async for notice in connection.notifies():
                        self._give(notice.payload)
                finally:
                    await connection.close()
            except (psycopg.Error, OSError) as error:
                if failures == 0:
                    logger.warning("signals of other workers are not heard for now: %s", _line(error))
                failures += 1
                self._fail(_line(error))
            pause = pause_after(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    def _ready(self) -> None:
        if self._listening.done():  # again, after an outage
            self._listening = asyncio.get_running_loop().create_future()
            self._board.give_all()
        self._listening.set_result(None)

    def _fail(self, cause: str) -> None:
        if self._listening.done():
            self._listening = asyncio.get_running_loop().create_future()
        self._listening.set_exception(ConnectionError(cause))
        self._listening.exception()  # there may be nobody who waits

    def _give(self, payload: str) -> None:
        signal, _, rest = payload.partition(" ")
        key, _, producer = rest.partition(" ")
        with suppress(ValueError):  # another program's
            self._board.give(key, Signal(signal))
            if producer:
                self._board.give_stop(producer)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or repr(error)
