"""Threads that work on items for an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Worker(Protocol[T_contra]):
    """Works in one thread, which also creates and closes it."""

    def work(self, items: Sequence[T_contra]) -> Sequence[Any]:
        """Returns the result of each item, or its exception."""

    def close(self) -> None:
        """Releases what the worker holds."""


class WorkerThreads(Generic[T]):
    """Threads that share a queue. Results that are ready together reach the event loop together.

    Args:
        count: how many threads.
        at_once: how many waiting items a worker gets at most.
        make: creates the worker of a thread. If it fails, the items fail, and it is called again.
        name: the threads' name.
    """

    def __init__(self, count: int, at_once: int, make: Callable[[], Worker[T]], *, name: str) -> None:
        self._at_once = at_once
        self._make = make
        self._queue: SimpleQueue[tuple[T, asyncio.Future[Any]] | None] = SimpleQueue()
        # Daemons: work that the end of the process interrupts was not reported as done.
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, item: T) -> asyncio.Future[Any]:
        """Queues an item, and returns its future. The item is worked on even if nothing awaits that."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put((item, future))
        return future

    def close(self) -> None:
        """Blocks until every item is done, and ends the threads."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        worker: Worker[T] | None = None
        while (job := self._queue.get()) is not None:
            jobs = [job]
            while len(jobs) < self._at_once and not self._queue.empty():
                job = self._queue.get()
                if job is None:
                    self._queue.put(None)  # the end comes after these
                    break
                jobs.append(job)
            try:
                if worker is None:
                    worker = self._make()
                results = worker.work([item for item, _ in jobs])
            except Exception as error:
                results = [error] * len(jobs)
            _deliver(jobs, results)
            del job, jobs, results  # not while waiting for more
        if worker is not None:
            worker.close()


def _deliver(jobs: Sequence[tuple[Any, asyncio.Future[Any]]], results: Sequence[Any]) -> None:
    outcomes: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for (_, future), result in zip(jobs, results, strict=True):
        outcomes.setdefault(future.get_loop(), []).append((future, result))
    for loop, of_loop in outcomes.items():
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(_resolve, of_loop)


def _resolve(outcomes: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in outcomes:
        if future.done():  # the waiting task was cancelled
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
