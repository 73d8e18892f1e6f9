"""A graph that calls backend actions, and goes on with their results."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from copilotkit_runtime_py.tools.actions import AgentTool, action_from
from tests.looped import Looped
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import ScriptedModel, calling, in_turn, request, user

pytestmark = pytest.mark.anyio

MEMORIES = [pytest.param(InMemorySaver, id="checkpointer"), pytest.param(lambda: None, id="no checkpointer")]


class State(MessagesState):
    copilotkit: dict[str, Any]


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def calculator(model: ScriptedModel, memory: Any = None, offered: list[Any] | None = None) -> Looped:
    async def chat(state: State) -> dict[str, Any]:
        actions = state["copilotkit"]["actions"]
        if offered is not None:
            offered.append([action["name"] for action in actions])
        return {"messages": [await model.bind_tools(actions).ainvoke(state["messages"])]}

    graph = StateGraph(State).add_node(chat).add_edge(START, "chat").compile(checkpointer=memory)
    return Looped(LangGraphProvider(graph), name="calculator", tools=[action_from(add)])


def kinds(messages: list[BaseMessage]) -> list[tuple[str, str]]:
    return [(message.type, message.text) for message in messages]


@pytest.mark.parametrize("memory", MEMORIES)
async def test_the_graph_is_run_again_with_the_result(memory: Any) -> None:
    offered: list[Any] = []
    model = in_turn(calling("c1", "add", '{"a": 2,', '"b": 40}'), ["It is ", "42."])
    tool = {"name": "setTheme", "description": "", "parameters": {}}
    whole = await collect(calculator(model, memory(), offered), request(user("2 + 40?", "u1"), tools=[tool]))

    assert offered == [["add", "setTheme"]] * 2
    assert kinds(model.calls[1]) == [("human", "2 + 40?"), ("ai", ""), ("tool", "42")]
    (result,) = of_type(whole, "TOOL_CALL_RESULT")
    assert (result["toolCallId"], result["content"]) == ("c1", "42")
    assert text_of(whole) == "It is 42."
    assert len(of_type(whole, "RUN_STARTED")) == len(of_type(whole, "RUN_FINISHED")) == 1
    assert whole[-1]["runId"] == "r"

    conversation = messages(whole)
    assert [(m["role"], m.get("content")) for m in conversation] == [
        ("user", "2 + 40?"),
        ("assistant", ""),
        ("tool", "42"),
        ("assistant", "It is 42."),
    ]
    assert conversation[2]["id"] == result["messageId"]
    streamed = [event["messageId"] for event in of_type(whole, "TEXT_MESSAGE_START")]
    assert streamed == [conversation[3]["id"]]


@pytest.mark.parametrize("memory", MEMORIES)
async def test_the_next_request_goes_on_from_there(memory: Any) -> None:
    model = in_turn(calling("c1", "add", '{"a": 1, "b": 1}'), ["Two."], ["You are welcome."])
    provider = calculator(model, memory())
    first = await collect(provider, request(user("1 + 1?", "u1")))
    await collect(provider, request(*messages(first), user("Thanks!", "u2"), run="r2"))
    assert kinds(model.calls[2]) == [
        ("human", "1 + 1?"),
        ("ai", ""),
        ("tool", "2"),
        ("ai", "Two."),
        ("human", "Thanks!"),
    ]


@pytest.mark.parametrize("memory", MEMORIES)
async def test_with_a_call_of_the_frontend_the_graph_waits_for_its_result(memory: Any) -> None:
    both = [*calling("c1", "add", '{"a": 1, "b": 1}'), *calling("c2", "setTheme", "{}", index=1)]
    model = in_turn(both, ["Done."])
    provider = calculator(model, memory())
    first = await collect(provider, request(user("Add, and go dark", "u1")))
    assert len(model.calls) == 1
    told = messages(first)
    assert [(m["role"], m.get("content")) for m in told][1:] == [("assistant", ""), ("tool", "2")]

    answer = {"id": "r1", "role": "tool", "toolCallId": "c2", "content": "dark"}
    await collect(provider, request(*told, answer, run="r2"))
    assert sorted(kinds(model.calls[1])[2:]) == [("tool", "2"), ("tool", "dark")]


async def test_a_call_that_waits_for_a_humans_yes_is_left_to_the_graph() -> None:
    async def ask(state: State) -> dict[str, Any]:
        interrupt("Sure?")
        return {}

    async def chat(state: State) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    model = in_turn(calling("c1", "add", '{"a": 1, "b": 1}'))
    builder = StateGraph(State).add_node(chat).add_node(ask).add_edge(START, "chat").add_edge("chat", "ask")
    graph = builder.compile(checkpointer=InMemorySaver())
    provider = Looped(LangGraphProvider(graph), name="a", tools=[action_from(add)])
    whole = await collect(provider, request(user("1 + 1?", "u1")))
    assert of_type(whole, "TOOL_CALL_RESULT") == []
    assert len(model.calls) == 1


def talker(model: ScriptedModel) -> LangGraphProvider:
    async def talk(state: State) -> dict[str, Any]:
        tools = state["copilotkit"]["actions"]
        return {"messages": [await model.bind_tools(tools).ainvoke(state["messages"])]}

    graph = StateGraph(State).add_node(talk).add_edge(START, "talk")
    return LangGraphProvider(graph.compile(checkpointer=InMemorySaver()))


async def test_a_graph_hands_over_to_another_graph_and_both_remember_the_thread() -> None:
    clerk = in_turn(calling("c1", "mechanic"), ["Anything else?"])
    mechanic = in_turn(["The chain ", "is worn."])
    agents = {"clerk": talker(clerk), "mechanic": talker(mechanic)}
    provider = Looped(agents["clerk"], name="clerk", tools=[AgentTool(name="mechanic")], agents=agents)

    whole = await collect(provider, request(user("It squeaks", "u1")))
    (result,) = of_type(whole, "TOOL_CALL_RESULT")
    assert result["content"] == "mechanic agent started"
    assert text_of(whole) == "The chain is worn."
    assert kinds(mechanic.calls[0]) == [
        ("human", "It squeaks"),
        ("ai", ""),
        ("tool", "mechanic agent started"),
    ]
    told = messages(whole)
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "assistant"]

    await collect(provider, request(*told, user("Thanks", "u2"), run="r2"))
    assert kinds(clerk.calls[1]) == [
        ("human", "It squeaks"),
        ("ai", ""),
        ("tool", "mechanic agent started"),
        ("ai", "The chain is worn."),
        ("human", "Thanks"),
    ]
