"""Signals about threads within one process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar

from .base import Signal

T = TypeVar("T")


class _Watcher(Generic[T]):
    """A listener with the loop that it is called on. A signal that is still pending is not queued twice."""

    def __init__(self, listener: Callable[[T], None]) -> None:
        self._listener: Callable[[T], None] | None = listener
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: set[T] = set()

    def give(self, signal: T) -> None:
        if signal in self._waiting:
            return
        self._waiting.add(signal)
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self._call, signal)
        else:
            with suppress(RuntimeError):  # its loop is closed
                self._loop.call_soon_threadsafe(self._call, signal)

    def close(self) -> None:
        self._listener = None

    def _call(self, signal: T) -> None:
        self._waiting.discard(signal)
        if self._listener is not None:
            self._listener(signal)


class SignalBoard:
    """Passes signals on to the watchers of a key, in any thread of the process.

    A store that other processes use passes their signals on here.
    """

    def __init__(self) -> None:
        self._watchers: dict[str, tuple[_Watcher[Signal], ...]] = {}
        self._stop_watchers: tuple[_Watcher[str | None], ...] = ()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def watch(self, key: str, listener: Callable[[Signal], None]) -> AsyncIterator[None]:
        """Calls `listener`, on the running loop, with the signals for `key` while the context is open."""
        watcher = _Watcher(listener)
        with self._lock:
            self._watchers[key] = (*self._watchers.get(key, ()), watcher)
        try:
            yield
        finally:
            watcher.close()
            with self._lock:
                left = tuple(other for other in self._watchers[key] if other is not watcher)
                if left:
                    self._watchers[key] = left
                else:
                    del self._watchers[key]

    @asynccontextmanager
    async def watch_stops(self, listener: Callable[[str | None], None]) -> AsyncIterator[None]:
        """See `BatchStateStore.watch_stops`."""
        watcher = _Watcher(listener)
        with self._lock:
            self._stop_watchers = (*self._stop_watchers, watcher)
        try:
            yield
        finally:
            watcher.close()
            with self._lock:
                self._stop_watchers = tuple(other for other in self._stop_watchers if other is not watcher)

    def watched(self) -> list[str]:
        """Returns the keys that have watchers."""
        with self._lock:
            return list(self._watchers)

    def give(self, key: str, signal: Signal) -> None:
        """Sends a signal to the watchers of `key`."""
        for watcher in self._watchers.get(key, ()):
            watcher.give(signal)

    def give_stop(self, producer: str | None) -> None:
        """Sends a request to stop a run to its watchers; None stands for requests that were missed."""
        for watcher in self._stop_watchers:
            watcher.give(producer)

    def give_all(self) -> None:
        """Sends every signal to every watcher, since some may have been missed."""
        self.give_stop(None)
        for key in self.watched():
            for signal in Signal:
                self.give(key, signal)
