"""The tools of real MCP servers as backend actions."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio.lowlevel
import pytest
from starlette.types import Message, Receive, Scope, Send

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import ConfigurationError
from copilotkit_runtime_py.tools.actions import Action, call_action
from copilotkit_runtime_py.tools.mcp.servers import MCPServer, MCPTools
from tests.mcp_server import PNG, Counting, make_server, served

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

CONTEXT = RequestContext()
STDIO: dict[str, Any] = {"command": sys.executable, "args": ["-m", "tests.mcp_server"], "connect_timeout": 30}

Opened = contextlib.AbstractAsyncContextManager[MCPServer]


@contextlib.asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[MCPServer]:
    server = MCPServer("test", **options)
    yield server
    await server.aclose()


@contextlib.contextmanager
def over_stdio(**options: Any) -> Iterator[Opened]:
    yield opened(**STDIO, **options)


@contextlib.contextmanager
def over_http(**options: Any) -> Iterator[Opened]:
    with served(make_server().streamable_http_app()) as port:
        yield opened(url=f"http://127.0.0.1:{port}/mcp", **options)


@contextlib.contextmanager
def over_sse(**options: Any) -> Iterator[Opened]:
    with served(make_server().sse_app()) as port:
        yield opened(url=f"http://127.0.0.1:{port}/sse", transport="sse", **options)


Open = Callable[..., contextlib.AbstractContextManager[Opened]]


@pytest.fixture(params=[over_stdio, over_http, over_sse], ids=["stdio", "http", "sse"])
def open_server(request: pytest.FixtureRequest) -> Open:
    opener: Open = request.param
    return opener


async def offered(server: MCPTools) -> dict[str, Action]:
    async with server.offer(CONTEXT) as offer:
        return {action.name: action for action in offer.actions}


async def call(server: MCPTools, name: str, **arguments: Any) -> str:
    action = (await offered(server))[name]
    return await call_action(action, json.dumps(arguments), CONTEXT, call_id="c1", default_timeout=10)


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}, "result": ""}


async def test_the_tools_of_a_server_are_actions(open_server: Open) -> None:
    with open_server() as opening:
        async with opening as server:
            actions = await offered(server)
            add = actions["add"]
            assert add.description == "Adds two numbers."
            assert set(add.parameters["properties"]) == {"a", "b"}
            assert add.parameters["required"] == ["a", "b"]
            assert await call(server, "add", a=2, b=40) == "42"
            assert await call(server, "weather_now", city="Nice") == "sunny in Nice"


async def test_results_of_every_kind_are_told() -> None:
    with over_http() as opening:
        async with opening as server:
            assert json.loads(await call(server, "describe")) == {"size": 3}
            assert await call(server, "lines") == "one\ntwo"
            (picture,) = json.loads(await call(server, "picture"))
            assert picture == {
                "type": "image",
                "data": base64.b64encode(PNG).decode(),
                "mimeType": "image/png",
            }


async def test_a_tool_that_fails_is_a_failed_action() -> None:
    with over_http() as opening:
        async with opening as server:
            result = json.loads(await call(server, "fail"))
            assert result == error("TOOL_ERROR", "Error executing tool fail: no such city")
            refused = json.loads(await call(server, "add", a="two"))
            assert refused["error"]["code"] == "TOOL_ERROR"


async def test_a_call_that_takes_too_long_ends_and_the_session_stays() -> None:
    with over_http(timeout=0.2) as opening:
        async with opening as server:
            assert json.loads(await call(server, "hang"))["error"]["code"] == "TIMEOUT"
            assert await call(server, "weather_now", city="Nice") == "sunny in Nice"


async def test_calls_of_the_same_time_share_one_session() -> None:
    app = Counting(make_server().streamable_http_app())
    with served(app) as port:
        async with opened(url=f"http://127.0.0.1:{port}/mcp") as server:
            sums = await asyncio.gather(*(call(server, "add", a=n, b=n) for n in range(10)))
    assert sums == [str(2 * n) for n in range(10)]
    assert app.requests.count("DELETE /mcp") == 1


async def test_only_the_chosen_tools_are_offered() -> None:
    with over_http(tools=["weather.now"], agents=["a"]) as opening:
        async with opening as server:
            actions = await offered(server)
    assert [(name, action.agents) for name, action in actions.items()] == [("weather_now", ["a"])]


@pytest.mark.parametrize(
    ("approve", "needing"),
    [
        (["add", "weather_now"], {"add", "weather_now"}),
        (["weather.now"], {"weather_now"}),
        (True, {"add", "weather_now"}),
        (False, set()),
    ],
)
async def test_the_user_has_to_approve_calls_of_some_tools(approve: Any, needing: set[str]) -> None:
    with over_http(tools=["add", "weather.now"], approve=approve) as opening:
        async with opening as server:
            actions = await offered(server)
    assert {name for name, action in actions.items() if action.approval} == needing


async def test_headers_go_along() -> None:
    with over_http(headers={"authorization": "Bearer secret"}) as opening:
        async with opening as server:
            assert await call(server, "who_asks") == "Bearer secret"


async def test_a_new_tool_is_offered_once_the_server_told_of_it(open_server: Open) -> None:
    with open_server() as opening:
        async with opening as server:
            assert "learned" not in await offered(server)
            await call(server, "learn")
            async with asyncio.timeout(10):
                while "learned" not in await offered(server):
                    await anyio.lowlevel.checkpoint()
            assert await call(server, "learned") == "new"


async def test_a_program_that_ends_is_started_again() -> None:
    async with opened(**STDIO) as server:
        assert json.loads(await call(server, "leave")) == error(
            "HANDLER_ERROR", "The connection to the tool's server broke."
        )
        assert await call(server, "add", a=1, b=1) == "2"


@pytest.mark.parametrize("how", ["ends", "is cut"])
async def test_a_call_fails_at_once_when_its_answer_breaks_off(how: str) -> None:
    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        messages = [await receive()] if scope["type"] == "http" and scope["method"] == "POST" else []
        if b"tools/call" not in (messages[0]["body"] if messages else b""):
            return await app(scope, lambda: _next(messages, receive), send)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": how == "is cut"})

    app = make_server().streamable_http_app()
    with served(cut) as port:
        async with opened(url=f"http://127.0.0.1:{port}/mcp") as server:
            assert json.loads(await call(server, "hang")) == error(
                "HANDLER_ERROR", "The connection to the tool's server broke."
            )


async def _next(messages: list[Message], receive: Receive) -> Message:
    return messages.pop() if messages else await receive()


async def test_a_server_that_was_restarted_is_asked_again() -> None:
    with served(make_server().streamable_http_app()) as port:
        server = MCPServer("test", url=f"http://127.0.0.1:{port}/mcp")
        add = (await offered(server))["add"]
    with served(make_server().streamable_http_app(), port):
        assert await call_action(add, '{"a": 1, "b": 1}', CONTEXT, call_id="c1", default_timeout=10) == "2"
        await server.aclose()


def scripted_program(tools: list[dict[str, Any]]) -> str:
    """The source of a server that knows these tools, whatever the protocol says of them."""
    server = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
    server["serverInfo"] = {"name": "scripted", "version": "1"}
    return f"""
import json, sys
answers = {{"initialize": {server!r}, "tools/list": {{"tools": {tools!r}}}}}
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] in answers:
        print(json.dumps(dict(jsonrpc="2.0", id=asked["id"], result=answers[asked["method"]])), flush=True)
"""


async def test_a_tool_without_a_name_is_not_offered() -> None:
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("", "add")]
    async with opened(command=sys.executable, args=["-c", scripted_program(tools)]) as server:
        assert list(await offered(server)) == ["add"]


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://127.0.0.1:1/mcp"},
        {"url": "http://127.0.0.1:1/sse", "transport": "sse"},
        {"command": "/no/such/program"},
        {"command": sys.executable, "args": ["-c", "pass"]},
        {"command": sys.executable, "args": ["-c", "input()"], "connect_timeout": 0.2},
        {"command": sys.executable, "args": ["-c", scripted_program([{"title": "nameless"}])]},
    ],
)
async def test_a_server_that_tells_no_tools_has_none(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(**options) as server:
        assert await offered(server) == {}
        assert await offered(server) == {}  # at once, for it was just tried
    ours = [record for record in caplog.records if record.name.startswith("copilotkit_runtime_py")]
    assert [record.levelno for record in ours] == [logging.WARNING]


@pytest.mark.parametrize(
    "options", [{}, {"url": "http://x/mcp", "command": "x"}, {"name": "my server", "url": "http://x/mcp"}]
)
def test_a_server_needs_a_name_and_one_place(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        MCPServer(**{"name": "test", **options})


def test_a_single_name_is_no_list_of_tools_to_approve() -> None:
    with pytest.raises(ConfigurationError, match="give a list of names"):
        MCPServer("files", url="http://127.0.0.1:9", approve="delete")
