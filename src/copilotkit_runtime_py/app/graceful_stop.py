"""Graceful shutdown: runs in progress may finish, within a bound."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from ..runtime import CopilotRuntime

# How long a server may take to close its port after a signal, in seconds: uvicorn looks every 0.1 seconds.
_CLOSING_SECONDS: Final = 0.5

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextmanager
def drain_on_signal(runtime: CopilotRuntime, seconds: float = 10.0, *, delay: float = 0.0) -> Iterator[None]:
    """Drains a runtime when the process gets a signal to stop: SIGTERM, SIGINT or SIGHUP.

    Use it in the lifespan of an application: a server such as uvicorn ends the lifespan only when all
    responses are complete, and the response of a run is complete when the run is. A second signal of the same
    kind ends the runs at once; the server gets the first, the third and all later ones. Outside the main
    thread, where Python handles no signals, and where the server handles none, this does nothing.

    Args:
        runtime: the runtime.
        seconds: how long, in seconds, runs may continue.
        delay: how long, in seconds, the server still accepts requests after the first signal. Meanwhile,
            `/readyz` reports that the process is about to stop, so that a proxy can send new requests
            elsewhere.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stop = _Stop(runtime, seconds, delay)
    stop.listen()
    try:
        yield
    finally:
        stop.close()


class _Stop:
    """Turns signals into a drain, and passes them on to the server."""

    def __init__(self, runtime: CopilotRuntime, seconds: float, delay: float) -> None:
        self._runtime = runtime
        self._seconds = seconds
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self._received: Counter[int] = Counter()
        # A signal to the whole process group reaches a worker twice: the supervisor passes it on as well.
        self._passed_on_by_parent = multiprocessing.parent_process() is not None
        self._drains: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.TimerHandle | None = None

    def listen(self) -> None:
        """Handles the signals that the server handles, and SIGHUP as SIGTERM."""
        for number, handler in self._before.items():
            # SIG_DFL kills the process at once; what is ignored, as under nohup, stays ignored.
            hangs_up = handler == signal.SIG_DFL and callable(self._before[signal.SIGTERM])
            if callable(handler) or hangs_up:
                signal.signal(number, self._handle)

    def close(self) -> None:
        """Restores the previous signal handlers."""
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)
        for timer in (self._timer, self._closing):
            if timer is not None:
                timer.cancel()
        for task in self._drains:
            task.cancel()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # From a terminal, Ctrl-C reaches a worker in addition to the SIGTERM of its supervisor: one request,
        # not two. uvicorn takes a SIGINT after a SIGTERM for the wish to drop all answers.
        if number == signal.SIGTERM and self._received[number] and self._passed_on_by_parent:
            self._passed_on_by_parent = False
            return
        self._received[number] += 1
        if self._received.total() == 1:
            self._runtime.announce_stop()
            if self._delay:
                self._loop.call_soon_threadsafe(self._begin_later, number)
                return
            self._loop.call_soon_threadsafe(self._drain_soon)
            self._pass_on(number)
        elif self._received[number] > 1:
            self._loop.call_soon_threadsafe(self._drain, 0.0)
            if self._received[number] > 2 or self._timer is not None:
                self._pass_on(number)

    def _begin_later(self, number: int) -> None:
        self._timer = self._loop.call_later(self._delay, self._begin, number)

    def _begin(self, number: int) -> None:
        self._timer = None
        self._drain_soon()
        self._pass_on(number)

    def _drain_soon(self) -> None:
        """Drains once the server has closed its port: requests that it took until then are answered."""
        self._closing = self._loop.call_later(_CLOSING_SECONDS, self._drain, self._seconds)

    def _drain(self, seconds: float) -> None:
        for timer in (self._timer, self._closing):
            if timer is not None:
                timer.cancel()
        self._drains.add(self._loop.create_task(self._runtime.drain(seconds)))

    def _pass_on(self, number: int) -> None:
        if not callable(self._before[number]):
            number = signal.SIGTERM  # what the server makes of the loss of its terminal
        server = self._before[number]
        if callable(server):
            server(number, None)
