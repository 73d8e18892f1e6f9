"""Encoded events as lines: joined for storage, and sharing memory where they repeat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

_SEPARATOR = b"\n"


def join(events: Iterable[bytes]) -> bytes:
    """Returns events, each as JSON, as lines of one value. Encoded JSON holds no line end."""
    return _SEPARATOR.join(events)


def split(text: bytes) -> list[bytes]:
    """Returns the events that `join` joined."""
    return text.split(_SEPARATOR) if text else []


class SplitLines(Sequence[bytes]):
    """Lines that consist of two parts each, and are put together only when they are read.

    So a line shares the memory of what it repeats.

    Args:
        heads: the first part of each.
        tails: the second part of each.

    Attributes:
        heads: see above.
        tails: see above.
    """

    def __init__(self, heads: Sequence[bytes], tails: Sequence[bytes]) -> None:
        self.heads = heads
        self.tails = tails

    def __len__(self) -> int:
        return len(self.heads)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return SplitLines(self.heads[index], self.tails[index])
        return self.heads[index] + self.tails[index]


def size_of(lines: Sequence[bytes]) -> int:
    """Returns how many bytes lines have, without the ends of lines."""
    if isinstance(lines, SplitLines):
        return sum(map(len, lines.heads)) + sum(map(len, lines.tails))
    return sum(map(len, lines))


def parts(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Yields what `join` joins, in parts that are not copied."""
    for place in range(len(lines)):
        if place:
            yield _SEPARATOR
        if isinstance(lines, SplitLines):
            yield lines.heads[place]
            yield lines.tails[place]
        else:
            yield lines[place]
