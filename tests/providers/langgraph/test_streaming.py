import operator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Send
from typing_extensions import TypedDict

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import ScriptedModel, calling, in_turn, request, says, user

pytestmark = pytest.mark.anyio


def chat_graph(model: ScriptedModel) -> StateGraph[Any, Any, Any, Any]:
    async def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_edge(START, "chat")
    return builder


@tool
def double(n: int) -> str:
    """Double a number."""
    return str(2 * n)


def tool_graph(model: ScriptedModel) -> StateGraph[Any, Any, Any, Any]:
    builder = chat_graph(model)
    builder.add_node("tools", ToolNode([double]))
    builder.add_conditional_edges("chat", tools_condition)
    builder.add_edge("tools", "chat")
    return builder


async def test_a_plain_run_streams_each_token_inside_the_nodes_step() -> None:
    provider = LangGraphProvider(chat_graph(says("Hel", "lo")).compile())

    events = await collect(provider, request(user("hi", "u1")))

    id = events[2]["messageId"]
    assert events == [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "STEP_STARTED", "stepName": "chat"},
        {"type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": "Hel"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": "lo"},
        {"type": "TEXT_MESSAGE_END", "messageId": id},
        {"type": "STEP_FINISHED", "stepName": "chat"},
        {"type": "STATE_SNAPSHOT", "snapshot": {}},
        {
            "type": "MESSAGES_SNAPSHOT",
            "messages": [
                {"id": "u1", "role": "user", "content": "hi"},
                {"id": id, "role": "assistant", "content": "Hello"},
            ],
        },
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
    ]


async def test_a_backend_tool_streams_its_call_and_its_one_result() -> None:
    model = in_turn(calling("c1", "double", '{"n"', ": 21}"), ["It is 42."])
    provider = LangGraphProvider(tool_graph(model).compile())

    events = await collect(provider, request(user("twice 21?", "u1")))

    history = messages(events)
    assert of_type(events, "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT") == [
        {
            "type": "TOOL_CALL_START",
            "toolCallId": "c1",
            "toolCallName": "double",
            "parentMessageId": history[1]["id"],
        },
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": '{"n"'},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": ": 21}"},
        {"type": "TOOL_CALL_END", "toolCallId": "c1"},
        {
            "type": "TOOL_CALL_RESULT",
            "messageId": history[2]["id"],
            "toolCallId": "c1",
            "content": "42",
            "role": "tool",
        },
    ]
    assert history[1]["toolCalls"] == [
        {"id": "c1", "type": "function", "function": {"name": "double", "arguments": '{"n":21}'}}
    ]
    assert [step["stepName"] for step in of_type(events, "STEP_STARTED")] == ["chat", "tools", "chat"]


async def test_parallel_tool_calls_keep_their_arguments_apart() -> None:
    first, second = calling("c1", "double", '{"n":1}'), calling("c2", "double", '{"n":2}', index=1)
    mixed = [first[0], second[0], second[1], first[1]]
    provider = LangGraphProvider(tool_graph(in_turn(mixed, ["done"])).compile())

    events = await collect(provider, request(user("both", "u1")))

    args = [(event["toolCallId"], event["delta"]) for event in of_type(events, "TOOL_CALL_ARGS")]
    results = [(event["toolCallId"], event["content"]) for event in of_type(events, "TOOL_CALL_RESULT")]
    assert args == [("c2", '{"n":2}'), ("c1", '{"n":1}')]
    assert sorted(results) == [("c1", "2"), ("c2", "4")]


async def test_text_before_a_tool_call_ends_before_the_call_starts() -> None:
    model = in_turn(["Let me see.", *calling("c1", "double", '{"n":1}')], ["ok"])
    provider = LangGraphProvider(tool_graph(model).compile())

    events = await collect(provider, request(user("?", "u1")))

    kinds = [event["type"] for event in events]
    assert kinds.index("TEXT_MESSAGE_END") < kinds.index("TOOL_CALL_START")
    assert events[2]["messageId"] == of_type(events, "TOOL_CALL_START")[0]["parentMessageId"]


async def test_a_message_keeps_the_id_of_its_first_chunk_when_the_provider_changes_it() -> None:
    # OpenAI's Responses API names the message in its first, empty chunk only.
    model = says(AIMessageChunk(content="", id="resp_1"), "a", AIMessageChunk(content="b", id="resp_1"))
    provider = LangGraphProvider(chat_graph(model).compile())

    events = await collect(provider, request(user("hi", "u1")))

    streamed = {event["messageId"] for event in of_type(events, "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT")}
    assert streamed == {messages(events)[1]["id"]}


async def test_a_message_streamed_by_the_node_itself_keeps_its_id() -> None:
    model = says(AIMessageChunk(content="a"), AIMessageChunk(content="b", id="resp_1"))

    async def chat(state: MessagesState) -> dict[str, Any]:
        whole: Any = None
        async for chunk in model.astream(state["messages"]):
            whole = chunk if whole is None else whole + chunk
        return {"messages": [whole]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_edge(START, "chat")

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert {event["messageId"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")} == {
        messages(events)[1]["id"]
    }


async def test_a_message_that_a_node_returns_without_a_model_is_shown_once() -> None:
    async def greet(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Welcome")]}

    async def again(state: MessagesState) -> dict[str, Any]:
        return {"messages": state["messages"]}

    builder = StateGraph(MessagesState)
    builder.add_node("greet", greet)
    builder.add_node("again", again)
    builder.add_edge(START, "greet")
    builder.add_edge("greet", "again")

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert text_of(events) == "Welcome"
    assert of_type(events, "TEXT_MESSAGE_START")[0]["messageId"] == messages(events)[1]["id"]


async def test_a_model_that_cannot_stream_answers_in_one_piece() -> None:
    def chat(state: MessagesState) -> dict[str, Any]:
        model = says("all", " at once")
        return {"messages": [model.model_copy(update={"disable_streaming": True}).invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_edge(START, "chat")

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["all at once"]


@pytest.mark.parametrize(
    "thought",
    [
        AIMessageChunk(content=[{"type": "thinking", "thinking": "hm"}]),
        AIMessageChunk(content=[{"type": "reasoning", "reasoning": "hm"}]),
        AIMessageChunk(content=[{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]),
        AIMessageChunk(content=[{"type": "reasoning_content", "reasoning_content": {"text": "hm"}}]),
        AIMessageChunk(content="", additional_kwargs={"reasoning_content": "hm"}),
    ],
    ids=["anthropic", "standard", "openai", "bedrock", "deepseek"],
)
async def test_reasoning_is_streamed_beside_the_text(thought: AIMessageChunk) -> None:
    provider = LangGraphProvider(chat_graph(says(thought, "so")).compile())

    events = await collect(provider, request(user("why", "u1")))

    _, reasoning, answer = messages(events)
    assert reasoning == {"id": f"{answer['id']}-reasoning", "role": "reasoning", "content": "hm"}
    assert (answer["role"], answer["content"]) == ("assistant", "so")
    assert events[2:9] == [
        {"type": "REASONING_START", "messageId": reasoning["id"]},
        {"type": "REASONING_MESSAGE_START", "messageId": reasoning["id"], "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": reasoning["id"], "delta": "hm"},
        {"type": "REASONING_MESSAGE_END", "messageId": reasoning["id"]},
        {"type": "REASONING_END", "messageId": reasoning["id"]},
        {"type": "TEXT_MESSAGE_START", "messageId": answer["id"], "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": answer["id"], "delta": "so"},
    ]


async def test_all_text_blocks_of_a_message_count() -> None:
    chunk = AIMessageChunk(content=[{"type": "text", "text": "one "}, {"type": "text", "text": "two"}])
    provider = LangGraphProvider(chat_graph(says(chunk)).compile())

    events = await collect(provider, request(user("hi", "u1")))

    assert text_of(events) == messages(events)[1]["content"] == "one two"


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


async def test_nodes_that_run_at_the_same_time_are_steps_of_their_own() -> None:
    builder = StateGraph(Log)
    builder.add_node("left", lambda state: {"log": ["left"]})
    builder.add_node("right", lambda state: {"log": ["right"]})
    builder.add_edge(START, "left")
    builder.add_edge(START, "right")

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert sorted(step["stepName"] for step in of_type(events, "STEP_STARTED")) == ["left", "right"]
    assert sorted(step["stepName"] for step in of_type(events, "STEP_FINISHED")) == ["left", "right"]
    assert of_type(events, "STATE_SNAPSHOT", "MESSAGES_SNAPSHOT")[-1]["snapshot"] == {
        "log": ["left", "right"]
    }


async def test_a_node_sent_to_several_times_is_one_step() -> None:
    builder = StateGraph(Log)
    builder.add_node("work", lambda state: {"log": ["done"]})
    builder.add_conditional_edges(START, lambda state: [Send("work", {}), Send("work", {})], ["work"])

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert [event["type"] for event in of_type(events, "STEP_STARTED", "STEP_FINISHED")] == [
        "STEP_STARTED",
        "STEP_FINISHED",
    ]


def subgraph_provider() -> LangGraphProvider:
    builder = StateGraph(MessagesState)
    builder.add_node("expert", chat_graph(says("from ", "inside")).compile())
    builder.add_edge(START, "expert")
    return LangGraphProvider(builder.compile())


async def test_a_subgraph_streams_its_tokens_and_its_nodes_are_steps() -> None:
    events = await collect(subgraph_provider(), request(user("hi", "u1")))

    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["from ", "inside"]
    assert [(e["type"], e["stepName"]) for e in of_type(events, "STEP_STARTED", "STEP_FINISHED")] == [
        ("STEP_STARTED", "expert"),
        ("STEP_STARTED", "chat"),
        ("STEP_FINISHED", "chat"),
        ("STEP_FINISHED", "expert"),
    ]
    assert len(messages(events)) == 2


async def test_a_request_can_ask_not_to_stream_subgraphs() -> None:
    input = request(user("hi", "u1"), forwardedProps={"streamSubgraphs": False})

    events = await collect(subgraph_provider(), input)

    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["from inside"]
    assert [step["stepName"] for step in of_type(events, "STEP_STARTED")] == ["expert"]


async def test_a_tool_result_is_emitted_once_however_often_nodes_repeat_it() -> None:
    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [ToolMessage("42", tool_call_id="c1")]}

    async def repeat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [ToolMessage("42", tool_call_id="c1")]}

    builder = chat_graph(says(*calling("c1", "double", "{}")))
    builder.add_node("answer", answer)
    builder.add_node("repeat", repeat)
    builder.add_edge("chat", "answer")
    builder.add_edge("answer", "repeat")

    events = await collect(LangGraphProvider(builder.compile()), request(user("?", "u1")))

    assert len(of_type(events, "TOOL_CALL_RESULT")) == 1
    assert [message["role"] for message in messages(events)] == ["user", "assistant", "tool"]


async def test_a_graph_without_messages_sends_no_conversation() -> None:
    builder = StateGraph(Log)
    builder.add_node("work", lambda state: {"log": ["done"]})
    builder.add_edge(START, "work")

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert of_type(events, "MESSAGES_SNAPSHOT") == []


async def test_a_failing_node_raises_after_what_it_had_said() -> None:
    class KitchenFire(Exception):
        pass

    async def burn() -> None:
        raise KitchenFire

    provider = LangGraphProvider(chat_graph(says("Wait", burn)).compile(checkpointer=InMemorySaver()))
    seen = []

    async def pump() -> None:
        async for event in provider.run(request(user("hi", "u1")), RequestContext()):
            seen.append(event["type"])  # noqa: PERF401 - what came before the error counts

    with pytest.raises(KitchenFire):
        await pump()

    assert seen == [
        "RUN_STARTED",
        "STEP_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
    ]


async def test_the_graph_gets_the_conversation_as_langchain_messages() -> None:
    model = says("ok")
    provider = LangGraphProvider(chat_graph(model).compile())
    said = {"id": "a1", "role": "assistant", "content": "Hello"}

    await collect(provider, request(user("hi", "u1"), said, user("more", "u2")))

    assert model.calls == [
        [HumanMessage("hi", id="u1"), AIMessage("Hello", id="a1"), HumanMessage("more", id="u2")]
    ]
