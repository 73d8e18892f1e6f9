"""MCP servers that a frontend names in its request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.tools.actions import Action, call_action
from copilotkit_runtime_py.tools.mcp.client_servers import ClientMCPServers, host_of
from tests.mcp_server import Counting, make_server, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[tuple[str, Counting]]:
    """The URL of an MCP server, and what reached it."""
    app = Counting(make_server().streamable_http_app())
    with served(app) as port:
        yield f"http://127.0.0.1:{port}/mcp", app


def asking(*servers: Any, property: str = "mcpServers") -> RequestContext:
    return RequestContext(properties={property: list(servers)})


async def called(servers: ClientMCPServers, context: RequestContext, name: str, **arguments: Any) -> str:
    async with servers.offer(context) as offer:
        by_name = {action.name: action for action in offer.actions}
        return await call_action(
            by_name[name], json.dumps(arguments), context, call_id="c1", default_timeout=10
        )


async def offered(servers: ClientMCPServers, context: RequestContext) -> list[Action]:
    async with servers.offer(context) as offer:
        return list(offer.actions)


@pytest.mark.parametrize("property", ["mcpServers", "mcpEndpoints"])
async def test_an_allowed_server_is_asked_with_the_clients_key(
    property: str, server: tuple[str, Counting]
) -> None:
    url, app = server
    servers = ClientMCPServers(hosts=["127.0.0.1"], allow_private=True)
    context = asking({"endpoint": url, "apiKey": "k1"}, property=property)
    assert await called(servers, context, "who_asks") == "Bearer k1"
    assert app.requests.count("DELETE /mcp") == 1


async def test_a_server_of_events_is_known_by_its_path() -> None:
    servers = ClientMCPServers(hosts=["127.0.0.1"], allow_private=True)
    with served(make_server().sse_app()) as port:
        context = asking({"endpoint": f"http://127.0.0.1:{port}/sse"})
        assert await called(servers, context, "add", a=2, b=40) == "42"


@pytest.mark.parametrize("hosts", [["*"], ["127.0.0.1"]])
async def test_a_server_inside_is_never_reached_unless_that_is_allowed(
    hosts: list[str], server: tuple[str, Counting]
) -> None:
    url, app = server
    servers = ClientMCPServers(hosts=hosts)
    assert (
        await offered(servers, asking({"endpoint": url}, {"endpoint": url.replace("127.0.0.1", "[::1]")}))
        == []
    )
    assert app.requests == []


async def test_a_host_that_is_not_allowed_is_never_asked(server: tuple[str, Counting]) -> None:
    url, app = server
    servers = ClientMCPServers(hosts=["mcp.example.com"], allow_private=True)
    assert await offered(servers, asking({"endpoint": url})) == []
    assert app.requests == []


async def test_a_request_may_name_so_many_servers_and_no_more(server: tuple[str, Counting]) -> None:
    url, _ = server
    servers = ClientMCPServers(hosts=["*"], allow_private=True, max_servers=2)
    context = asking(*({"endpoint": f"{url}?n={n}"} for n in range(3)))
    names = [action.name for action in await offered(servers, context)]
    assert names.count("add") == 2


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "http://127.0.0.1/mcp",
        {"endpoint": "http://127.0.0.1/mcp"},
        ["http://127.0.0.1/mcp"],
        [{}],
        [{"endpoint": None}],
        [{"endpoint": 7}],
        [{"endpoint": ""}],
        [{"endpoint": "file:///etc/passwd"}],
        [{"endpoint": "stdio:sh"}],
        [{"endpoint": "http://"}],
        [{"endpoint": "http://user:password@127.0.0.1/"}],
        [{"endpoint": "http://[::1"}],
        [{"endpoint": "http://127.0.0.1:99999/"}],
    ],
)
async def test_what_is_no_list_of_servers_offers_nothing(asked: Any) -> None:
    servers = ClientMCPServers(hosts=["*"])
    assert await offered(servers, RequestContext(properties={"mcpServers": asked})) == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://MCP.Example.com/x", "mcp.example.com"),
        ("https://mcp.example.com.evil.test/", "mcp.example.com.evil.test"),
        ("https://evil.test#@mcp.example.com/", "evil.test"),
        ("https://evil.test\\@mcp.example.com/", None),
        ("https://mcp.example.com@evil.test/", None),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("ftp://mcp.example.com/", None),
        ("//mcp.example.com/", None),
    ],
)
async def test_the_host_of_a_url_is_the_one_that_is_connected_to(url: str, host: str | None) -> None:
    assert host_of(url) == host


async def test_a_server_that_never_says_goodbye_does_not_hold_up_the_run() -> None:
    inner = make_server().streamable_http_app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "DELETE":
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await inner(scope, receive, send)

    servers = ClientMCPServers(hosts=["*"], allow_private=True)
    with served(app) as port:
        async with asyncio.timeout(10):
            context = asking({"endpoint": f"http://127.0.0.1:{port}/mcp"})
            assert await called(servers, context, "add", a=2, b=40) == "42"
