"""Requests that name no agent, answered by a plain chat model."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelAuthenticationError
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.providers.chat import ChatProvider
from tests.clients.conftest import Serve
from tests.clients.deviations import DIRECT_DEVIATIONS
from tests.clients.driver import VERSIONS, Clients, chat
from tests.clients.golden import CORPUS, Outcome, load, names, outcome_of, recorded
from tests.clients.node import HERE
from tests.clients.wire import UUID, check_stream, multipart
from tests.providers.chat.scripted import ScriptedModel, calls
from tests.providers.chat.vendors import VENDORS, Vendor
from tests.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.clients

PAGE = Path(__file__).parents[1] / "browser" / "page-1.10"
SHADOWED = "backendAdd"
"""The reference runtime had an action of its own by this name, so the frontend's did not count."""

SET_COLOR = {
    "name": "setColor",
    "description": "Sets the color.",
    "jsonSchema": json.dumps({"type": "object", "properties": {"color": {"type": "string"}}}),
    "available": "enabled",
}


def chunks_of(recording: dict[str, Any]) -> list[Any]:
    """The recorded adapter's events as a model's chunks, and its failure."""
    chunks: list[Any] = [""]
    for event in recording["script"]:
        match event["type"]:
            case "TextMessageContent":
                chunks.append(event["content"])
            case "ActionExecutionStart":
                chunks += calls(event["actionExecutionId"], event["actionName"])
            case "ActionExecutionArgs":
                chunks += calls("", "", event["args"])[1:]
    if error := recording.get("error"):
        failure = ModelAuthenticationError if error.get("status") == 401 else ValueError
        chunks.append(failure(error["message"]))
    return chunks


def comparable_answer(outcome: Outcome, recording: dict[str, Any]) -> Outcome:
    """The outcome, with the recorded id of the message in the place of ours, and without the error's id."""
    first: dict[str, Any] = next(iter(recording["script"]), {})
    id = first.get("messageId") or first.get("parentMessageId") or ""

    def same(value: Any) -> Any:
        text = UUID.sub(id, json.dumps(value))
        return json.loads(re.sub(r"error id [0-9a-f]+", "error id …", text))

    return Outcome(same(outcome.response), same(outcome.messages), outcome.errors, None)


@pytest.mark.parametrize("name", names("direct"))
def test_the_client_ends_up_as_with_the_reference_runtime_or_better(
    name: str, clients: Clients, serve: Serve
) -> None:
    recording = load(CORPUS / "direct" / f"{name}.json")
    model = ScriptedModel(chunks=chunks_of(recording))
    asked_for = recording["model_input"]["forwardedParameters"]["model"]
    provider = ChatProvider(ScriptedModel(), allowed_models={asked_for: model})
    expected = recorded(recording)
    for change in DIRECT_DEVIATIONS[name].changes if name in DIRECT_DEVIATIONS else ():
        change(expected)
    result = clients.ask(
        recording["operation"], serve({"default": provider}), variables=recording["variables"]
    )
    check_stream(multipart(result["wire"]["body"]))
    assert comparable_answer(outcome_of(result, None), recording) == expected


@pytest.mark.parametrize("name", names("direct"))
def test_the_model_gets_what_the_reference_runtimes_adapter_got(
    name: str, clients: Clients, serve: Serve
) -> None:
    recording = load(CORPUS / "direct" / f"{name}.json")
    model, variables = ScriptedModel(), recording["variables"]
    given = recording["model_input"]
    parameters = given["forwardedParameters"]
    variables["data"]["context"] = []  # which no adapter ever saw
    if parameters.pop("toolChoice", None):  # of a tool that the request does not have
        variables["data"]["forwardedParameters"].pop("toolChoice")
        parameters.pop("toolChoiceFunctionName")
    provider = ChatProvider(ScriptedModel(), allowed_models={parameters.pop("model"): model})
    clients.ask(recording["operation"], serve({"default": provider}), variables=variables)
    (options,) = model.options
    tools = [tool["function"] for tool in options.pop("tools", [])]
    tools = [tool for tool in tools if tool["name"] != SHADOWED]
    if "maxTokens" in parameters:
        parameters["max_tokens"] = parameters.pop("maxTokens")
    assert [{"role": "user", "content": message.text} for message in model.asked[0]] == given["messages"]
    assert options == parameters
    assert tools == [
        {
            "name": action["name"],
            "description": action["description"],
            "parameters": json.loads(action["jsonSchema"]),
        }
        for action in given["actions"]
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_direct_chat_calls_a_frontend_action_and_goes_on(
    version: str, clients: Clients, serve: Serve
) -> None:
    model = ScriptedModel(chunks=["Sure. ", *calls("c1", "setColor", '{"color":', '"blue"}')])
    url = serve({"default": model})
    frontend = {"actions": [SET_COLOR], "url": "http://localhost/"}
    variables = chat(None, "Make it blue", frontend=frontend)
    first = clients.ask("generateCopilotResponse", url, version=version, variables=variables)
    said, call = first["messages"]
    assert (said["content"], call["name"], call["arguments"]) == ("Sure. ", "setColor", {"color": "blue"})
    created = {"createdAt": "2026-01-01T00:00:00.000Z"}
    action = {"name": "setColor", "arguments": '{"color":"blue"}', "parentMessageId": said["id"]}
    result = {"actionName": "setColor", "actionExecutionId": "c1", "result": "done"}
    variables["data"]["messages"] += [
        {"id": said["id"], **created, "textMessage": {"content": "Sure. ", "role": "assistant"}},
        {"id": "c1", **created, "actionExecutionMessage": action},
        {"id": "r1", **created, "resultMessage": result},
    ]
    clients.ask("generateCopilotResponse", url, version=version, variables=variables)
    asked, called, answered = model.asked[-1]
    assert asked == HumanMessage("Make it blue")
    assert (called.text, getattr(called, "tool_calls", None)) == (
        "Sure. ",
        [{"name": "setColor", "args": {"color": "blue"}, "id": "c1", "type": "tool_call"}],
    )
    assert (answered.text, getattr(answered, "tool_call_id", None)) == ("done", "c1")


@pytest.mark.parametrize("vendor", VENDORS, ids=str)
def test_a_client_that_leaves_frees_the_connection_to_the_vendor(
    vendor: Vendor, clients: Clients, serve: Serve, agent: ScriptedAgent
) -> None:
    agent.play(vendor.path, vendor.answer("Once upon", {"hang": True}))
    url = serve({"default": vendor.model(agent)})
    request = clients.start("generateCopilotResponse", url, variables=chat(), watch=True)
    request.wait_for_emission(2)
    request.abort()
    assert agent.wait_for_call(vendor.path).played.result(10) is False


@pytest.fixture(scope="module")
def react_core(node_environment: dict[str, str]) -> dict[str, str]:
    """Installs react-core 1.10, if that has not been done."""
    if not (PAGE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=PAGE, check=True)
    return node_environment


def page_runs(what: str, url: str, environment: dict[str, str]) -> Any:
    command = ["node", str(HERE / "task.mjs"), what, url]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=30)
    return json.loads(done.stdout)


def test_a_copilot_task_has_the_model_call_an_action(react_core: dict[str, str], serve: Serve) -> None:
    model = ScriptedModel(chunks=calls("c1", "setColor", '{"color":', '"blue"}'))
    called = page_runs("task", serve({"default": model}), react_core)
    assert called == [{"name": "setColor", "args": {"color": "blue"}}]
    (instructions,) = model.asked[0]
    assert isinstance(instructions, HumanMessage)
    assert "The page is red." in instructions.text
    assert "Make it blue." in instructions.text
    tools = model.options[0].pop("tools")
    assert [tool["function"]["name"] for tool in tools] == ["setColor"]
    assert model.options == [{"tool_choice": "any"}]


def test_a_copilot_task_is_answered_by_the_only_agent_a_graph(
    react_core: dict[str, str], serve: Serve
) -> None:
    asked: list[Any] = []

    def act(state: MessagesState) -> dict[str, Any]:
        asked.extend(state["messages"])
        call = ToolCall(name="setColor", args={"color": "blue"}, id="c1")
        return {"messages": [AIMessage("", tool_calls=[call])]}

    graph = StateGraph(MessagesState).add_node(act).add_edge(START, "act").compile()
    assert page_runs("task", serve({"painter": graph}), react_core) == [
        {"name": "setColor", "args": {"color": "blue"}}
    ]
    (instructions,) = asked
    assert isinstance(instructions, HumanMessage)
    assert "Make it blue." in instructions.text


def test_an_extraction_has_the_model_call_the_function_it_names(
    react_core: dict[str, str], serve: Serve
) -> None:
    model = ScriptedModel(chunks=calls("c1", "extract", '{"color":"blue"}'))
    assert page_runs("extract", serve({"default": model}), react_core) == {"color": "blue"}
    assert model.options[0]["tool_choice"] == "extract"


def test_a_request_that_names_no_agent_gets_the_default_model_without_the_tools_for_agents(
    clients: Clients, serve: Serve
) -> None:
    named, default = ScriptedModel(chunks=["named"]), ScriptedModel(chunks=["default"])
    url = serve({"named": named, "default": default})
    remote = {**SET_COLOR, "name": "agentsOnly", "available": "remote"}
    frontend = {"actions": [SET_COLOR, remote], "url": "http://localhost/"}
    offered = []
    for agent, model in ((None, default), ("named", named)):
        variables = chat(agent, frontend=frontend)
        answer = clients.ask("generateCopilotResponse", url, variables=variables)
        assert [message["content"] for message in answer["messages"]] == [agent or "default"]
        offered.append([tool["function"]["name"] for tool in model.options[0]["tools"]])
    assert offered == [["setColor"], ["setColor", "agentsOnly"]]
