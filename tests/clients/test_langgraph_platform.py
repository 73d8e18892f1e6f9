"""The real client of the GraphQL contract in front of graphs on a LangGraph server."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client

from copilotkit_runtime_py.providers.langgraph_platform.provider import LangGraphPlatform
from tests.clients.conftest import Serve
from tests.clients.driver import Clients, chat
from tests.langgraph_server import LangGraphDev
from tests.providers.langgraph_platform.conftest import server

__all__ = ["server"]

LOAD = """query ($data: LoadAgentStateInput!) {
    loadAgentState(data: $data) { threadId threadExists state messages }
}"""

pytestmark = [pytest.mark.clients, pytest.mark.processes]


def ask(clients: Clients, url: str, **data: Any) -> dict[str, Any]:
    result = clients.ask("generateCopilotResponse", url, variables=chat("a", **data))
    assert (result["gqlErrors"], result["warnings"]) == ([], [])
    return result


def of_type(result: dict[str, Any], type: str) -> list[dict[str, Any]]:
    return [message for message in result["messages"] if message["type"] == type]


def test_text_and_state_arrive_and_are_loaded_again(
    server: LangGraphDev, clients: Clients, serve: Serve
) -> None:
    thread = str(uuid.uuid4())
    url = serve({"a": LangGraphPlatform(server.url, graph="chat")})

    result = ask(clients, url, threadId=thread, content="hi")
    again = serve({"a": LangGraphPlatform(server.url, graph="chat")})
    variables = {"data": {"threadId": thread, "agentName": "a"}}
    loaded = httpx.post(again, json={"query": LOAD, "variables": variables}, trust_env=False).json()

    assert [message["content"] for message in of_type(result, "TextMessage")] == ["Reply 1 to hi"]
    state = of_type(result, "AgentStateMessage")[-1]["state"]
    assert (state["steps"], state["note"]) == (["answer", "note"], "2 messages")
    found = loaded["data"]["loadAgentState"]
    assert found["threadExists"] is True
    assert json.loads(found["state"])["note"] == "2 messages"
    assert "Reply 1 to hi" in found["messages"]


def test_a_question_is_shown_and_answered(server: LangGraphDev, clients: Clients, serve: Serve) -> None:
    thread = str(uuid.uuid4())
    url = serve({"a": LangGraphPlatform(server.url, graph="questions")})

    (question,) = ask(clients, url, threadId=thread)["final"]["generateCopilotResponse"]["metaEvents"]
    answer = {"name": question["name"], "value": question["value"], "response": "Bob"}
    (question,) = ask(clients, url, threadId=thread, metaEvents=[answer])["final"]["generateCopilotResponse"][
        "metaEvents"
    ]
    answer = {"name": question["name"], "value": question["value"], "response": "42"}
    result = ask(clients, url, threadId=thread, metaEvents=[answer])

    assert [message["content"] for message in of_type(result, "TextMessage")] == ["Bob is 42"]


def test_a_client_that_leaves_cancels_the_run_on_the_server(
    server: LangGraphDev, clients: Clients, serve: Serve
) -> None:
    thread = str(uuid.uuid4())
    url = serve({"a": LangGraphPlatform(server.url, graph="counts")})

    asked = chat("a", "1000", thread)
    request = clients.start("generateCopilotResponse", url, variables=asked, watch=True)
    request.wait_for_emission(3)
    request.abort()
    request.result()

    client = get_sync_client(url=server.url)
    (run,) = client.runs.list(thread)
    client.runs.join(thread, run["run_id"])
    assert client.runs.get(thread, run["run_id"])["status"] == "interrupted"
    client.http.client.close()
