"""One session with an MCP server, in a task of its own. Needs the `mcp` extra."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import ClientSession, McpError, types
from mcp.client.session import MessageHandlerFnT
from mcp.shared.message import SessionMessage
from pydantic import AnyUrl

from ...logs.records import get_logger

logger = get_logger(__name__)

Incoming: TypeAlias = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing: TypeAlias = MemoryObjectSendStream[SessionMessage]
Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[tuple[Incoming, Outgoing]]]

T = TypeVar("T")

# What the SDK makes of HTTP 404 to a known session: the server has forgotten it, and did nothing.
_SESSION_TERMINATED: Final = 32600
_TOOLS_AT_MOST: Final = 1000


class ConnectionLostError(Exception):
    """The server cannot be reached, or the connection broke; what was asked may have been done."""


class SessionTerminatedError(ConnectionLostError):
    """The server does not know the session any more; what was asked was not done."""


class _Session(ClientSession):
    """The SDK's session, which also announces extensions: the SDK itself has no way to."""

    def __init__(
        self,
        incoming: Incoming,
        outgoing: Outgoing,
        message_handler: MessageHandlerFnT,
        extensions: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(incoming, outgoing, message_handler=message_handler)
        self._extensions = extensions

    async def send_request(self, request: types.ClientRequest, *args: Any, **kwargs: Any) -> Any:
        """Sends a request."""
        if self._extensions and isinstance(request.root, types.InitializeRequest):
            params = request.root.params
            announced = {**params.capabilities.model_dump(exclude_none=True), "extensions": self._extensions}
            params.capabilities = types.ClientCapabilities.model_validate(announced)
        return await super().send_request(request, *args, **kwargs)


class MCPSession:
    """A session that is open until it is closed or the connection breaks.

    The SDK's transports have to be left by the task that entered them, and end that task when they fail. So
    that is a task of the session's own, which others ask.

    Args:
        connect: opens the connection.
        closing_seconds: how long closing it may take before it is dropped.
        extensions: the extensions of the protocol that the client supports, by name.
    """

    def __init__(
        self, connect: Connect, *, closing_seconds: float, extensions: Mapping[str, Any] | None = None
    ) -> None:
        self._connect = connect
        self._extensions = extensions
        self._closing_seconds = closing_seconds
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[ClientSession] = self._loop.create_future()
        self._closing = asyncio.Event()
        self._tools: list[types.Tool] | None = None
        self._task = self._loop.create_task(self._serve(), name="MCP session")

    @property
    def usable(self) -> bool:
        """Whether the session is open, and belongs to the running loop."""
        if self._loop is not asyncio.get_running_loop():
            return False
        return not self._task.done() and not self._closing.is_set()

    async def tools(self) -> list[types.Tool]:
        """Returns the server's tools. They are requested again after the server has announced a change.

        Raises:
            ConnectionLostError: the server cannot be reached.
        """
        if self._tools is None:
            self._tools = await self._ask(self._list_tools)
        return self._tools

    async def call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Calls a tool.

        Raises:
            McpError: the server refuses the call.
            ConnectionLostError: the connection broke.
        """
        return await self._ask(lambda session: session.call_tool(name, arguments))

    async def read_resource(self, uri: AnyUrl) -> types.ReadResourceResult:
        """Reads a resource.

        Raises:
            McpError: the server refuses.
            ConnectionLostError: the connection broke.
        """
        return await self._ask(lambda session: session.read_resource(uri))

    async def ping(self) -> None:
        """Asks whether the server is there.

        Raises:
            McpError: the server refuses.
            ConnectionLostError: the connection broke.
        """
        await self._ask(lambda session: session.send_ping())

    async def aclose(self) -> None:
        """Closes the connection."""
        if self._loop is not asyncio.get_running_loop():
            return
        self._closing.set()
        await asyncio.wait({self._task}, timeout=self._closing_seconds)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _ask(self, request: Callable[[ClientSession], Awaitable[T]]) -> T:
        asking = asyncio.ensure_future(self._answer(request))
        try:
            await asyncio.wait({asking, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return await asking
            raise ConnectionLostError
        except McpError as error:
            if error.error.code == types.CONNECTION_CLOSED:
                raise ConnectionLostError from error
            if error.error.code == _SESSION_TERMINATED:
                self._closing.set()
                raise SessionTerminatedError from error
            raise
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise ConnectionLostError from error
        finally:
            asking.cancel()
            await asyncio.wait({asking})

    async def _answer(self, request: Callable[[ClientSession], Awaitable[T]]) -> T:
        session = await asyncio.shield(self._ready)
        return await request(session)

    async def _list_tools(self, session: ClientSession) -> list[types.Tool]:
        tools: list[types.Tool] = []
        cursor: str | None = None
        while True:
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            tools += page.tools
            cursor = page.nextCursor
            if cursor is None or len(tools) > _TOOLS_AT_MOST:
                return tools[:_TOOLS_AT_MOST]

    async def _serve(self) -> None:
        try:
            async with self._connect() as (incoming, outgoing):
                passed_on, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
                async with (
                    _Session(received, outgoing, self._hear, self._extensions) as session,
                    anyio.create_task_group() as tasks,
                ):
                    tasks.start_soon(self._pass_on, incoming, passed_on)
                    await session.initialize()
                    self._ready.set_result(session)
                    await self._closing.wait()
                    tasks.cancel_scope.cancel()
        except Exception as error:
            logger.debug("an MCP session ended", exc_info=error)
        finally:
            if not self._ready.done():
                self._ready.set_exception(ConnectionLostError())
                self._ready.exception()  # waiters get it; there may be none

    async def _pass_on(self, incoming: Incoming, passed_on: MemoryObjectSendStream[Any]) -> None:
        """Passes on what the server sends, to notice its end, which the SDK does not report."""
        async with passed_on, incoming:
            async for message in incoming:
                await passed_on.send(message)
        self._closing.set()

    async def _hear(self, message: object) -> None:
        if isinstance(message, types.ServerNotification) and isinstance(
            message.root, types.ToolListChangedNotification
        ):
            self._tools = None
