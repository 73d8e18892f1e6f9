"""Guardrails as the clients of this contract ask for them, and what the page shows of a denial."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from copilotkit_runtime_py.guardrails import CloudValidator, Guardrails
from tests.clients.conftest import Serve
from tests.clients.driver import SHOWING_NO_FAILURE, VERSIONS, Clients, chat
from tests.scripted_agent import ScriptedAgent, Step, run, text

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("version", VERSIONS)]

SERVER_KEY, CLIENT_KEY = "ck_pub_server_77", "ck_pub_client_31"
VALIDATE = "guardrails/validate"


def verdict(body: dict[str, Any]) -> list[Step]:
    """Answers as the cloud did where the contract was recorded."""
    if "down" in body["input"]:
        return [{"http": {"status": 500, "body": '{"error": "broken"}'}}]
    denied = {"status": "denied", "reason": "Topic is not allowed"}
    answer = denied if "deny" in body["input"] else {"status": "allowed"}
    return [{"http": {"status": 200, "body": json.dumps(answer)}}]


@pytest.fixture
def cloud() -> Iterator[ScriptedAgent]:
    with ScriptedAgent({VALIDATE: verdict}) as server:
        yield server


def guarded(cloud: ScriptedAgent, **rules: Any) -> Guardrails:
    return Guardrails(CloudValidator(SERVER_KEY, base_url=cloud.base_url), **rules)


def asked(content: str, **rules: list[str]) -> dict[str, Any]:
    return chat("a", content, cloud={"guardrails": {"inputValidationRules": rules}})


def ask(clients: Clients, url: str, version: str, variables: dict[str, Any]) -> dict[str, Any]:
    key = {"publicApiKey": CLIENT_KEY}
    return clients.ask("generateCopilotResponse", url, version=version, variables=variables, **key)


def test_an_allowed_message_is_answered(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent, cloud: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "Hello")))}, guardrails=guarded(cloud))
    result = ask(clients, url, version, asked("Hi", allowList=["cats"], denyList=["politics"]))
    response = result["final"]["generateCopilotResponse"]
    assert response["status"]["code"] == "Success"
    assert [message["content"] for message in result["messages"]] == ["Hello"]
    (call,) = cloud.calls
    assert call.input == {
        "input": "Hi",
        "validTopics": ["cats"],
        "invalidTopics": ["politics"],
        "messages": [],
    }
    assert call.headers["x-copilotcloud-public-api-key"] == SERVER_KEY
    sent = agent.calls[0]
    assert not {SERVER_KEY, CLIENT_KEY} & set(json.dumps([sent.headers, sent.input]).split('"'))


@pytest.mark.parametrize("by", ["server", "client"])
def test_a_denial_is_shown_as_recorded_and_the_agent_is_not_called(
    by: str, version: str, clients: Clients, serve: Serve, agent: ScriptedAgent, cloud: ScriptedAgent
) -> None:
    rules = {"deny": ["politics"]} if by == "server" else {}
    url = serve({"a": agent.play("a", run(*text("m1", "secret")))}, guardrails=guarded(cloud, **rules))
    variables = chat("a", "please deny") if by == "server" else asked("please deny")
    result = ask(clients, url, version, variables)
    response = result["final"]["generateCopilotResponse"]
    assert response["status"] == {
        "code": "Failed",
        "reason": "GUARDRAILS_VALIDATION_FAILED",
        "details": {"guardrailsReason": "Topic is not allowed"},
        "__typename": "FailedResponseStatus",
    }
    # Pages of the oldest version look at no status without a message, and show the reason in its place.
    texts = ["Topic is not allowed"] if version in SHOWING_NO_FAILURE else []
    assert [message["content"] for message in result["messages"]] == texts
    assert ("threw" in result, agent.calls) == (False, [])


def test_an_outage_ends_the_answer(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent, cloud: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "secret")))}, guardrails=guarded(cloud))
    result = ask(clients, url, version, asked("the cloud is down"))
    status = result["final"]["generateCopilotResponse"]["status"]
    assert (status["code"], status["reason"]) == ("Failed", "UNKNOWN_ERROR")
    assert status["details"]["description"] == "The message could not be checked. Please try again."
    texts = [status["details"]["description"]] if version in SHOWING_NO_FAILURE else []
    assert ([message["content"] for message in result["messages"]], agent.calls) == (texts, [])


def test_the_follow_up_after_a_tool_is_answered(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent, cloud: ScriptedAgent
) -> None:
    call = [
        {"event": {"type": "TOOL_CALL_START", "toolCallId": "c1", "toolCallName": "paint"}},
        {"event": {"type": "TOOL_CALL_END", "toolCallId": "c1"}},
    ]
    scripts = [run(*call), run(*text("m2", "Done"))]
    url = serve({"a": agent.play("a", lambda body: scripts.pop(0))}, guardrails=guarded(cloud))
    variables = asked("paint it")
    ask(clients, url, version, variables)
    created = "2026-01-01T00:00:00.000Z"
    action = {"name": "paint", "arguments": "{}", "parentMessageId": "c1"}
    result = {"actionExecutionId": "c1", "actionName": "paint", "result": "red"}
    variables["data"]["messages"] += [
        {"id": "c1", "createdAt": created, "actionExecutionMessage": action},
        {"id": "result-c1", "createdAt": created, "resultMessage": result},
    ]
    told = ask(clients, url, version, variables)
    assert [message["content"] for message in told["messages"]] == ["Done"]
    assert len(cloud.calls) == 1


def test_a_page_that_asks_without_a_key_is_told_so(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent, cloud: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", run())}, guardrails=guarded(cloud))
    result = clients.ask("generateCopilotResponse", url, version=version, variables=asked("Hi"))
    assert result["threw"]["message"] == "[GraphQL] X-CopilotCloud-Public-API-Key header is required"
    assert (cloud.calls, agent.calls) == ([], [])
