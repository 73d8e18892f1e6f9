"""Agents behind a URL: any server that speaks AG-UI in server-sent events.

What a fault says to the client is what CopilotKit's own runtime says, because frontends already show and
compare it: `HTTP <status>: <body>`, `fetch failed` where no answer came, `terminated` where it broke off.
"""

from __future__ import annotations

import asyncio
import functools
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import httpcore
import httpx
import orjson
from ag_ui.core import RunAgentInput

from .. import telemetry
from ..agui.events import Event, as_text, well_formed
from ..agui.sse import EventStreamParser, EventTooLargeError
from ..agui.versions import RemoteEvents, remote_input
from ..context import RequestContext
from ..errors import AgentError
from ..logs.records import get_logger
from .base import Provider
from .network import AsyncioBackend

logger = get_logger(__name__)

_FAULT: Final = "INCOMPLETE_STREAM"
_CONNECT_RETRIES: Final = 2
_REFUSAL_BYTES: Final = 2048
_FAULTS: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpx.DecodingError,
)

# Below the 5 seconds after which uvicorn and Node close a connection that nobody uses: a request on a
# connection that the server is just closing is lost, and may not be repeated.
_KEEP_ALIVE_SECONDS: Final = 4.0

# Whenever a run starts or ends, the pool goes through all connections once for every idle one: with hundreds
# of either that takes more CPU than connecting anew.
_IDLE_CONNECTIONS: Final = 20


class RemoteProvider(Provider):
    """Runs an agent behind an http(s) URL.

    Headers that the request context passes on go along; `headers` win over them. No cookie is kept or sent,
    no redirect followed, no proxy or `.netrc` taken from the environment: one user's credentials never
    reach another host or another user's run. Connections are pooled. Only connecting is tried again (twice,
    with back-off); a request that the agent may have seen is not.

    Args:
        url: where the agent takes a POST with a `RunAgentInput`.
        headers: sent with every request, such as a service token.
        connect_timeout: seconds for each attempt to connect.
        idle_timeout: seconds that the agent may send nothing, not even a comment, or None for no bound.
        max_event_bytes: the most bytes that one event may have.
        description: one sentence for frontends and other agents.

    Raises:
        ValueError: the URL is not http(s), or holds credentials.
    """

    strict_stream = True

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 5.0,
        idle_timeout: float | None = 300.0,
        max_event_bytes: int = 16 * 1024 * 1024,
        description: str = "",
    ) -> None:
        self._url = _checked_url(url)
        self._target = httpcore.URL(
            scheme=self._url.raw_scheme,
            host=self._url.raw_host,
            port=self._url.port,
            target=self._url.raw_path,
        )
        self._headers = httpx.Headers(dict(headers or {}), encoding="latin-1")
        self._idle_timeout = idle_timeout
        self._timeouts = {
            "connect": connect_timeout,
            "read": idle_timeout,
            "write": idle_timeout,
            "pool": None,
        }
        self._max_event_bytes = max_event_bytes
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpcore.AsyncConnectionPool] = (
            WeakKeyDictionary()
        )
        self.description = description

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the agent's events as they arrive. Closing the stream closes the connection.

        Raises:
            AgentError: the agent cannot be reached, refuses, breaks off, or sends something else than
                events. What it sent before has been yielded.
        """
        response = await self._post(input, context)
        try:
            if not response.is_success:
                raise await self._refusal(response)
            parser, events = EventStreamParser(self._max_event_bytes), RemoteEvents()
            received = False
            async with _chunks(response) as chunks:
                async for chunk in chunks:
                    for data in parser.feed(chunk):
                        if data:
                            received = True
                            yield events.translate(_event_from(data))
            for data in parser.finish():
                if data:
                    received = True
                    yield events.translate(_event_from(data))
            if not received:
                self._log("sent no event, and the content type %s", response.headers.get("content-type"))
        except _FAULTS as error:
            raise self._fault(error, "terminated") from error
        except EventTooLargeError as error:
            raise AgentError(
                f"The agent sent an event of more than {self._max_event_bytes} bytes", _FAULT
            ) from error
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Closes the connections. The provider can still be used, and connects anew."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    async def _post(self, input: RunAgentInput, context: RequestContext) -> httpx.Response:
        headers = httpx.Headers({"user-agent": "copilotkit-runtime-py"}, encoding="latin-1")
        headers.update(httpx.Headers(dict(context.headers), encoding="latin-1"))
        headers.update(self._headers)
        headers["accept"] = "text/event-stream"
        headers["accept-encoding"] = "identity"
        headers["content-type"] = "application/json"
        telemetry.inject(headers)
        body = remote_input(input)
        request = httpcore.Request(
            "POST",
            self._target,
            headers=httpx.Request("POST", self._url, headers=headers, content=body).headers.raw,
            content=body,
            extensions={"timeout": self._timeouts},
        )
        try:
            response = await self._pool().handle_async_request(request)
        except _FAULTS as error:
            raise self._fault(error, "fetch failed") from error
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response.stream))

    def _pool(self) -> httpcore.AsyncConnectionPool:
        """The connection pool of the running loop, since connections cannot change loops."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._pools[loop] = httpcore.AsyncConnectionPool(
                ssl_context=_ssl_context() if self._url.scheme == "https" else None,
                max_connections=None,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=_KEEP_ALIVE_SECONDS,
                retries=_CONNECT_RETRIES,
                network_backend=AsyncioBackend(),
            )
        return pool

    async def _refusal(self, response: httpx.Response) -> AgentError:
        if response.is_redirect:
            self._log("redirects to %s: register that URL", response.headers.get("location"))
        body = bytearray()
        with suppress(*_FAULTS):
            async with _chunks(response) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > _REFUSAL_BYTES:
                        break
        text = body[:_REFUSAL_BYTES].decode("utf-8", "ignore" if len(body) > _REFUSAL_BYTES else "replace")
        if "application/json" in response.headers.get("content-type", ""):
            text = _compact_json(text)
        return AgentError(f"HTTP {response.status_code}: {text}", _FAULT, status_code=response.status_code)

    def _fault(self, error: Exception, words: str) -> AgentError:
        self._log("%s: %r", words, error)
        if isinstance(error, httpcore.ReadTimeout):
            words = f"The agent sent nothing for {self._idle_timeout:g} seconds"
        return AgentError(words, _FAULT)

    def _log(self, message: str, *args: object) -> None:
        logger.warning("agent %s " + message, self._url.copy_with(query=None, fragment=None), *args)


def _checked_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"'{url}' is no URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"'{url}' is no http(s) URL")
    if parsed.userinfo:
        raise ValueError(f"the URL of the agent at {parsed.host} holds credentials: pass them in headers")
    return parsed


class _Body(httpx.AsyncByteStream):
    """The body of httpcore's response in httpx's, which undoes compression."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _chunks(response: httpx.Response) -> aclosing[AsyncGenerator[bytes]]:
    compressed = "content-encoding" in response.headers
    chunks = response.aiter_bytes() if compressed else aiter(cast(_Body, response.stream))
    return aclosing(cast("AsyncGenerator[bytes]", chunks))


def _event_from(data: bytes) -> Event:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        event = _loads_leniently(data)
    if not isinstance(event, dict):
        raise AgentError("The agent sent an event that is no JSON object", _FAULT)
    return event


def _loads_leniently(data: bytes) -> Any:
    """Reads JSON that JavaScript takes and orjson does not: lone surrogates and invalid UTF-8.

    Agents that cut text by UTF-16 units send half of a surrogate pair in a delta. A replacement character
    there is better than a failed run.
    """
    try:
        text = json.dumps(json.loads(data.decode("utf-8", "replace")), ensure_ascii=False)
        return orjson.loads(well_formed(text))
    except (ValueError, RecursionError):
        raise AgentError("The agent sent an event that is not valid JSON", _FAULT) from None


def _compact_json(text: str) -> str:
    """Returns JSON without spaces, and a JSON string as its value; text that is no JSON as it is."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return as_text(value)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()
