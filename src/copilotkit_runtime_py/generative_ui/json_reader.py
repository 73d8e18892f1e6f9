"""Reads a JSON object that arrives in pieces, such as the arguments of a streamed tool call."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ..agui.json_input import parse_json

Path: TypeAlias = tuple[str, ...]

_STRUCTURE: Final = re.compile(r'["{}\[\],:]')
_STRING_END: Final = re.compile(r'["\\]')
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
# Where the present value of a container begins, if it has not begun or is over.
_NONE: Final = -1
_DONE: Final = -2


class Piece(NamedTuple):
    """Something that became known.

    Attributes:
        kind: `open`: an array begins; `item`: an item of that array is complete; `text`: a string grew by
            `value`; `value`: the value is complete.
        path: the keys that lead to the value or, for `open` and `item`, to the array.
        value: the item, the new part of the string, or the whole value. An empty list for `open`.
    """

    kind: Literal["open", "item", "text", "value"]
    path: Path
    value: Any


@dataclass(slots=True)
class _Frame:
    """An object or array that is open: the key and the start of its present value."""

    is_object: bool
    key: str | None = None
    start: int = _NONE


class MalformedJSONError(ValueError):
    """The text cannot become a JSON object."""


class JSONReader:
    """Reads one JSON object in linear time, whatever the size of the pieces.

    Strings at the top level are reported as they grow. Values and the items of arrays are reported when they
    are complete, down to `depth` keys. What lies deeper is part of the value around it.

    Args:
        depth: how many keys deep values are reported one by one.
        max_nesting: how deep the JSON may be nested.
    """

    def __init__(self, *, depth: int = 1, max_nesting: int = 100) -> None:
        self._depth = depth
        self._max_nesting = max_nesting
        self._chunks: list[str] = []
        self._offsets: list[int] = []
        self._length = 0
        self._frames: list[_Frame] = []
        self._in_string = False
        self._escape = ""
        self._high_surrogate = ""
        self.complete = False

    def feed(self, text: str) -> Iterator[Piece]:
        """Yields what a further piece of the text makes known.

        Raises:
            MalformedJSONError: the text cannot become a JSON object. Do not feed the reader any more.
        """
        if not text:
            return
        base = self._length
        self._chunks.append(text)
        self._offsets.append(base)
        self._length += len(text)
        position = 0
        while position < len(text):
            if self.complete:
                if text[position:].strip():
                    raise MalformedJSONError("There is text after the object.")
                return
            if self._in_string:
                position = yield from self._read_string(text, position, base)
            else:
                position = yield from self._read_structure(text, position, base)

    def _read_structure(self, text: str, position: int, base: int) -> Generator[Piece, None, int]:
        match = _STRUCTURE.search(text, position)
        end = match.start() if match else len(text)
        between = text[position:end]
        if not between.isspace() and between:
            self._begin_value(base + end - len(between.lstrip()))
        if match is None:
            return end
        mark, at = match.group(), base + end
        if mark in '"{[':
            self._begin_value(at)
            if mark == '"':
                self._in_string = True
            elif len(self._frames) >= self._max_nesting:
                raise MalformedJSONError("The JSON is nested too deeply.")
            else:
                self._frames.append(_Frame(mark == "{"))
                if mark == "[" and (path := self._path_of_container()) is not None:
                    yield Piece("open", path, [])
        elif not self._frames:
            raise MalformedJSONError("Expected an object.")
        elif mark == ":":
            self._end_key(at)
        elif mark == ",":
            yield from self._end_scalar(at)
            self._next_value()
        else:
            yield from self._close(mark, at)
        return end + 1

    def _begin_value(self, at: int) -> None:
        if not self._frames:
            if self._text(at, at + 1) != "{":
                raise MalformedJSONError("Expected an object.")
            return
        frame = self._frames[-1]
        if frame.start == _DONE:
            raise MalformedJSONError("A comma is missing.")
        if frame.start == _NONE:
            frame.start = at

    def _end_key(self, at: int) -> None:
        frame = self._frames[-1]
        if not frame.is_object or frame.key is not None or frame.start < 0:
            raise MalformedJSONError("A colon is out of place.")
        key = self._value(frame.start, at)
        if not isinstance(key, str):
            raise MalformedJSONError("A key is not a string.")
        frame.key, frame.start = key, _NONE

    def _end_value(self, at: int) -> Iterator[Piece]:
        """Reports the value of the innermost container that ends before `at`."""
        frame = self._frames[-1]
        if frame.is_object and frame.key is None:
            raise MalformedJSONError("A colon is missing.")
        if (path := self._path_of_value()) is not None:
            yield Piece("value" if frame.is_object else "item", path, self._value(frame.start, at))
        frame.start = _DONE

    def _end_scalar(self, at: int) -> Iterator[Piece]:
        if self._frames[-1].start >= 0:
            yield from self._end_value(at)

    def _next_value(self) -> None:
        frame = self._frames[-1]
        if frame.start != _DONE:
            raise MalformedJSONError("A value is missing.")
        frame.key, frame.start = None, _NONE

    def _close(self, mark: str, at: int) -> Iterator[Piece]:
        yield from self._end_scalar(at)
        frame = self._frames.pop()
        if frame.is_object != (mark == "}") or (frame.key is not None and frame.start != _DONE):
            raise MalformedJSONError("A bracket is out of place.")
        if self._frames:
            yield from self._end_value(at + 1)
        else:
            self.complete = True

    def _read_string(self, text: str, position: int, base: int) -> Generator[Piece, None, int]:
        frame = self._frames[-1]
        is_key = frame.is_object and frame.key is None
        grown: list[str] = []
        while position < len(text) and self._in_string:
            if self._escape:
                self._escape += text[position]
                position += 1
                if len(self._escape) == (6 if self._escape[1] == "u" else 2):
                    grown.append(self._unescaped())
                    self._escape = ""
                continue
            match = _STRING_END.search(text, position)
            end = match.start() if match else len(text)
            if end > position:
                grown.append(self._flush_surrogate() + text[position:end])
            position = end
            if match is not None:
                position += 1
                if match.group() == "\\":
                    self._escape = "\\"
                else:
                    grown.append(self._flush_surrogate())
                    self._in_string = False
        if self._streams_string() and (value := "".join(grown)):
            yield Piece("text", self._keys(), value)
        if not self._in_string and not is_key:
            yield from self._end_value(base + position)
        return position

    def _streams_string(self) -> bool:
        """Whether the present string is a value of the outermost object."""
        return len(self._frames) == 1 and self._frames[0].key is not None

    def _unescaped(self) -> str:
        kind = self._escape[1]
        if kind != "u":
            return self._flush_surrogate() + _ESCAPES.get(kind, kind)
        if not _HEX.fullmatch(self._escape[2:]):
            raise MalformedJSONError("A character is not escaped correctly.")
        code = int(self._escape[2:], 16)
        if 0xD800 <= code <= 0xDBFF:
            lone = self._flush_surrogate()
            self._high_surrogate = chr(code)
            return lone
        if 0xDC00 <= code <= 0xDFFF:
            if not self._high_surrogate:
                return "\ufffd"
            high, self._high_surrogate = self._high_surrogate, ""
            return (high + chr(code)).encode("utf-16", "surrogatepass").decode("utf-16")
        return self._flush_surrogate() + chr(code)

    def _flush_surrogate(self) -> str:
        """Returns the replacement for the first half of a pair without its second half."""
        if not self._high_surrogate:
            return ""
        self._high_surrogate = ""
        return "\ufffd"

    def _keys(self) -> Path:
        return tuple(frame.key for frame in self._frames if frame.key is not None)

    def _path_of_container(self) -> Path | None:
        """Returns the keys that lead to the innermost container, if it is near enough to the top."""
        outer = self._frames[:-1]
        if not all(frame.is_object for frame in outer) or not 0 < len(outer) <= self._depth:
            return None
        return self._keys()

    def _path_of_value(self) -> Path | None:
        """Returns the path of the piece that the value just read is, if it is one."""
        frame = self._frames[-1]
        if not frame.is_object:
            return self._path_of_container()
        if len(self._frames) > self._depth or not all(each.is_object for each in self._frames):
            return None
        return self._keys()

    def _text(self, start: int, end: int) -> str:
        first = bisect_right(self._offsets, start) - 1
        pieces: list[str] = []
        for chunk, offset in zip(self._chunks[first:], self._offsets[first:], strict=True):
            if offset >= end:
                break
            pieces.append(chunk[max(start - offset, 0) : end - offset])
        return "".join(pieces)

    def _value(self, start: int, end: int) -> Any:
        try:
            return parse_json(self._text(start, end))
        except ValueError as error:
            raise MalformedJSONError("A value is malformed.") from error
