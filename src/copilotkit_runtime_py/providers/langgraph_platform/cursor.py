"""The place in a stream that is resumed after its connection broke."""

from __future__ import annotations

from typing import Final

_BEGINNING: Final = "-1"


class Cursor:
    """Knows which events of a resumable stream were seen.

    Ids grow along the stream, but events of one moment may share one: `langgraph dev` makes ids of
    milliseconds. So a stream is resumed behind the last id of which all events were seen, and the events
    that come again are left out. A server without ids resumes with the next event that happens.
    """

    def __init__(self) -> None:
        self._complete: bytes = b""
        self._current: bytes = b""
        self._seen: list[int] = []
        self._again: list[int] = []

    def passes(self, id: bytes, data: bytes) -> bool:
        """Takes note of an event, and returns whether it is new."""
        if not id:
            return True
        mark = hash(data)
        if id == self._current:
            if mark in self._again:
                self._again.remove(mark)
                return False
        elif self._current and _order(id) < _order(self._current):
            return False
        else:
            self._complete, self._current = self._current, id
            self._seen.clear()
            self._again.clear()
        self._seen.append(mark)
        return True

    def rewind(self) -> str:
        """Returns the `Last-Event-ID` with which to resume the stream."""
        # What happened while the stream was opened may come twice: from the store, and as it happens.
        self._again = self._seen * 2
        return self._complete.decode() or _BEGINNING


def _order(id: bytes) -> tuple[int, ...]:
    """Returns what ids are sorted by: `<milliseconds>-<number>`, as in Redis streams."""
    parts = id.split(b"-")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()
