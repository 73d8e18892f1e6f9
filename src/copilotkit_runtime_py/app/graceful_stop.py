"""The end of a server: what is in progress may finish, for a while."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..runtime import CopilotRuntime

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def drain_on_signal(runtime: CopilotRuntime, seconds: float = 10.0) -> Iterator[None]:
    """Has a runtime drained as soon as the process is told to end, by SIGTERM or SIGINT.

    For the lifespan of an application: a server such as uvicorn ends that only when all answers are over, and
    the answer of a run is over when the run is. The same signal a second time ends the runs at once; the
    server hears of the first one, and of those from the third on. Outside the main thread, where Python knows
    no signals, and where the server handles none, this does nothing.

    Args:
        runtime: the runtime.
        seconds: how long runs may go on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    received: Counter[int] = Counter()
    drains: set[asyncio.Task[None]] = set()

    def drain(patience: float) -> None:
        drains.add(loop.create_task(runtime.drain(patience)))

    def handle(number: int, frame: FrameType | None) -> None:
        # From a terminal, Ctrl-C reaches a worker beside the SIGTERM of its supervisor: one wish, not two.
        # uvicorn takes a SIGINT after a SIGTERM for the wish to drop all answers.
        received[number] += 1
        loop.call_soon_threadsafe(drain, seconds if received[number] == 1 else 0.0)
        server = before[signal.Signals(number)]
        if callable(server) and (received.total() == 1 or received[number] > 2):
            server(number, frame)

    for number in _SIGNALS:
        if callable(before[number]):
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)
        for task in drains:
            task.cancel()
