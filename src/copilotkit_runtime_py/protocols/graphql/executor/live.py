"""Values that grow while a response is on its way: the sources behind `@stream` and `@defer`.

A reader is notified of each change (`watch`) and reads when it wants to. Every reader sees everything, from
the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar, cast

T = TypeVar("T")

Watcher = Callable[[], object]


class LiveList(Generic[T]):
    """An append-only list that is read while it grows."""

    __slots__ = ("_watchers", "closed", "items")

    def __init__(self, items: Iterable[T] = (), *, closed: bool = False) -> None:
        self.items: list[T] = list(items)
        self.closed = closed
        self._watchers: list[Watcher] = []

    def append(self, item: T) -> None:
        """Adds an item.

        Raises:
            RuntimeError: the list is closed.
        """
        if self.closed:
            raise RuntimeError("append to a closed LiveList")
        self.items.append(item)
        for watcher in self._watchers:
            watcher()

    def close(self) -> None:
        """Says that no item follows. Closing twice is harmless."""
        if not self.closed:
            self.closed = True
            watchers, self._watchers = self._watchers, []
            for watcher in watchers:
                watcher()

    def watch(self, watcher: Watcher) -> None:
        """Calls `watcher` right after each later change, the last time when the list is closed.

        The watcher must not raise, and must not change the list.
        """
        if not self.closed:
            self._watchers.append(watcher)


class Deferred(Generic[T]):
    """A value that is set once, later."""

    __slots__ = ("_value", "_watchers", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._watchers: list[Watcher] = []

    @classmethod
    def of(cls, value: T) -> Deferred[T]:
        """A deferred that is already set."""
        deferred: Deferred[T] = cls()
        deferred.set(value)
        return deferred

    @property
    def value(self) -> T:
        """The value.

        Raises:
            RuntimeError: it is not set yet.
        """
        if not self.done:
            raise RuntimeError("the deferred value is not set")
        return cast("T", self._value)

    def set(self, value: T) -> None:
        """Sets the value. Only the first call counts."""
        if not self.done:
            self.done = True
            self._value = value
            watchers, self._watchers = self._watchers, []
            for watcher in watchers:
                watcher()

    def watch(self, watcher: Watcher) -> None:
        """Calls `watcher` right after the value is set, if it is not set yet. The watcher must not raise."""
        if not self.done:
            self._watchers.append(watcher)
