"""The real client in front of LangGraph and of CrewAI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.conftest import Serve
from tests.clients.driver import Clients, chat
from tests.providers.parity.conftest import framework, storage
from tests.providers.parity.script import Call, Framework

__all__ = ["framework", "storage"]

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PAINT = {
    "name": "paint",
    "description": "Paints the page",
    "jsonSchema": json.dumps({"type": "object", "properties": {"color": {"type": "string"}}}),
    "available": "enabled",
}


def ask(clients: Clients, url: str, **data: Any) -> dict[str, Any]:
    """What the client has at the end; it may warn of nothing."""
    result = clients.ask("generateCopilotResponse", url, variables=chat("a", **data))
    assert (result["gqlErrors"], result["warnings"]) == ([], [])
    return result


def of_type(result: dict[str, Any], type: str) -> list[dict[str, Any]]:
    return [message for message in result["messages"] if message["type"] == type]


def test_a_tool_of_the_page_is_called_and_its_result_goes_on(
    framework: Framework, clients: Clients, serve: Serve
) -> None:
    call = Call("c1", "paint", ('{"color":', '"green"}'))
    url = serve({"a": framework.chat(lambda texts: [call] if len(texts) == 1 else ["It ", f"{texts[-1]}."])})
    page: dict[str, Any] = {"frontend": {"actions": [PAINT], "url": "http://localhost/"}}
    created = {"createdAt": "2026-01-01T00:00:00.000Z"}
    called = {"name": "paint", "arguments": '{"color":"green"}'}
    result = {"actionExecutionId": "c1", "actionName": "paint", "result": "is green"}

    (message,) = of_type(ask(clients, url, **page), "ActionExecutionMessage")
    history = [
        *chat()["data"]["messages"],
        {**created, "id": "c1", "actionExecutionMessage": called},
        {**created, "id": "r1", "resultMessage": result},
    ]
    (answer,) = of_type(ask(clients, url, messages=history, **page), "TextMessage")

    assert (message["id"], message["name"], message["arguments"]) == ("c1", "paint", {"color": "green"})
    assert answer["content"] == "It is green."


def test_the_page_and_the_agent_share_their_state(
    framework: Framework, clients: Clients, serve: Serve
) -> None:
    url = serve({"a": framework.shopping()})
    state = [{"agentName": "a", "state": '{"items":["bread"]}', "config": "{}"}]

    result = ask(clients, url, content="milk", agentStates=state)

    shared = of_type(result, "AgentStateMessage")[-1]
    assert (shared["agentName"], shared["active"]) == ("a", False)
    assert shared["state"]["items"] == ["bread", "milk"]
    assert [message["content"] for message in of_type(result, "TextMessage")] == ["2 items"]


def test_a_question_is_shown_and_answered(framework: Framework, clients: Clients, serve: Serve) -> None:
    url = serve({"a": framework.booking()})

    (question,) = ask(clients, url)["final"]["generateCopilotResponse"]["metaEvents"]
    answer = {"name": question["name"], "value": question["value"], "response": "yes"}
    (message,) = of_type(ask(clients, url, metaEvents=[answer]), "TextMessage")

    assert (question["name"], question["value"]) == ("LangGraphInterruptEvent", "Book it?")
    assert message["content"] == "You said yes"
