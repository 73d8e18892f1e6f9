"""Whatever an agent yields, a valid AG-UI stream comes out."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ag_ui.core import EventType
from hypothesis import given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.normalizer import EventSequence
from copilotkit_runtime_py.errors import ProtocolViolationError
from tests.examples import examples
from tests.well_formed import check_models, check_stream

Event = dict[str, Any]

STARTED = {"type": "RUN_STARTED", "threadId": "t1", "runId": "r1"}
FINISHED = {"type": "RUN_FINISHED", "threadId": "t1", "runId": "r1"}


def stream(*yielded: Event, strict_stream: bool = False) -> list[Event]:
    """The whole stream of an agent that yields these events and ends."""
    sequence = EventSequence("t1", "r1", strict_stream=strict_stream)
    out: list[Event] = []
    for event in yielded:
        sequence.push(event, out)
    sequence.finish(out)
    assert sequence.terminal is not None
    return [*out, sequence.terminal]


def violation(*yielded: Event, strict_stream: bool = True) -> str:
    """The text of the violation that the last of these events is."""
    sequence = EventSequence("t1", "r1", strict_stream=strict_stream)
    out: list[Event] = []
    for event in yielded[:-1]:
        sequence.push(event, out)
    with pytest.raises(ProtocolViolationError) as raised:
        sequence.push(yielded[-1], out)
    assert raised.value.agent_code == "INCOMPLETE_STREAM"
    return raised.value.message


def reasoning_start(id: str) -> Event:
    return {"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"}


def reasoning_content(id: str, delta: str) -> Event:
    return {"type": "REASONING_MESSAGE_CONTENT", "messageId": id, "delta": delta}


def reasoning_end(id: str) -> Event:
    return {"type": "REASONING_MESSAGE_END", "messageId": id}


WHOLE = [
    events.text_start("m1"),
    events.text_content("m1", "a"),
    events.tool_call_start("c1", "search", "m1"),
    events.tool_call_args("c1", "{}"),
    events.text_content("m1", "b"),
    events.tool_call_end("c1"),
    events.text_end("m1"),
    events.tool_call_result("r1", "c1", "found"),
    reasoning_start("t1"),
    reasoning_content("t1", "hm"),
    reasoning_end("t1"),
    events.step_started("s"),
    events.state_snapshot({"a": None}),
    events.state_delta([{"op": "add", "path": "/b", "value": None}]),
    events.messages_snapshot([{"id": "m1", "role": "assistant", "content": "ab"}]),
    events.custom("x", None),
    {"type": "RAW", "event": None},
    events.step_finished("s"),
]


@pytest.mark.parametrize("strict_stream", [False, True])
def test_a_well_formed_stream_passes_unchanged(strict_stream: bool) -> None:
    assert stream(STARTED, *WHOLE, FINISHED, strict_stream=strict_stream) == [STARTED, *WHOLE, FINISHED]


def test_an_agent_that_only_talks_gets_its_frame() -> None:
    assert stream(*WHOLE) == [STARTED, *WHOLE, FINISHED]


def test_an_agent_that_says_nothing_has_a_run() -> None:
    assert stream() == [STARTED, FINISHED]


def test_what_an_unstrict_stream_agent_leaves_open_is_closed_before_the_end() -> None:
    left = [
        events.step_started("s"),
        events.text_start("m1"),
        events.tool_call_start("c1", "f"),
        reasoning_start("m2"),
    ]
    closed = [
        events.text_end("m1"),
        events.tool_call_end("c1"),
        reasoning_end("m2"),
        events.step_finished("s"),
    ]
    assert stream(*left) == [STARTED, *left, *closed, FINISHED]
    assert stream(*left, FINISHED) == [STARTED, *left, *closed, FINISHED]


def test_ids_that_the_agent_leaves_out_of_its_frame_are_supplied() -> None:
    assert stream({"type": "RUN_STARTED"}, {"type": "RUN_FINISHED", "result": None}, strict_stream=True) == [
        STARTED,
        {**FINISHED, "result": None},
    ]


def test_the_agents_own_ids_are_kept() -> None:
    started, finished = events.run_started("t9", "r9"), events.run_finished("t9", "r9")
    assert stream(started, finished, strict_stream=True) == [started, finished]


ASKED: Event = {
    "threadId": "t1",
    "runId": "r1",
    "messages": [{"id": "u", "role": "user", "content": "hi"}],
    "tools": [],
    "context": [],
    "forwardedProps": {"plan": "pro"},
}


def announced(own: Any) -> Event:
    """RUN_STARTED of an agent that tells its input so."""
    out: list[Event] = []
    event = STARTED if own is None else {**STARTED, "input": own}
    EventSequence("t1", "r1", strict_stream=False, input=ASKED).push(event, out)
    return out[0]


def test_run_started_tells_the_input_unless_the_agent_does() -> None:
    own = {**ASKED, "messages": []}
    assert announced(None) == {**STARTED, "input": ASKED}
    assert announced(own) == {**STARTED, "input": own}


@pytest.mark.parametrize("own", [5, {"messages": [{"id": "u"}]}, {**ASKED, "context": ["x"]}])
def test_an_input_that_clients_would_refuse_is_not_told(own: Any) -> None:
    assert announced(own) == {**STARTED, "input": ASKED}


def test_an_agent_that_tells_its_input_tells_nothing_of_the_servers_properties() -> None:
    own = {**ASKED, "forwardedProps": {"plan": "pro", "key": "secret"}}
    assert announced(own) == {**STARTED, "input": ASKED}


def test_nothing_follows_a_terminal_event() -> None:
    assert stream(FINISHED, events.text_start("m"), {"type": 5}, events.run_error("late")) == [
        STARTED,
        FINISHED,
    ]
    sequence = EventSequence("t1", "r1", strict_stream=False)
    out: list[Event] = []
    sequence.push(events.text_start("m"), out)
    sequence.push(events.run_error("boom"), out)
    sequence.push(events.text_content("m", "late"), out)
    sequence.end(FINISHED, out)
    assert (out, sequence.terminal) == ([STARTED, events.text_start("m")], events.run_error("boom"))


def test_an_error_may_come_first_even_from_a_strict_stream_agent() -> None:
    assert stream(events.run_error("boom"), strict_stream=True) == [STARTED, events.run_error("boom")]


def test_an_agents_numeric_error_code_is_a_text() -> None:
    assert stream({"type": "RUN_ERROR", "message": "no", "code": 503})[-1] == events.run_error("no", "503")


def test_null_members_are_dropped_except_where_null_is_a_value() -> None:
    nulls = {"timestamp": None, "rawEvent": None, "metadata": None}
    assert stream(
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": None, "name": None, **nulls},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "a", **nulls},
        {"type": "TEXT_MESSAGE_END", "messageId": "m", **nulls},
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": None},
        {"type": "TOOL_CALL_END", "toolCallId": "c"},
        {"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "m", "role": "assistant", "content": None}]},
        {"type": "STATE_SNAPSHOT", "snapshot": {"a": None}},
        {"type": "CUSTOM", "name": "x", "value": None},
        {"type": "RUN_FINISHED", "outcome": None},
    ) == [
        STARTED,
        events.text_start("m"),
        events.text_content("m", "a"),
        events.text_end("m"),
        events.tool_call_start("c", "f"),
        events.tool_call_end("c"),
        events.messages_snapshot([{"id": "m", "role": "assistant"}]),
        events.state_snapshot({"a": None}),
        events.custom("x", None),
        FINISHED,
    ]


def test_required_members_with_one_meaning_are_supplied() -> None:
    assert stream(
        {"type": "TEXT_MESSAGE_START", "messageId": "m"},
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
        {"type": "REASONING_MESSAGE_START", "messageId": "t"},
        {"type": "REASONING_MESSAGE_END", "messageId": "t"},
        {"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "c"},
        {"type": "STATE_SNAPSHOT"},
        {"type": "CUSTOM", "name": "x"},
        {"type": "RAW"},
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "a", "activityType": "x", "content": {}},
    ) == [
        STARTED,
        events.text_start("m"),
        events.text_end("m"),
        reasoning_start("t"),
        reasoning_end("t"),
        events.tool_call_result("r", "c", ""),
        events.state_snapshot(None),
        events.custom("x", None),
        {"type": "RAW", "event": None},
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "a", "activityType": "x", "content": {}, "replace": True},
        FINISHED,
    ]


def test_a_tool_result_in_parts_becomes_a_text() -> None:
    def result(content: Any) -> Any:
        event = {"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "c", "content": content}
        return stream(event)[1]["content"]

    image = {"type": "image", "source": {"type": "url", "value": "https://x.test/y.png"}}
    assert result([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]) == "ab"
    assert result([image]) == events.as_text([image])
    assert result({"temperature": 20}) == '{"temperature":20}'


def test_empty_deltas_are_left_out() -> None:
    assert stream(
        events.text_start("m"),
        events.text_content("m", ""),
        events.text_end("m"),
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "n", "delta": ""},
    ) == [
        STARTED,
        events.text_start("m"),
        events.text_end("m"),
        events.text_start("n"),
        events.text_end("n"),
        FINISHED,
    ]


def test_types_of_a_newer_peer_are_skipped() -> None:
    assert stream({"type": "HOLOGRAM", "messageId": 5}) == [STARTED, FINISHED]


def test_the_thinking_of_an_older_agent_is_reasoning_and_is_closed() -> None:
    told = stream({"type": "THINKING_START", "title": "x"}, {"type": "THINKING_TEXT_MESSAGE_START"})
    span, message = told[1]["messageId"], told[2]["messageId"]
    assert told == [
        STARTED,
        {"type": "REASONING_START", "messageId": span},
        reasoning_start(message),
        reasoning_end(message),
        {"type": "REASONING_END", "messageId": span},
        FINISHED,
    ]


def text_chunk(**fields: Any) -> Event:
    return {"type": "TEXT_MESSAGE_CHUNK", **fields}


def call_chunk(**fields: Any) -> Event:
    return {"type": "TOOL_CALL_CHUNK", **fields}


def reasoning_chunk(**fields: Any) -> Event:
    return {"type": "REASONING_MESSAGE_CHUNK", **fields}


def test_chunks_become_messages() -> None:
    stamped = {"metadata": {"k": "v"}}
    assert stream(
        text_chunk(messageId="m1", role="user", name="Ann", delta="a", **stamped),
        text_chunk(delta="b"),
        text_chunk(messageId="m1", delta="c"),
        text_chunk(messageId="m2", delta="d"),
        call_chunk(toolCallId="c1", toolCallName="f", parentMessageId="m2", delta="{"),
        call_chunk(delta="}"),
        reasoning_chunk(messageId="t1", delta="hm"),
        reasoning_chunk(delta="!"),
    ) == [
        STARTED,
        {**events.text_start("m1", "user"), "name": "Ann", **stamped},
        {**events.text_content("m1", "a"), **stamped},
        events.text_content("m1", "b"),
        events.text_content("m1", "c"),
        events.text_end("m1"),
        events.text_start("m2"),
        events.text_content("m2", "d"),
        events.text_end("m2"),
        events.tool_call_start("c1", "f", "m2"),
        events.tool_call_args("c1", "{"),
        events.tool_call_args("c1", "}"),
        events.tool_call_end("c1"),
        reasoning_start("t1"),
        reasoning_content("t1", "hm"),
        reasoning_content("t1", "!"),
        reasoning_end("t1"),
        FINISHED,
    ]


@pytest.mark.parametrize(
    "between",
    [
        {"type": "RAW", "event": {"x": 1}},
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "a", "activityType": "x", "content": {}, "replace": True},
        {"type": "ACTIVITY_DELTA", "messageId": "a", "activityType": "x", "patch": []},
        {
            "type": "REASONING_ENCRYPTED_VALUE",
            "subtype": "message",
            "entityId": "m",
            "encryptedValue": "x",
        },
    ],
    ids=lambda event: str(event["type"]),
)
def test_what_says_nothing_may_stand_between_two_chunks(between: Event) -> None:
    assert stream(text_chunk(messageId="m", delta="a"), between, text_chunk(delta="b")) == [
        STARTED,
        events.text_start("m"),
        events.text_content("m", "a"),
        between,
        events.text_content("m", "b"),
        events.text_end("m"),
        FINISHED,
    ]


def test_any_other_event_ends_a_chunked_message() -> None:
    assert stream(text_chunk(messageId="m", delta="a"), events.custom("x", 1)) == [
        STARTED,
        events.text_start("m"),
        events.text_content("m", "a"),
        events.text_end("m"),
        events.custom("x", 1),
        FINISHED,
    ]


def test_chunks_and_plain_events_of_other_messages_interleave() -> None:
    assert stream(
        events.text_start("m1"),
        text_chunk(messageId="m2", delta="x"),
        events.text_content("m1", "y"),
        events.text_end("m1"),
    ) == [
        STARTED,
        events.text_start("m1"),
        events.text_start("m2"),
        events.text_content("m2", "x"),
        events.text_end("m2"),
        events.text_content("m1", "y"),
        events.text_end("m1"),
        FINISHED,
    ]


def test_a_chunk_of_an_open_message_grows_it_and_leaves_it_open() -> None:
    assert stream(
        events.text_start("m"),
        text_chunk(messageId="m", delta="a"),
        text_chunk(delta="b"),
        events.step_started("s"),
        events.text_content("m", "c"),
        events.text_end("m"),
    ) == [
        STARTED,
        events.text_start("m"),
        events.text_content("m", "a"),
        events.text_content("m", "b"),
        events.step_started("s"),
        events.text_content("m", "c"),
        events.text_end("m"),
        events.step_finished("s"),
        FINISHED,
    ]


def test_other_events_of_a_chunked_message_continue_it_too() -> None:
    assert stream(
        text_chunk(messageId="m", delta="a"), events.text_content("m", "b"), events.text_end("m")
    ) == [
        STARTED,
        events.text_start("m"),
        events.text_content("m", "a"),
        events.text_content("m", "b"),
        events.text_end("m"),
        FINISHED,
    ]


def test_chunks_of_subagents_stand_side_by_side_and_keep_their_attribution() -> None:
    one, two = {"subagentRunId": "s1"}, {"subagentRunId": "s2"}
    assert stream(
        text_chunk(messageId="m1", delta="a", **one),
        call_chunk(toolCallId="c2", toolCallName="f", delta="{", **two),
        text_chunk(delta="b", **one),
        call_chunk(delta="}"),
        events.custom("x", 1),
        {**events.custom("x", 2), **two},
        text_chunk(delta="c", **one),
    ) == [
        STARTED,
        events.text_start("m1") | one,
        events.text_content("m1", "a") | one,
        events.tool_call_start("c2", "f") | two,
        events.tool_call_args("c2", "{") | two,
        events.text_content("m1", "b") | one,
        events.tool_call_args("c2", "}") | two,
        events.custom("x", 1),
        events.tool_call_end("c2") | two,
        events.custom("x", 2) | two,
        events.text_content("m1", "c") | one,
        events.text_end("m1") | one,
        FINISHED,
    ]


def test_the_metadata_of_a_chunk_without_text_is_told_at_the_end_of_its_message() -> None:
    usage = {"metadata": {"usage": 5}}
    assert stream(text_chunk(messageId="m", delta="a"), text_chunk(**usage))[3:] == [
        events.text_end("m") | usage,
        FINISHED,
    ]
    assert stream(
        events.text_start("m"),
        events.text_content("m", "") | usage,
        events.text_end("m") | {"metadata": {"reason": "stop"}},
    )[2:] == [events.text_end("m") | {"metadata": {"usage": 5, "reason": "stop"}}, FINISHED]


def span_start(id: str, **more: Any) -> Event:
    return {"type": "REASONING_START", "messageId": id, **more}


def span_end(id: str, **more: Any) -> Event:
    return {"type": "REASONING_END", "messageId": id, **more}


def subagent_started(id: str, **more: Any) -> Event:
    return {"type": "SUBAGENT_STARTED", "subagentRunId": id, "name": "helper", **more}


def subagent_finished(id: str, **more: Any) -> Event:
    return {"type": "SUBAGENT_FINISHED", "subagentRunId": id, **more}


@pytest.mark.parametrize("strict_stream", [False, True])
def test_spans_subagents_and_their_steps_are_closed_from_the_inside_out(strict_stream: bool) -> None:
    mine = {"subagentRunId": "s1"}
    left = [
        span_start("r1"),
        subagent_started("s1"),
        events.step_started("look") | mine,
        span_start("r2", **mine),
        reasoning_start("r2") | mine,
    ]
    closed = [
        reasoning_end("r2") | mine,
        span_end("r2", **mine),
        events.step_finished("look") | mine,
        subagent_finished("s1"),
        span_end("r1"),
    ]
    if strict_stream:
        closed_by_agent = [closed[0], closed[2]]
        assert stream(STARTED, *left, *closed_by_agent, FINISHED, strict_stream=True) == [
            *(STARTED, *left, *closed_by_agent, closed[1], *closed[3:], FINISHED)
        ]
    else:
        assert stream(*left) == [STARTED, *left, *closed, FINISHED]


def test_a_subagent_that_an_error_cuts_off_ends_with_it() -> None:
    sequence = EventSequence("t1", "r1", strict_stream=False)
    out: list[Event] = []
    for event in (subagent_started("s1"), span_start("r1")):
        sequence.push(event, out)
    sequence.end(events.run_error("No more."), out)
    assert out[3:] == [
        span_end("r1"),
        {"type": "SUBAGENT_ERROR", "subagentRunId": "s1", "message": "No more."},
    ]
    assert sequence.terminal == events.run_error("No more.")


def test_a_subagent_that_waits_for_an_answer_is_suspended() -> None:
    interrupt = {"id": "i1", "reason": "confirm", "subagentRunId": "s1"}
    finished = events.run_finished("t1", "r1", [interrupt])
    assert stream(subagent_started("s1"), subagent_started("s2"), finished)[3:] == [
        subagent_finished("s2", outcome={"type": "suspended"}),
        subagent_finished("s1", outcome={"type": "suspended", "interruptIds": ["i1"]}),
        finished,
    ]


def test_what_only_says_that_something_begins_or_ends_is_left_out_where_it_is_out_of_order() -> None:
    assert stream(
        span_end("r0"),
        span_start("r1"),
        span_start("r1"),
        span_end("r1"),
        span_end("r1"),
        span_start("r1"),
        subagent_finished("s0"),
        subagent_started("s1", parentSubagentRunId="s0"),
        subagent_started("s1"),
        subagent_finished("s1"),
        subagent_started("s1"),
        {"type": "SUBAGENT_ERROR", "subagentRunId": "s1", "message": "late"},
        subagent_started("s2", parentSubagentRunId="s1"),
    ) == [
        STARTED,
        span_start("r1"),
        span_end("r1"),
        span_start("r1"),
        subagent_started("s1"),
        subagent_finished("s1"),
        subagent_started("s2", parentSubagentRunId="s1"),
        subagent_finished("s2"),
        span_end("r1"),
        FINISHED,
    ]


def test_two_subagents_and_their_agent_may_have_a_step_of_one_name() -> None:
    one, two = {"subagentRunId": "s1"}, {"subagentRunId": "s2"}
    steps = [
        events.step_started("tools"),
        events.step_started("tools") | one,
        events.step_started("tools") | two,
        events.step_finished("tools") | one,
    ]
    assert stream(*steps) == [
        STARTED,
        *steps,
        events.step_finished("tools") | two,
        events.step_finished("tools"),
        FINISHED,
    ]


def test_a_step_is_finished_for_whoever_started_it() -> None:
    one, two = {"subagentRunId": "s1"}, {"subagentRunId": "s2"}
    assert stream(events.step_started("a") | one, events.step_finished("a"))[2] == (
        events.step_finished("a") | one
    )
    assert stream(events.step_started("a"), events.step_finished("a") | two)[2] == events.step_finished("a")


@pytest.mark.parametrize(
    ("opening", "goes_on"),
    [
        (events.text_start("m"), events.text_content("m", "x")),
        (events.text_start("m"), events.text_end("m")),
        (events.tool_call_start("c", "f"), events.tool_call_args("c", "x")),
        (reasoning_start("m"), reasoning_content("m", "x")),
        (span_start("m"), reasoning_start("m")),
        (span_start("m"), span_end("m")),
        (
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "a", "activityType": "x", "content": {}},
            {"type": "ACTIVITY_DELTA", "messageId": "a", "activityType": "x", "patch": []},
        ),
        (
            events.tool_call_start("c", "f"),
            {
                "type": "REASONING_ENCRYPTED_VALUE",
                "subtype": "tool-call",
                "entityId": "c",
                "encryptedValue": "x",
            },
        ),
        (events.messages_snapshot([{"id": "m", "role": "assistant"}]), events.text_start("m")),
    ],
    ids=lambda event: str(event["type"]),
)
def test_an_event_that_names_another_owner_than_its_message_has_loses_its_tag(
    opening: Event, goes_on: Event
) -> None:
    one, two = {"subagentRunId": "s1"}, {"subagentRunId": "s2"}
    assert stream(opening, goes_on | two)[2] == goes_on
    if opening["type"] != "MESSAGES_SNAPSHOT":
        assert stream(opening | one, goes_on | one)[2] == goes_on | one
        assert stream(opening | one, goes_on | two)[2] == goes_on


def test_a_snapshot_may_give_an_open_message_another_owner() -> None:
    tag = {"subagentRunId": "s1"}
    told = [{"id": "m", "role": "assistant", "content": ""}]
    assert stream(
        events.text_start("m") | tag,
        events.tool_call_start("c", "f", "m") | tag,
        events.messages_snapshot(told),
        events.text_content("m", "x") | tag,
        events.text_content("m", "y"),
    )[4:] == [
        events.text_content("m", "x"),
        events.text_content("m", "y"),
        events.text_end("m"),
        events.tool_call_end("c") | tag,
        FINISHED,
    ]


def test_a_call_belongs_to_the_owner_of_the_message_that_carries_it() -> None:
    one, two = {"subagentRunId": "s1"}, {"subagentRunId": "s2"}
    call = events.tool_call_start("c", "f", "m")
    assert stream(events.text_start("m") | one, call | two)[2] == call
    assert stream(events.text_start("m") | one, call | one)[2] == call | one
    again = [events.text_start("m") | one, call, events.tool_call_end("c"), events.text_start("n") | two]
    assert stream(*again, events.tool_call_start("c", "f", "n"))[5] == events.tool_call_start("c", "f")


CALL = "TOOL_CALL"
ORDER = {
    "before the run": (
        [events.text_start("m")],
        "First event must be 'RUN_STARTED'",
    ),
    "a second run": (
        [STARTED, STARTED],
        "Cannot send 'RUN_STARTED' while a run is still active. The previous run must be finished with "
        "'RUN_FINISHED' before starting a new run.",
    ),
    "content without a message": (
        [STARTED, events.text_content("m", "x")],
        "Cannot send 'TEXT_MESSAGE_CONTENT' event: No active text message found with ID 'm'. Start a text "
        "message with 'TEXT_MESSAGE_START' first.",
    ),
    "an end without a message": (
        [STARTED, events.text_end("m")],
        "Cannot send 'TEXT_MESSAGE_END' event: No active text message found with ID 'm'. Start a text "
        "message with 'TEXT_MESSAGE_START' first.",
    ),
    "a message twice": (
        [STARTED, events.text_start("m"), events.text_start("m")],
        "Cannot send 'TEXT_MESSAGE_START' event: A text message with ID 'm' is already in progress. "
        "Complete it with 'TEXT_MESSAGE_END' first.",
    ),
    "arguments without a call": (
        [STARTED, events.tool_call_args("c", "x")],
        "Cannot send 'TOOL_CALL_ARGS' event: No active tool call found with ID 'c'. Start a tool call with "
        "'TOOL_CALL_START' first.",
    ),
    "a call twice": (
        [STARTED, events.tool_call_start("c", "f"), events.tool_call_start("c", "f")],
        "Cannot send 'TOOL_CALL_START' event: A tool call with ID 'c' is already in progress. Complete it "
        "with 'TOOL_CALL_END' first.",
    ),
    "reasoning without a start": (
        [STARTED, reasoning_content("m", "x")],
        "Cannot send 'REASONING_MESSAGE_CONTENT' event: No active reasoning message found with ID 'm'. "
        "Start a reasoning message with 'REASONING_MESSAGE_START' first.",
    ),
    "a step twice": (
        [STARTED, events.step_started("s"), events.step_started("s")],
        "Step \"s\" is already active for 'STEP_STARTED'",
    ),
    "an unknown step's end": (
        [STARTED, events.step_finished("s")],
        "Cannot send 'STEP_FINISHED' for step \"s\" that was not started",
    ),
    "the end in a message": (
        [STARTED, events.text_start("m"), events.text_start("n"), FINISHED],
        "Cannot send 'RUN_FINISHED' while text messages are still active: m, n",
    ),
    "the end in a call": (
        [STARTED, events.tool_call_start("c", "f"), FINISHED],
        "Cannot send 'RUN_FINISHED' while tool calls are still active: c",
    ),
    "the end in a step": (
        [STARTED, events.step_started("s"), FINISHED],
        "Cannot send 'RUN_FINISHED' while steps are still active: s",
    ),
    "a first chunk without an id": (
        [STARTED, text_chunk(delta="x")],
        "First TEXT_MESSAGE_CHUNK must have a messageId",
    ),
    "a first call chunk without a name": (
        [STARTED, call_chunk(toolCallId="c", delta="x")],
        "First TOOL_CALL_CHUNK must have a toolCallName",
    ),
    "a chunk of another kind without an id": (
        [STARTED, text_chunk(messageId="m", delta="x"), reasoning_chunk(delta="y")],
        "First REASONING_MESSAGE_CHUNK must have a messageId",
    ),
}


@pytest.mark.parametrize("case", ORDER)
def test_a_wrong_order_is_named_as_agui_clients_name_it(case: str) -> None:
    yielded, text = ORDER[case]
    assert violation(*yielded) == text


def test_a_strict_stream_agent_that_hangs_up_is_at_fault() -> None:
    sequence = EventSequence("t1", "r1", strict_stream=True)
    out: list[Event] = []
    sequence.push(STARTED, out)
    sequence.push(text_chunk(messageId="m", delta="x"), out)
    with pytest.raises(ProtocolViolationError, match=r"^Run ended without emitting a terminal event$"):
        sequence.finish(out)
    assert out[-1] == events.text_end("m")


MALFORMED: dict[str, tuple[Event, str]] = {
    "no type": ({}, "The agent sent an event without a type"),
    "a type that is no text": ({"type": ["TEXT_MESSAGE_START"]}, "The agent sent an event without a type"),
    "a missing id": (
        {"type": "TEXT_MESSAGE_START"},
        "The agent sent a malformed TEXT_MESSAGE_START event: messageId: Field required",
    ),
    "a snake-case id": (
        {"type": "TEXT_MESSAGE_START", "message_id": "m"},
        "The agent sent a malformed TEXT_MESSAGE_START event: messageId: Field required",
    ),
    "an id that is no text": (
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": ["m"], "delta": "x"},
        "The agent sent a malformed TEXT_MESSAGE_CONTENT event: messageId: Input should be a valid string",
    ),
    "a delta that is no text": (
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": 5},
        "The agent sent a malformed TEXT_MESSAGE_CHUNK event: delta: Input should be a valid string",
    ),
    "a parent that is no text": (
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": 5},
        "The agent sent a malformed TOOL_CALL_START event: parentMessageId: Input should be a valid string",
    ),
    "a run id that is no text": (
        {"type": "RUN_STARTED", "runId": 5},
        "The agent sent a malformed RUN_STARTED event: runId: Input should be a valid string",
    ),
    "a patch that is no list": (
        {"type": "STATE_DELTA", "delta": {"a": 1}},
        "The agent sent a malformed STATE_DELTA event: delta: Input should be a valid list",
    ),
    "an operation that is none": (
        {"type": "STATE_DELTA", "delta": [{"op": "fly", "path": "/a"}]},
        "The agent sent a malformed STATE_DELTA event: delta.0: Input should be an operation of JSON Patch",
    ),
    "an operation without a value": (
        events.state_delta([{"op": "remove", "path": "/a"}, {"op": "add", "path": "/a"}]),
        "The agent sent a malformed STATE_DELTA event: delta.1: Input should be an operation of JSON Patch",
    ),
    "a copy from nowhere": (
        events.activity_delta("a", "plan", [{"op": "copy", "path": "/a", "from": "a"}]),
        "The agent sent a malformed ACTIVITY_DELTA event: patch.0: Input should be an operation of JSON "
        "Patch",
    ),
    "a value that is moved into itself": (
        events.state_delta([{"op": "move", "from": "", "path": "/a"}]),
        "The agent sent a malformed STATE_DELTA event: delta.0: A value cannot be moved into itself",
    ),
    "a path that is no pointer": (
        events.state_delta([{"op": "remove", "path": "/a~2"}]),
        "The agent sent a malformed STATE_DELTA event: delta.0: Input should be an operation of JSON Patch",
    ),
    "messages that are no list": (
        {"type": "MESSAGES_SNAPSHOT", "messages": None},
        "The agent sent a malformed MESSAGES_SNAPSHOT event: messages: Field required",
    ),
    "a message without an id": (
        {"type": "MESSAGES_SNAPSHOT", "messages": [{"role": "user", "content": "x"}]},
        "The agent sent a malformed MESSAGES_SNAPSHOT event: messages.0.id: Field required",
    ),
    "a call without a function": (
        events.messages_snapshot([{"id": "m", "role": "assistant", "toolCalls": [{"id": "c"}]}]),
        "The agent sent a malformed MESSAGES_SNAPSHOT event: messages.0.toolCalls.0.function: Field required",
    ),
    "an interrupt without a reason": (
        {"type": "RUN_FINISHED", "outcome": {"type": "interrupt", "interrupts": [{"id": "i"}]}},
        "The agent sent a malformed RUN_FINISHED event: outcome.interrupt.interrupts.0.reason: "
        "Field required",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_event_is_refused(case: str) -> None:
    event, text = MALFORMED[case]
    assert violation(event, strict_stream=False) == text


def test_messages_of_any_version_pass_in_a_snapshot() -> None:
    told: list[dict[str, Any]] = [
        {"id": "h", "role": "hologram", "content": {"x": 1}},
        {"id": "b", "role": "user", "content": [{"type": "binary", "mimeType": "image/png", "data": "eA=="}]},
    ]
    assert stream(events.messages_snapshot(told))[1] == events.messages_snapshot(told)


def test_an_event_is_the_sequences_own() -> None:
    state = {"items": [1]}
    content = events.text_content("m", "a")
    sequence = EventSequence("t1", "r1", strict_stream=False)
    out: list[Event] = []
    sequence.push(events.text_start("m"), out)
    sequence.push(content, out)
    sequence.push(events.state_snapshot(state), out)
    content["delta"] = "changed"
    state["items"].append(2)
    assert out[2:] == [events.text_content("m", "a"), events.state_snapshot({"items": [1]})]


def test_objects_in_an_event_become_json() -> None:
    class Kind(str):
        pass

    from ag_ui.core import UserMessage

    message = UserMessage(id="u", role="user", content="hi")
    state = {1: (message,), "kind": Kind("x"), "not": float("nan")}
    assert stream(events.state_snapshot(state))[1] == events.state_snapshot(
        {"1": [message.model_dump(mode="json", by_alias=True)], "kind": "x", "not": None}
    )


def test_an_object_without_a_json_form_is_an_error_of_the_agent() -> None:
    sequence = EventSequence("t1", "r1", strict_stream=False)
    with pytest.raises((TypeError, ValueError)):
        sequence.push(events.state_snapshot(object()), [])


def test_what_else_a_delta_says_is_kept() -> None:
    content = {**events.text_content("m", "x"), "timestamp": 15, "metadata": {"k": "v"}}
    assert stream(events.text_start("m"), content)[2] == content


def test_an_enum_is_a_type() -> None:
    assert stream({"type": EventType.CUSTOM, "name": "x"})[1] == events.custom("x", None)


def test_a_call_has_one_result_under_the_id_that_it_had_first() -> None:
    snapshot = [{"id": "other", "role": "tool", "toolCallId": "c", "content": "found"}]
    assert stream(
        events.tool_call_start("c", "f"),
        events.tool_call_end("c"),
        events.tool_call_result("r", "c", "found"),
        events.tool_call_result("again", "c", "found"),
        events.messages_snapshot(snapshot),
    )[3:5] == [
        events.tool_call_result("r", "c", "found"),
        events.messages_snapshot([{**snapshot[0], "id": "r"}]),
    ]
    assert stream(events.messages_snapshot(snapshot), events.tool_call_result("r", "c", "found"))[1:-1] == [
        events.messages_snapshot(snapshot)
    ]


def test_results_of_one_id_are_separate_messages() -> None:
    told = stream(
        events.tool_call_result("r", "c1", "one"),
        events.tool_call_result("r", "c2", "two"),
        events.text_start("r"),
    )
    assert [event["messageId"] for event in told[1:4]] == ["r", "r-c2", "r-assistant"]


def test_half_of_an_emoji_passes_in_every_kind_of_event() -> None:
    high, low = "\ud83e", "\udd8a"
    assert stream(
        text_chunk(messageId="m", delta=high),
        text_chunk(delta=low),
        {**events.tool_call_result("r", "c", high), "timestamp": 1},
        events.state_snapshot({"x": high}),
    ) == [
        STARTED,
        events.text_start("m"),
        events.text_content("m", high),
        events.text_content("m", low),
        events.text_end("m"),
        {**events.tool_call_result("r", "c", high), "timestamp": 1},
        events.state_snapshot({"x": high}),
        FINISHED,
    ]


def test_a_time_that_agui_does_not_take_is_dropped() -> None:
    assert stream({**events.custom("x", 1), "timestamp": 1.5})[1] == events.custom("x", 1)
    assert stream({**events.custom("x", 1), "timestamp": 15})[1] == {**events.custom("x", 1), "timestamp": 15}


JUNK = st.sampled_from([None, 0, 1.5, "", "m1", True, [], ["m1"], {}, {"type": "interrupt"}, {"a": [None]}])
ID = st.sampled_from(["m1", "m2", "c1"])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "messageId": ID,
    "toolCallId": ID,
    "toolCallName": ID,
    "parentMessageId": ID,
    "stepName": ID,
    "name": ID,
    "delta": st.sampled_from(["", "x", "\ud83e", []]),
    "role": st.sampled_from(["assistant", "user", "reasoning", "tool"]),
    "message": ID,
    "content": st.sampled_from(["x", [{"type": "text", "text": "x"}], {}]),
    "messages": st.just([{"id": "m1", "role": "assistant", "content": "x"}]),
    "metadata": st.just({"k": "v"}),
    "activityType": ID,
    "patch": st.just([]),
    "snapshot": st.just({"a": 1}),
    "outcome": st.just({"type": "success"}),
    "subagentRunId": ID,
    "entityId": ID,
    "encryptedValue": ID,
    "subtype": st.just("message"),
}
TYPE = st.sampled_from([*(type.value for type in EventType), "THINKING_START", "HOLOGRAM"])


@st.composite
def any_event(draw: st.DrawFn) -> Any:
    """An event with most of the members that its type needs, or junk in their place."""
    event: dict[str, Any] = {"type": draw(st.one_of(TYPE, JUNK) if draw(st.integers(0, 20)) == 0 else TYPE)}
    for name, good in FIELDS.items():
        chance = draw(st.integers(0, 30))
        if chance == 0:
            event[name] = draw(JUNK)
        elif chance > 3:
            event[name] = draw(good)
    return event


@given(st.lists(any_event(), max_size=25), st.booleans())
@settings(max_examples=examples(200))
def test_any_list_of_events_makes_a_well_formed_stream(yielded: list[Any], strict_stream: bool) -> None:
    sequence = EventSequence("t1", "r1", strict_stream=strict_stream)
    out: list[Event] = []
    for event in yielded:
        # A refused event leaves the sequence as it was.
        with contextlib.suppress(ProtocolViolationError):
            sequence.push(event, out)
    sequence.end(FINISHED, out)
    sequence.close_open(out)
    assert sequence.terminal is not None
    whole = [*out, sequence.terminal]
    check_stream(whole)
    check_models(whole)
