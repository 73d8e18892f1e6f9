"""What servers of LangGraph's API send, as the mapper of graphs in this process reads it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.types import Interrupt

from copilotkit_runtime_py.providers.langgraph.callbacks import DispatchedEvent
from copilotkit_runtime_py.providers.langgraph.repetition import Repetition
from copilotkit_runtime_py.providers.langgraph_platform.memory import snapshot_from
from copilotkit_runtime_py.providers.langgraph_platform.message_ids import MessageIds
from copilotkit_runtime_py.providers.langgraph_platform.parts import Part, Parts, interrupt_from
from copilotkit_runtime_py.providers.langgraph_platform.request import to_server

METADATA = {"langgraph_checkpoint_ns": "chat:1"}


def new_parts() -> Parts:
    return Parts(MessageIds(None), Repetition())


def translated(name: str, data: Any, parts: Parts | None = None) -> Part | None:
    found = (parts or new_parts()).translate((name, orjson.dumps(data)))
    assert len(found) <= 1
    return found[0] if found else None


def chunk(content: str, id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "AIMessageChunk", "content": content, "id": id, "tool_call_chunks": [], **fields}


def test_a_part_has_the_namespace_of_its_subgraph() -> None:
    assert translated("custom|outer:1|inner:2", {"x": 1}) == (("outer:1", "inner:2"), "custom", {"x": 1})


def test_messages_and_chunks_are_those_of_langchain() -> None:
    call = {"name": "add", "args": '{"a":', "id": "c1", "index": 0, "type": "tool_call_chunk"}
    found = [
        translated("messages", [message, METADATA])
        for message in (
            chunk("Hi", "m1"),
            chunk("", "m1", tool_call_chunks=[call]),
            {"type": "ai", "content": "Hi", "id": "m2", "tool_calls": [{"name": "a", "args": {}, "id": "c"}]},
            {"type": "tool", "content": "3", "id": "m3", "tool_call_id": "c1", "status": "error"},
        )
    ]

    assert [type(part[2][0]) for part in found if part] == [
        AIMessageChunk,
        AIMessageChunk,
        AIMessage,
        ToolMessage,
    ]
    assert found[1] is not None
    assert found[1][2][0].tool_call_chunks == [call]


def test_the_javascript_server_names_chunks_like_messages() -> None:
    message = {"type": "ai", "content": "H", "id": "run-1", "tool_calls": [], "tool_call_chunks": []}

    found = translated("messages", [message, {}])
    values = translated("values", {"messages": [message]})

    assert found is not None
    assert values is not None
    assert type(found[2][0]) is AIMessageChunk
    assert type(values[2]["messages"][0]) is AIMessage


@pytest.mark.parametrize("message", [None, "text", {"type": "unknown"}, {"type": "ai"}])
def test_a_malformed_message_is_left_out(message: Any) -> None:
    assert translated("messages", [message, METADATA]) is None


def test_every_chunk_of_a_model_call_has_the_id_of_the_first() -> None:
    parts = new_parts()
    ids = ["resp_1", "lc_run--1", "lc_run--1"]
    found = [translated("messages", [chunk("x", id), METADATA], parts) for id in ids]
    last = translated("messages", [chunk("x", "lc_run--1", chunk_position="last"), METADATA], parts)
    after = translated("messages", [chunk("x", "lc_run--2"), METADATA], parts)
    beside = translated("messages", [chunk("x", "lc_run--3"), METADATA], parts)

    assert [part[2][0].id for part in [*found, last] if part] == ["resp_1"] * 4
    assert [part[2][0].id for part in (after, beside) if part] == ["lc_run--2", "lc_run--3"]


def test_interrupts_of_older_and_newer_servers_are_read() -> None:
    old = {"value": "Name?", "resumable": True, "ns": ["ask:1"], "when": "during", "interrupt_id": "i1"}
    new = {"value": "Name?", "id": "i1", "response_schema": None, "what comes": "next year"}

    assert [Interrupt(**interrupt_from(each)) for each in (old, new)] == [Interrupt("Name?", id="i1")] * 2


def test_values_that_are_only_interrupts_are_no_state() -> None:
    assert translated("values", {"__interrupt__": [{"value": 1, "id": "i"}]}) is None
    assert translated("values", {"note": "x", "__interrupt__": []}) is not None


def test_of_the_events_only_those_that_a_node_dispatches_count() -> None:
    custom = {"event": "on_custom_event", "name": "progress", "data": {"n": 1}, "run_id": "r"}
    other = {"event": "on_chain_end", "data": {"output": 'says "on_custom_event"'}}

    assert translated("events", custom) == ((), "custom", DispatchedEvent("progress", {"n": 1}))
    assert translated("events", other) is None
    assert translated("metadata", {"run_id": "r"}) is None


def test_a_thread_that_has_not_run_yet_has_an_empty_state() -> None:
    empty: Any = {"values": None, "next": [], "tasks": [], "checkpoint": None, "created_at": None}

    found = snapshot_from(empty, MessageIds(None))

    assert (found.values, found.metadata, found.interrupts, found.tasks) == ({}, None, (), ())


def test_messages_travel_without_what_a_graph_would_take_for_more() -> None:
    messages = [
        HumanMessage("hi", id="u"),
        AIMessage("", id="a", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c"}]),
        ToolMessage("3", id="t", tool_call_id="c"),
    ]

    assert to_server(messages, MessageIds(None)) == [
        {"type": "human", "content": "hi", "id": "u"},
        {
            "type": "ai",
            "content": "",
            "id": "a",
            "tool_calls": [{"name": "add", "args": {"a": 1}, "id": "c", "type": "tool_call"}],
        },
        {"type": "tool", "content": "3", "id": "t", "tool_call_id": "c", "status": "success"},
    ]


def test_the_tasks_in_which_tools_run_are_known() -> None:
    parts = new_parts()
    started = {"event": "on_tool_start", "name": "add", "metadata": {"langgraph_checkpoint_ns": "tools:1"}}

    assert translated("events", started, parts) is None
    assert parts.tool_tasks == {"tools:1"}
