"""Receives a request's body, in bounded memory and time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..limits import Limits, size_text
from ..protocols.form import is_form
from ..protocols.request_body import RequestBody
from ..protocols.responses import json_response

# A Content-Length with more digits is too large anyway.
_MAX_DIGITS: Final = 18
# The rest of a body that is too large is read and dropped for this long, up to this many times the limit.
_LINGER_SECONDS: Final = 10.0
_LINGER_FACTOR: Final = 4


class BodyError(Exception):
    """A body was not received to its end.

    Args:
        status_code: the HTTP status of the response.
        error: the reason in two words.
        message: the reason in a sentence.
        rest: the rest of the body, to be received and dropped.
    """

    def __init__(
        self, status_code: int, error: str, message: str, rest: AsyncIterator[bytes] | None = None
    ) -> None:
        super().__init__(message)
        self._status_code = status_code
        self._rest = rest
        self._body = {
            "error": error,
            "message": message,
            "errors": [{"message": message, "extensions": {"code": "BAD_REQUEST"}}],
        }

    def response(self, request: Request) -> Response:
        """Returns the response, in the forms of both contracts."""
        if not request.scope["http_version"].startswith("1"):
            return json_response(self._body, self._status_code)
        answer = json_response(self._body, self._status_code, {"connection": "close"})
        return answer if self._rest is None else _LingeringResponse(answer, self._rest)


class _LingeringResponse(Response):
    """Sends a response, then drops the rest of the request's body.

    A server that closes a connection with unread data resets it, and the response may get lost: nginx and
    Caddy then answer 502.
    """

    def __init__(self, answer: Response, rest: AsyncIterator[bytes]) -> None:
        self._answer = answer
        self._rest = rest
        self.background = None
        self.status_code = answer.status_code
        self.raw_headers = answer.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        # This completes the response for the client: the headers have its length.
        await send({"type": "http.response.body", "body": self._answer.body, "more_body": True})
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(_LINGER_SECONDS):
                async for _ in self._rest:
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def read_body(request: Request, limits: Limits) -> RequestBody:
    """Receives the body up to the limit, and parses it if it may be JSON.

    Raises:
        BodyError: it exceeds the limit, or does not arrive in time.
        ClientDisconnect: the client left.
    """
    limit = limits.request_bytes
    setting = "--max-body (Limits.request_bytes)"
    message = f"The request exceeds {size_text(limit)}. The server's {setting} sets this limit."
    data = bytearray()
    async for chunk in bounded_body(request, limit, limits.request_seconds, message):
        data += chunk
    if is_form(request.headers.get("content-type", "")):
        return RequestBody(data)
    return await RequestBody.parse(data, limits)


async def bounded_body(
    request: Request, max_bytes: int, seconds: float, too_large: str
) -> AsyncIterator[bytes]:
    """Yields the chunks of a body, up to a limit.

    Args:
        request: the request.
        max_bytes: the limit.
        seconds: how long the body may take to arrive.
        too_large: the error message for a body beyond the limit.

    Raises:
        BodyError: it exceeds the limit, or does not arrive in time.
        ClientDisconnect: the client left.
    """
    stream = request.stream()
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > _MAX_DIGITS or int(declared) > max_bytes):
        raise _too_large(too_large, max_bytes, stream)
    size = 0
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(too_large, max_bytes, stream)
            yield chunk
    except TimeoutError:
        raise BodyError(408, "Request timeout", "The request did not arrive in time.") from None


def _too_large(message: str, max_bytes: int, stream: AsyncIterator[bytes]) -> BodyError:
    return BodyError(413, "Payload too large", message, _first(_LINGER_FACTOR * max_bytes, stream))


async def _first(max_bytes: int, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the chunks of a stream until they exceed a size."""
    size = 0
    async for chunk in stream:
        yield chunk
        size += len(chunk)
        if size > max_bytes:
            return
