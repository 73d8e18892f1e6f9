"""Graphs that pause at `interrupt_before` and `interrupt_after`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.protocols.agui.served import Served
from tests.providers.emitted import collect, interrupts, messages, of_type, text_of
from tests.providers.parity.contracts import CONTRACTS

from .scripted import calling, request, says, user

pytestmark = pytest.mark.anyio

BREAKPOINTS: list[dict[str, Any]] = [{"interrupt_after": ["trips"]}, {"interrupt_before": ["perform"]}]


async def chat(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await says(*calling("c1", "add_trips", "{}")).ainvoke(state["messages"])]}


async def trips(state: MessagesState) -> dict[str, Any]:
    return {}


async def perform(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await says(f"Performed: {state['messages'][-1].text}").ainvoke(state["messages"])]}


def travel() -> StateGraph[Any, Any, Any, Any]:
    builder = StateGraph(MessagesState).add_node(chat).add_node(trips).add_node(perform)
    return builder.add_edge(START, "chat").add_edge("chat", "trips").add_edge("trips", "perform")


def provided(**breakpoints: Any) -> LangGraphProvider:
    return LangGraphProvider(travel().compile(checkpointer=InMemorySaver(), **breakpoints))


def result(content: str) -> dict[str, Any]:
    return {"id": "t1", "role": "tool", "toolCallId": "c1", "content": content}


def steps(events: list[dict[str, Any]]) -> list[str]:
    return [event["stepName"] for event in of_type(events, "STEP_STARTED")]


@pytest.mark.parametrize("breakpoints", BREAKPOINTS)
@pytest.mark.parametrize("contract", CONTRACTS)
async def test_the_result_of_an_open_call_lets_the_graph_go_on(
    contract: str, breakpoints: dict[str, Any]
) -> None:
    graph = travel().compile(checkpointer=InMemorySaver(), **breakpoints)
    page = CONTRACTS[contract](Served(CopilotRuntime({"agent": graph})), "agent")

    paused = await page.say("plan")
    page.add_result(paused.calls[0], "SEND")
    performed = await page.run()

    assert paused.steps == ["chat", "trips"]
    assert paused.question is not None
    assert orjson.loads(paused.question) == {
        "reason": "langgraph:breakpoint",
        "message": "Paused before perform.",
        "next": ["perform"],
    }
    assert performed.steps == ["perform"]
    assert performed.texts[-1] == "Performed: SEND"
    assert performed.question is None


async def test_the_node_name_of_older_frontends_lets_the_graph_go_on() -> None:
    provider = provided(interrupt_after=["trips"])
    paused = await collect(provider, request(user("plan", "u1")))

    events = await collect(
        provider, request(*messages(paused), user("go", "u2"), forwardedProps={"nodeName": "trips"})
    )

    assert steps(events) == ["perform"]
    assert text_of(events) == "Performed: go"


async def test_an_answer_lets_the_graph_go_on_however_it_is_given() -> None:
    async def silent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Ready?", id="a1")]}

    builder = StateGraph(MessagesState).add_node("chat", silent).add_node(perform)
    builder.add_edge(START, "chat").add_edge("chat", "perform")

    for by_id in (True, False):
        provider = LangGraphProvider(
            builder.compile(checkpointer=InMemorySaver(), interrupt_before=["perform"])
        )
        (asked,) = interrupts(await collect(provider, request(user("plan", "u1"))))
        answer: dict[str, Any] = {"forwardedProps": {"command": {"resume": "yes"}}}
        if by_id:
            answer = {"resume": [{"interruptId": asked["id"], "status": "resolved", "payload": "yes"}]}
        loaded = await provider.snapshot("t", RequestContext())
        events = await collect(provider, request(user("plan", "u1"), **answer))
        after = await provider.snapshot("t", RequestContext())

        assert asked["message"] == "Paused before perform."
        assert loaded is not None
        assert loaded.interrupts == [asked]
        assert text_of(events) == "Performed: Ready?"
        assert after is not None
        assert after.interrupts == []


async def test_an_outcome_asks_for_no_answer_where_the_result_of_a_call_is_due() -> None:
    provider = provided(interrupt_after=["trips"])

    events = await collect(provider, request(user("plan", "u1")))
    loaded = await provider.snapshot("t", RequestContext())

    assert of_type(events, "CUSTOM")[-1]["name"] == "on_interrupt"
    assert interrupts(events) == []
    assert loaded is not None
    assert loaded.interrupts == []


async def test_a_plain_message_at_a_breakpoint_starts_a_new_turn() -> None:
    provider = provided(interrupt_after=["trips"])
    paused = await collect(provider, request(user("plan", "u1")))

    events = await collect(provider, request(*messages(paused), user("something else", "u2")))

    assert steps(events) == ["chat", "trips"]


async def test_a_pause_cannot_be_cancelled_into_going_on() -> None:
    provider = provided(interrupt_after=["trips"])
    await collect(provider, request(user("plan", "u1")))
    cancelled = {"interruptId": "x", "status": "cancelled"}

    with pytest.raises(AgentError):
        await collect(provider, request(user("plan", "u1"), resume=[cancelled]))


async def test_state_and_tools_that_come_with_the_result_reach_the_node_that_goes_on() -> None:
    class State(MessagesState):
        tools: list[Any]
        city: str

    async def show(state: State) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{state['city']} {len(state['tools'])}", id="shown")]}

    builder = StateGraph(State).add_node(chat).add_node(show).add_edge(START, "chat").add_edge("chat", "show")
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver(), interrupt_before=["show"]))
    paused = await collect(provider, request(user("plan", "u1"), state={"city": "Rome"}))
    tool = {"name": "paint", "description": "", "parameters": {}}

    events = await collect(
        provider, request(*messages(paused), result("ok"), state={"city": "Oslo"}, tools=[tool])
    )

    assert messages(events)[-1]["content"] == "Oslo 1"


async def test_a_breakpoint_inside_a_subgraph_pauses_and_goes_on() -> None:
    inner = travel().compile(interrupt_after=["trips"])
    builder = StateGraph(MessagesState).add_node("sub", inner).add_edge(START, "sub")
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
    paused = await collect(provider, request(user("plan", "u1")))

    events = await collect(
        provider, request(*messages(paused), forwardedProps={"command": {"resume": "yes"}})
    )

    assert steps(events) == ["sub", "perform"]


async def test_a_run_that_was_stopped_starts_over_with_the_results_it_gets() -> None:
    """Nothing but a breakpoint lets a graph go on in its middle."""
    calls: list[str] = []

    async def first(state: MessagesState) -> dict[str, Any]:
        calls.append("first")
        return {"messages": [AIMessage("", id="a1", tool_calls=[{"id": "c1", "name": "f", "args": {}}])]}

    async def second(state: MessagesState) -> dict[str, Any]:
        calls.append("second")
        if len(calls) == 2:
            raise RuntimeError
        return {}

    builder = StateGraph(MessagesState).add_node(first).add_node(second)
    graph = builder.add_edge(START, "first").add_edge("first", "second").compile(checkpointer=InMemorySaver())
    provider = LangGraphProvider(graph)
    with pytest.raises(RuntimeError):
        await collect(provider, request(user("plan", "u1")))

    await collect(provider, request(user("plan", "u1"), result("ok")))

    assert calls == ["first", "second", "first", "second"]
