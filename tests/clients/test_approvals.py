"""Calls that the user has to approve, and the real clients of the GraphQL contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.approving_agents import AGENTS, Mails
from tests.clients.conftest import Serve
from tests.clients.driver import NEWEST, VERSIONS, Clients, chat
from tests.providers.parity.conftest import storage

__all__ = ["storage"]

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

CREATED = {"createdAt": "2026-01-01T00:00:00.000Z"}
CALLED = {"name": "send", "arguments": '{"to":"bob"}'}


def history(call: dict[str, Any], *more: dict[str, Any]) -> list[dict[str, Any]]:
    """The conversation as the page sends it back."""
    called = {**CALLED, "parentMessageId": call["parentMessageId"]}
    called = {**CREATED, "id": call["id"], "actionExecutionMessage": called}
    return [*chat()["data"]["messages"], called, *more]


def of_type(result: dict[str, Any], type: str) -> list[dict[str, Any]]:
    return [message for message in result["messages"] if message["type"] == type]


def ask(clients: Clients, url: str, version: str = NEWEST, **data: Any) -> dict[str, Any]:
    result = clients.ask("generateCopilotResponse", url, version=version, variables=chat("a", **data))
    assert (result["gqlErrors"], result["warnings"]) == ([], [])
    return result


def questions(result: dict[str, Any]) -> list[dict[str, Any]]:
    return result["final"]["generateCopilotResponse"]["metaEvents"]  # type: ignore[no-any-return]


def answer(question: dict[str, Any], response: Any) -> list[dict[str, Any]]:
    """The answer as `useLangGraphInterrupt` sends it: the page has parsed the question."""
    value = json.dumps(json.loads(question["value"]), separators=(",", ":"), ensure_ascii=False)
    return [{"name": question["name"], "value": value, "response": json.dumps(response)}]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("approved", [True, False], ids=["granted", "denied"])
def test_an_approval_is_a_question_whose_answer_supplies_the_result(
    clients: Clients, serve: Serve, version: str, approved: bool
) -> None:
    mails = Mails()
    url = serve({"a": AGENTS["function"]()}, actions=mails.actions)
    first = ask(clients, url, version)
    (call,) = of_type(first, "ActionExecutionMessage")
    (question,) = questions(first)
    asked = json.loads(question["value"])
    assert (asked["message"], asked["reason"], asked["toolCallId"]) == ("Send it?", "tool_call", call["id"])
    assert "bob" not in question["value"]
    meta_events = answer(question, {"approved": approved})
    second = ask(clients, url, version, messages=history(call), metaEvents=meta_events)
    (result,) = of_type(second, "ResultMessage")
    assert (result["actionExecutionId"], result["actionName"]) == (call["id"], "send")
    assert mails.sent == (["bob"] if approved else [])
    (said,) = of_type(second, "TextMessage")
    assert said["content"] == f"Result: {'sent to bob' if approved else result['result']}"
    assert questions(second) == []


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("approved", [True, False], ids=["granted", "denied"])
def test_agents_of_every_framework_go_on_after_the_answer(
    clients: Clients, serve: Serve, storage: Any, name: str, approved: bool
) -> None:
    mails = Mails()
    url = serve({"a": AGENTS[name]()}, actions=mails.actions)
    first = ask(clients, url)
    (call,) = of_type(first, "ActionExecutionMessage")
    meta_events = answer(questions(first)[0], {"approved": approved})
    second = ask(clients, url, messages=history(call), metaEvents=meta_events)
    (said,) = of_type(second, "TextMessage")
    (result,) = of_type(second, "ResultMessage")
    assert ("sent to bob" if approved else "DENIED") in said["content"]
    assert mails.sent == (["bob"] if approved else [])
    variables = {"data": {"threadId": "t1", "agentName": "a"}}
    stored = clients.ask("loadAgentState", url, variables=variables)["data"]["loadAgentState"]
    shown = json.loads(stored["messages"])
    assert [each.get("content") or each.get("name") or each.get("result") for each in shown] == [
        "Hi",
        "send",
        result["result"],
        said["content"],
    ]


def test_a_second_answer_runs_nothing(clients: Clients, serve: Serve) -> None:
    mails = Mails()
    url = serve({"a": AGENTS["function"]()}, actions=mails.actions)
    first = ask(clients, url)
    (call,) = of_type(first, "ActionExecutionMessage")
    meta_events = answer(questions(first)[0], {"approved": True})
    for _ in range(2):
        ask(clients, url, messages=history(call), metaEvents=meta_events)
    assert mails.sent == ["bob"]


def test_a_message_instead_of_an_answer_leaves_a_valid_conversation(clients: Clients, serve: Serve) -> None:
    mails = Mails()
    url = serve({"a": AGENTS["chat"]()}, actions=mails.actions)
    (call,) = of_type(ask(clients, url), "ActionExecutionMessage")
    later = {**CREATED, "id": "u2", "textMessage": {"content": "never mind", "role": "user"}}
    second = ask(clients, url, messages=history(call, later))
    (result,) = of_type(second, "ResultMessage")
    assert json.loads(result["result"])["error"]["code"] == "NOT_ANSWERED"
    assert mails.sent == []


def test_an_approval_is_answered_after_a_restart(clients: Clients, serve: Serve, tmp_path: Path) -> None:
    mails = Mails()
    options: dict[str, Any] = {"actions": mails.actions, "state_store": f"sqlite:///{tmp_path}/threads.db"}
    first = ask(clients, serve({"a": AGENTS["function"]()}, **options))
    (call,) = of_type(first, "ActionExecutionMessage")
    meta_events = answer(questions(first)[0], {"approved": True})
    later = serve({"a": AGENTS["function"]()}, **options)
    second = ask(clients, later, messages=history(call), metaEvents=meta_events)
    assert of_type(second, "TextMessage")[0]["content"] == "Result: sent to bob"
    assert mails.sent == ["bob"]
