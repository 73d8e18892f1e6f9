"""What a request may ask of the model, and what the server allows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError, ConfigurationError
from copilotkit_runtime_py.providers.chat import ChatProvider
from tests.providers.chat.scripted import ScriptedModel, asks, tool, user
from tests.providers.emitted import collect, text_of

pytestmark = pytest.mark.anyio


def function(name: str, **parameters: Any) -> dict[str, Any]:
    """A tool as the model gets it."""
    schema = {"type": "object", "properties": {}, **parameters}
    return {
        "type": "function",
        "function": {"name": name, "description": f"Does {name}.", "parameters": schema},
    }


async def options(
    forwarded: dict[str, Any] | None = None,
    *,
    model: ScriptedModel | None = None,
    agent_tools: frozenset[str] = frozenset(),
    bounds: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Returns the keyword arguments with which a request has the model called."""
    model = model or ScriptedModel()
    context = RequestContext(forwarded_parameters=forwarded or {}, agent_tools=agent_tools)
    request = asks(*fields.pop("messages", ()), **fields)
    await collect(ChatProvider(model, **(bounds or {})), request, context)
    return model.options[-1]


async def test_sampling_parameters_reach_the_model() -> None:
    asked = {"temperature": 0.25, "max_tokens": 12.0, "stop": ["a"]}
    assert await options(asked) == {"temperature": 0.25, "max_tokens": 12, "stop": ["a"]}


async def test_nothing_is_set_that_nobody_asked_for() -> None:
    assert await options() == {}


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"temperature": 2.5}, "temperature is 2.5; this server allows 0 to 2."),
        ({"temperature": math.nan}, "temperature is nan; this server allows 0 to 2."),
        ({"max_tokens": 0}, "maxTokens is 0; this server allows 1 or more."),
        ({"max_tokens": math.inf}, "maxTokens is inf; this server allows 1 or more."),
        ({"model": "gpt-5"}, "The model 'gpt-5' is not one of those that this server offers."),
        ({"tool_choice": "perhaps"}, "The toolChoice of the request is of no known form."),
        ({"tool_choice": "function"}, "The toolChoice of the request is of no known form."),
        (
            {"tool_choice": "function", "tool_choice_function_name": "f"},
            "The request wants a call of 'f', which is none of its tools.",
        ),
    ],
)
async def test_what_the_server_does_not_allow_is_refused(asked: dict[str, Any], problem: str) -> None:
    model = ScriptedModel()
    with pytest.raises(AgentError) as refusal:
        await options(asked, model=model)
    assert (refusal.value.message, refusal.value.status_code) == (problem, 400)
    assert model.asked == []


async def test_the_server_sets_the_bounds() -> None:
    bounds = {"max_tokens": 100, "temperature": (0.5, 0.5)}
    assert await options({"max_tokens": 100, "temperature": 0.5}, bounds=bounds) == {
        "max_tokens": 100,
        "temperature": 0.5,
    }
    with pytest.raises(AgentError, match="allows 1 to 100"):
        await options({"max_tokens": 101}, bounds=bounds)
    with pytest.raises(AgentError, match=r"allows 0.5 to 0.5"):
        await options({"temperature": 0.4}, bounds=bounds)


async def test_a_client_may_not_ask_for_more_than_the_model_is_set_to() -> None:
    with pytest.raises(AgentError, match="maxTokens is 51; this server allows 1 to 50"):
        await options({"max_tokens": 51}, model=ScriptedModel(max_tokens=50))


async def test_a_client_may_ask_for_another_model_by_the_name_that_the_server_gives_it() -> None:
    provider = ChatProvider(
        ScriptedModel(chunks=["first"]), allowed_models={"fast": ScriptedModel(chunks=["second"])}
    )
    answer = await collect(provider, asks(), RequestContext(forwarded_parameters={"model": "fast"}))
    assert text_of(answer) == "second"
    assert text_of(await collect(provider, asks())) == "first"


async def test_the_frontends_tools_are_the_models() -> None:
    color = {"properties": {"color": {"type": "string"}}, "required": ["color"]}
    given = [
        tool("setColor", type="object", **color),
        tool("setColor", type="string"),
        {"name": "go", "description": "Does go."},
        tool("agentsOnly"),
    ]
    assert await options(tools=given, agent_tools=frozenset({"agentsOnly"})) == {
        "tools": [function("setColor", **color), function("go")]
    }


@pytest.mark.parametrize(
    ("forwarded", "props", "chosen"),
    [
        ({"tool_choice": "auto"}, {}, {}),
        ({"tool_choice": "required"}, {}, {"tool_choice": "any"}),
        ({"tool_choice": "function", "tool_choice_function_name": "f"}, {}, {"tool_choice": "f"}),
        ({}, {"toolChoice": {"type": "function", "function": {"name": "f"}}}, {"tool_choice": "f"}),
    ],
    ids=str,
)
async def test_a_client_may_choose_the_tool(
    forwarded: dict[str, Any], props: dict[str, Any], chosen: dict[str, Any]
) -> None:
    found = await options(forwarded, tools=[tool("f")], forwardedProps=props)
    assert found == {"tools": [function("f")], **chosen}


@pytest.mark.parametrize(
    ("choice", "called", "chosen"),
    [
        ({"tool_choice": "required"}, "g", {}),
        ({"tool_choice": "function", "tool_choice_function_name": "f"}, "f", {}),
        ({"tool_choice": "function", "tool_choice_function_name": "f"}, "g", {"tool_choice": "f"}),
    ],
    ids=str,
)
async def test_a_call_is_asked_for_until_it_has_been_answered(
    choice: dict[str, Any], called: str, chosen: dict[str, Any]
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": called, "arguments": "{}"}}
    messages = [
        user("Do it"),
        {"id": "a1", "role": "assistant", "toolCalls": [call]},
        {"id": "r1", "role": "tool", "toolCallId": "c1", "content": "done"},
    ]
    tools = {"tools": [function("f"), function("g")]}
    given = [tool("f"), tool("g")]
    assert await options(choice, messages=messages, tools=given) == {**tools, **chosen}
    forced = {"tool_choice": choice.get("tool_choice_function_name", "any")}
    again = [*messages, user("Again", "u2")]
    assert await options(choice, messages=again, tools=given) == {**tools, **forced}


async def test_a_model_that_is_to_call_no_tool_gets_none() -> None:
    assert await options({"tool_choice": "none"}, tools=[tool("f")]) == {}


async def test_a_choice_without_any_tools_says_nothing() -> None:
    assert await options({"tool_choice": "required"}) == {}


async def test_a_model_that_cannot_call_tools_is_the_operators_mistake() -> None:
    provider = ChatProvider(FakeListChatModel(responses=["x"]))
    with pytest.raises(ConfigurationError, match="FakeListChatModel cannot call tools"):
        await collect(provider, asks(tools=[tool("f")]))
    assert text_of(await collect(provider, asks())) == "x"
