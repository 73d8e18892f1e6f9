"""Writes that share a round trip to a server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

# How long closing waits for what is being written, in seconds.
_CLOSING_SECONDS: Final = 5.0


class GroupCommit(Generic[T]):
    """Writes what many ask for together: while some of it is being written, the next collects.

    Args:
        write: writes and returns the result of each write, or its exception.
        at_once: how many writes it gets at most.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[Sequence[Any]]], *, at_once: int) -> None:
        self._write = write
        self._at_once = at_once
        self._waiting: deque[tuple[Sequence[T], asyncio.Future[list[Any]]]] = deque()
        self._task: asyncio.Task[None] | None = None

    def submit(self, writes: Sequence[T]) -> asyncio.Future[list[Any]]:
        """Has writes done, whether or not the future is awaited. It gets their results, in their order."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((writes, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="writer of the state store")
        return future

    async def aclose(self) -> None:
        """Waits for what is being written, but not for long."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSING_SECONDS)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _work(self) -> None:
        try:
            while self._waiting:
                jobs = [self._waiting.popleft()]
                count = len(jobs[0][0])
                while self._waiting and count + len(self._waiting[0][0]) <= self._at_once:
                    jobs.append(self._waiting.popleft())
                    count += len(jobs[-1][0])
                await self._work_on(jobs)
        finally:
            self._task = None
            for _, future in self._waiting:
                future.cancel()
            self._waiting.clear()

    async def _work_on(self, jobs: Sequence[tuple[Sequence[T], asyncio.Future[list[Any]]]]) -> None:
        try:
            results = iter(await self._write([write for writes, _ in jobs for write in writes]))
            outcomes: list[list[Any] | BaseException] = [
                list(islice(results, len(writes))) for writes, _ in jobs
            ]
        except BaseException as error:
            outcomes = [error] * len(jobs)
            if not isinstance(error, Exception):
                raise
        finally:
            for (_, future), outcome in zip(jobs, outcomes, strict=True):
                if future.done():  # whoever waited was cancelled
                    continue
                if isinstance(outcome, asyncio.CancelledError):
                    future.cancel()
                elif isinstance(outcome, BaseException):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)
