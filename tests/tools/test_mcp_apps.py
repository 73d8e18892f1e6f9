"""What frames of MCP Apps may ask, of a real MCP server."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from mcp import types
from mcp.server.fastmcp import Context, FastMCP

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.tools.mcp import apps
from copilotkit_runtime_py.tools.mcp.servers import MCPServer
from tests.mcp_server import served

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

URI = "ui://clock/view.html"


def make_apps_server() -> FastMCP:
    """A server with one tool that brings a clock, one for frames, one for models, and a plain one."""
    server = FastMCP("clock", log_level="ERROR")

    @server.tool(meta={"ui": {"resourceUri": URI}}, description="Shows a clock.", structured_output=False)
    def show_clock(zone: str) -> str:
        return f"12:00 {zone}"

    @server.tool(meta={"ui": {"visibility": ["app"]}}, structured_output=False)
    def tick() -> str:
        return "tock"

    @server.tool(meta={"ui": {"visibility": ["model"]}}, structured_output=False)
    def secret() -> str:
        return "for models"

    @server.tool(structured_output=False)
    def announced(context: Context[Any, Any, Any]) -> str:
        params = context.session.client_params
        assert params is not None
        return str((params.capabilities.model_extra or {}).get("extensions"))

    @server.resource(URI, mime_type="text/html;profile=mcp-app")
    def view() -> str:
        return "<p>12:00</p>"

    return server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(make_apps_server().streamable_http_app()) as port:
        yield f"http://127.0.0.1:{port}/mcp"


@contextlib.asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[MCPServer]:
    server = MCPServer("clock", url=url, apps=True, **options)
    yield server
    await server.aclose()


async def test_models_are_offered_what_is_for_models(url: str) -> None:
    async with opened(url) as server, server.offer(RequestContext()) as offer:
        offered = {action.name: action.description for action in offer.actions}

    assert sorted(offered) == ["announced", "secret", "show_clock"]
    assert offered["show_clock"] == f"Shows a clock.\n[UI Resource: {URI}]"


async def test_a_server_without_apps_offers_the_same_tools_as_plain_ones(url: str) -> None:
    server = MCPServer("clock", url=url)
    async with server.offer(RequestContext()) as offer:
        offered = {action.name: action.description for action in offer.actions}
    await server.aclose()

    assert sorted(offered) == ["announced", "secret", "show_clock", "tick"]
    assert offered["show_clock"] == "Shows a clock."


async def test_the_server_learns_that_apps_are_supported(url: str) -> None:
    async with opened(url) as server:
        result = await server.call_raw("announced", {})

    assert result.content == [types.TextContent(type="text", text=str(apps.EXTENSION))]


async def test_a_frame_calls_tools_and_reads_resources_of_its_server(url: str) -> None:
    async with opened(url) as server:
        reference = {"serverHash": server.hash}
        called = await apps.answer(
            [server], {**reference, "method": "tools/call", "params": {"name": "tick"}}
        )
        read = await apps.answer([server], {**reference, "method": "resources/read", "params": {"uri": URI}})
        alive = await apps.answer([server], {"serverId": "clock", "method": "ping"})
        logged = await apps.answer(
            [server],
            {**reference, "method": "notifications/message", "params": {"level": "info", "data": "x"}},
        )

    assert called == {"content": [{"type": "text", "text": "tock"}], "isError": False}
    (content,) = read["contents"]
    assert (content["uri"], content["mimeType"]) == (URI, "text/html;profile=mcp-app")
    assert 'const text = "\\u003cp>12:00\\u003c/p>";' in content["text"]
    assert (alive, logged) == ({}, {"success": True})


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"serverHash": "0" * 32, "method": "ping"}, f"Unknown server: {'0' * 32}"),
        ({"serverId": "other", "method": "ping"}, "Unknown server: other"),
        ({"method": "ping"}, "Unknown server: None"),
        ({"serverId": "clock", "method": "tools/list"}, "MCP method not allowed for UI proxy: tools/list"),
        ({"serverId": "clock", "method": "initialize"}, "MCP method not allowed for UI proxy: initialize"),
        ({"serverId": "clock", "method": ["ping"]}, "MCP method not allowed for UI proxy: ['ping']"),
        ({"serverId": "clock", "method": "tools/call", "params": {"name": "secret"}}, "Unknown tool: secret"),
        ({"serverId": "clock", "method": "tools/call", "params": {"name": "none"}}, "Unknown tool: none"),
        ({"serverId": "clock", "method": "tools/call", "params": "tick"}, "Unknown tool: None"),
        (
            {"serverId": "clock", "method": "resources/read", "params": {"uri": "ui://no"}},
            "MCP request failed",
        ),
        ({"serverId": "clock", "method": "resources/read", "params": {"uri": 7}}, "MCP request failed"),
    ],
)
async def test_a_frame_is_refused_everything_else(url: str, request_: dict[str, Any], error: str) -> None:
    async with opened(url) as server:
        assert await apps.answer([server], request_) == {"error": error}


async def test_a_frame_calls_no_tool_that_the_operator_does_not_offer(url: str) -> None:
    asked = {"serverId": "clock", "method": "tools/call", "params": {"name": "tick"}}
    async with opened(url, tools=["show_clock"]) as server:
        assert await apps.answer([server], asked) == {"error": "Unknown tool: tick"}


async def test_a_server_that_cannot_be_reached_is_an_answer() -> None:
    asked = {"serverId": "clock", "method": "ping"}
    async with opened("http://127.0.0.1:9/mcp") as server:
        assert await apps.answer([server], asked) == {"error": "MCP request failed"}


def test_the_hash_is_that_of_the_configuration_as_javascript_writes_it() -> None:
    text = '{"type":"http","url":"https://mcp.example.com/ü?a=1&b=\\"2\\""}'

    found = apps.server_hash("http", 'https://mcp.example.com/ü?a=1&b="2"')

    assert found == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_the_older_form_of_the_resource_uri_is_understood() -> None:
    tool = types.Tool(name="a", inputSchema={}, _meta={"ui/resourceUri": URI})

    assert apps.resource_uri(tool) == URI
    assert apps.resource_uri(types.Tool(name="a", inputSchema={}, _meta={"ui": {}})) is None
    assert apps.resource_uri(types.Tool(name="a", inputSchema={})) is None


@pytest.mark.parametrize("approve", [True, ["tick"]])
async def test_a_frame_calls_no_tool_that_the_user_has_to_approve(url: str, approve: Any) -> None:
    asked = {"serverId": "clock", "method": "tools/call", "params": {"name": "tick"}}
    async with opened(url, approve=approve) as server:
        assert await apps.answer([server], asked) == {"error": "Unknown tool: tick"}
