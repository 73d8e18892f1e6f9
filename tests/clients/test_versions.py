"""The generations of the client that speak this contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.conftest import Serve
from tests.clients.driver import OLDEST, SHOWING_NO_FAILURE, VERSIONS, Clients, chat
from tests.clients.wire import TIMESTAMP, comparable, comparable_message, generated
from tests.scripted_agent import RUN_STARTED, ScriptedAgent, Step, ask_name, echo, run, text

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("version", VERSIONS)]

SUCCESS = {"code": "Success", "__typename": "SuccessMessageStatus"}


def event(type: str, **fields: Any) -> Step:
    return {"event": {"type": type, **fields}}


def call(name: str, arguments: str, id: str = "c1") -> list[Step]:
    return [
        event("TOOL_CALL_START", toolCallId=id, toolCallName=name),
        event("TOOL_CALL_ARGS", toolCallId=id, delta=arguments),
        event("TOOL_CALL_END", toolCallId=id),
    ]


def config_field(version: str) -> str:
    """The field of an agent state in which a version's `useCoAgent` sends an agent's configuration."""
    return "configurable" if version == OLDEST else "config"


def said(clients: Clients, version: str, url: str, variables: dict[str, Any]) -> dict[str, Any]:
    """What the client has at the end; it may warn of nothing."""
    result = clients.ask("generateCopilotResponse", url, version=version, variables=variables)
    assert (result["gqlErrors"], result["warnings"]) == ([], [])
    return {
        "response": comparable(result["final"]),
        "messages": [comparable_message(message) for message in result["messages"]],
    }


def test_text_streams(version: str, clients: Clients, serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "Hel", "lo ", "wörld 🦊", delay=1)))})
    answer = said(clients, version, url, chat("a"))
    assert answer["response"]["status"]["code"] == "Success"
    assert answer["messages"] == [
        {
            "id": "m1",
            "type": "TextMessage",
            "role": "assistant",
            "content": "Hello wörld 🦊",
            "parentMessageId": None,
            "status": SUCCESS,
        }
    ]


def test_a_frontend_action_is_called_and_answered(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", run(*call("setColor", '{"color": "red"}')))})
    schema = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
    action = {"name": "setColor", "description": "Sets a colour", "jsonSchema": json.dumps(schema)}
    frontend = {"actions": [{**action, "available": "enabled"}], "url": "http://localhost/"}
    (message,) = said(clients, version, url, chat("a", frontend=frontend))["messages"]
    assert (message["name"], message["arguments"]) == ("setColor", {"color": "red"})
    assert message["status"] == SUCCESS
    assert agent.calls[0].input["tools"] == [
        {"name": "setColor", "description": "Sets a colour", "parameters": schema}
    ]

    agent.play("a", run(*text("m2", "It is red now.")))
    created = {"createdAt": "2026-01-01T00:00:00.000Z"}
    history = [
        *chat()["data"]["messages"],
        {
            **created,
            "id": "c1",
            "actionExecutionMessage": {"name": "setColor", "arguments": '{"color":"red"}'},
        },
        {
            **created,
            "id": "r1",
            "resultMessage": {
                "actionExecutionId": "c1",
                "actionName": "setColor",
                "result": "done",
            },
        },
    ]
    answer = said(clients, version, url, chat("a", frontend=frontend, messages=history))
    assert answer["messages"][0]["content"] == "It is red now."
    assert agent.calls[1].input["messages"][1:] == [
        {
            "id": "c1",
            "role": "assistant",
            "toolCalls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "setColor", "arguments": '{"color":"red"}'},
                }
            ],
        },
        {"id": "r1", "role": "tool", "content": "done", "toolCallId": "c1"},
    ]


def test_state_is_shared(version: str, clients: Clients, serve: Serve, agent: ScriptedAgent) -> None:
    patch = [{"op": "replace", "path": "/count", "value": 2}]
    script = run(event("STATE_SNAPSHOT", snapshot={"count": 1}), event("STATE_DELTA", delta=patch))
    url = serve({"a": agent.play("a", script)})
    sent = [{"agentName": "a", "state": '{"count":0}', config_field(version): "{}"}]
    (message,) = said(clients, version, url, chat("a", agentStates=sent))["messages"]
    assert (message["type"], message["agentName"]) == ("AgentStateMessage", "a")
    assert (message["state"], message["active"]) == ({"count": 2}, False)
    assert agent.calls[0].input["state"] == {"count": 0}


def test_what_the_page_configures_for_an_agent_reaches_it(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", echo)})
    field = config_field(version)
    configured = {"configurable": {"tenant": "acme"}}
    value = json.dumps(configured["configurable"] if field == "configurable" else configured)
    sent = [{"agentName": "b", "state": "{}", field: "{}"}, {"agentName": "a", "state": "{}", field: value}]
    (message,) = said(clients, version, url, chat("a", agentStates=sent))["messages"]
    assert message["content"]["fp"]["config"] == configured


def test_an_interrupt_is_shown_and_resumed(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", ask_name)})
    (interrupt,) = said(clients, version, url, chat("a"))["response"]["metaEvents"]
    assert (interrupt["name"], interrupt["value"]) == ("LangGraphInterruptEvent", "What is your name?")
    resumed = {"name": "LangGraphInterruptEvent", "value": interrupt["value"], "response": "Ada"}
    answer = said(clients, version, url, chat("a", metaEvents=[resumed]))
    assert answer["messages"][0]["content"] == "resumed with: Ada"
    assert answer["response"]["metaEvents"] == []


def test_a_failure_is_told(version: str, clients: Clients, serve: Serve, agent: ScriptedAgent) -> None:
    start, delta, _ = text("m1", "I was")
    url = serve({"a": agent.play("a", [RUN_STARTED, start, delta, event("RUN_ERROR", message="no model")])})
    answer = said(clients, version, url, chat("a"))
    status = answer["response"]["status"]
    assert (status["__typename"], status["details"]["description"]) == ("FailedResponseStatus", "no model")
    message, *others = answer["messages"]
    assert (message["content"], message["status"]["code"]) == ("I was", "Failed")
    # Pages of the oldest version show no status.
    assert [other["content"] for other in others] == (["no model"] if version in SHOWING_NO_FAILURE else [])


def test_an_unknown_agent_is_an_error_with_the_names_of_those_that_exist(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", []), "b": agent.url("b")})
    result = clients.ask("generateCopilotResponse", url, version=version, variables=chat("ghost"))
    assert "final" not in result
    (error,) = result["threw"]["errors"]
    assert "Available agents are: a, b." in error["message"]
    assert error["extensions"]["code"] == "AGENT_NOT_FOUND"


def test_agents_are_listed(version: str, clients: Clients, serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.url("a"), "b": agent.url("b")})
    first, second = (clients.ask("availableAgents", url, version=version)["data"] for _ in range(2))
    assert [listed["name"] for listed in first["availableAgents"]["agents"]] == ["a", "b"]
    assert first == second


def test_state_is_loaded_as_it_was_left(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    script = run(event("STATE_SNAPSHOT", snapshot={"count": 1}), *text("m1", "counted"))
    url = serve({"a": agent.play("a", script)})
    asked = {"variables": {"data": {"threadId": "t1", "agentName": "a"}}}
    unknown = clients.ask("loadAgentState", url, version=version, **asked)["data"]["loadAgentState"]
    assert (unknown["threadExists"], unknown["state"], unknown["messages"]) == (False, "{}", "[]")
    said(clients, version, url, chat("a"))
    loaded = clients.ask("loadAgentState", url, version=version, **asked)["data"]["loadAgentState"]
    assert (loaded["threadExists"], json.loads(loaded["state"])) == (True, {"count": 1})
    assert json.loads(loaded["messages"]) == [
        {"id": "u1", "role": "user", "content": "Hi"},
        {"id": "m1", "role": "assistant", "content": "counted"},
    ]


def test_context_and_properties_reach_the_agent(
    version: str, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", echo)})
    variables = chat("a", context=[{"description": "page", "value": "/home"}])
    variables["properties"] = {"tenant": "acme"}
    (message,) = said(clients, version, url, variables)["messages"]
    assert message["content"]["context"] == [{"description": "page", "value": "/home"}]
    assert message["content"]["fp"]["tenant"] == "acme"


MUTATION = "mutation generate($data: GenerateCopilotResponseInput!%s) { %s }"
DOCUMENTS = {
    "aliases": """reply: generateCopilotResponse(data: $data) {
        threadId
        all: messages @stream { id __typename }
    }""",
    "no directives": """generateCopilotResponse(data: $data) {
        messages { __typename ... on TextMessageOutput { content role } }
    }""",
    "labelled defer": """generateCopilotResponse(data: $data) {
        threadId
        ... @defer(label: "late") { status { __typename ... on BaseResponseStatus { code } } }
        messages @stream { id __typename }
    }""",
    "named fragments, no stream": """generateCopilotResponse(data: $data) {
        ...Told
        messages @stream(if: $no) { ...Message }
    } }
    fragment Told on CopilotResponse { threadId runId }
    fragment Message on BaseMessageOutput { id __typename""",
    "initial count": """generateCopilotResponse(data: $data) {
        messages @stream(initialCount: 2) {
            id __typename
            ... on ActionExecutionMessageOutput { name args: arguments @stream parentMessageId }
        }
    }""",
    "skip and include": """generateCopilotResponse(data: $data) {
        messages @stream {
            __typename
            id @skip(if: $no)
            ... on BaseMessageOutput @include(if: $no) { createdAt }
            ... on AgentStateMessageOutput @defer { state active }
        }
    }""",
    "streams in a defer": """generateCopilotResponse(data: $data) {
        ... @defer {
            messages @stream {
                __typename
                ... on TextMessageOutput @defer(label: "inner") { content @stream status { __typename } }
            }
        }
    }""",
    "meta events": """generateCopilotResponse(data: $data) {
        metaEvents @stream { name ... on LangGraphInterruptEvent { type value } }
        messages { id __typename }
    }""",
}


def without_chance(value: Any) -> Any:
    """A result without times and made-up ids, chunks joined."""
    if isinstance(value, dict):
        return {key: without_chance(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            return "".join(value)
        return [without_chance(item) for item in value]
    if isinstance(value, str):
        return "<time>" if TIMESTAMP.fullmatch(value) else generated(value)
    return value


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_any_document_gets_what_the_reference_runtime_gives(
    version: str,
    document: str,
    clients: Clients,
    serve: Serve,
    agent: ScriptedAgent,
    reference: str,
    reference_agent: ScriptedAgent,
) -> None:
    question = event("CUSTOM", name="on_interrupt", value="May I?")
    state = event("STATE_SNAPSHOT", snapshot={"count": 1})
    script = run(*text("m1", "Hel", "lo", delay=1), *call("search", '{"q": 1}'), state, question)
    url = serve({"a": agent.play("a", script)})
    reference_agent.play("a", script)
    more = ", $no: Boolean = false" if "$no" in document else ""
    variables = {"data": chat("a")["data"]}
    asked = {"kind": "mutation", "document": MUTATION % (more, document), "variables": variables}
    ours, theirs = (
        clients.ask("execute", server, version=version, **asked) for server in (url, reference + "a")
    )
    assert "threw" not in theirs
    assert without_chance(ours["final"]) == without_chance(theirs["final"])
