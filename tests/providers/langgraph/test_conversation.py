"""How a client's history and the graph's memory come together."""

import operator
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, messages, snapshots, text_of

from .scripted import ScriptedModel, calling, in_turn, request, user

pytestmark = pytest.mark.anyio


def echo() -> ScriptedModel:
    """Returns a model that says what it was asked, and how many messages it saw."""
    return ScriptedModel(script=lambda seen: [f"{seen[-1].text} ({len(seen)})"])


def chat(model: ScriptedModel, saver: Any = None, schema: Any = MessagesState) -> LangGraphProvider:
    async def chat(state: Any) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(schema)
    builder.add_node("chat", chat)
    builder.add_edge(START, "chat")
    return LangGraphProvider(builder.compile(checkpointer=saver))


def contents(found: list[dict[str, Any]]) -> list[Any]:
    return [message["content"] for message in found]


def kinds(call: list[BaseMessage]) -> list[tuple[str, str]]:
    return [(message.type, message.text) for message in call]


async def test_with_a_checkpointer_a_client_may_send_only_its_new_message() -> None:
    provider = chat(echo(), InMemorySaver())

    await collect(provider, request(user("one", "u1")))
    events = await collect(provider, request(user("two", "u2")))

    assert contents(messages(events)) == ["one", "one (1)", "two", "two (3)"]


async def test_with_a_checkpointer_known_messages_are_not_added_again() -> None:
    provider = chat(echo(), InMemorySaver())

    first = await collect(provider, request(user("one", "u1")))
    events = await collect(provider, request(*messages(first), user("two", "u2")))

    assert contents(messages(events)) == ["one", "one (1)", "two", "two (3)"]


async def test_without_a_checkpointer_the_clients_history_is_the_conversation() -> None:
    provider = chat(echo())

    first = await collect(provider, request(user("one", "u1")))
    events = await collect(provider, request(*messages(first), user("two", "u2")))

    assert contents(messages(events)) == ["one", "one (1)", "two", "two (3)"]


async def test_the_same_words_twice_are_two_messages() -> None:
    provider = chat(echo(), InMemorySaver())

    first = await collect(provider, request(user("yes", "u1")))
    events = await collect(provider, request(*messages(first), user("yes", "u2")))

    assert contents(messages(events)) == ["yes", "yes (1)", "yes", "yes (3)"]


async def test_the_frontends_own_instructions_are_left_out() -> None:
    model = echo()
    provider = chat(model, InMemorySaver())
    for id in ("s1", "s2"):
        instructions = {"id": id, "role": "system", "content": "Be nice"}
        await collect(provider, request(instructions, user("hi", f"u{id}")))

    assert [message.type for message in model.calls[-1]] == ["human", "ai", "human"]


@pytest.mark.parametrize("turns", [1, 2, 5])
async def test_sending_the_history_up_to_the_last_question_again_answers_it_anew(turns: int) -> None:
    provider = chat(echo(), InMemorySaver())
    for turn in range(turns):
        before = await collect(provider, request(user(f"q{turn}", f"u{turn}")))
    history = messages(before)

    events = await collect(provider, request(*history[:-1]))

    assert contents(messages(events)) == contents(history)
    assert messages(events)[-1]["id"] != history[-1]["id"]


async def test_an_edited_question_replaces_it_and_all_that_followed() -> None:
    provider = chat(echo(), InMemorySaver())
    for turn in range(3):
        before = await collect(provider, request(user(f"q{turn}", f"u{turn}")))
    history = messages(before)

    events = await collect(provider, request(*history[:2], user("better", "u1")))

    assert contents(messages(events)) == ["q0", "q0 (1)", "better", "better (3)"]


async def test_a_message_that_the_graph_changed_is_not_taken_for_edited() -> None:
    seen: list[list[str]] = []

    def redact(state: MessagesState) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        last = state["messages"][-1]
        redacted = HumanMessage(last.text.replace("secret", "***"), id=last.id)
        return {"messages": [redacted, AIMessage(f"Answer {len(seen)}", id=f"a{len(seen)}")]}

    builder = StateGraph(MessagesState).add_node("redact", redact).add_edge(START, "redact")
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
    said = [user("my secret", "u1")]

    # A page of CopilotKit 1.x does not hear that its own message has changed.
    for turn in (1, 2):
        await collect(provider, request(*said))
        said += [{"id": f"a{turn}", "role": "assistant", "content": f"Answer {turn}"}]
        said += [user(f"secret {turn}", f"v{turn}")]
    await collect(provider, request(*said))

    assert seen[-1] == ["my ***", "Answer 1", "*** 1", "Answer 2", "secret 2"]


async def test_the_first_question_can_be_edited() -> None:
    provider = chat(echo(), InMemorySaver())
    await collect(provider, request(user("q0", "u0")))
    await collect(provider, request(user("q1", "u1")))

    events = await collect(provider, request(user("better", "u0")))

    assert contents(messages(events)) == ["better", "better (1)"]


async def test_an_unknown_id_is_a_new_message_and_never_a_wish_to_regenerate() -> None:
    provider = chat(echo(), InMemorySaver())
    first = await collect(provider, request(user("q0", "u0")))
    await collect(provider, request(user("q1", "u1")))

    events = await collect(provider, request(*messages(first), user("q2", "u2")))

    assert contents(messages(events)) == ["q0", "q0 (1)", "q1", "q1 (3)", "q2", "q2 (5)"]


async def test_a_fork_takes_back_state_that_the_client_merely_echoes() -> None:
    class Counting(MessagesState):
        count: int

    async def count(state: Counting) -> dict[str, Any]:
        return {"count": state.get("count", 0) + 1, "messages": [AIMessage("counted")]}

    builder = StateGraph(Counting)
    builder.add_node("count", count)
    builder.add_edge(START, "count")
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
    await collect(provider, request(user("q0", "u0")))
    events = await collect(provider, request(user("q1", "u1"), state={"count": 1}))

    again = await collect(provider, request(*messages(events)[:-1], state={"count": 2}))

    assert [snapshots(events)[-1], snapshots(again)[-1]] == [{"count": 2}, {"count": 2}]


class CountingSaver(InMemorySaver):
    """Counts the checkpoints that are read from the history."""

    read = 0

    async def alist(self, config: RunnableConfig | None, **kwargs: Any) -> AsyncIterator[CheckpointTuple]:
        async for checkpoint in super().alist(config, **kwargs):
            self.read += 1
            yield checkpoint


async def test_a_fork_near_the_end_does_not_load_the_whole_history() -> None:
    saver = CountingSaver()
    provider = chat(echo(), saver)
    for turn in range(20):
        events = await collect(provider, request(user(f"q{turn}", f"u{turn}")))

    await collect(provider, request(*messages(events)[:-1]))

    assert saver.read == 2


class LatestOnly(InMemorySaver):
    """A checkpointer that keeps no history."""

    async def alist(self, config: RunnableConfig | None, **kwargs: Any) -> AsyncIterator[CheckpointTuple]:
        nothing: list[CheckpointTuple] = []
        for checkpoint in nothing:
            yield checkpoint


async def test_a_question_can_be_answered_anew_without_a_checkpoint_history() -> None:
    provider = chat(echo(), LatestOnly())
    await collect(provider, request(user("q0", "u0")))
    await collect(provider, request(user("q1", "u1")))

    events = await collect(provider, request(user("better", "u0")))

    assert contents(messages(events)) == ["better", "better (1)"]


async def test_messages_that_the_graph_dropped_stay_dropped() -> None:
    model = echo()

    async def answer(state: MessagesState) -> dict[str, Any]:
        old = state["messages"][:-1]
        answer = await model.ainvoke(state["messages"])
        return {"messages": [*(RemoveMessage(id=m.id or "") for m in old), answer]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
    shown: list[dict[str, Any]] = []
    for turn in range(3):
        events = await collect(provider, request(*shown, user(f"q{turn}", f"u{turn}")))
        shown += [user(f"q{turn}", f"u{turn}"), messages(events)[-1]]

    assert kinds(model.calls[-1]) == [("human", "q1"), ("ai", "q1 (3)"), ("human", "q2")]


async def test_a_partial_answer_that_was_stopped_stays_in_the_conversation() -> None:
    model = echo()
    saver = InMemorySaver()
    provider = chat(model, saver)
    await collect(provider, request(user("q0", "u0")))
    partial = {"id": "a9", "role": "assistant", "content": "I was ab"}

    await collect(provider, request(user("q0", "u0"), partial, user("q1", "u1")))

    assert kinds(model.calls[-1])[-2:] == [("ai", "I was ab"), ("human", "q1")]


async def test_a_thread_whose_ids_the_client_does_not_share_gets_only_what_is_new() -> None:
    model = echo()
    provider = chat(model, InMemorySaver())
    await collect(provider, request(user("q0", "u0")))
    other = [user("q0", "x0"), {"id": "x1", "role": "assistant", "content": "q0 (1)"}, user("q1", "x2")]

    await collect(provider, request(*other))

    assert kinds(model.calls[-1]) == [("human", "q0"), ("ai", "q0 (1)"), ("human", "q1")]


class Plain(TypedDict):
    messages: list[Any]


class Adding(TypedDict):
    messages: Annotated[list[Any], operator.add]


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["stateless", "checkpointer"])
async def test_messages_without_a_reducer_are_not_lost(saver: Any) -> None:
    model = echo()

    async def answer(state: Plain) -> dict[str, Any]:
        return {"messages": [*state["messages"], await model.ainvoke(state["messages"])]}

    builder = StateGraph(Plain)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    provider = LangGraphProvider(builder.compile(checkpointer=saver))

    first = await collect(provider, request(user("one", "u1")))
    events = await collect(provider, request(*messages(first), user("two", "u2")))

    assert contents(messages(events)) == ["one", "one (1)", "two", "two (3)"]


async def test_messages_with_a_reducer_of_their_own_work() -> None:
    provider = chat(echo(), InMemorySaver(), Adding)

    first = await collect(provider, request(user("one", "u1")))
    events = await collect(provider, request(*messages(first), user("two", "u2")))

    assert contents(messages(events)) == ["one", "one (1)", "two", "two (3)"]


# Tools of the frontend


def paint_call(id: str = "a1") -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "paint", "arguments": '{"c": 1}'}}
    return {"id": id, "role": "assistant", "content": "", "toolCalls": [call]}


def result(content: str, call: str = "c1", id: str = "t1") -> dict[str, Any]:
    return {"id": id, "role": "tool", "content": content, "toolCallId": call}


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["stateless", "checkpointer"])
async def test_a_frontend_tools_result_continues_the_conversation(saver: Any) -> None:
    model = in_turn(calling("c1", "paint", '{"c": 1}'), ["Painted."])
    provider = chat(model, saver)

    first = await collect(provider, request(user("paint", "u1")))
    events = await collect(provider, request(*messages(first), result("ok")))

    assert text_of(events) == "Painted."
    assert kinds(model.calls[-1]) == [("human", "paint"), ("ai", ""), ("tool", "ok")]


async def test_an_assistant_message_is_known_by_its_calls_when_its_id_is_not() -> None:
    # Clients of the GraphQL contract send a call whose parent they do not know as a message of its own.
    model = in_turn(calling("c1", "paint", '{"c": 1}'), ["Painted."])
    provider = chat(model, InMemorySaver())
    await collect(provider, request(user("paint", "u1")))

    await collect(provider, request(user("paint", "u1"), paint_call("c1"), result("ok")))

    assert [message.type for message in model.calls[-1]] == ["human", "ai", "tool"]


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["stateless", "checkpointer"])
async def test_a_call_that_was_never_answered_gets_a_result_before_the_next_message(saver: Any) -> None:
    model = in_turn(calling("c1", "paint", "{}"), ["Sorry."])
    provider = chat(model, saver)
    first = await collect(provider, request(user("paint", "u1")))

    await collect(provider, request(*messages(first), user("well?", "u2")))

    assert [message.type for message in model.calls[-1]] == ["human", "ai", "tool", "human"]


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["stateless", "checkpointer"])
async def test_a_late_result_takes_the_place_of_its_stand_in(saver: Any) -> None:
    model = in_turn(calling("c1", "paint", "{}"), ["Sorry."], ["Good."])
    provider = chat(model, saver)
    first = messages(await collect(provider, request(user("paint", "u1"))))
    second = messages(await collect(provider, request(*first, user("well?", "u2"))))

    await collect(provider, request(*second, result("ok"), user("and now?", "u3")))

    assert kinds(model.calls[-1]) == [
        ("human", "paint"),
        ("ai", ""),
        ("tool", "ok"),
        ("human", "well?"),
        ("ai", "Sorry."),
        ("human", "and now?"),
    ]


async def test_of_two_parallel_calls_the_unanswered_one_gets_a_stand_in() -> None:
    model = in_turn([*calling("c1", "paint", "{}"), *calling("c2", "draw", "{}", index=1)], ["ok"])
    provider = chat(model, InMemorySaver())
    first = await collect(provider, request(user("both", "u1")))

    await collect(provider, request(*messages(first), result("painted")))

    assert [message.text for message in model.calls[-1][2:]] == [
        "painted",
        "This call was interrupted; there is no result.",
    ]


async def test_a_late_result_goes_to_its_call_behind_which_the_conversation_went_on() -> None:
    class Both(MessagesState):
        pass

    answers = in_turn(
        [*calling("c1", "count", "{}"), *calling("c2", "paint", "{}", index=1)], ["One."], ["Painted."]
    )

    async def chat(state: Both) -> dict[str, Any]:
        return {"messages": [await answers.ainvoke(state["messages"])]}

    async def count(state: Both) -> dict[str, Any]:
        return {"messages": [ToolMessage("1", tool_call_id="c1")]}

    builder = StateGraph(Both)
    builder.add_node("chat", chat)
    builder.add_node("count", count)
    builder.add_edge(START, "chat")
    builder.add_conditional_edges("chat", lambda s: "count" if s["messages"][-1].tool_calls else "__end__")
    builder.add_edge("count", "chat")
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
    first = messages(await collect(provider, request(user("both", "u1"))))

    events = await collect(provider, request(*first, result("painted", "c2")))

    assert kinds(answers.calls[-1]) == [
        ("human", "both"),
        ("ai", ""),
        ("tool", "1"),
        ("tool", "painted"),
        ("ai", "One."),
    ]
    assert [message["role"] for message in messages(events)] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "assistant",
    ]


async def test_a_finished_tool_keeps_its_result_when_the_user_ignores_the_question_of_another() -> None:
    model = in_turn([*calling("c1", "count", "{}"), *calling("c2", "ask", "{}", index=1)], ["Fine."])

    async def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def tool(state: Any) -> dict[str, Any]:
        answer = interrupt("Sure?") if state["name"] == "ask" else "1"
        return {"messages": [ToolMessage(answer, tool_call_id=state["id"])]}

    def route(state: MessagesState) -> Any:
        calls: Any = state["messages"][-1]
        return [Send("tool", call) for call in calls.tool_calls]

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_node("tool", tool)
    builder.add_edge(START, "chat")
    builder.add_conditional_edges("chat", route, ["tool"])
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
    first = messages(await collect(provider, request(user("both", "u1"))))

    await collect(provider, request(*first, user("never mind", "u2")))

    assert [(m.type, m.text) for m in model.calls[-1]] == [
        ("human", "both"),
        ("ai", ""),
        ("tool", "1"),
        ("tool", "This call was interrupted; there is no result."),
        ("human", "never mind"),
    ]


async def test_a_result_for_a_call_that_nobody_made_is_left_out() -> None:
    model = echo()

    await collect(chat(model), request(user("hi", "u1"), result("ghost"), user("more", "u2")))

    assert [message.type for message in model.calls[-1]] == ["human", "human"]


async def test_a_run_without_any_message_works() -> None:
    model = ScriptedModel(script=lambda seen: [f"saw {len(seen)}"])

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke([SystemMessage("x"), *state["messages"]])]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert text_of(events) == "saw 1"


# Content


PARTS: list[dict[str, Any]] = [
    {"type": "text", "text": "What is this?"},
    {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}},
    {"type": "image", "source": {"type": "url", "value": "https://example.org/cat.png"}},
    {"type": "audio", "source": {"type": "data", "value": "aGk=", "mimeType": "audio/wav"}},
    {
        "type": "document",
        "source": {"type": "data", "value": "aGk=", "mimeType": "application/pdf"},
        "metadata": {"filename": "a.pdf"},
    },
    {"type": "document", "source": {"type": "file", "value": "file_1"}},
]


async def test_images_and_documents_reach_the_model_and_come_back_unchanged() -> None:
    model = ScriptedModel(script=lambda seen: ["a cat"])

    events = await collect(chat(model), request({"id": "u1", "role": "user", "content": PARTS}))

    assert messages(events)[0] == {"id": "u1", "role": "user", "content": PARTS}
    assert model.calls[0][0].content == [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "base64": "aGk=", "mime_type": "image/png"},
        {"type": "image", "url": "https://example.org/cat.png"},
        {"type": "audio", "base64": "aGk=", "mime_type": "audio/wav"},
        {"type": "file", "base64": "aGk=", "mime_type": "application/pdf", "filename": "a.pdf"},
        {"type": "file", "file_id": "file_1"},
    ]


async def test_a_message_with_an_image_is_not_taken_for_edited() -> None:
    provider = chat(echo(), InMemorySaver())
    first = await collect(provider, request({"id": "u1", "role": "user", "content": PARTS}))

    events = await collect(provider, request(*messages(first), user("more", "u2")))

    assert len(messages(events)) == 4


async def test_image_url_blocks_that_a_graph_makes_itself_become_image_parts() -> None:
    async def show(state: MessagesState) -> dict[str, Any]:
        urls = ["data:image/png;base64,aGk=", "https://example.org/cat.png"]
        return {
            "messages": [
                HumanMessage([{"type": "image_url", "image_url": {"url": url}} for url in urls], id="h")
            ]
        }

    builder = StateGraph(MessagesState)
    builder.add_node("show", show)
    builder.add_edge(START, "show")

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert messages(events)[0]["content"] == PARTS[1:3]


async def test_a_tools_result_with_blocks_is_sent_as_text() -> None:
    blocks = [{"type": "text", "text": "see "}, {"type": "image", "url": "u"}]

    async def show(state: MessagesState) -> dict[str, Any]:
        call = {"id": "c1", "name": "look", "args": {}}
        tool = {"role": "tool", "content": blocks, "tool_call_id": "c1"}
        return {"messages": [AIMessage("", tool_calls=[call]), tool]}

    builder = StateGraph(MessagesState)
    builder.add_node("show", show)
    builder.add_edge(START, "show")

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert messages(events)[1]["content"] == 'see {"type":"image","url":"u"}'
