"""A request's body, in bounded memory and time."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ..limits import Limits
from ..protocols.responses import json_response

# No body is longer than a number of so many digits says.
_MAX_DIGITS: Final = 18


class BodyError(Exception):
    """A body is not read to its end.

    Args:
        status_code: the HTTP status of the answer.
        error: why, in two words.
        message: why, in a sentence.
    """

    def __init__(self, status_code: int, error: str, message: str) -> None:
        super().__init__(message)
        self._status_code = status_code
        self._body = {
            "error": error,
            "message": message,
            "errors": [{"message": message, "extensions": {"code": "BAD_REQUEST"}}],
        }

    def response(self, request: Request) -> Response:
        """Returns the answer, in the words of both contracts."""
        # What is left of the body is to keep no connection busy. HTTP/2 knows no such header.
        leave = request.scope["http_version"].startswith("1")
        return json_response(self._body, self._status_code, {"connection": "close"} if leave else None)


async def read_body(request: Request, limits: Limits) -> bytes:
    """Returns the body; no more of it than the limit is held.

    Raises:
        BodyError: it exceeds the limit, or does not come to its end in time.
        ClientDisconnect: the client left.
    """
    limit = limits.request_bytes
    too_large = f"A request may have {limit} bytes at most."
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > _MAX_DIGITS or int(declared) > limit):
        raise BodyError(413, "Payload too large", too_large)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.request_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise BodyError(413, "Payload too large", too_large)
    except TimeoutError:
        raise BodyError(408, "Request timeout", "The request did not come to its end in time.") from None
    return bytes(body)
