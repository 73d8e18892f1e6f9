"""MCP servers that a frontend names, as far as the operator allows it. Needs the `mcp` extra."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

import httpx

from ...context import RequestContext
from ...logs.records import get_logger
from ..actions import Offer
from .public_http import public_client
from .servers import MCPTools, check_approve, connection

logger = get_logger(__name__)

_PROPERTIES: Final = ("mcpServers", "mcpEndpoints")

# A server that a client chose holds up the end of its run no longer.
_CLOSING_SECONDS: Final = 0.5


class ClientMCPServers:
    """Offers the tools of the servers in a request's `mcpServers` property to the agent of that run.

    The property is a list of `{"endpoint": URL, "apiKey": text}`, as in `CopilotKit` of
    `@copilotkit/react-core` 1.10; the key is optional, and sent as a bearer token. A URL whose path ends in
    `/sse` is spoken to by server-sent events, others by streamable HTTP. The sessions end with the run, and
    agents do not get the property.

    Requests go to the hosts that are allowed, only over http(s), and only to public addresses, which are
    checked where they are connected to; no redirect leaves the server's origin. A server that is not allowed
    or cannot be reached is left out.

    Args:
        hosts: the names of the allowed hosts; `*` allows every public host.
        allow_private: hosts may have addresses that are not public.
        agents: the names of the agents that may call the tools, or None for all.
        timeout: seconds that a call may take, or None for the bound of `Limits.action_seconds`.
        connect_timeout: seconds that a run waits for a connection and the list of tools.
        max_servers: the most servers that a request may name; others are left out.
        max_response_bytes: the most bytes that a response may have.
        approve: the names of the tools that are run only after the user has approved the call, whichever
            server has them, or True for all. The question names the server's host.

    Raises:
        ConfigurationError: `approve` is one name instead of a list.
    """

    name = "mcp"
    properties: Collection[str] = _PROPERTIES

    def __init__(
        self,
        *,
        hosts: Collection[str],
        allow_private: bool = False,
        agents: Collection[str] | None = None,
        timeout: float | None = None,
        connect_timeout: float = 5.0,
        max_servers: int = 5,
        max_response_bytes: int = 4 * 1024 * 1024,
        approve: Collection[str] | bool = False,
    ) -> None:
        check_approve(approve)
        self._hosts = {host_of(f"https://{host}") if host != "*" else host for host in hosts}
        self._allow_private = allow_private
        self._agents = agents
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._max_servers = max_servers
        self._max_response_bytes = max_response_bytes
        self._approve = approve

    @asynccontextmanager
    async def offer(self, context: RequestContext) -> AsyncIterator[Offer]:
        """Yields the tools of the servers that the request names."""
        async with AsyncExitStack() as stack:
            servers = [self._server(url, key) for url, key in self._allowed(context)]
            stack.push_async_callback(_close, servers)
            asked = [stack.enter_async_context(server.offer(context)) for server in servers]
            offers = await asyncio.gather(*asked)
            actions = [action for offer in offers for action in offer.actions]
            yield Offer(actions, unreachable=any(offer.unreachable for offer in offers))

    async def aclose(self) -> None:
        """Does nothing: the sessions end with their runs."""

    def _allowed(self, context: RequestContext) -> list[tuple[str, str | None]]:
        allowed: dict[str, str | None] = {}
        for property in _PROPERTIES:
            asked = context.properties.get(property)
            for entry in asked if isinstance(asked, list) else ():
                url, key = _entry(entry)
                host = host_of(url)
                if host is None or not ("*" in self._hosts or host in self._hosts):
                    logger.warning("a client asked for the MCP server on %.100r: not allowed", host)
                else:
                    allowed.setdefault(url, key)
        return list(allowed.items())[: self._max_servers]

    def _server(self, url: str, key: str | None) -> MCPTools:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        make_client = partial(
            public_client,
            headers=headers,
            timeout=httpx.Timeout(self._connect_timeout, read=None),
            max_response_bytes=self._max_response_bytes,
            allow_private=self._allow_private,
        )
        by_events = httpx.URL(url).path.rstrip("/").endswith("/sse")
        return MCPTools(
            self.name,
            connection(url, "sse" if by_events else "http", make_client),
            tools=None,
            agents=self._agents,
            timeout=self._timeout,
            connect_timeout=self._connect_timeout,
            closing_seconds=_CLOSING_SECONDS,
            approve=self._approve,
            host=host_of(url),
        )


def host_of(url: str) -> str | None:
    """Returns the host of an http(s) URL without credentials, or None for any other URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    if parsed.scheme not in ("http", "https") or parsed.userinfo:
        return None
    return parsed.raw_host.decode("ascii") or None


async def _close(servers: Sequence[MCPTools]) -> None:
    await asyncio.gather(*(server.aclose() for server in servers))


def _entry(entry: Any) -> tuple[str, str | None]:
    if not isinstance(entry, Mapping):
        return "", None
    url, key = entry.get("endpoint"), entry.get("apiKey")
    # A key with other characters could not be sent in a header.
    key = key if isinstance(key, str) and key.isascii() and key.isprintable() else None
    return url if isinstance(url, str) else "", key or None
