"""An MCP server for tests: on its standard streams when it is run, and over HTTP in a thread."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from mcp.server.fastmcp import Context, FastMCP, Image
from mcp.types import TextContent
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

PNG = base64.b64decode("iVBORw0KGgo=")


def make_server() -> FastMCP:
    server = FastMCP("test", log_level="ERROR")

    @server.tool(description="Adds two numbers.")
    def add(a: int, b: int) -> int:
        return a + b

    @server.tool(name="weather.now", structured_output=False)
    def weather(city: str) -> str:
        return f"sunny in {city}"

    @server.tool()
    def describe() -> dict[str, Any]:
        return {"size": 3}

    @server.tool(structured_output=False)
    def lines() -> list[TextContent]:
        return [TextContent(type="text", text=text) for text in ("one", "two")]

    @server.tool()
    def fail() -> str:
        raise ValueError("no such city")

    @server.tool()
    def picture() -> Image:
        return Image(data=PNG, format="png")

    @server.tool()
    async def hang() -> None:
        await asyncio.Event().wait()

    @server.tool()
    def leave() -> None:
        os._exit(1)

    @server.tool()
    async def learn(context: Context[Any, Any, Any]) -> None:
        server.add_tool(lambda: "new", name="learned", description="Was not there before.")
        await context.session.send_tool_list_changed()

    @server.tool(structured_output=False)
    def who_asks(context: Context[Any, Any, Request]) -> str:
        request = context.request_context.request
        return "nobody" if request is None else request.headers.get("authorization", "nobody")

    return server


@contextlib.contextmanager
def served(app: ASGIApp, port: int = 0) -> Iterator[int]:
    """Serves an app, and yields its port."""
    listening = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


class Counting:
    """Counts the requests to an app, by method and path."""

    def __init__(self, app: ASGIApp) -> None:
        self.requests: list[str] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests.append(f"{scope['method']} {scope['path']}")
        await self._app(scope, receive, send)


if __name__ == "__main__":
    make_server().run()
