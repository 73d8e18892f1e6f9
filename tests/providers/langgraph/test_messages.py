"""Where messages appear that no model streamed, and that what a page has shown stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import calling, in_turn, request, says, user

pytestmark = pytest.mark.anyio


def texts(events: list[dict[str, Any]]) -> list[str]:
    return [message.get("content") or "" for message in messages(events)]


def order(events: list[dict[str, Any]]) -> list[str]:
    """Returns what appears in the chat, in its order: steps as they end, texts and results."""
    shown = {
        "STEP_FINISHED": "stepName",
        "TEXT_MESSAGE_CONTENT": "delta",
        "TOOL_CALL_RESULT": "content",
    }
    return [str(event[shown[event["type"]]]) for event in events if event["type"] in shown]


def chain(*nodes: Any, state: Any = MessagesState, **options: Any) -> LangGraphProvider:
    """Returns an agent whose nodes run one after the other."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(state)
    before = START
    for index, node in enumerate(nodes):
        name = f"node{index}"
        builder.add_node(name, node).add_edge(before, name)
        before = name
    return LangGraphProvider(builder.compile(**options))


@pytest.mark.parametrize(
    "first",
    [
        {"role": "assistant", "content": "First"},
        ("assistant", "First"),
        AIMessage("First"),
    ],
)
async def test_a_message_in_any_form_is_shown_when_its_node_is_done(first: Any) -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says("Second").ainvoke("?")]}

    events = await collect(chain(lambda state: {"messages": [first]}, speak), request(user("hi", "u1")))

    assert order(events) == ["First", "node0", "Second", "node1"]
    assert texts(events) == ["hi", "First", "Second"]


async def test_a_tool_result_in_dict_form_is_shown_when_its_node_is_done() -> None:
    async def call(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says(*calling("c1", "weather", "{}")).ainvoke("?")]}

    def work(state: MessagesState) -> dict[str, Any]:
        return {"messages": [{"role": "tool", "content": "sunny", "tool_call_id": "c1"}]}

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says("Sunny.").ainvoke("?")]}

    events = await collect(chain(call, work, speak), request(user("hi", "u1")))

    assert order(events) == ["node0", "sunny", "node1", "Sunny.", "node2"]


async def test_messages_of_a_subgraph_are_shown_when_its_node_is_done() -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says("Second").ainvoke("?")]}

    inner = StateGraph(MessagesState)
    inner.add_node("one", lambda state: {"messages": [("ai", "First")]})
    inner.add_node("two", speak).add_edge(START, "one").add_edge("one", "two")

    events = await collect(chain(inner.compile()), request(user("hi", "u1")))

    assert order(events) == ["First", "one", "Second", "two", "node0"]


async def test_what_a_conversation_starts_with_is_not_shown_again() -> None:
    provider = chain(lambda state: {"messages": [("ai", "Hello")]}, checkpointer=InMemorySaver())
    first = await collect(provider, request(user("hi", "u1")))

    events = await collect(provider, request(*messages(first), user("again", "u2")))

    assert text_of(events) == "Hello"
    assert texts(events) == ["hi", "Hello", "again", "Hello"]


async def test_a_handover_out_of_a_subgraph_ends_its_steps_and_shows_its_result() -> None:
    async def call(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says(*calling("c1", "handover", "{}")).ainvoke("?")]}

    def hand_over(state: MessagesState) -> Command[str]:
        result = {"role": "tool", "content": "handed over", "tool_call_id": "c1"}
        return Command(goto="other", graph=Command.PARENT, update={"messages": [*state["messages"], result]})

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says("I am the other.").ainvoke("?")]}

    inner = StateGraph(MessagesState).add_node("call", call).add_node("tools", hand_over)
    inner.add_edge(START, "call").add_edge("call", "tools")
    builder = StateGraph(MessagesState).add_node("first", inner.compile()).add_node("other", speak)
    graph = builder.add_edge(START, "first").compile()

    events = await collect(LangGraphProvider(graph), request(user("hi", "u1")))

    assert order(events) == ["call", "handed over", "tools", "first", "I am the other.", "other"]


async def test_each_of_two_parallel_tools_shows_its_result_at_its_own_end() -> None:
    seen: list[str] = []
    shown = asyncio.Event()

    @tool
    async def fast() -> str:
        """Returns at once."""
        return "fast"

    @tool
    async def slow() -> str:
        """Waits until the other's result is shown."""
        await shown.wait()
        return "slow"

    async def call(state: MessagesState) -> dict[str, Any]:
        calls = [*calling("c1", "slow", "{}"), *calling("c2", "fast", "{}", index=1)]
        return {"messages": [await says(*calls).ainvoke("?")]}

    provider = chain(call, ToolNode([fast, slow]))
    results = []
    async with asyncio.timeout(10):
        async for event in provider.run(request(user("hi", "u1")), RequestContext()):
            if event["type"] == "TOOL_CALL_RESULT":
                seen.append(event["content"])
                results.append(event["messageId"])
                shown.set()
            if event["type"] == "MESSAGES_SNAPSHOT":
                stored = {each["id"] for each in event["messages"] if each["role"] == "tool"}

    assert seen == ["fast", "slow"]
    assert stored == set(results)


async def test_a_result_that_something_may_change_is_shown_as_it_was_changed() -> None:
    @tool
    def secret() -> str:
        """Returns a secret."""
        return "secret"

    async def censor(call: Any, execute: Any) -> Any:
        result = await execute(call)
        result.content = "***"
        return result

    async def call(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says(*calling("c1", "secret", "{}")).ainvoke("?")]}

    events = await collect(chain(call, ToolNode([secret], awrap_tool_call=censor)), request(user("hi", "u1")))

    assert [event["content"] for event in of_type(events, "TOOL_CALL_RESULT")] == ["***"]


async def test_what_a_node_says_without_storing_it_stays_where_it_was() -> None:
    async def think(state: MessagesState) -> dict[str, Any]:
        await says("Let me see.").ainvoke("?")
        return {}

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says("Done.").ainvoke("?")]}

    provider = chain(think, speak, checkpointer=InMemorySaver())

    first = await collect(provider, request(user("hi", "u1")))
    second = await collect(provider, request(*messages(first), user("again", "u2")))

    assert texts(first) == ["hi", "Let me see.", "Done."]
    assert texts(second) == [*texts(first), "again", "Let me see.", "Done."]
    streamed = [event["messageId"] for event in of_type(second, "TEXT_MESSAGE_START")]
    assert [message["id"] for message in messages(second)[-2:]] == streamed


async def test_a_message_made_of_a_models_answer_is_that_answer() -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        answer = await says("Hello").ainvoke("?")
        return {"messages": [AIMessage(answer.content, name="bot")]}

    async def repeat(state: MessagesState) -> dict[str, Any]:
        answer = await says("Bye").ainvoke("?")
        return {"messages": [{"role": "assistant", "content": answer.content}]}

    events = await collect(chain(speak, repeat), request(user("hi", "u1")))

    assert texts(events) == ["hi", "Hello", "Bye"]
    streamed = [event["messageId"] for event in of_type(events, "TEXT_MESSAGE_START")]
    assert [message["id"] for message in messages(events)[1:]] == streamed


async def test_a_message_that_the_graph_stored_and_removed_again_is_gone() -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says("Something rude").ainvoke("?")]}

    def guard(state: MessagesState) -> dict[str, Any]:
        return {"messages": [RemoveMessage(str(state["messages"][-1].id)), AIMessage("I cannot say that.")]}

    events = await collect(chain(speak, guard), request(user("hi", "u1")))

    assert texts(events) == ["hi", "I cannot say that."]


def forgetting(update: Any) -> Any:
    def forget(state: MessagesState) -> dict[str, Any]:
        removed = update(state["messages"]) if len(state["messages"]) > 3 else []
        return {"messages": [*removed, ("ai", f"Answer {len(state['messages'])}")]}

    return forget


@pytest.mark.parametrize(
    ("update", "shown"),
    [
        # The beginning of a conversation, to save context: by name, and by writing the rest anew.
        (lambda all: [RemoveMessage(m.id) for m in all[:2]], ["one", "Answer 1", "two", "Answer 3", "three"]),
        (
            lambda all: [
                RemoveMessage(REMOVE_ALL_MESSAGES),
                HumanMessage("Summary", additional_kwargs={"lc_source": "summarization"}),
                *all[-2:],
            ],
            ["one", "Answer 1", "two", "Answer 3", "three"],
        ),
        # A message within the conversation, and all of it.
        (lambda all: [RemoveMessage(all[2].id)], ["one", "Answer 1", "Answer 3", "three"]),
        (lambda all: [RemoveMessage(REMOVE_ALL_MESSAGES)], []),
    ],
)
async def test_what_the_model_forgets_stays_on_the_page_and_what_is_deleted_does_not(
    update: Any, shown: list[str]
) -> None:
    provider = chain(forgetting(update), checkpointer=InMemorySaver())
    events = await collect(provider, request(user("one", "u1")))
    events = await collect(provider, request(*messages(events), user("two", "u2")))

    events = await collect(provider, request(*messages(events), user("three", "u3")))

    assert texts(events) == [*shown, "Answer 5"]


async def test_messages_of_other_agents_on_the_thread_stay_and_reach_the_graph() -> None:
    seen: list[list[str]] = []

    def look(state: MessagesState) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        return {"messages": [("ai", "Mine")]}

    provider = chain(look, checkpointer=InMemorySaver())
    events = await collect(provider, request(user("hi", "u1")))
    other = [user("to the other", "u2"), {"id": "o1", "role": "assistant", "content": "Theirs"}]

    events = await collect(provider, request(*messages(events), *other, user("back", "u3")))
    after = await collect(provider, request(*messages(events), user("and now", "u4")))

    assert seen[-1] == ["hi", "Mine", "to the other", "Theirs", "back", "Mine", "and now"]
    assert texts(after) == [*seen[-1], "Mine"]


async def test_a_regenerated_answer_replaces_what_followed_the_question() -> None:
    async def speak(state: MessagesState) -> dict[str, Any]:
        await says("Hm.").ainvoke("?")
        return {"messages": [("ai", f"Answer {len(state['messages'])}")]}

    provider = chain(speak, checkpointer=InMemorySaver())
    first = await collect(provider, request(user("one", "u1")))
    second = await collect(provider, request(*messages(first), user("two", "u2")))

    events = await collect(provider, request(*messages(second)[:4]))

    assert texts(second) == ["one", "Hm.", "Answer 1", "two", "Hm.", "Answer 3"]
    assert texts(events) == ["one", "Hm.", "Answer 1", "two", "Hm.", "Answer 3"]


def asking(*texts: str) -> LangGraphProvider:
    """Returns an agent whose node says each text in one of its runs, and then asks."""
    model = in_turn(*([text[: len(text) // 2], text[len(text) // 2 :]] for text in texts))

    async def ask(state: MessagesState) -> dict[str, Any]:
        said = await model.ainvoke("?")
        return {"messages": [said, AIMessage(f"Hello {interrupt('Name?')}", id="a1")]}

    return chain(ask, checkpointer=InMemorySaver())


async def test_what_a_node_said_before_it_asked_is_not_said_again_after_the_answer() -> None:
    provider = asking("I need a name.", "I need a name.")
    asked = await collect(provider, request(user("hi", "u1")))

    answer: dict[str, Any] = {"forwardedProps": {"command": {"resume": "Bob"}}}
    events = await collect(provider, request(*messages(asked), **answer))
    loaded = await provider.snapshot("t", RequestContext())

    assert texts(asked) == ["hi", "I need a name."]
    assert text_of(events) == "Hello Bob"
    assert texts(events) == ["hi", "I need a name.", "Hello Bob"]
    assert messages(events)[:2] == messages(asked)
    assert loaded is not None
    assert loaded.messages == messages(events)


async def test_what_a_node_says_otherwise_after_the_answer_replaces_what_it_said_before() -> None:
    provider = asking("I need a name.", "I need your name.")
    asked = await collect(provider, request(user("hi", "u1")))

    answer: dict[str, Any] = {"forwardedProps": {"command": {"resume": "Bob"}}}
    events = await collect(provider, request(*messages(asked), **answer))

    assert text_of(events) == "I need your name.Hello Bob"
    assert texts(events) == ["hi", "I need your name.", "Hello Bob"]


class Plain(TypedDict):
    messages: list[Any]


async def test_messages_without_ids_keep_the_ids_that_they_are_shown_with() -> None:
    def speak(state: Plain) -> dict[str, Any]:
        return {"messages": [*state["messages"], {"role": "assistant", "content": "Hello"}]}

    provider = chain(speak, state=Plain, checkpointer=InMemorySaver())

    first = await collect(provider, request(user("hi", "u1")))
    loaded = await provider.snapshot("t", RequestContext())
    second = await collect(provider, request(*messages(first), user("again", "u2")))

    assert texts(second) == ["hi", "Hello", "again", "Hello"]
    assert loaded is not None
    assert loaded.messages == messages(first) == messages(second)[:2]
    ids = [message["id"] for message in messages(second)]
    assert len(set(ids)) == 4
    assert [event["messageId"] for event in of_type(second, "TEXT_MESSAGE_START")] == ids[3:]


async def test_a_channel_that_holds_the_last_answer_only_hides_nothing() -> None:
    provider = chain(
        lambda state: {"messages": [AIMessage("Hello")]}, state=Plain, checkpointer=InMemorySaver()
    )

    first = await collect(provider, request(user("hi", "u1")))
    second = await collect(provider, request(*messages(first), user("again", "u2")))

    assert texts(second) == ["hi", "Hello", "again", "Hello"]


@pytest.mark.parametrize("checkpointer", [None, InMemorySaver()])
async def test_what_a_function_returns_is_added_to_the_conversation(checkpointer: Any) -> None:
    seen: list[list[str]] = []

    @task
    async def answer(messages: list[AnyMessage]) -> Any:
        return await says(f"Answer {len(messages)}").ainvoke(messages)

    @entrypoint(checkpointer=checkpointer)
    async def agent(input: dict[str, Any]) -> dict[str, Any]:
        seen.append([message.text for message in input["messages"]])
        return {"messages": [await answer(input["messages"])]}

    provider = LangGraphProvider(agent)
    first = await collect(provider, request(user("hi", "u1")))
    second = await collect(provider, request(*messages(first), user("again", "u2")))

    assert seen[-1] == ["hi", "Answer 1", "again"]
    assert texts(second) == ["hi", "Answer 1", "again", "Answer 3"]


async def test_a_function_that_keeps_the_conversation_itself_gets_what_is_new() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def agent(input: dict[str, Any], *, previous: Any = None) -> Any:
        whole = [*(previous or {}).get("messages", []), *input["messages"]]
        return {"messages": [*whole, AIMessage(f"Answer {len(whole)}", id=f"a{len(whole)}")]}

    provider = LangGraphProvider(agent)
    first = await collect(provider, request(user("hi", "u1")))
    second = await collect(provider, request(*messages(first), user("again", "u2")))

    assert texts(second) == ["hi", "Answer 1", "again", "Answer 3"]


@pytest.mark.parametrize("returned", [AIMessage("Done", id="a1"), [AIMessage("Done", id="a1")]])
async def test_a_function_may_return_messages_alone(returned: Any) -> None:
    @entrypoint()
    async def agent(input: dict[str, Any]) -> Any:
        return returned

    events = await collect(LangGraphProvider(agent), request(user("hi", "u1")))

    assert text_of(events) == "Done"
    assert texts(events) == ["hi", "Done"]


async def test_a_graph_without_messages_leaves_the_conversation_as_it_is() -> None:
    class Answer(TypedDict):
        answer: str

    async def speak(state: Answer) -> dict[str, Any]:
        return {"answer": (await says("42").ainvoke("?")).text}

    events = await collect(chain(speak, state=Answer), request(user("hi", "u1")))

    assert text_of(events) == "42"
    assert of_type(events, "MESSAGES_SNAPSHOT") == []


async def test_instructions_that_a_client_keeps_stay_with_it() -> None:
    provider = chain(lambda state: {"messages": [("ai", "Hello")]}, checkpointer=InMemorySaver())
    system = {"id": "s1", "role": "system", "content": "Be nice."}

    events = await collect(provider, request(system, user("hi", "u1")))

    assert texts(events) == ["Be nice.", "hi", "Hello"]


async def test_a_call_that_a_node_emits_by_hand_stays_and_can_be_answered() -> None:
    from langchain_core.callbacks import adispatch_custom_event

    seen: list[list[str]] = []

    async def emit(state: MessagesState) -> dict[str, Any]:
        seen.append([message.type for message in state["messages"]])
        if len(seen) == 1:
            call = {"id": "c1", "name": "confirm", "args": {"q": "?"}}
            await adispatch_custom_event("copilotkit_manually_emit_tool_call", call)
        return {}

    provider = chain(emit, checkpointer=InMemorySaver())
    events = await collect(provider, request(user("hi", "u1")))
    result = {"id": "t1", "role": "tool", "toolCallId": "c1", "content": "yes"}

    await collect(provider, request(*messages(events), result))

    assert messages(events)[-1]["toolCalls"][0]["function"] == {"name": "confirm", "arguments": '{"q":"?"}'}
    assert seen[-1] == ["human", "ai", "tool"]


async def test_a_loop_that_speaks_shows_each_message_once() -> None:
    def speak(state: MessagesState) -> Command[str]:
        count = len(state["messages"])
        return Command(goto=END if count > 3 else "speak", update={"messages": [("ai", f"{count}")]})

    builder = StateGraph(MessagesState).add_node("speak", speak, destinations=("speak", END))
    events = await collect(
        LangGraphProvider(builder.add_edge(START, "speak").compile()), request(user("hi", "u1"))
    )

    assert text_of(events) == "1234"


async def test_a_system_message_of_the_graph_is_part_of_its_conversation() -> None:
    events = await collect(
        chain(lambda state: {"messages": [SystemMessage("Note", id="s1")]}), request(user("hi", "u1"))
    )

    assert texts(events) == ["hi", "Note"]


async def test_answers_in_turn_have_their_own_ids_even_if_they_say_the_same() -> None:
    model = in_turn(["Hello"], ["Hello"])

    async def speak(state: MessagesState) -> dict[str, Any]:
        answers = [await model.ainvoke("?"), await model.ainvoke("?")]
        return {"messages": [AIMessage(answer.content) for answer in answers]}

    events = await collect(chain(speak), request(user("hi", "u1")))

    assert texts(events) == ["hi", "Hello", "Hello"]
    assert len({message["id"] for message in messages(events)}) == 3
