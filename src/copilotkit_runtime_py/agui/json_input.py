"""JSON as clients send it: measured before it is parsed, with lone surrogates replaced.

orjson holds the interpreter lock until a document is parsed, whichever thread calls it. So a document is
measured first, piece by piece, and the event loop runs between the pieces.
"""

from __future__ import annotations

import asyncio
import codecs
import gc
import re
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

import orjson

from ..errors import InvalidRequestError
from ..limits import Limits
from .events import well_formed

# A piece of this many bytes is measured within a few milliseconds.
_PIECE: Final = 32 * 1024
# A document of this many bytes is parsed within a few milliseconds, in one step.
_LARGE: Final = 1024 * 1024
_NOT_STRUCTURE: Final = bytes(char for char in range(256) if char not in b"[]{},")
# By how much a character changes the depth, as a signed byte.
_STEPS: Final = bytes({ord("["): 1, ord("{"): 1, ord("]"): 255, ord("}"): 255}.get(c, 0) for c in range(256))
_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
# An escape, or the first of two that make a pair, which the next piece completes.
_UNFINISHED: Final = re.compile(
    rb"\\(?:u(?:[0-9a-fA-F]{0,3}|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?))?\Z"
)
_PAIR: Final = len(rb"\ud83d\ude00")


class RequestJSON:
    """Reads the JSON documents of one request: its body, and strings in the body that hold JSON themselves.

    A lone surrogate becomes U+FFFD, as in a browser's `TextEncoder`; so does a byte that is not UTF-8. A
    browser sends a lone surrogate where a page cut a string inside an emoji.

    Args:
        limits: bounds the values of all documents together, and the depth of each.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._values = 0

    async def read(self, data: bytes | bytearray) -> Any:
        """Returns the value of a document.

        Raises:
            InvalidRequestError: it has more values, or is nested deeper, than the limits allow.
            ValueError: it is not JSON.
        """
        await self.measure(data)
        try:
            value = _parse(data)
            if len(data) > _LARGE:
                await asyncio.sleep(0)  # what follows handles strings of this size, too
            return value
        except orjson.JSONDecodeError:
            repaired = bytearray()
            for piece in _repaired(data):
                repaired += piece
                await asyncio.sleep(0)
            return _parse(repaired)

    async def measure(self, data: bytes | bytearray) -> None:
        """Counts a document that is parsed later, or somewhere else.

        Raises:
            InvalidRequestError: it has more values, or is nested deeper, than the limits allow.
        """
        meter = _Meter(self._values, self._limits)
        if len(data) > _PIECE or not meter.is_harmless(data):
            for start in range(0, len(data), _PIECE):
                meter.feed(data[start : start + _PIECE])
                await asyncio.sleep(0)
        self._values = meter.values


def parse_json(text: str | bytes) -> Any:
    """Returns the value of a short JSON document, with U+FFFD for each lone surrogate.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        data = well_formed(text).encode() if isinstance(text, str) else text
        return orjson.loads(b"".join(_repaired(data)))


def _parse(data: bytes | bytearray) -> Any:
    if len(data) < _PIECE or not gc.isenabled():
        return orjson.loads(data)
    # The parser creates no garbage, but the collector would scan the growing value again and again.
    gc.disable()
    try:
        return orjson.loads(data)
    finally:
        gc.enable()


class _Meter:
    """Counts the values of a document, and how deep they are nested, without parsing it.

    Each value but the first of a container follows a comma, and each container may have a first: so there are
    no more values than commas, opening brackets and one.
    """

    def __init__(self, values: int, limits: Limits) -> None:
        self.values = values + 1
        self._limits = limits
        self._depth = 0
        self._strings = 0
        self._in_string = False
        self._escaping = False

    def is_harmless(self, data: bytes | bytearray) -> bool:
        """Whether a short document is within the limits even if nothing of it is in strings."""
        opened = data.count(b"[") + data.count(b"{")
        values = self.values + opened + data.count(b",")
        if opened > self._limits.json_depth or values > self._limits.json_values:
            return False
        self.values = values
        return True

    def feed(self, piece: bytes | bytearray) -> None:
        """Measures the next piece.

        Raises:
            InvalidRequestError: the document exceeds a limit.
        """
        if self._escaping:
            piece = b"\\" + piece
        plain = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        self._escaping = plain.endswith(b"\\")
        parts = plain.split(b'"')
        structure = b"".join(parts[self._in_string :: 2]).translate(None, _NOT_STRUCTURE)
        self._in_string ^= len(parts) % 2 == 0
        self._strings += len(parts) - 1
        opened = structure.count(b"[") + structure.count(b"{")
        self.values += opened + structure.count(b",")
        limit = self._limits.json_values
        # Every string is a value or the key of one, and has two quotes.
        if self.values > limit or self._strings > 4 * limit:
            raise InvalidRequestError(f"Expected {limit} JSON values at most")
        self._descend(structure, opened)

    def _descend(self, structure: bytes, opened: int) -> None:
        steps = array("b", structure.translate(_STEPS, b","))
        deepest = self._depth + opened
        limit = self._limits.json_depth
        if deepest > limit:
            deepest = max(accumulate(steps, initial=self._depth))
        if deepest > limit:
            raise InvalidRequestError(f"Expected {limit} levels of nesting at most")
        self._depth += sum(steps)


def _repaired(data: bytes | bytearray) -> Iterator[bytes]:
    """Yields the pieces of a document, with U+FFFD for lone surrogates and for bytes that are not UTF-8."""
    if b"\0" in data:  # which stands for an escaped backslash below, and is not JSON
        yield bytes(data)
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = b""
    for start in range(0, len(data), _PIECE):
        end = start + _PIECE
        piece = rest + decoder.decode(data[start:end], final=end >= len(data)).encode()
        # Every backslash that is left begins an escape.
        piece = piece.replace(b"\\\\", b"\0\0")
        unfinished = _UNFINISHED.search(piece, max(0, len(piece) - _PAIR)) if end < len(data) else None
        cut = unfinished.start() if unfinished else len(piece)
        piece, rest = piece[:cut], piece[cut:]
        yield _LONE_SURROGATE.sub(rb"\\ufffd", piece).replace(b"\0\0", b"\\\\")
