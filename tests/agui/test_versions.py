"""Peers of AG-UI 0.1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events as ev
from copilotkit_runtime_py.agui.versions import Thinking, portable, received_input, remote_input
from copilotkit_runtime_py.providers.remote import RemoteProvider
from tests.protocols.agui.served import Event, run_body, serve, without_input
from tests.scripted_agent import RUN_FINISHED, RUN_STARTED, ScriptedAgent

TEXT = {"type": "text", "text": "hi"}


@pytest.mark.parametrize(
    ("binary", "part"),
    [
        (
            {"mimeType": "image/png", "data": "aGk="},
            {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}},
        ),
        (
            {"mimeType": "audio/wav", "url": "https://x/a.wav", "data": None},
            {"type": "audio", "source": {"type": "url", "value": "https://x/a.wav", "mimeType": "audio/wav"}},
        ),
        (
            {"mimeType": "video/mp4", "id": "file-1"},
            {"type": "video", "source": {"type": "file", "value": "file-1", "mimeType": "video/mp4"}},
        ),
        (
            {"mimeType": "application/pdf", "data": "aGk=", "filename": "a.pdf"},
            {
                "type": "document",
                "source": {"type": "data", "value": "aGk=", "mimeType": "application/pdf"},
                "metadata": {"filename": "a.pdf"},
            },
        ),
    ],
)
def test_binary_parts_are_what_they_hold(binary: Event, part: Event) -> None:
    message = {"id": "u", "role": "user", "content": [{"type": "binary", **binary}]}
    read = received_input(run_body(messages=[message]))
    assert read["messages"] == [{"id": "u", "role": "user", "content": [part]}]
    assert RunAgentInput.model_validate(read)


def test_what_a_newer_client_may_send_is_left_out() -> None:
    body = run_body(
        messages=[
            {"id": "u", "role": "user", "content": [{"type": "hologram", "of": "me"}, TEXT], "name": None},
            {"id": "x", "role": "oracle", "content": "?"},
        ],
        telepathy=True,
        state=None,
        forwardedProps=None,
        tools=None,
    )
    assert received_input(body) == {
        "threadId": "t1",
        "runId": "r1",
        "messages": [{"id": "u", "role": "user", "content": [TEXT]}],
        "context": [],
        "forwardedProps": {},
    }


def test_an_agent_of_either_version_can_read_its_input() -> None:
    input = RunAgentInput.model_validate(
        {
            "threadId": "t",
            "runId": "r",
            "parentRunId": "p",
            "protocolVersion": "1.0",
            "messages": [
                {"id": "u", "role": "user", "content": "hi"},
                {"id": "a", "role": "activity", "activityType": "PLAN", "content": {}},
            ],
        }
    )
    assert orjson.loads(remote_input(input)) == {
        "threadId": "t",
        "runId": "r",
        "state": {},
        "messages": [{"id": "u", "role": "user", "content": "hi"}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
    }


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        (
            {"type": "RUN_FINISHED", "outcome": {"type": "cancelled"}, "runId": "r"},
            {"type": "RUN_FINISHED", "runId": "r"},
        ),
        (
            {"type": "RUN_FINISHED", "outcome": {"type": "success", "pendingToolCallIds": ["c"]}},
            {"type": "RUN_FINISHED", "outcome": {"type": "success"}},
        ),
        (
            {
                "type": "TOOL_CALL_RESULT",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            {"type": "TOOL_CALL_RESULT", "content": "ab"},
        ),
        (
            {"type": "TOOL_CALL_RESULT", "content": [{"type": "image"}]},
            {"type": "TOOL_CALL_RESULT", "content": '[{"type":"image"}]'},
        ),
    ],
)
def test_events_are_sent_as_clients_of_both_versions_accept_them(event: Event, sent: Event) -> None:
    assert portable(event) == sent


@pytest.mark.parametrize(
    "event",
    [
        {
            "type": "RUN_FINISHED",
            "outcome": {"type": "interrupt", "interrupts": [{"id": "i", "reason": "r"}]},
        },
        {"type": "TOOL_CALL_RESULT", "content": "text"},
        ev.text_start("m"),
    ],
)
def test_what_both_versions_accept_stays_as_it_is(event: Event) -> None:
    assert portable(event) is event


def test_thinking_of_an_older_agent_is_reasoning_with_ids() -> None:
    events = Thinking()
    told = [
        events.translate({"type": kind, **more})
        for kind, more in (
            ("THINKING_START", {"title": "Hm"}),
            ("THINKING_TEXT_MESSAGE_START", {}),
            ("THINKING_TEXT_MESSAGE_CONTENT", {"delta": "so"}),
            ("THINKING_TEXT_MESSAGE_END", {}),
            ("THINKING_END", {}),
        )
    ]
    phase, message = told[0]["messageId"], told[1]["messageId"]
    assert phase != message
    assert told == [
        {"type": "REASONING_START", "messageId": phase},
        {"type": "REASONING_MESSAGE_START", "messageId": message, "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": message, "delta": "so"},
        {"type": "REASONING_MESSAGE_END", "messageId": message},
        {"type": "REASONING_END", "messageId": phase},
    ]


@pytest.mark.anyio
async def test_an_older_remote_agent_thinks_aloud_on_the_wire_of_today() -> None:
    thoughts: list[Any] = [
        {"event": {"type": kind, **more}}
        for kind, more in (
            ("THINKING_START", {}),
            ("THINKING_TEXT_MESSAGE_START", {}),
            ("THINKING_TEXT_MESSAGE_CONTENT", {"delta": "so"}),
            ("THINKING_TEXT_MESSAGE_END", {}),
            ("THINKING_END", {}),
        )
    ]
    with ScriptedAgent({"old": [RUN_STARTED, *thoughts, RUN_FINISHED]}) as agent:
        async with serve({"agent": RemoteProvider(agent.url("old"))}) as served:
            events = without_input(await served.events(served.run()))
    assert [event["type"] for event in events] == [
        "RUN_STARTED",
        "REASONING_START",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
        "REASONING_END",
        "RUN_FINISHED",
    ]


@pytest.mark.anyio
async def test_a_cancelled_outcome_of_a_newer_agent_ends_the_run_well() -> None:
    async def cancelled(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.run_finished(input.thread_id, input.run_id) | {"outcome": {"type": "cancelled"}}

    async with serve({"agent": cancelled}) as served:
        events = await served.events(served.run())
    assert events[-1] == ev.run_finished("t1", "r1")
