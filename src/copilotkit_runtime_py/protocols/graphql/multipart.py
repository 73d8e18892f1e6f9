"""The bytes of GraphQL answers in several payloads: multipart/mixed, and server-sent events.

Byte for byte what graphql-yoga 5.24 sends. The client (urql) sees a part only when the delimiter behind it is
there, so each part carries the delimiter that ends it. urql finds parts by CRLF and events by LF, and by
nothing else.
"""

from __future__ import annotations

from typing import Final, Protocol

from ...agui.events import encode

_PART_HEAD: Final = b"\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
_DELIMITER: Final = b"\r\n---"


class Encoder(Protocol):
    """Makes the bytes of an answer: `start`, a `part` for each payload, `end`. Bytes may be sent joined.

    Attributes:
        media_type: the content type of the answer.
    """

    media_type: str

    def start(self) -> bytes:
        """Returns what precedes the first payload."""

    def part(self, payload: object) -> bytes:
        """A payload."""

    def heartbeat(self) -> bytes:
        """Returns what keeps the stream open between two payloads, and changes nothing."""

    def end(self) -> bytes:
        """Returns what follows the last payload."""


class MultipartEncoder:
    """Encodes payloads as parts of multipart/mixed."""

    media_type = 'multipart/mixed; boundary="-"'

    def start(self) -> bytes:
        """The first delimiter."""
        return _DELIMITER

    def part(self, payload: object) -> bytes:
        """A payload as a part, with the delimiter that ends it."""
        body = encode(payload)
        return b"%b%b%b" % (_PART_HEAD % len(body), body, _DELIMITER)

    def heartbeat(self) -> bytes:
        """A part that only says that more follows. Clients accept it after the first payload, not before."""
        return self.part({"hasNext": True})

    def end(self) -> bytes:
        """What makes the last delimiter the closing one."""
        return b"--\r\n"


class SSEEncoder:
    """Encodes payloads as server-sent events."""

    media_type = "text/event-stream"

    def start(self) -> bytes:
        """A comment, so that the client sees the stream open."""
        return b":\n\n"

    def part(self, payload: object) -> bytes:
        """A payload as a `next` event."""
        return b"event: next\ndata: %b\n\n" % encode(payload)

    def heartbeat(self) -> bytes:
        """A comment."""
        return b":\n\n"

    def end(self) -> bytes:
        """The `complete` event."""
        return b"event: complete\ndata:\n\n"


class JSONEncoder:
    """Encodes the one payload of an answer that is a JSON document.

    Args:
        media_type: the media type, without parameters.
    """

    def __init__(self, media_type: str) -> None:
        self.media_type = f"{media_type}; charset=utf-8"

    def start(self) -> bytes:
        """Nothing."""
        return b""

    def part(self, payload: object) -> bytes:
        """The payload."""
        return encode(payload)

    def heartbeat(self) -> bytes:
        """White space, which may stand around a JSON document."""
        return b" "

    def end(self) -> bytes:
        """Nothing."""
        return b""
