"""Answers of MCP servers over streamable HTTP that break off. Needs the `mcp` extra.

The SDK's client takes the end of a stream for a pause, after which the server may go on elsewhere, and waits
for that until the call's time is over. It can only be so where the server numbers its events.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx
import orjson
from mcp import types

_NUMBER: Final = re.compile(rb"^id:", re.MULTILINE)


def watched(make_client: Callable[[], httpx.AsyncClient]) -> Callable[[], httpx.AsyncClient]:
    """Returns a factory of clients that fail open calls when the connection to the server is lost."""

    def make() -> httpx.AsyncClient:
        client = make_client()
        client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks["response"], _watch]}
        return client

    return make


async def _watch(response: httpx.Response) -> None:
    is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
    if response.request.method == "POST" and is_stream and isinstance(response.stream, httpx.AsyncByteStream):
        asked = orjson.loads(response.request.content)
        response.stream = _Answer(response.stream, asked.get("id"))


class _Answer(httpx.AsyncByteStream):
    """The events that answer one request. A stream that ends, and cannot be resumed, ends with an error."""

    def __init__(self, stream: httpx.AsyncByteStream, request_id: str | int | None) -> None:
        self._stream = stream
        self._request_id = request_id

    async def __aiter__(self) -> AsyncIterator[bytes]:
        numbered = False
        try:
            async for chunk in self._stream:
                numbered = numbered or _NUMBER.search(chunk) is not None
                yield chunk
        except httpx.TransportError:
            if numbered:
                raise
        if not numbered and self._request_id is not None:
            error = {"code": types.CONNECTION_CLOSED, "message": "Connection closed"}
            answer = orjson.dumps({"jsonrpc": "2.0", "id": self._request_id, "error": error})
            yield b"\n\nevent: message\ndata: " + answer + b"\n\n"

    async def aclose(self) -> None:
        await self._stream.aclose()
