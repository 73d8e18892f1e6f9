"""MCP servers with tools that agents may call as backend actions. Needs the `mcp` extra."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeAlias

import httpx
from mcp import McpError, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl, ValidationError

from ...context import RequestContext
from ...errors import ActionError, ConfigurationError
from ...logs.records import get_logger
from ..actions import Action, Handler, Offer, WithActivity
from .apps import ACTIVITY, EXTENSION, activity_content, is_visible_to, resource_uri, server_hash
from .results import watched
from .session import Connect, ConnectionLostError, Incoming, MCPSession, Outgoing, SessionTerminatedError

logger = get_logger(__name__)

Transport: TypeAlias = Literal["http", "sse"]

# Model vendors take no other names for tools.
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RETRY_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 300.0


class MCPTools:
    """The tools of one server, as backend actions.

    The connection is opened by the first run, kept, and opened anew after it broke. While the server cannot
    be reached, runs go on without its tools.

    Args:
        name: distinguishes the server's tools from others of the same name.
        connect: opens a connection.
        tools: the names of the tools to offer, or None for all.
        agents: the names of the agents that may call them, or None for all.
        timeout: seconds that a call may take, or None for the bound of `Limits.action_seconds`.
        connect_timeout: seconds that a run waits for the connection and the list of tools.
        closing_seconds: how long closing the connection may take before it is dropped.
        apps: tools may bring a user interface, which the page shows in a frame.
        approve: the names of the tools that are run only after the user has approved the call, or True for
            all.
        host: the host that the user is asked about then, or None for a server that the operator chose.

    Attributes:
        hash: the name by which frames know the server without its URL, or None.
    """

    properties: Collection[str] = ()
    hash: str | None = None

    def __init__(
        self,
        name: str,
        connect: Connect,
        *,
        tools: Collection[str] | None,
        agents: Collection[str] | None,
        timeout: float | None,
        connect_timeout: float,
        closing_seconds: float = 5.0,
        apps: bool = False,
        approve: Collection[str] | bool = False,
        host: str | None = None,
    ) -> None:
        self.name = name
        self._at = "" if host is None else f" on {host}"
        self.apps = apps
        self._approve = approve
        self._connect = connect
        self._tools = tools
        self._agents = agents
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._closing_seconds = closing_seconds
        self._session: MCPSession | None = None
        self._retry_at = 0.0

    @asynccontextmanager
    async def offer(self, context: RequestContext) -> AsyncIterator[Offer]:
        """Yields the server's tools as actions; none while it cannot be reached."""
        listed = await self._list_tools()
        tools = self._offered(listed or ())
        if self.apps:
            tools = [tool for tool in tools if is_visible_to(tool, "model")]
        yield Offer([self._action(tool) for tool in tools], unreachable=listed is None)

    def serves(self, agent_name: str) -> bool:
        """Whether the agent may call the server's tools."""
        return self._agents is None or agent_name in self._agents

    async def app_tools(self) -> Sequence[types.Tool]:
        """Returns the tools that frames may call: no frame can ask the user for an approval."""
        offered = self._offered(await self._list_tools() or ())
        return [tool for tool in offered if is_visible_to(tool, "app") and not self._needs_approval(tool)]

    async def call_raw(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Calls a tool and returns the whole result.

        Raises:
            McpError: the server refuses the call.
            ConnectionLostError: the connection broke.
        """
        return await self._call(name, arguments)

    async def read_resource(self, uri: AnyUrl) -> types.ReadResourceResult:
        """Reads a resource; see `MCPSession.read_resource`."""
        return await self._open().read_resource(uri)

    async def ping(self) -> None:
        """Asks whether the server is there; see `MCPSession.ping`."""
        await self._open().ping()

    async def aclose(self) -> None:
        """Closes the connection. The server can still be used, and is connected to anew."""
        self._retry_at = 0.0
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    def _offered(self, listed: Sequence[types.Tool]) -> Sequence[types.Tool]:
        """Returns the tools that the operator offers."""
        tools = [tool for tool in listed if tool.name]
        return tools if self._tools is None else [tool for tool in tools if tool.name in self._tools]

    async def _list_tools(self) -> Sequence[types.Tool] | None:
        """Returns the server's tools, or None while it cannot be reached."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            return None
        session = self._open()
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await session.tools()
        except (ConnectionLostError, McpError, ValidationError, TimeoutError) as error:
            logger.warning("cannot list the tools of MCP server %s: %r", self.name, error)
            self._retry_at = loop.time() + _RETRY_SECONDS
            await session.aclose()
            return None

    def _open(self) -> MCPSession:
        if self._session is None or not self._session.usable:
            self._session = MCPSession(
                self._connect,
                closing_seconds=self._closing_seconds,
                extensions=EXTENSION if self.apps else None,
            )
        return self._session

    def _action(self, tool: types.Tool) -> Action:
        uri = resource_uri(tool) if self.apps else None

        async def handler(arguments: dict[str, Any], context: RequestContext) -> Any:
            try:
                result = await self._call(tool.name, arguments)
                if uri is None:
                    return decoded(result)
                content = activity_content(self, uri, arguments, result)
                return WithActivity(decoded(result), ACTIVITY, content)
            except ConnectionLostError as error:
                raise ActionError("The connection to the tool's server broke.") from error
            except McpError as error:
                raise ActionError(error.error.message, "TOOL_ERROR") from error

        action = action_of(tool, handler, timeout=self._timeout, agents=self._agents)
        if self._needs_approval(tool):
            message = f"Allow {tool.title or tool.name}{self._at}?"
            action = dataclasses.replace(action, approval=True, message=message, source=self.name)
        if uri is not None:
            return dataclasses.replace(action, description=f"{action.description}\n[UI Resource: {uri}]")
        return action

    def _needs_approval(self, tool: types.Tool) -> bool:
        if isinstance(self._approve, bool):
            return self._approve
        return tool.name in self._approve or _name_for_models(tool) in self._approve

    async def _call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        session = self._open()
        try:
            return await session.call(name, arguments)
        except SessionTerminatedError:
            await session.aclose()
            return await self._open().call(name, arguments)


class MCPServer(MCPTools):
    """A server that the operator trusts: at a URL, or a command that is run.

    Args:
        name: distinguishes its tools from others of the same name.
        url: where it is.
        transport: what it speaks at the URL: streamable HTTP, or the older server-sent events.
        headers: sent with every request, such as a service token.
        command: the program to run instead, which speaks over its standard streams.
        args: the program's arguments.
        env: the program's environment. Without it, it gets a few variables such as `PATH`, and no secrets.
        tools: the names of the tools to offer, or None for all.
        agents: the names of the agents that may call them, or None for all.
        timeout: seconds that a call may take, or None for the bound of `Limits.action_seconds`.
        connect_timeout: seconds that a run waits for the connection and the list of tools.
        apps: tools may bring a user interface, which the page shows in a frame (MCP Apps). Frames may call
            the tools that are offered here, but for those of `approve`, and read the server's resources.
        approve: the names of the tools that are run only after the user has approved the call, or True for
            all.

    Raises:
        ConfigurationError: not one of `url` and `command` is given, the name cannot be part of a tool's, or
            `approve` is one name instead of a list.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str | None = None,
        transport: Transport = "http",
        headers: Mapping[str, str] | None = None,
        command: str | None = None,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        tools: Collection[str] | None = None,
        agents: Collection[str] | None = None,
        timeout: float | None = None,
        connect_timeout: float = 10.0,
        apps: bool = False,
        approve: Collection[str] | bool = False,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"'{name}' cannot be part of a tool's name: use letters, digits, _ and -."
            )
        check_approve(approve)
        connect: Connect
        if url is not None and command is None:
            timeouts = httpx.Timeout(connect_timeout, read=_IDLE_SECONDS)
            given = dict(headers or {})
            connect = connection(url, transport, lambda: httpx.AsyncClient(headers=given, timeout=timeouts))
        elif command is not None and url is None:
            program = StdioServerParameters(
                command=command, args=list(args), env=None if env is None else dict(env)
            )
            connect = lambda: stdio_client(program)  # noqa: E731
        else:
            raise ConfigurationError(f"The MCP server '{name}' needs either a url or a command.")
        super().__init__(
            name,
            connect,
            tools=tools,
            agents=agents,
            timeout=timeout,
            connect_timeout=connect_timeout,
            apps=apps,
            approve=approve,
        )
        self.hash = server_hash(transport, url) if url is not None else None


def check_approve(approve: Collection[str] | bool) -> None:
    """Checks which tools need an approval.

    Raises:
        ConfigurationError: it is one name instead of a list.
    """
    if isinstance(approve, str):
        raise ConfigurationError(f"approve={approve!r}: give a list of names, or True for all tools.")


def connection(url: str, transport: Transport, make_client: Callable[[], httpx.AsyncClient]) -> Connect:
    """Returns what opens a connection to a server at a URL."""

    def client_for_events(
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.AsyncClient:
        return make_client()

    @asynccontextmanager
    async def connect() -> AsyncIterator[tuple[Incoming, Outgoing]]:
        if transport == "sse":
            async with sse_client(url, httpx_client_factory=client_for_events) as streams:
                yield streams
        else:
            async with (
                watched(make_client)() as client,
                streamable_http_client(url, http_client=client) as (incoming, outgoing, _),
            ):
                yield incoming, outgoing

    return connect


def action_of(
    tool: types.Tool, handler: Handler, *, timeout: float | None, agents: Collection[str] | None = None
) -> Action:
    """Returns the action that stands for a tool of a server."""
    return Action(
        name=_name_for_models(tool),
        description=tool.description or tool.title or "",
        parameters={"type": "object", "properties": {}, **tool.inputSchema},
        handler=handler,
        timeout=timeout,
        agents=agents,
    )


def _name_for_models(tool: types.Tool) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", tool.name)[:64]


def decoded(result: types.CallToolResult) -> Any:
    """Returns a tool's result for model and client.

    That is its text if it has one text and nothing else, else its structured content if there is some, else
    all its texts, or the list of its parts in the form of the protocol.

    Raises:
        ActionError: the tool says that it failed.
    """
    texts = [part.text for part in result.content if isinstance(part, types.TextContent)]
    if result.isError:
        raise ActionError("\n".join(texts) or "The tool failed.", "TOOL_ERROR")
    if len(texts) == len(result.content) == 1:
        return texts[0]
    if result.structuredContent is not None:
        return result.structuredContent
    if len(texts) == len(result.content):
        return "\n".join(texts)
    return [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in result.content]
