"""A chat model that calls backend actions."""

from __future__ import annotations

from typing import Any

import pytest

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.chat import ChatProvider
from copilotkit_runtime_py.tools.actions import action_from
from tests.looped import Looped
from tests.providers.emitted import collect, of_type, text_of

from .scripted import ScriptedModel, asks, calls, tool, user

pytestmark = pytest.mark.anyio


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def in_turn(*answers: list[Any]) -> ScriptedModel:
    rest = list(answers)
    return ScriptedModel(chunks=lambda options: rest.pop(0))


def with_add(model: ScriptedModel) -> Looped:
    return Looped(ChatProvider(model), name="default", tools=[action_from(add)])


async def test_the_model_answers_with_the_result_of_its_call() -> None:
    model = in_turn(["Let me see.", *calls("c1", "add", '{"a":2,', '"b":40}')], ["It is ", "42."])
    whole = await collect(with_add(model), asks(user("2 + 40?"), tools=[tool("setColor")]))
    (result,) = of_type(whole, "TOOL_CALL_RESULT")
    assert (result["toolCallId"], result["content"]) == ("c1", "42")
    assert text_of(whole) == "Let me see.It is 42."
    assert [(message.type, message.text) for message in model.asked[1]] == [
        ("human", "2 + 40?"),
        ("ai", "Let me see."),
        ("tool", "42"),
    ]
    for options in model.options:
        assert [each["function"]["name"] for each in options["tools"]] == ["add", "setColor"]


async def test_calls_of_a_model_that_counts_them_anew_in_every_answer_are_told_apart() -> None:
    model = in_turn(
        calls("call_0", "add", '{"a":1,"b":1}'), calls("call_0", "add", '{"a":2,"b":1}'), ["Three."]
    )
    whole = await collect(with_add(model), asks(user("1 + 1 + 1?")))
    assert [event["content"] for event in of_type(whole, "TOOL_CALL_RESULT")] == ["2", "3"]
    assert len({event["toolCallId"] for event in of_type(whole, "TOOL_CALL_START")}) == 2
    assert [(m.type, m.text) for m in model.asked[2] if m.type != "ai"] == [
        ("human", "1 + 1 + 1?"),
        ("tool", "2"),
        ("tool", "3"),
    ]
    assert text_of(whole) == "Three."


@pytest.mark.parametrize(
    ("forwarded", "properties"),
    [
        ({"tool_choice": "required"}, {}),
        ({"tool_choice": "function", "tool_choice_function_name": "add"}, {}),
        ({}, {"toolChoice": {"type": "function", "function": {"name": "add"}}}),
    ],
)
async def test_a_model_that_had_to_call_a_tool_may_then_answer(
    forwarded: dict[str, Any], properties: dict[str, Any]
) -> None:
    model = in_turn([*calls("c1", "add", '{"a":1,"b":1}')], ["Two."])
    context = RequestContext(forwarded_parameters={"temperature": 0.5, **forwarded})
    whole = await collect(with_add(model), asks(forwardedProps=properties), context)
    assert text_of(whole) == "Two."
    first, second = model.options
    assert "tool_choice" in first
    assert "tool_choice" not in second
    assert second["temperature"] == 0.5


async def test_a_tool_of_the_frontend_for_agents_only_hides_no_action_of_its_name() -> None:
    model = in_turn(["ok"])
    context = RequestContext(agent_tools=frozenset({"add", "note"}))
    await collect(with_add(model), asks(tools=[tool("add"), tool("note")]), context)
    assert [each["function"]["description"] for each in model.options[0]["tools"]] == ["Adds two numbers."]
