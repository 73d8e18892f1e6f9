"""The client of an A2A agent, and what its errors say to a client of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx
from a2a.client import (
    A2ACardResolver,
    A2AClientError,
    A2AClientTimeoutError,
    AgentCardResolutionError,
    Client,
    ClientConfig,
    ClientFactory,
)
from a2a.utils.constants import TransportProtocol
from a2a.utils.errors import A2AError

from ...errors import AgentError

_CODE: Final = "A2A"
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=4.0)


def http_client(
    connect_timeout: float, idle_timeout: float | None, max_event_bytes: int
) -> httpx.AsyncClient:
    """Returns an HTTP client that follows no redirects, stores no cookies and reads no environment."""

    async def bound(response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _BoundedLines(response.stream, max_event_bytes)

    return httpx.AsyncClient(
        timeout=httpx.Timeout(idle_timeout, connect=connect_timeout),
        limits=_LIMITS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        event_hooks={"response": [bound]},
        follow_redirects=False,
        trust_env=False,
    )


async def connect(http: httpx.AsyncClient, url: httpx.URL, headers: Mapping[str, str]) -> Client:
    """Reads the agent's card, and returns a client of the agent.

    Requests go to the host of the URL, whatever host the card names: credentials are meant for that host, and
    agents behind a proxy often name an address that only they can reach.

    Raises:
        A2AError: there is no card, or none that can be used.
    """
    resolver = A2ACardResolver(http, str(url))
    card = await resolver.get_agent_card(http_kwargs={"headers": dict(headers)})
    for interface in card.supported_interfaces:
        target = url.join(interface.url)
        interface.url = str(target.copy_with(scheme=url.scheme, host=url.host, port=url.port))
    bindings = [TransportProtocol.JSONRPC, TransportProtocol.HTTP_JSON]
    config = ClientConfig(httpx_client=http, supported_protocol_bindings=[*bindings])
    try:
        return ClientFactory(config).create(card)
    except ValueError as error:
        raise A2AClientError(f"the agent offers neither JSON-RPC nor HTTP: {error}") from error


def agent_error(error: A2AError, *, received: bool, idle_timeout: float | None) -> AgentError:
    """Returns what a client reads of an error. It names no address.

    Args:
        error: the SDK's error.
        received: the agent has sent something before.
        idle_timeout: seconds that the agent may send nothing.
    """
    cause = error.__cause__
    if isinstance(cause, httpx.HTTPStatusError):
        status = cause.response.status_code
        return AgentError(f"HTTP {status}", _CODE, status_code=status)
    if isinstance(error, A2AClientTimeoutError) and not isinstance(cause, httpx.ConnectTimeout):
        return AgentError(f"The agent sent nothing for {idle_timeout:g} seconds", _CODE)
    if isinstance(error, AgentCardResolutionError | A2AClientError):
        return AgentError("terminated" if received else "fetch failed", _CODE)
    return AgentError(type(error).message, _CODE)  # servers put the text of exceptions into `error.message`


class _BoundedLines(httpx.AsyncByteStream):
    """A body in which no line is longer than the limit, since the SDK reads whole lines."""

    def __init__(self, stream: httpx.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            end = chunk.find(b"\n")
            size += len(chunk) if end < 0 else end
            if size > self._limit:
                raise httpx.ReadError(f"a line has more than {self._limit} bytes")
            if end >= 0:
                size = len(chunk) - chunk.rfind(b"\n") - 1
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
