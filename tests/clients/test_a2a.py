"""An A2A agent behind a URL, and the real client of the GraphQL contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.conftest import Serve
from tests.clients.driver import VERSIONS, Clients, chat
from tests.providers.a2a.server import Server, a2a_server

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a2a_server() as server:
        yield server


@pytest.mark.parametrize("version", VERSIONS)
def test_a_question_is_answered_and_its_task_goes_on(
    server: Server, clients: Clients, serve: Serve, version: str
) -> None:
    url = serve({"a": f"a2a+{server.url}"})

    def ask(**data: Any) -> dict[str, Any]:
        variables = chat("a", "ask", **data)
        result = clients.ask("generateCopilotResponse", url, version=version, variables=variables)
        assert (result["gqlErrors"], result["warnings"]) == ([], [])
        return result

    first = ask()
    (question,) = first["final"]["generateCopilotResponse"]["metaEvents"]
    assert question["value"] == "For how many?"
    answer = {"name": question["name"], "value": question["value"], "response": "two"}
    second = ask(metaEvents=[answer])
    texts = [each["content"] for each in second["messages"] if each["type"] == "TextMessage"]
    assert texts == ["booked for two"]
    variables = {"data": {"threadId": "t1", "agentName": "a"}}
    loaded = clients.ask("loadAgentState", url, version=version, variables=variables)
    stored = json.loads(loaded["data"]["loadAgentState"]["messages"])
    assert [each["content"] for each in stored if each.get("role") == "user"] == ["ask"]
    assert stored[-1]["content"] == "booked for two"
