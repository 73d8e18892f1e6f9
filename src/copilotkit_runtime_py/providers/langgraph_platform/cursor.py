"""The place in a stream that is resumed after its connection broke."""

from __future__ import annotations

from collections import deque
from typing import Final

_BEGINNING: Final = "-1"
_TAIL: Final = 256


class Cursor:
    """Knows which events of a resumable stream were seen.

    Ids grow along the stream. On LangGraph Platform each event has its own. `langgraph dev` makes ids of
    milliseconds, which several events share, and repeats what happens while a stream is opened: it comes from
    the store, and again as it happened. So a stream is resumed behind the last id of which all events were
    seen, and what comes again is left out. A server without ids goes on with what happens next.
    """

    def __init__(self) -> None:
        self._complete = b""
        self._current = b""
        self._count = 0
        # Of a stream that was resumed: how many events with the current id come again first, the events that
        # came last, and how many of those come again now.
        self._known = 0
        self._tail: deque[tuple[bytes, int]] | None = None
        self._repeated = 0

    def passes(self, id: bytes, data: bytes) -> bool:
        """Takes note of an event, and returns whether it is new."""
        if not id:
            return True
        if self._tail is not None and self._came_before(self._tail, (id, hash(data))):
            return False
        if id != self._current:
            self._complete, self._current = self._current, id
            self._count = 0
        self._count += 1
        return True

    def rewind(self) -> str:
        """Returns the `Last-Event-ID` with which to resume the stream."""
        self._known = self._count
        self._tail = deque(maxlen=_TAIL)
        self._repeated = 0
        return self._complete.decode() or _BEGINNING

    def _came_before(self, tail: deque[tuple[bytes, int]], event: tuple[bytes, int]) -> bool:
        if self._repeated:
            self._repeated -= 1
            return True
        if not self._known and tail and _repeats(event, tail[-1]):
            place = next((i for i, other in enumerate(reversed(tail)) if other == event), 0)
            self._repeated = place
            return True
        tail.append(event)
        if self._known and event[0] == self._current:
            self._known -= 1
            return True
        self._known = 0
        return False


def _repeats(event: tuple[bytes, int], last: tuple[bytes, int]) -> bool:
    return event == last or _order(event[0]) < _order(last[0])


def _order(id: bytes) -> tuple[int, ...]:
    """Returns what ids are sorted by: `<milliseconds>-<number>`, as in Redis streams."""
    parts = id.split(b"-")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()
