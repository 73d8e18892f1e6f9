import operator
from typing import Annotated, Any

import orjson
import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, interrupts, messages, of_type, snapshots, text_of

from .scripted import calling, request, says, user

pytestmark = pytest.mark.anyio


class Answers(TypedDict):
    answers: Annotated[list[Any], operator.add]
    note: str


def asking(*questions: Any, emit_interrupt_outcome: bool | None = None) -> LangGraphProvider:
    """Returns an agent whose nodes ask all questions at the same time and record the answers."""

    def node(question: Any) -> Any:
        return lambda state: {"answers": [interrupt(question)]}

    builder = StateGraph(Answers)
    for index, question in enumerate(questions):
        builder.add_node(f"ask{index}", node(question))
        builder.add_edge(START, f"ask{index}")
    graph = builder.compile(checkpointer=InMemorySaver())
    return LangGraphProvider(graph, emit_interrupt_outcome=emit_interrupt_outcome)


async def test_an_interrupt_ends_the_run_with_an_announcement_and_an_outcome() -> None:
    events = await collect(asking("Sure?"), request())

    announced, finished = events[-2:]
    id = finished["outcome"]["interrupts"][0]["id"]
    assert announced == {"type": "CUSTOM", "name": "on_interrupt", "value": "Sure?"}
    assert finished == {
        "type": "RUN_FINISHED",
        "threadId": "t",
        "runId": "r",
        "outcome": {
            "type": "interrupt",
            "interrupts": [
                {
                    "id": id,
                    "reason": "langgraph:interrupt",
                    "message": "Sure?",
                    "metadata": {"langgraph": {"raw": "Sure?"}},
                }
            ],
        },
    }


async def test_a_client_of_an_older_version_is_told_by_the_announcement_alone() -> None:
    events = await collect(asking("Sure?"), request(protocolVersion=None))

    assert events[-2:] == [
        {"type": "CUSTOM", "name": "on_interrupt", "value": "Sure?"},
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
    ]


@pytest.mark.parametrize(("emitted", "version"), [(True, None), (False, "1.0")])
async def test_the_operator_can_choose_how_interrupts_are_told(emitted: bool, version: str | None) -> None:
    provider = asking("Sure?", emit_interrupt_outcome=emitted)

    finished = (await collect(provider, request(protocolVersion=version)))[-1]

    assert ("outcome" in finished) is emitted


async def test_a_question_that_is_no_text_is_announced_as_json_text() -> None:
    question = {
        "message": "Delete?",
        "reason": "confirm",
        "toolCallId": "c1",
        "responseSchema": {"type": "null"},
    }

    events = await collect(asking(question), request())

    (found,) = interrupts(events)
    assert orjson.loads(of_type(events, "CUSTOM")[0]["value"]) == question
    assert found == {
        "id": found["id"],
        "reason": "confirm",
        "message": "Delete?",
        "toolCallId": "c1",
        "responseSchema": {"type": "null"},
        "metadata": {"langgraph": {"raw": question}},
    }


async def test_the_upstream_sdks_interrupt_carries_its_value_and_messages() -> None:
    question = {
        "__copilotkit_interrupt_value__": "Name?",
        "__copilotkit_messages__": [AIMessage("Name?", id="a1")],
    }

    events = await collect(asking(question), request())

    value = orjson.loads(of_type(events, "CUSTOM")[0]["value"])
    assert value["__copilotkit_interrupt_value__"] == "Name?"
    assert [(m["type"], m["content"]) for m in value["__copilotkit_messages__"]] == [("ai", "Name?")]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("yes", "yes"),
        ('{"ok": true}', {"ok": True}),
        ("[1, 2]", [1, 2]),
        ("true", True),
        ({"ok": False}, {"ok": False}),
        ("", ""),
        ("null", None),
    ],
)
async def test_an_older_frontends_answer_resumes_the_graph(sent: Any, received: Any) -> None:
    provider = asking("Sure?")
    await collect(provider, request())

    events = await collect(provider, request(forwardedProps={"command": {"resume": sent}}))

    assert snapshots(events)[-1] == {"answers": [received]}
    assert interrupts(events) == []


async def test_several_interrupts_are_answered_together_by_their_ids() -> None:
    provider = asking("A?", "B?")
    first, second = interrupts(await collect(provider, request()))
    resume = [
        {"interruptId": second["id"], "status": "resolved", "payload": f"re: {second['message']}"},
        {"interruptId": first["id"], "status": "resolved", "payload": f"re: {first['message']}"},
    ]

    events = await collect(provider, request(resume=resume))

    assert snapshots(events)[-1] == {"answers": ["re: A?", "re: B?"]}


async def test_an_interrupt_that_is_left_unanswered_is_announced_again() -> None:
    provider = asking("A?", "B?")
    first, second = interrupts(await collect(provider, request()))

    events = await collect(
        provider, request(resume=[{"interruptId": first["id"], "status": "resolved", "payload": "a"}])
    )
    snapshot = await provider.snapshot("t", RequestContext())

    assert interrupts(events) == [second]
    assert snapshot is not None
    assert snapshot.interrupts == [second]


async def test_an_answer_without_an_id_goes_to_the_interrupt_that_was_announced_last() -> None:
    provider = asking("A?", "B?")
    first = await collect(provider, request())
    shown = of_type(first, "CUSTOM")[-1]["value"]

    events = await collect(provider, request(forwardedProps={"command": {"resume": "yes"}}))

    assert [question["message"] for question in interrupts(events)] == [{"A?": "B?", "B?": "A?"}[shown]]


async def test_a_cancelled_interrupt_reaches_the_graph_as_such() -> None:
    provider = asking("Sure?")
    (asked,) = interrupts(await collect(provider, request()))

    events = await collect(provider, request(resume=[{"interruptId": asked["id"], "status": "cancelled"}]))

    assert snapshots(events)[-1] == {"answers": [{"__agui_cancelled__": True, "interrupt_id": asked["id"]}]}


async def test_an_answer_that_nobody_waits_for_is_an_error() -> None:
    provider = asking("Sure?")
    (asked,) = interrupts(await collect(provider, request()))
    resume = [{"interruptId": asked["id"], "status": "resolved", "payload": "yes"}]
    await collect(provider, request(resume=resume))

    with pytest.raises(AgentError) as caught:
        await collect(provider, request(resume=resume))

    assert caught.value.agent_code == "NO_PENDING_INTERRUPT"


async def test_state_that_the_user_changed_before_answering_reaches_the_graph() -> None:
    provider = asking("Sure?")
    await collect(provider, request(state={"note": "old"}))

    events = await collect(
        provider, request(state={"note": "new"}, forwardedProps={"command": {"resume": "yes"}})
    )

    assert snapshots(events)[-1] == {"answers": ["yes"], "note": "new"}


def confirming() -> LangGraphProvider:
    """Returns an agent that makes a tool call, asks before it runs the tool, and then comments."""

    async def chat(state: MessagesState) -> dict[str, Any]:
        last = state["messages"][-1]
        answer = says("Done.") if last.type == "tool" else says(*calling("c1", "delete", "{}"))
        if last.text == "never mind":
            answer = says("Fine.")
        return {"messages": [await answer.ainvoke(state["messages"])]}

    async def tools(state: MessagesState) -> dict[str, Any]:
        answer = interrupt("Delete?")
        return {"messages": [{"role": "tool", "content": answer, "tool_call_id": "c1"}]}

    def route(state: MessagesState) -> str:
        last = state["messages"][-1]
        return "tools" if isinstance(last, AIMessage) and last.tool_calls else "__end__"

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_node("tools", tools)
    builder.add_edge(START, "chat")
    builder.add_conditional_edges("chat", route, ["tools", "__end__"])
    builder.add_edge("tools", "chat")
    return LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))


async def test_a_tool_that_asked_first_gives_its_result_after_the_answer() -> None:
    provider = confirming()
    asked = await collect(provider, request(user("delete it", "u1")))

    events = await collect(
        provider, request(*messages(asked), forwardedProps={"command": {"resume": "deleted"}})
    )

    assert [event["toolCallId"] for event in of_type(asked, "TOOL_CALL_START")] == ["c1"]
    assert [event["content"] for event in of_type(events, "TOOL_CALL_RESULT")] == ["deleted"]
    assert of_type(events, "TOOL_CALL_START") == []
    assert text_of(events) == "Done."


async def test_a_plain_message_while_an_interrupt_waits_is_neither_its_answer_nor_lost() -> None:
    provider = confirming()
    asked = await collect(provider, request(user("delete it", "u1")))

    events = await collect(provider, request(*messages(asked), user("never mind", "u2")))

    assert text_of(events) == "Fine."
    assert interrupts(events) == []
    assert [message["role"] for message in messages(events)] == [
        "user",
        "assistant",
        "tool",
        "user",
        "assistant",
    ]
    assert messages(events)[2] == {
        "id": "c1-unanswered",
        "role": "tool",
        "content": "This call was interrupted; there is no result.",
        "toolCallId": "c1",
        "error": "This call was interrupted; there is no result.",
    }


async def test_the_missing_result_of_an_interrupted_call_is_told_when_it_is_missed() -> None:
    provider = confirming()
    asked = await collect(provider, request(user("delete it", "u1")))

    events = await collect(provider, request(*messages(asked), user("never mind", "u2")))
    later = await collect(provider, request(*messages(events), user("never mind", "u3")))

    (result,) = of_type(events, "TOOL_CALL_RESULT")
    assert (result["toolCallId"], result["messageId"]) == ("c1", "c1-unanswered")
    assert events.index(result) < events.index(of_type(events, "TEXT_MESSAGE_START")[0])
    assert of_type(later, "TOOL_CALL_RESULT") == []


async def test_a_message_that_comes_with_the_cancellation_of_a_question_starts_a_new_turn() -> None:
    provider = confirming()
    asked = await collect(provider, request(user("delete it", "u1")))
    cancelled = [{"interruptId": interrupts(asked)[0]["id"], "status": "cancelled"}]

    events = await collect(provider, request(*messages(asked), user("never mind", "u2"), resume=cancelled))

    assert text_of(events) == "Fine."
    assert interrupts(events) == []


async def test_a_message_that_comes_with_the_answer_is_kept() -> None:
    provider = confirming()
    asked = await collect(provider, request(user("delete it", "u1")))

    events = await collect(
        provider,
        request(*messages(asked), user("and hurry", "u2"), forwardedProps={"command": {"resume": "deleted"}}),
    )

    assert "and hurry" in [message["content"] for message in messages(events)]


async def test_an_interrupt_inside_a_subgraph_is_announced_once_and_resumed() -> None:
    inner = StateGraph(Answers)
    inner.add_node("ask", lambda state: {"answers": [interrupt("Inside?")]})
    inner.add_edge(START, "ask")
    outer = StateGraph(Answers)
    outer.add_node("sub", inner.compile())
    outer.add_edge(START, "sub")
    provider = LangGraphProvider(outer.compile(checkpointer=InMemorySaver()))

    asked = await collect(provider, request())
    events = await collect(provider, request(forwardedProps={"command": {"resume": "yes"}}))

    assert [event["value"] for event in of_type(asked, "CUSTOM")] == ["Inside?"]
    assert snapshots(events)[-1] == {"answers": ["yes"]}


async def test_steps_of_an_interrupted_run_are_finished() -> None:
    events = await collect(asking("A?", "B?"), request())

    started = [event["stepName"] for event in of_type(events, "STEP_STARTED")]
    assert sorted(event["stepName"] for event in of_type(events, "STEP_FINISHED")) == sorted(started)


async def test_the_interrupt_is_no_part_of_the_state() -> None:
    events = await collect(asking("Sure?"), request())

    assert snapshots(events) == [{"answers": []}]
