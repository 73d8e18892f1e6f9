"""Several questions in one superstep, answered one at a time, with tools and state in every request."""

from __future__ import annotations

import operator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.protocols.agui.served import Served
from tests.providers.emitted import collect, interrupts, messages, of_type, snapshots
from tests.providers.parity.contracts import CONTRACTS, AGUIChat

from .scripted import request, user

pytestmark = pytest.mark.anyio

TOOL = {"name": "paint", "description": "", "parameters": {"type": "object"}}


class Form(MessagesState):
    copilotkit: dict[str, Any]
    tools: list[Any]
    city: str
    tags: Annotated[list[str], operator.add]


def ask(state: Form) -> dict[str, Any]:
    name, age = interrupt("Name?"), interrupt("Age?")
    offered = [tool["name"] for tool in state["tools"]]
    return {"messages": [AIMessage(f"{name} is {age}, {state.get('city')}, {offered}", id="answer")]}


def form() -> StateGraph[Any, Any, Any, Any]:
    return StateGraph(Form).add_node("ask", ask).add_edge(START, "ask")


def resume(answer: Any, **fields: Any) -> Any:
    return request(user("hi", "u1"), forwardedProps={"command": {"resume": answer}}, **fields)


async def test_two_questions_of_one_node_are_answered_one_at_a_time(url: str) -> None:
    provider = LangGraphProvider(form().compile())
    provider.use_store(url, "form")

    await collect(provider, request(user("hi", "u1"), state={"city": "Rome"}, tools=[TOOL]))
    first = await collect(provider, resume("Bob", state={"city": "Oslo", "tags": ["a"]}, tools=[TOOL]))
    second = await collect(provider, resume("42", state={"city": "Lima", "tags": ["b"]}))
    third = await collect(provider, request(*messages(second), user("again", "u2")))
    await provider.aclose()

    assert [question["message"] for question in interrupts(first)] == ["Age?"]
    assert messages(second)[-1]["content"] == "Bob is 42, Lima, []"
    assert snapshots(second)[-1] == {"city": "Lima", "tags": ["b"]}
    assert [question["message"] for question in interrupts(third)] == ["Name?"]


async def test_named_answers_may_come_one_at_a_time_with_messages_and_changed_state() -> None:
    provider = LangGraphProvider(form().compile(checkpointer=InMemorySaver()))
    events = await collect(provider, request(user("hi", "u1")))

    for index, (answer, city) in enumerate([("Bob", "Oslo"), ("42", "Lima")]):
        (asked,) = interrupts(events)
        entry = {"interruptId": asked["id"], "status": "resolved", "payload": answer}
        said = [user("hi", "u1"), *(user(f"note {note}", f"n{note}") for note in range(index + 1))]
        events = await collect(provider, request(*said, resume=[entry], state={"city": city}))

    assert [message["content"] for message in messages(events)] == [
        "hi",
        "note 0",
        "note 1",
        "Bob is 42, Lima, []",
    ]


@pytest.mark.parametrize("contract", CONTRACTS)
async def test_parallel_nodes_are_answered_one_at_a_time_on_both_contracts(contract: str) -> None:
    def asking(question: str) -> Any:
        return lambda state: {"tags": [interrupt(question)]}

    builder = StateGraph(Form).add_node("a", asking("A?")).add_node("b", asking("B?"))
    graph = builder.add_edge(START, "a").add_edge(START, "b").compile(checkpointer=InMemorySaver())
    chat = CONTRACTS[contract](Served(CopilotRuntime({"agent": graph})), "agent", tools=[TOOL])

    answer = await chat.say("hi")
    # GraphQL names the question that is answered, AG-UI's older frontends answer the one shown last.
    for turn in range(2):
        chat.state = {**(answer.state or {}), "city": f"city {turn}"}
        answer = await chat.run(f"to {answer.question}")
    follow_up = await chat.say("again")

    assert answer.failure is follow_up.failure is None
    assert answer.question is None
    assert sorted(answer.state["tags"]) == ["to A?", "to B?"]
    assert answer.state["city"] == "city 1"
    assert follow_up.question in ("A?", "B?")


async def broken_thread(graph: Any) -> None:
    """Leaves a thread as two answers with updates in one superstep leave it."""
    config = {"configurable": {"thread_id": "t"}}
    payload: dict[str, Any] = {"actions": [], "context": []}
    asked = {"messages": [{"role": "user", "content": "hi", "id": "u1"}], "copilotkit": payload, "tools": []}
    await graph.ainvoke(asked, config)
    await graph.ainvoke(Command(resume="Bob", update={"copilotkit": payload, "city": "Oslo"}), config)
    with pytest.raises(InvalidUpdateError):
        await graph.ainvoke(Command(resume="42", update={"copilotkit": payload, "city": "Lima"}), config)
    with pytest.raises(InvalidUpdateError):
        await graph.aget_state(config)


async def test_a_thread_that_two_updates_broke_can_be_read_and_goes_on_with_the_next_message() -> None:
    graph = form().compile(checkpointer=InMemorySaver())
    await broken_thread(graph)
    provider = LangGraphProvider(graph)

    snapshot = await provider.snapshot("t", RequestContext())
    events = await collect(provider, request(user("hi", "u1"), user("again", "u2")))

    assert snapshot is not None
    assert snapshot.state == {"city": "Lima", "tags": []}
    assert [message["content"] for message in snapshot.messages] == ["hi"]
    assert [question["message"] for question in interrupts(events)] == ["Name?"]


async def test_an_answer_to_a_broken_thread_has_the_questions_asked_again() -> None:
    graph = form().compile(checkpointer=InMemorySaver())
    await broken_thread(graph)
    provider = LangGraphProvider(graph)

    events = [await collect(provider, resume(answer)) for answer in ("42", "Bob", "42")]

    assert [[question["message"] for question in interrupts(each)] for each in events] == [
        ["Name?"],
        ["Age?"],
        [],
    ]
    assert messages(events[-1])[-1]["content"] == "Bob is 42, Lima, []"


async def test_null_is_an_answer() -> None:
    provider = LangGraphProvider(form().compile(checkpointer=InMemorySaver()))
    await collect(provider, request(user("hi", "u1")))

    first = await collect(provider, resume(None))
    last = await collect(provider, resume(None))

    assert [question["message"] for question in interrupts(first)] == ["Age?"]
    assert messages(last)[-1]["content"] == "None is None, None, []"


async def test_null_without_a_question_is_no_answer() -> None:
    provider = LangGraphProvider(form().compile(checkpointer=InMemorySaver()))

    events = await collect(provider, resume(None))

    assert of_type(events, "CUSTOM")[-1]["value"] == "Name?"


async def test_an_agui_chat_with_pages_of_older_versions_answers_with_state() -> None:
    chat = AGUIChat(
        Served(CopilotRuntime({"agent": form().compile(checkpointer=InMemorySaver())})), "agent", tools=[TOOL]
    )

    await chat.say("hi")
    chat.state = {"city": "Oslo"}
    await chat.run("Bob")
    chat.state = {"city": "Lima"}
    answer = await chat.run("42")

    assert answer.texts == ["Bob is 42, Lima, ['paint']"]
