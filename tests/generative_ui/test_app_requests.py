"""What a hostile frame of an MCP App gets by the runtime: nothing but its own server's answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header
from mcp.server.fastmcp import FastMCP

from copilotkit_runtime_py import CopilotRuntime, Limits, MCPServer, RequestContext, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.tools.mcp import apps
from tests.mcp_server import served
from tests.protocols.agui.served import Event, run_body
from tests.tools.test_mcp_apps import make_apps_server

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

ADA, EVE = {"x-user": "ada"}, {"x-user": "eve"}
PING = {"serverId": "clock", "method": "ping"}


def user(x_user: Annotated[str, Header()]) -> str:
    return x_user


class Keeper:
    """An agent that tells a secret."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, input: Any) -> AsyncIterator[Event]:
        self.runs += 1
        yield events.text_start("m1")
        yield events.text_content("m1", "the secret")
        yield events.state_snapshot({"pin": 1234})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(make_apps_server().streamable_http_app()) as port:
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture
async def clock(url: str) -> AsyncIterator[MCPServer]:
    server = MCPServer("clock", url=url, apps=True, agents=["a"])
    yield server
    await server.aclose()


def client(runtime: CopilotRuntime) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(create_router(runtime, path="/c", identify=user))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/c")


async def ask(page: httpx.AsyncClient, headers: dict[str, str], asked: Any, agent: str = "a") -> str:
    body = run_body(forwardedProps={"__proxiedMCPRequest": asked})
    return (await page.post(f"agent/{agent}/run", json=body, headers=headers)).text


async def test_a_frame_on_another_users_thread_learns_and_changes_nothing(clock: MCPServer) -> None:
    agent = Keeper()
    runtime = CopilotRuntime({"a": agent}, mcp_servers=[clock])
    async with client(runtime) as page:
        await page.post("agent/a/run", json=run_body(), headers=ADA)
        before = await runtime.state_store.read_runs("ada", "t1")
        stream = await ask(page, EVE, PING)

    assert [line for line in stream.splitlines() if line] == [
        'data: {"type":"RUN_STARTED","threadId":"t1","runId":"r1"}',
        'data: {"type":"RUN_FINISHED","threadId":"t1","runId":"r1","result":{}}',
    ]
    assert await runtime.state_store.read_runs("ada", "t1") == before
    assert await runtime.state_store.list_threads("eve") == []
    assert agent.runs == 1


async def test_a_frame_reaches_no_server_of_another_agent(clock: MCPServer) -> None:
    agent = Keeper()
    runtime = CopilotRuntime({"a": agent, "b": agent}, mcp_servers=[clock])
    async with client(runtime) as page:
        for asked in (PING, {"serverHash": clock.hash, "method": "ping"}):
            stream = await ask(page, EVE, asked, agent="b")
            assert '"result":{"error":"Unknown server: ' in stream

    assert agent.runs == 0


async def test_a_frame_of_an_agent_that_its_user_may_not_use_gets_nothing(clock: MCPServer) -> None:
    def only_ada(context: RequestContext, agent_name: str) -> bool:
        return context.owner == "ada"

    runtime = CopilotRuntime({"a": Keeper()}, mcp_servers=[clock], authorize=only_ada)
    async with client(runtime) as page:
        assert '"result":{}' in await ask(page, ADA, PING)
        assert "result" not in await ask(page, EVE, PING)


async def test_requests_of_frames_count_as_runs(clock: MCPServer) -> None:
    limits = Limits(runs_per_minute_per_owner=2)
    runtime = CopilotRuntime({"a": Keeper()}, mcp_servers=[clock], limits=limits)
    async with client(runtime) as page:
        answers = [await ask(page, EVE, PING) for _ in range(3)]

    assert ['"result":{}' in answer for answer in answers] == [True, True, False]
    assert "RATE_LIMITED" in answers[-1]


@pytest.mark.parametrize("asked", [{"serverId": "x" * 100_000}, {**PING, "method": "x" * 100_000}])
async def test_an_error_repeats_little_of_what_a_frame_sent(clock: MCPServer, asked: Any) -> None:
    assert len((await apps.answer([clock], asked))["error"]) < 300


async def test_an_answer_that_is_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "_MAX_BYTES", 1024 * 1024)
    hostile = FastMCP("large", log_level="ERROR")

    @hostile.tool(meta={"ui": {"resourceUri": "ui://large"}}, structured_output=False)
    def shout() -> str:
        return "x" * 2_000_000

    @hostile.resource("ui://large", mime_type="text/html;profile=mcp-app")
    def view() -> str:
        return "<p>" * 1_000_000

    with served(hostile.streamable_http_app()) as port:
        server = MCPServer("large", url=f"http://127.0.0.1:{port}/mcp", apps=True)
        for method, params in (
            ("tools/call", {"name": "shout"}),
            ("resources/read", {"uri": "ui://large"}),
        ):
            asked = {"serverId": "large", "method": method, "params": params}
            assert await apps.answer([server], asked) == {"error": "The server's answer exceeds 1 MiB."}
        await server.aclose()
