"""Agents behind a URL: any server that speaks AG-UI over server-sent events.

Error messages are those of CopilotKit's own runtime, because frontends already show and compare them:
`HTTP <status>: <body>`, `fetch failed` when no response came, `terminated` when the stream was cut.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Final, cast

import aiohttp
import orjson
from ag_ui.core import RunAgentInput
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter

from .. import telemetry
from ..agui.events import Event, as_text
from ..agui.json_input import parse_json
from ..agui.sse import EventStreamParser, EventTooLargeError
from ..agui.versions import remote_input
from ..backoff import pause_after
from ..context import RequestContext
from ..errors import AgentError
from ..logs.records import get_logger
from .address import checked_address
from .base import Provider

logger = get_logger(__name__)

_FAULT: Final = "INCOMPLETE_STREAM"
_CONNECT_ATTEMPTS: Final = 3
_REFUSAL_BYTES: Final = 2048
_HEADER_BYTES: Final = 64 * 1024

# The statuses with which a server answers that does not speak AG-UI at this URL.
_ELSEWHERE: Final = (404, 405, 422)
_PROBE_SECONDS: Final = 2.0

# Less than the 5 seconds after which uvicorn and Node close an idle connection: a request on a connection
# that the server is closing is lost, and must not be repeated.
_KEEP_ALIVE_SECONDS: Final = 4.0


class RemoteProvider(Provider):
    """Runs an agent behind an http(s) URL.

    The headers of the request context are forwarded; `headers` win over them. Cookies are neither stored nor
    sent, redirects not followed, proxies and `.netrc` not read from the environment: one user's credentials
    never reach another host or another user's run. Connections are pooled. Only connecting is retried (twice,
    with back-off); a request that the agent may have seen is not.

    Args:
        url: where the agent accepts a POST with a `RunAgentInput`.
        headers: sent with every request, such as a service token.
        connect_timeout: seconds for each attempt to connect.
        idle_timeout: seconds that the agent may send nothing, not even a comment, or None for no limit.
        max_event_bytes: the maximum size of one event.
        description: one sentence for frontends and other agents.

    Raises:
        ValueError: the URL is not http(s), or contains credentials; or a header is not Latin-1.
    """

    strict_stream = True
    is_remote = True

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
        self._url = checked_address(url, query=True)
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}
        "".join(self._headers.values()).encode("latin-1")
        self._idle_timeout = idle_timeout
        self._timeout = aiohttp.ClientTimeout(connect=connect_timeout, sock_read=idle_timeout)
        self._max_event_bytes = max_event_bytes
        self._langgraph_server: bool | None = None
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self.description = description

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the agent's events as they arrive. Closing the stream closes the connection.

        Raises:
            AgentError: the agent cannot be reached, refuses, breaks off, or sends something other than
                events. What it sent before has been yielded.
        """
        body, response = _Body(remote_input(input)), None
        try:
            response = await self._post(body, context)
            if not 200 <= response.status < 300:
                raise await self._refusal(response)
            parser = EventStreamParser(self._max_event_bytes)
            received = False
            while chunk := await _read(response.content):
                for event in map(_event_from, filter(None, parser.feed(chunk))):
                    received = True
                    yield event
            body.check_end(response)
            for event in map(_event_from, filter(None, parser.finish())):
                received = True
                yield event
            if not received:
                self._log("sent no event, and the content type %s", response.headers.get("content-type"))
        except aiohttp.ClientError as error:
            raise self._fault(error, "terminated") from error
        except EventTooLargeError as error:
            raise AgentError(
                f"The agent sent an event of more than {self._max_event_bytes} bytes", _FAULT
            ) from error
        finally:
            if response is None or not response.closed:
                body.abort()
            if response is not None:
                response.close()

    async def aclose(self) -> None:
        """Closes the connections. The provider remains usable, and connects anew."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def _post(self, body: _Body, context: RequestContext) -> aiohttp.ClientResponse:
        headers = {"user-agent": "copilotkit-runtime-py", **context.headers, **self._headers}
        headers["accept"] = "text/event-stream"
        headers["accept-encoding"] = "identity"
        headers["content-type"] = "application/json"
        telemetry.inject(headers)
        attempt = 1
        while True:
            try:
                session = await self._session()
                return await session.post(
                    self._url, data=body, headers=headers, allow_redirects=False, timeout=self._timeout
                )
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                refused = isinstance(error, aiohttp.ClientConnectorCertificateError)
                if refused or attempt == _CONNECT_ATTEMPTS:
                    raise self._fault(error, "fetch failed") from error
                await asyncio.sleep(pause_after(attempt - 1, first=0.1, longest=1.0))
                attempt += 1
            except (aiohttp.ClientError, UnicodeError) as error:  # UnicodeError: a host that DNS cannot carry
                raise self._fault(error, "fetch failed") from error

    async def _session(self) -> aiohttp.ClientSession:
        """Returns the session of the running loop, since connections cannot change loops."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            for other in [other for other in self._sessions if other.is_closed()]:
                await self._sessions.pop(other).close()
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    keepalive_timeout=_KEEP_ALIVE_SECONDS,
                    ssl=_ssl_context() if self._url.scheme == "https" else True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_field_size=_HEADER_BYTES,
            )
        return session

    async def _refusal(self, response: aiohttp.ClientResponse) -> AgentError:
        if "location" in response.headers:
            self._log("redirects to %s: register that URL", response.headers["location"])
        body = bytearray()
        with suppress(aiohttp.ClientError):
            while len(body) <= _REFUSAL_BYTES and (chunk := await _read(response.content)):
                body += chunk
        text = body[:_REFUSAL_BYTES].decode("utf-8", "ignore" if len(body) > _REFUSAL_BYTES else "replace")
        if "application/json" in response.headers.get("content-type", ""):
            text = _compact_json(text)
        if response.status in _ELSEWHERE and await self._is_langgraph_server():
            text = "this is a LangGraph server: register its graph as langgraph+https://host/graph"
        return AgentError(f"HTTP {response.status}: {text}", _FAULT, status_code=response.status)

    async def _is_langgraph_server(self) -> bool:
        """Whether the URL leads to a server of LangGraph's own API. It is asked once."""
        if self._langgraph_server is None:
            from .langgraph_platform.recognition import find_langgraph_server

            found = await find_langgraph_server(str(self._url), self._headers, seconds=_PROBE_SECONDS)
            self._langgraph_server = found is not None
            if found is not None:
                logger.error("%s", found.advice)
        return self._langgraph_server

    def _fault(self, error: Exception, words: str) -> AgentError:
        self._log("%s: %r", words, error)
        if isinstance(error, aiohttp.SocketTimeoutError):
            words = f"The agent sent nothing for {self._idle_timeout:g} seconds"
        return AgentError(words, _FAULT)

    def _log(self, message: str, *args: object) -> None:
        logger.warning("agent %s " + message, self._url.with_query(None).with_fragment(None), *args)


class _Body(aiohttp.payload.Payload):
    """The body of a request, which knows the connection that it is written to."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._size = len(content)
        self._protocol: ResponseHandler | None = None
        self._transport: asyncio.Transport | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Part of `aiohttp.payload.Payload`."""
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Part of `aiohttp.payload.Payload`."""
        writer = cast(StreamWriter, writer)
        self._protocol = cast(ResponseHandler, writer.protocol)
        self._transport = writer.transport
        head = writer._headers_buf
        if head is not None and not head.isascii():
            # Browsers and servers take header values for Latin-1; aiohttp has encoded them as UTF-8.
            writer._headers_buf = head.decode().encode("latin-1", "replace")
        await writer.write(self._value)

    def abort(self) -> None:
        """Closes the connection at once.

        aiohttp would first wait until everything is sent, which never happens if the agent reads nothing.
        """
        if self._transport is not None:
            self._transport.abort()

    def check_end(self, response: aiohttp.ClientResponse) -> None:
        """Checks how a response ended whose body lasts as long as the connection.

        Raises:
            ClientOSError: the connection was reset, which aiohttp reports as the end of the body.
        """
        error = None if self._protocol is None else self._protocol.exception()
        framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
        if isinstance(error, aiohttp.ClientOSError) and not framed:
            raise error


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Returns all bytes that have arrived, waiting for the first. No bytes mean the end.

    Raises:
        ClientError: the connection broke. What arrived before has been returned.
    """
    try:
        return await content.readany()
    except aiohttp.ClientError:
        # The public methods discard what is buffered when the connection breaks.
        if rest := content._read_nowait(-1):
            return rest
        raise


def _event_from(data: bytes) -> Event:
    try:
        event = parse_json(data)
    except ValueError:
        raise AgentError("The agent sent an event that is not valid JSON", _FAULT) from None
    if not isinstance(event, dict):
        raise AgentError("The agent sent an event that is not a JSON object", _FAULT)
    return event


def _compact_json(text: str) -> str:
    """Returns JSON without spaces, a JSON string as its value, and anything else unchanged."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return as_text(value)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Trusts certifi's authorities, or those that `SSL_CERT_FILE` or `SSL_CERT_DIR` names."""
    import httpx

    return httpx.create_ssl_context()
