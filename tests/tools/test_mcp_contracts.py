"""The tools of MCP servers, from a request of either contract to its answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.tools.mcp.client_servers import ClientMCPServers
from copilotkit_runtime_py.tools.mcp.servers import MCPServer
from tests.mcp_server import make_server, served

pytestmark = pytest.mark.anyio

MUTATION = """mutation ($data: GenerateCopilotResponseInput!, $properties: JSONObject) {
  generateCopilotResponse(data: $data, properties: $properties) {
    messages { ... on ResultMessageOutput { result } ... on TextMessageOutput { content } }
  }
}"""


class Adding:
    """An agent that calls `add`, says the result, and keeps what it was asked."""

    def __init__(self) -> None:
        self.inputs: list[RunAgentInput] = []

    async def run(self, input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        self.inputs.append(input)
        last = input.messages[-1]
        if last.role == "tool":
            yield events.text_start("m1")
            yield events.text_content("m1", f"It is {last.content}.")
        elif any(tool.name == "add" for tool in input.tools or ()):
            yield events.tool_call_start("c1", "add")
            yield events.tool_call_args("c1", '{"a": 2, "b": 40}')


@pytest.fixture
def mcp_url() -> Iterator[str]:
    with served(make_server().streamable_http_app()) as port:
        yield f"http://127.0.0.1:{port}/mcp"


async def over_graphql(client: httpx.AsyncClient, properties: dict[str, Any]) -> list[dict[str, Any]]:
    message = {
        "id": "u1",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "textMessage": {"content": "2 + 40?", "role": "user"},
    }
    data = {"threadId": "t1", "metadata": {}, "frontend": {"actions": []}, "messages": [message]}
    body = {"query": MUTATION, "variables": {"data": data, "properties": properties}}
    answer = await client.post("", json=body, headers={"accept": "application/json"})
    found: list[dict[str, Any]] = answer.json()["data"]["generateCopilotResponse"]["messages"]
    return [message for message in found if message]


async def over_agui(client: httpx.AsyncClient, properties: dict[str, Any]) -> list[dict[str, Any]]:
    body = {
        "threadId": "t1",
        "runId": "r1",
        "messages": [{"id": "u1", "role": "user", "content": "2 + 40?"}],
        "tools": [],
        "context": [],
        "forwardedProps": properties,
    }
    answer = await client.post("/agent/default/run", json=body)
    sent = [
        json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line[:5] == "data:"
    ]
    return [
        {"result": event["content"]} if event["type"] == "TOOL_CALL_RESULT" else {"content": [event["delta"]]}
        for event in sent
        if event["type"] in ("TOOL_CALL_RESULT", "TEXT_MESSAGE_CONTENT")
    ]


@pytest.mark.parametrize("ask", [over_graphql, over_agui])
@pytest.mark.parametrize("named_by", ["operator", "page", "page, and not allowed"])
async def test_an_agent_calls_a_tool_of_a_server(ask: Any, named_by: str, mcp_url: str) -> None:
    named = {"mcpServers": [{"endpoint": mcp_url, "apiKey": "secret"}], "plan": "p"}
    choices: dict[str, list[Any]] = {
        "operator": [MCPServer("test", url=mcp_url)],
        "page": [ClientMCPServers(hosts=["127.0.0.1"], allow_private=True)],
        "page, and not allowed": [ClientMCPServers(hosts=["127.0.0.1"])],
    }
    agent = Adding()
    runtime = CopilotRuntime({"default": agent}, mcp_servers=choices[named_by])
    app = FastAPI()
    app.include_router(create_router(runtime, path="/copilotkit"))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost/copilotkit"
    ) as client:
        shown = await ask(client, {} if named_by == "operator" else named)
    logs = await runtime.state_store.read_runs("anonymous", "t1")
    assert "2 + 40?" in str(logs)
    assert "secret" not in str(logs)
    await runtime.aclose()
    if named_by == "page, and not allowed":
        assert shown == []
    else:
        assert shown == [{"result": "42"}, {"content": ["It is 42."]}]
    for input in agent.inputs:
        assert "secret" not in input.model_dump_json()
        assert ('"plan":"p"' in input.model_dump_json()) is (named_by != "operator")
