"""The events of a run in memory, and its readers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from ..agui import events
from ..agui.events import Event
from ..errors import RunDataLostError, masked
from .log_memory import LogMemory

# The overhead in bytes of an entry beyond its JSON, and of an event held as objects beyond its strings.
_ENTRY: Final = 200
_OBJECTS: Final = 400
# How much a reader reads from the store at once, in bytes.
_PIECE: Final = 1024 * 1024
# How many events it reads first, before their length is known.
_FIRST_PIECE: Final = 100
# The encoder's buffers are some kB larger than their content. A larger event is held as JSON alone.
_LARGE: Final = 256 * 1024


class Entry:
    """One event of a run's log.

    Attributes:
        data: the event's JSON, encoded once for every reader and the store.
        cut: the event closes a message or tool call that the failing run could not complete, or answers a
            call in place of its tool.
        is_notice: the event is not part of the log and has no position.
        id: the event's id for readers, if it is not its position in the log.
    """

    __slots__ = ("_event", "cut", "data", "id", "is_notice")

    def __init__(
        self,
        event: Event | None,
        data: bytes,
        cut: bool,
        *,
        is_notice: bool = False,
        id: bytes | None = None,
    ) -> None:
        self._event = event
        self.data = data
        self.cut = cut
        self.is_notice = is_notice
        self.id = id

    @classmethod
    def of(cls, event: Event, cut: bool = False) -> Entry:
        """Returns the entry of an event, which is encoded here."""
        data = events.encode(event)
        if len(data) < _LARGE:
            # A log of many small events holds copies of the exact size.
            return cls(event, bytes(memoryview(data)), cut)
        return cls(None, data, cut)

    @classmethod
    def stored(cls, data: bytes, *, id: bytes | None = None) -> Entry:
        """Returns the entry of an event that was read from the store. It is decoded where that is needed."""
        return cls(None, data, False, id=id)

    @classmethod
    def notice(cls, name: str, value: dict[str, Any]) -> Entry:
        """Returns a CUSTOM event that is a notice."""
        return cls.aside(events.custom(name, value))

    @classmethod
    def aside(cls, event: Event) -> Entry:
        """Returns an event for readers of this process alone, which has no place in the log."""
        return cls(event, events.encode(event), False, is_notice=True)

    @property
    def event(self) -> Event:
        """The event."""
        if self._event is not None:
            return self._event
        decoded: Event = events.decode(self.data)
        return decoded

    @property
    def weight(self) -> int:
        """About how many bytes of memory the entry takes."""
        if self._event is None:
            return len(self.data) + _ENTRY
        return 2 * len(self.data) + _ENTRY + _OBJECTS


# Ends any notice.
_SAVED = Entry.notice("saved", {})


class LogSource(Protocol):
    """Where a log is stored; see `StoredLog`."""

    async def read(self, position: int, count: int) -> tuple[list[Entry], bool]:
        """Returns some entries from a place on, and whether they are the run's last ones."""


class Subscription:
    """A reader's position in a run's log. The log itself is the buffer, so a slow reader costs nothing.

    Args:
        log: the log to read.
        wake: called, without arguments, whenever there may be something new to take. It must not raise.
        position: how many entries to skip.
    """

    __slots__ = ("_log", "_notice", "_over", "_position", "_reading", "_wake")

    def __init__(self, log: EventLog, wake: Callable[[], None], position: int = 0) -> None:
        self._log = log
        self._wake = wake
        # A position counts the events of the log, in which notices have no place.
        before = log.entries[: max(position - log.dropped, 0)] if log.ended else ()
        self._position = position + sum(entry.is_notice for entry in before)
        self._notice: Entry | None = None
        self._reading: asyncio.Task[tuple[list[Entry], bool]] | None = None
        self._over = False
        log._readers[self] = None

    def take(self) -> list[Entry]:
        """Returns the entries since the last call, oldest first, without waiting.

        What the log has dropped is fetched from the store: until it is there, this returns nothing.
        """
        log = self._log
        if self._over:
            return []
        if self._position < log.dropped:
            return self._take_stored()
        entries = log.entries[self._position - log.dropped : log.shown - log.dropped]
        self._position += len(entries)
        return entries

    def take_notice(self) -> Entry | None:
        """Returns the log's notice if it is new to this reader, or the notice that the last one is over."""
        notice, last = self._log.notice, self._notice
        # Nothing precedes RUN_STARTED, and nothing follows the terminal event.
        if notice is last or self._position == 0 or self._log.ended:
            return None
        self._notice = notice
        return _SAVED if notice is None else notice

    @property
    def position(self) -> int:
        """How many entries were taken or skipped."""
        return self._position

    @property
    def exhausted(self) -> bool:
        """Whether every entry was taken and none can follow."""
        return self._over or (self._log.ended and self._position >= self._log.shown)

    def close(self) -> None:
        """Stops the wake-up calls."""
        if self._reading is not None:
            self._reading.cancel()
        if self._log._readers.pop(self, self) is None:
            self._log._left()

    def _take_stored(self) -> list[Entry]:
        task, log = self._reading, self._log
        if task is None:
            self._reading = asyncio.create_task(log.read_back(self._position), name="read back a log")
            self._reading.add_done_callback(lambda _: self._wake())
            return []
        if not task.done():
            return []
        self._reading = None
        try:
            entries, self._over = task.result()
        except Exception as caught:
            self._over = True
            error = masked(caught, f"reading run {log.number} back")
            return [Entry.aside(events.run_error(error.message, error.code))]
        self._position += len(entries)
        return entries


class EventLog:
    """The events of one run, and its readers.

    Args:
        number: the run's place among the runs of its thread.
        memory: the budget that the log belongs to.

    Attributes:
        number: the run's place among the runs of its thread.
        dropped: how many events only the store has; they come before `entries`.
        entries: the events in memory.
        shown: how many events readers may see.
        in_store: how many events the store has.
        source: where the log is stored, if it is.
        ended: no event can follow.
        notice: what readers have to know besides, such as that events are not saved. None once that is over.
        size: how many bytes of JSON the events are.
        held: about how many bytes of memory the log takes.
    """

    def __init__(self, number: int, memory: LogMemory | None = None) -> None:
        self.number = number
        self.dropped = 0
        self.entries: list[Entry] = []
        self.shown = 0
        self.in_store = 0
        self.source: LogSource | None = None
        self.ended = False
        self.notice: Entry | None = None
        self.size = 0
        self.held = 0
        self.memory = memory or LogMemory()
        self.memory.register(self)
        self._readers: dict[Subscription, None] = {}

    def __del__(self) -> None:
        self.memory.held -= self.held

    @property
    def length(self) -> int:
        """How many events there are so far."""
        return self.dropped + len(self.entries)

    def subscribe(self, wake: Callable[[], None], position: int = 0) -> Subscription:
        """Returns a reader of the log, from the entry at `position` on."""
        return Subscription(self, wake, position)

    def add(self, entry: Entry) -> None:
        """Adds an event, which readers do not see yet."""
        self.entries.append(entry)
        self.size += len(entry.data)
        weight = entry.weight
        self.held += weight
        self.memory.held += weight

    def cut(self, length: int) -> None:
        """Removes all events but the first ones."""
        removed = self.entries[max(length - self.dropped, 0) :]
        del self.entries[max(length - self.dropped, 0) :]
        self.size -= sum(len(entry.data) for entry in removed)
        self._discount(removed)

    def drop(self, *, also_unread: bool) -> None:
        """Drops what the store has; unless `also_unread` is set, only what every reader has taken."""
        reach = min(self.in_store, self.shown) if self.source is not None else 0
        if not also_unread:
            reach = min([reach, *(reader.position for reader in self._readers)])
        count = reach - self.dropped
        if count > 0:
            removed = self.entries[:count]
            del self.entries[:count]
            self.dropped = reach
            self._discount(removed)

    def _discount(self, removed: list[Entry]) -> None:
        weight = sum(entry.weight for entry in removed)
        self.held -= weight
        self.memory.held -= weight

    @property
    def piece(self) -> int:
        """How many events are worth a call of the store, judged by those so far."""
        return max(1, _PIECE * self.length // self.size) if self.size else _FIRST_PIECE

    async def read_back(self, position: int) -> tuple[list[Entry], bool]:
        """Returns some entries that were dropped, from a place on, and whether they are the run's last ones.

        Args:
            position: the place of the first.

        Raises:
            RunDataLostError: the store does not have them.
        """
        assert self.source is not None
        return await self.source.read(position, min(self.piece, self.dropped - position))

    async def whole(self) -> list[Entry]:
        """Returns all events so far, those that were dropped too.

        Raises:
            RunDataLostError: the store does not have them.
        """
        before: list[Entry] = []
        while len(before) < self.dropped:
            entries, is_rest = await self.read_back(len(before))
            if is_rest:
                raise RunDataLostError
            before += entries
        return before + self.entries

    def show(self, count: int | None = None) -> None:
        """Lets readers see the first `count` entries, or all."""
        count = self.length if count is None else count
        if count > self.shown:
            self.shown = count
            self._wake_readers()

    def tell(self, notice: Entry | None) -> None:
        """Replaces the notice, which every reader gets once."""
        self.notice = notice
        self._wake_readers()

    def end(self) -> None:
        """Shows every event, and ends the log."""
        self.shown = self.length
        self.ended = True
        self._wake_readers()

    @property
    def is_read(self) -> bool:
        """Whether the log has readers."""
        return bool(self._readers)

    def _wake_readers(self) -> None:
        for reader in list(self._readers):
            reader._wake()

    def _left(self) -> None:
        """Called when a reader has left."""
