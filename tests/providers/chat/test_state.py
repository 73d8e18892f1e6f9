"""A chat model that shares the state with the page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.chat import ChatProvider
from tests.protocols.agui.served import Served
from tests.providers.chat.scripted import ScriptedModel, asks, calls, tool, user
from tests.providers.emitted import collect, of_type, text_of
from tests.providers.parity.contracts import CONTRACTS, Chat

pytestmark = pytest.mark.anyio


def in_turn(*answers: list[Any]) -> ScriptedModel:
    rest = list(answers)
    return ScriptedModel(chunks=lambda options: rest.pop(0))


def snapshot(value: Any, id: str = "s1") -> list[Any]:
    return calls(id, "AGUISendStateSnapshot", json.dumps({"snapshot": value}))


def delta(*operations: dict[str, Any], id: str = "d1") -> list[Any]:
    return calls(id, "AGUISendStateDelta", json.dumps({"delta": operations}))


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


async def test_the_model_is_told_the_state_and_offered_the_tools_that_change_it() -> None:
    model = ScriptedModel(chunks=["ok"])
    provider = ChatProvider(model, instructions="Be kind.", state=True)
    await collect(provider, asks(state={"items": ["milk"]}, tools=[tool("paint")]))
    assert model.asked[0][0].text.startswith("Be kind.\n\nThe state that you share with the application")
    assert model.asked[0][0].text.endswith('{"items":["milk"]}')
    names = [each["function"]["name"] for each in model.options[0]["tools"]]
    assert names == ["AGUISendStateSnapshot", "AGUISendStateDelta", "paint"]


async def test_without_the_option_the_state_is_the_clients_own() -> None:
    model = ScriptedModel(chunks=["ok"])
    await collect(ChatProvider(model), asks(state={"items": ["milk"]}))
    assert (model.options, len(model.asked[0])) == ([{}], 1)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
async def test_the_page_gets_the_state_and_the_model_goes_on(contract: type[Chat]) -> None:
    model = in_turn(
        ["Sure. ", *snapshot({"items": ["milk"]})], delta(add("/items/-", "bread")), ["Two items."], ["Bye."]
    )
    served = Served(CopilotRuntime({"agent": ChatProvider(model, state=True)}))
    chat = contract(served, "agent")

    answer = await chat.say("milk and bread")

    assert answer.texts == ["Sure. ", "Two items."]
    assert answer.state == chat.state == {"items": ["milk", "bread"]}
    assert [
        (name, content) for (_, name, _), (_, content) in zip(answer.calls, answer.results, strict=True)
    ] == [
        ("AGUISendStateSnapshot", '{"success":true}'),
        ("AGUISendStateDelta", '{"success":true}'),
    ]
    said = model.asked[2]
    assert [message.type for message in said] == ["system", "human", "ai", "tool", "ai", "tool"]
    assert [message.text for message in said if isinstance(message, AIMessage)] == ["Sure. ", ""]

    await chat.say("bye")
    assert '{"items":["milk","bread"]}' in model.asked[3][0].text
    status, loaded = await served.json(served.resource("GET", "/threads/t1/state"))
    assert (status, loaded) == (200, {"state": {"items": ["milk", "bread"]}})


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (snapshot([1]), "`snapshot` must be a JSON object."),
        (calls("s1", "AGUISendStateSnapshot", "{oops"), "`snapshot` must be a JSON object."),
        (
            calls("s1", "AGUISendStateDelta", '{"delta": {}}'),
            "`delta` must be a list of JSON Patch operations.",
        ),
        (delta(add("/no/where", 1)), "The patch does not apply to the state."),
    ],
)
async def test_what_cannot_be_applied_is_said_to_the_model_alone(call: list[Any], problem: str) -> None:
    model = in_turn(call, ["Sorry."])
    events = await collect(ChatProvider(model, state=True), asks(state={"a": 1}))
    assert of_type(events, "STATE_SNAPSHOT", "STATE_DELTA") == []
    result = model.asked[1][-1]
    assert isinstance(result, ToolMessage)
    assert json.loads(result.text) == {"success": False, "error": problem}
    assert text_of(events) == "Sorry."


async def test_a_tool_of_the_frontend_beside_it_ends_the_run() -> None:
    painted = [*snapshot({"a": 1}), *calls("c1", "paint", "{}")]
    for chunk in painted[2:]:
        chunk.tool_call_chunks[0]["index"] = 1
    model = in_turn(painted)
    events = await collect(ChatProvider(model, state=True), asks(tools=[tool("paint")]))
    assert [event["toolCallName"] for event in of_type(events, "TOOL_CALL_START")] == [
        "AGUISendStateSnapshot",
        "paint",
    ]
    assert [event["toolCallId"] for event in of_type(events, "TOOL_CALL_RESULT")] == ["s1"]


async def test_an_action_goes_on_with_the_state_as_the_model_left_it() -> None:
    look = calls("c1", "look", "{}")
    for chunk in look:
        chunk.tool_call_chunks[0]["index"] = 1
    model = in_turn([*snapshot({"seen": 1}), *look], ["Done."])
    runtime = CopilotRuntime({"agent": ChatProvider(model, state=True)})
    runtime.action(name="look")(lambda: "nothing")
    answer = await CONTRACTS["agui"](Served(runtime), "agent").say("look")
    assert ([content for _, content in answer.results], answer.texts) == (
        ['{"success":true}', "nothing"],
        ["Done."],
    )
    assert model.asked[1][0].text.endswith('{"seen":1}')


async def test_a_model_that_changes_the_state_without_end_is_stopped() -> None:
    provider = ChatProvider(ScriptedModel(chunks=snapshot({"a": 1})), state=True)
    with pytest.raises(AgentError, match="changed the state too often"):
        await collect(provider, asks())


async def test_a_call_that_the_request_asks_for_is_asked_for_once() -> None:
    model = in_turn(snapshot({"a": 1}), ["ok"])
    context = RequestContext(forwarded_parameters={"tool_choice": "required"})
    await collect(ChatProvider(model, state=True), asks(user("Hi"), tools=[tool("paint")]), context)
    assert ["tool_choice" in options for options in model.options] == [True, False]
