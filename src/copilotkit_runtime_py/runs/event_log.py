"""The events of a run in memory, and those who read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..agui import events
from ..agui.events import Event


class Entry:
    """One event of a run's log.

    Attributes:
        event: the event.
        data: the event's JSON, encoded once for every reader and the store.
        cut: the event closes a message or tool call that the failing run could not complete, or answers a
            call in place of its tool.
        is_notice: the event is not part of the log and has no position.
    """

    __slots__ = ("cut", "data", "event", "is_notice")

    def __init__(self, event: Event, data: bytes, cut: bool, *, is_notice: bool = False) -> None:
        self.event = event
        self.data = data
        self.cut = cut
        self.is_notice = is_notice

    @classmethod
    def of(cls, event: Event, cut: bool = False) -> Entry:
        """Returns the entry of an event, which is encoded here."""
        # The encoder hands out its whole buffer, of some kB; a log of many small events keeps copies to size.
        return cls(event, bytes(memoryview(events.encode(event))), cut)

    @classmethod
    def notice(cls, name: str, value: dict[str, Any]) -> Entry:
        """Returns a CUSTOM event that is a notice."""
        event = events.custom(name, value)
        return cls(event, events.encode(event), False, is_notice=True)


# Ends any notice.
_SAVED = Entry.notice("saved", {})


class Subscription:
    """A reader's place in a run's log. Behind it the log is the buffer, so a slow reader costs nothing.

    Args:
        log: the log to read.
        wake: called, without arguments, whenever there may be something new to take. It must not raise.
        position: how many entries to skip.
    """

    __slots__ = ("_log", "_notice", "_position", "_wake")

    def __init__(self, log: EventLog, wake: Callable[[], None], position: int = 0) -> None:
        self._log = log
        self._wake = wake
        # A position counts the events of the log, in which notices have no place.
        self._position = position + (log.ended and sum(entry.is_notice for entry in log.entries[:position]))
        self._notice: Entry | None = None
        log._readers[self] = None

    def take(self) -> list[Entry]:
        """Returns the entries since the last call, oldest first, without waiting."""
        entries = self._log.entries[self._position : self._log.shown]
        self._position += len(entries)
        return entries

    def take_notice(self) -> Entry | None:
        """Returns the log's notice if it is new to this reader, or a notice that the last one is over."""
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
        return self._log.ended and self._position >= self._log.shown

    def close(self) -> None:
        """Stops the wake-up calls."""
        if self._log._readers.pop(self, self) is None:
            self._log._left()


class EventLog:
    """The events of one run, and those who read them.

    Args:
        number: the run's place among the runs of its thread.

    Attributes:
        number: the run's place among the runs of its thread.
        entries: the events so far.
        shown: how many of them readers may see.
        ended: no event can follow.
        notice: what readers have to know besides, such as that events are not saved. None once that is over.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.entries: list[Entry] = []
        self.shown = 0
        self.ended = False
        self.notice: Entry | None = None
        self._readers: dict[Subscription, None] = {}

    def subscribe(self, wake: Callable[[], None], position: int = 0) -> Subscription:
        """Returns a reader of the log, from the entry at `position` on."""
        return Subscription(self, wake, position)

    def show(self, count: int | None = None) -> None:
        """Lets readers see the first `count` entries, or all."""
        count = len(self.entries) if count is None else count
        if count > self.shown:
            self.shown = count
            self._wake_readers()

    def tell(self, notice: Entry | None) -> None:
        """Replaces the notice, which every reader gets once."""
        self.notice = notice
        self._wake_readers()

    def end(self) -> None:
        """Shows everything that there is; nothing follows."""
        self.shown = len(self.entries)
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
