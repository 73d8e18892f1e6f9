"""What nodes emit by hand, or hold back, with the names and keys of the upstream SDKs."""

import operator
from typing import Annotated, Any

import orjson
import pytest
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, of_type, snapshots

from .scripted import ScriptedModel, calling, request, says, user

pytestmark = pytest.mark.anyio


class State(MessagesState):
    progress: int
    log: Annotated[list[str], operator.add]


def node_graph(*nodes: Any) -> LangGraphProvider:
    builder = StateGraph(State)
    builder.add_sequence([(f"node{index}", node) for index, node in enumerate(nodes)])
    builder.add_edge(START, "node0")
    return LangGraphProvider(builder.compile())


async def test_manual_messages_tool_calls_and_tokens_come_in_the_order_they_were_made() -> None:
    model = says("token")

    async def work(state: State, config: RunnableConfig) -> dict[str, Any]:
        message = {"message": "step 1", "message_id": "m1", "role": "assistant"}
        await adispatch_custom_event("copilotkit_manually_emit_message", message, config=config)
        answer = await model.ainvoke(state["messages"])
        call = {"name": "search", "args": {"q": 1}, "id": "c1"}
        await adispatch_custom_event("copilotkit_manually_emit_tool_call", call, config=config)
        await adispatch_custom_event("copilotkit_exit", {}, config=config)
        return {"messages": [answer]}

    events = await collect(node_graph(work), request(user("hi", "u1")))

    id = events[5]["messageId"]
    assert events[2:12] == [
        {"type": "TEXT_MESSAGE_START", "messageId": "m1", "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "step 1"},
        {"type": "TEXT_MESSAGE_END", "messageId": "m1"},
        {"type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": "token"},
        {"type": "TEXT_MESSAGE_END", "messageId": id},
        {"type": "TOOL_CALL_START", "toolCallId": "c1", "toolCallName": "search", "parentMessageId": "c1"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": '{"q":1}'},
        {"type": "TOOL_CALL_END", "toolCallId": "c1"},
        {"type": "CUSTOM", "name": "Exit", "value": True},
    ]


@pytest.mark.parametrize("name", ["copilotkit_manually_emit_intermediate_state", "manually_emit_state"])
async def test_manually_emitted_state_shows_at_once_and_only_until_the_node_is_done(name: str) -> None:
    async def work(state: State, config: RunnableConfig) -> dict[str, Any]:
        for progress in (1, 2):
            await adispatch_custom_event(name, {"progress": progress, "messages": []}, config=config)
        return {"log": ["worked"]}

    async def rest(state: State) -> dict[str, Any]:
        return {"log": ["rested"]}

    events = await collect(node_graph(work, rest), request(state={"progress": 0}))

    assert snapshots(events) == [
        {"progress": 1, "log": []},
        {"progress": 2, "log": []},
        {"progress": 0, "log": ["worked"]},
        {"progress": 0, "log": ["worked", "rested"]},
        {"progress": 0, "log": ["worked", "rested"]},
    ]


async def test_other_dispatched_events_are_passed_on_under_their_names() -> None:
    async def work(state: State, config: RunnableConfig) -> dict[str, Any]:
        await adispatch_custom_event("weather", {"degrees": 21}, config=config)
        get_stream_writer()({"progress": 0.5})
        return {}

    events = await collect(node_graph(work), request())

    assert of_type(events, "CUSTOM") == [
        {"type": "CUSTOM", "name": "weather", "value": {"degrees": 21}},
        {"type": "CUSTOM", "name": "langgraph:custom", "value": {"progress": 0.5}},
    ]


async def test_a_synchronous_node_can_dispatch_events() -> None:
    def work(state: State, config: RunnableConfig) -> dict[str, Any]:
        dispatch_custom_event("weather", 21, config=config)
        return {}

    events = await collect(node_graph(work), request())

    assert of_type(events, "CUSTOM") == [{"type": "CUSTOM", "name": "weather", "value": 21}]


def answering(model: ScriptedModel, metadata: dict[str, Any]) -> LangGraphProvider:
    async def chat(state: State) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"], {"metadata": metadata})]}

    async def tools(state: State) -> dict[str, Any]:
        calls: Any = state["messages"][-1]
        results = [{"role": "tool", "content": "ok", "tool_call_id": call["id"]} for call in calls.tool_calls]
        return {"messages": results}

    return node_graph(chat, tools)


def both() -> ScriptedModel:
    return says("thinking aloud", *calling("c1", "search", "{}"), *calling("c2", "write", "{}", index=1))


def called(events: list[Event]) -> list[str]:
    return [event["toolCallName"] for event in of_type(events, "TOOL_CALL_START")]


@pytest.mark.parametrize("prefix", ["copilotkit:", ""])
async def test_a_model_call_can_keep_its_messages_to_itself(prefix: str) -> None:
    events = await collect(answering(both(), {f"{prefix}emit-messages": False}), request(user("hi", "u1")))

    assert of_type(events, "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END") == []
    assert called(events) == ["search", "write"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (True, ["search", "write"]),
        (False, []),
        ("search", ["search"]),
        (["write"], ["write"]),
        (["search", "write"], ["search", "write"]),
    ],
    ids=orjson.dumps,
)
async def test_a_model_call_can_choose_the_tool_calls_that_show(setting: Any, expected: list[str]) -> None:
    provider = answering(both(), {"copilotkit:emit-tool-calls": setting})

    events = await collect(provider, request(user("hi", "u1")))

    names = {"c1": "search", "c2": "write"}
    assert called(events) == expected
    assert [names[event["toolCallId"]] for event in of_type(events, "TOOL_CALL_RESULT")] == expected
