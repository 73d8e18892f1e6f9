"""Detection of a blocked event loop, and of what blocks it."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from ..logs.records import get_logger, scope_of

logger = get_logger(__name__)

BLOCKED_SECONDS: Final = 0.5
"""A loop that is blocked for longer than this is reported."""

_PERIOD: Final = 0.2
# How many of the innermost stack frames are logged: the agent's own code and what it called.
_FRAMES: Final = 12


class LoopWatchdog:
    """A thread that watches the event loop while runs are in progress.

    An agent that calls `time.sleep`, a synchronous client or a long computation on the loop blocks the runs
    of all users. The watchdog logs the agent, the run and the stack once per block, and how long it took.

    Args:
        busy: whether there are runs. Called on the loop; while there are none, the watchdog sleeps.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy = busy
        self._while_blocked: list[Callable[[float], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop_thread = 0
        self._beat_at = 0.0
        self._reported = False
        self._active = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def while_blocked(self, action: Callable[[float], None]) -> None:
        """Calls `action` in the thread, with the seconds of the block, repeatedly until the block is over."""
        self._while_blocked.append(action)

    def watch(self) -> None:
        """Starts to watch the running loop, if it is not watched yet."""
        loop = asyncio.get_running_loop()
        if self._timer is not None and loop is self._loop:
            return
        self._loop, self._loop_thread = loop, threading.get_ident()
        self._reported = False
        self._beat()
        if self._thread is None:
            # An earlier thread may not have noticed yet that it has to end.
            self._closed = threading.Event()
            self._thread = threading.Thread(
                target=self._work, args=[self._closed], name="copilotkit-watchdog", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Ends the thread, without waiting for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._thread = None
        self._closed.set()
        self._active.set()

    def _beat(self) -> None:
        assert self._loop is not None
        now = time.monotonic()
        if self._reported:
            self._reported = False
            logger.warning("the event loop was blocked for %.1f s", now - self._beat_at)
        self._beat_at = now
        if self._busy():
            self._timer = self._loop.call_later(_PERIOD, self._beat)
            self._active.set()
        else:
            self._timer = None
            self._active.clear()

    def _work(self, closed: threading.Event) -> None:
        while not closed.is_set():
            self._active.wait()
            began, computed = time.monotonic(), time.process_time()
            if closed.wait(_PERIOD):
                return
            late = time.monotonic() - began - _PERIOD
            if late > BLOCKED_SECONDS and time.process_time() - computed < late / 20:
                # The whole process stood still, as a suspended one does.
                self._beat_at = time.monotonic()
            elif self._loop is not None and self._loop.is_running():
                self._check(self._loop)
            else:
                # The loop ended without closing the runtime.
                self._active.clear()

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        blocked = time.monotonic() - self._beat_at
        if not self._active.is_set() or blocked < BLOCKED_SECONDS:
            return
        if not self._reported:
            self._reported = True
            self._report(loop, blocked)
        for action in self._while_blocked:
            action(blocked)

    def _report(self, loop: asyncio.AbstractEventLoop, blocked: float) -> None:
        task = asyncio.current_task(loop)
        frame = sys._current_frames().get(self._loop_thread)
        stack = "".join(traceback.format_stack(frame)[-_FRAMES:])
        with scope_of(_context(task)) as scope:
            who = f" by agent {scope.agent}, run {scope.run_id}" if scope.agent is not None else ""
            logger.warning(
                "the event loop has been blocked for %.1f s%s: every other run waits. "
                "Await slow calls, or run them in a thread.\n%s",
                blocked,
                who,
                stack,
            )


def _context(task: asyncio.Task[Any] | None) -> Context | None:
    """Returns the context that a task runs in. Before Python 3.12, only the garbage collector knows it."""
    if task is None:
        return None
    if sys.version_info >= (3, 12):
        return task.get_context()
    return next((each for each in gc.get_referents(task) if isinstance(each, Context)), None)
