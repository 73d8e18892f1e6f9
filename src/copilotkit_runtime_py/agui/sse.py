"""Server-sent events, both ways.

The format is that of the HTML standard, section 9.2 "Server-sent events". Reading yields the data of each
event; the parser also has its name and id, which AG-UI does not use. Retry times are ignored. One thing is
done as AG-UI's own client does and not as the standard says: the last event counts even if no blank line
follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment, which every client ignores and every proxy counts as activity."""

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class EventTooLargeError(ValueError):
    """An event exceeds the parser's limit."""


class EventStreamParser:
    """Finds the events in a byte stream that arrives in arbitrary pieces, in time linear in its length.

    Args:
        max_event_bytes: the most bytes that the data of one event, line ends included, or an unfinished
            line may have.

    Attributes:
        name: the name of the event that was yielded last; empty if it has none.
        id: the last id in the stream up to that event; empty if there was none.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_data_size",
        "_first_line",
        "_max",
        "_tail",
        "_tail_size",
        "id",
        "name",
    )

    def __init__(self, max_event_bytes: int) -> None:
        self.name = b""
        self.id = b""
        self._max = max_event_bytes
        self._data: list[bytes] = []
        self._data_size = 0
        self._tail: list[bytes] = []
        self._tail_size = 0
        self._first_line = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yields the data of each event that `chunk` completes. To be exhausted before the next call.

        Raises:
            EventTooLargeError: an event exceeds the limit. The events before it have been yielded.
        """
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = self._complete_line(lines[0])
            yield from self._take(lines)
        if rest:
            self._tail.append(rest)
            self._tail_size += len(rest)
            self._check_size()

    def finish(self) -> Iterator[bytes]:
        """Yields the data of the event that the end of the stream completes, if there is one.

        Raises:
            EventTooLargeError: the event exceeds the limit.
        """
        yield from self._take([self._complete_line(b""), b""])

    def _complete_line(self, end: bytes) -> bytes:
        """Returns the line that `end` completes, with what earlier chunks held of it."""
        line = end
        if self._tail:
            line = b"".join((*self._tail, end))
            self._tail.clear()
            self._tail_size = 0
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        return line

    def _take(self, lines: list[bytes]) -> Iterator[bytes]:
        data = self._data
        lines.reverse()
        # Nothing here refers to an event while it is used: it may be large.
        while lines:
            line = lines.pop()
            if line.startswith(b"data:"):
                value = line[6:] if line.startswith(b" ", 5) else line[5:]
                self._data_size += len(value) + 1
                self._check_size()
                data.append(value)
                del value
            elif not line:
                if data:
                    if len(data) > 1:
                        data[:] = [b"\n".join(data)]
                    self._data_size = 0
                    yield data.pop()
                self.name = b""
            elif line == b"data":
                self._data_size += 1
                self._check_size()
                data.append(b"")
            elif line.startswith(b"event:"):
                self.name = line[6:].removeprefix(b" ")
            elif line.startswith(b"id:"):
                self.id = line[3:].removeprefix(b" ")

    def _check_size(self) -> None:
        if self._data_size + self._tail_size > self._max:
            raise EventTooLargeError(f"an event exceeds {self._max} bytes")


def encode(data: bytes, *, event: str | None = None, id: str | None = None) -> bytes:
    """Returns one event.

    Args:
        data: the payload. A payload of several lines arrives with its line ends as LF.
        event: the event's name.
        id: what a client sends as `Last-Event-ID` when it comes back.

    Raises:
        ValueError: the name or the id holds a line end or NUL, which the format cannot carry.
    """
    head = b""
    if event is not None:
        head += b"event: " + _field_value(event) + b"\n"
    if id is not None:
        head += b"id: " + _field_value(id) + b"\n"
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_LINE_END.split(data))
    return head + b"data: " + data + b"\n\n"


def _field_value(value: str) -> bytes:
    if any(char in value for char in "\r\n\0"):
        raise ValueError(f"{value!r} cannot be the name or id of a server-sent event")
    return value.encode()
