"""Writes that share a round trip to a server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, TypeAlias, TypeVar

T = TypeVar("T")

_Job: TypeAlias = tuple[Sequence[T], asyncio.Future[list[Any]]]

# How long closing waits for what is being written, in seconds.
_CLOSING_SECONDS: Final = 5.0


class GroupCommit(Generic[T]):
    """Writes for many callers together: while a batch is being written, the next one collects.

    Args:
        write: writes and returns the result of each write, or its exception.
        at_once: how many writes a batch has at most, unless one call has more.
        seconds: how long it may take.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Coroutine[Any, Any, Sequence[Any]]],
        *,
        at_once: int,
        seconds: float,
    ) -> None:
        self._write = write
        self._at_once = at_once
        self._seconds = seconds
        self._waiting: deque[_Job[T]] = deque()
        self._task: asyncio.Task[Sequence[Any]] | None = None
        # Tasks that were abandoned, and have not ended yet.
        self._late: set[asyncio.Task[Sequence[Any]]] = set()

    def submit(self, writes: Sequence[T]) -> asyncio.Future[list[Any]]:
        """Queues writes, and returns a future of their results, in order.

        They are written even if nothing awaits the future. It raises the exception of `write`, or a
        `TimeoutError`.
        """
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((writes, future))
        if self._task is None:
            self._start()
        return future

    async def aclose(self) -> None:
        """Waits for writes in progress, for a bounded time."""
        while self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSING_SECONDS)
            if self._task is not None and not self._task.done():
                self._task.cancel()
            await asyncio.sleep(0)
        if self._late:
            await asyncio.wait(self._late)

    def _start(self) -> None:
        jobs = [self._waiting.popleft()]
        count = len(jobs[0][0])
        while self._waiting and count + len(self._waiting[0][0]) <= self._at_once:
            jobs.append(self._waiting.popleft())
            count += len(jobs[-1][0])
        loop = asyncio.get_running_loop()
        writes = jobs[0][0] if len(jobs) == 1 else [write for writes, _ in jobs for write in writes]
        task = self._task = loop.create_task(self._write(writes), name="writer of the state store")
        timer = loop.call_later(self._seconds, self._give_up, task, jobs)
        task.add_done_callback(partial(self._done, jobs, timer))

    def _done(
        self, jobs: Sequence[_Job[T]], timer: asyncio.TimerHandle, task: asyncio.Task[Sequence[Any]]
    ) -> None:
        timer.cancel()
        self._late.discard(task)
        if task is self._task:
            self._next()
        error = TimeoutError("cancelled") if task.cancelled() else task.exception()
        results = iter(() if error is not None else task.result())
        for writes, future in jobs:
            if future.done():  # the waiting task was cancelled, or gave up
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(list(islice(results, len(writes))))

    def _give_up(self, task: asyncio.Task[Sequence[Any]], jobs: Sequence[_Job[T]]) -> None:
        """Stops waiting: a cancelled driver may take as long again to end."""
        for _, future in jobs:
            if not future.done():
                future.set_exception(TimeoutError(f"no answer within {self._seconds:g} s"))
        self._late.add(task)
        task.cancel()
        self._next()

    def _next(self) -> None:
        self._task = None
        if self._waiting:
            self._start()
