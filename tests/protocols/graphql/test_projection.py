"""Every AG-UI event means to an old client what CopilotRuntime 1.10.6 makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.protocols.graphql.projection import (
    ACTION,
    ARGUMENTS_CUT,
    TEXT,
    TEXT_CUT,
    AddCopilotKitInterrupt,
    AddInterrupt,
    AddResult,
    AddState,
    End,
    Fail,
    Finish,
    Grow,
    MessageChange,
    Projection,
    StartAction,
    StartText,
)
from copilotkit_runtime_py.runs.event_log import Entry

Event = dict[str, Any]

FINISHED = events.run_finished("t", "r")


def entry(event: Event, *, cut: bool = False) -> Entry:
    return Entry(event, b"", cut)


def project(*told: Event, state: Any = None, projection: Projection | None = None) -> list[MessageChange]:
    """What events amount to that come together."""
    return (projection or Projection(state)).project(entry(event) for event in told)


def each(*told: Event, state: Any = None) -> list[MessageChange]:
    """What events amount to that come one by one."""
    projection = Projection(state)
    return [change for event in told for change in project(event, projection=projection)]


def state_message(state: Any, node_name: str = "", *, active: bool = True, running: bool = True) -> AddState:
    return AddState(node_name, json.dumps(state, separators=(",", ":")), active, running)


def call(id: str, name: str, *deltas: str) -> list[Event]:
    return [events.tool_call_start(id, name), *(events.tool_call_args(id, delta) for delta in deltas)]


def test_a_text_is_a_message() -> None:
    assert each(
        events.text_start("m", "user"),
        events.text_content("m", "a"),
        events.text_content("m", "b"),
        events.text_end("m"),
    ) == [StartText("m"), Grow(TEXT, "m", "a"), Grow(TEXT, "m", "b"), End(TEXT, "m", None)]


def test_a_tool_call_is_an_action_execution() -> None:
    assert each(
        events.tool_call_start("c", "f", "m"), events.tool_call_args("c", "{}"), events.tool_call_end("c")
    ) == [StartAction("c", "f", "m"), Grow(ACTION, "c", "{}"), End(ACTION, "c", None)]
    assert each(events.tool_call_start("c", "f")) == [StartAction("c", "f", None)]


def test_deltas_that_come_together_are_one() -> None:
    told = [
        events.text_content("m", "a"),
        events.text_content("m", "b"),
        events.text_content("n", "c"),
        events.text_content("m", "d"),
        *call("c", "f", "1", "2"),
        events.text_content("m", "e"),
        {"type": "RAW", "event": {}},
        events.text_content("m", "f"),
    ]
    assert project(*told) == [
        Grow(TEXT, "m", "ab"),
        Grow(TEXT, "n", "c"),
        Grow(TEXT, "m", "d"),
        StartAction("c", "f", None),
        Grow(ACTION, "c", "12"),
        Grow(TEXT, "m", "e"),
        Grow(TEXT, "m", "f"),
    ]


def test_a_text_and_a_call_of_one_id_are_two() -> None:
    assert project(events.text_content("x", "a"), events.tool_call_args("x", "b")) == [
        Grow(TEXT, "x", "a"),
        Grow(ACTION, "x", "b"),
    ]


def test_a_result_knows_the_name_of_its_call_even_after_steps() -> None:
    assert each(*call("c", "f"), events.step_started("s"), events.tool_call_result("r", "c", "done"))[
        -1
    ] == AddResult("c", "f", "done")
    assert each(events.tool_call_result("r", "c", "done")) == [AddResult("c", "unknown", "done")]


def test_a_snapshot_is_the_state_without_its_messages() -> None:
    assert each(events.state_snapshot({"a": 1, "messages": [1]})) == [state_message({"a": 1})]
    assert each(events.state_snapshot([1])) == [state_message([1])]


@pytest.mark.parametrize("snapshot", [None, 5, "x", True])
def test_a_snapshot_that_is_no_state_says_nothing(snapshot: Any) -> None:
    assert each(events.state_snapshot({"a": 1}), events.state_snapshot(snapshot), FINISHED) == [
        state_message({"a": 1}),
        state_message({"a": 1}, active=False),
        Finish(),
    ]


def add(path: str, value: Any) -> Event:
    return events.state_delta([{"op": "add", "path": path, "value": value}])


def test_a_patch_changes_the_state() -> None:
    assert each(events.state_snapshot({"a": 1}), add("/b", 2), add("/messages", [])) == [
        state_message({"a": 1}),
        state_message({"a": 1, "b": 2}),
        state_message({"a": 1, "b": 2}),
    ]


def test_a_first_patch_changes_the_state_that_the_client_sent() -> None:
    assert each(add("/b", 2), add("/c", 3), state={"a": 1}) == [
        state_message({"a": 1, "b": 2}),
        state_message({"a": 1, "b": 2, "c": 3}),
    ]
    assert each(add("/b", 2)) == [state_message({"b": 2})]
    assert each(events.state_snapshot({}), add("/b", 2), state={"a": 1})[-1] == state_message({"b": 2})


def test_a_patch_that_does_not_apply_says_nothing() -> None:
    bad = events.state_delta([{"op": "replace", "path": "/x/y", "value": 1}])
    assert each(bad, add("/b", 2), state={"a": 1}) == [state_message({"a": 1, "b": 2})]


def test_steps_name_the_node() -> None:
    assert each(
        events.step_started("plan"),
        events.state_snapshot({"a": 1}),
        events.step_finished("plan"),
        events.state_snapshot({"a": 2}),
        events.step_started("act"),
        FINISHED,
    ) == [
        state_message({}, "plan"),
        state_message({"a": 1}, "plan"),
        state_message({"a": 1}, "plan", active=False),
        state_message({"a": 2}, "plan"),
        state_message({"a": 2}, "act"),
        state_message({"a": 2}, "act", active=False),
        Finish(),
    ]


ASSISTANT: dict[str, Any] = {
    "id": "m",
    "role": "assistant",
    "content": "x",
    "toolCalls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
}
MESSAGES: list[dict[str, Any]] = [
    ASSISTANT,
    {"id": "r", "role": "tool", "toolCallId": "c", "content": "done"},
]
FLAT = [
    {"id": "m", "role": "assistant", "content": "x"},
    {"id": "c", "name": "f", "arguments": {"a": 1}, "parentMessageId": "m"},
    {"id": "r", "result": "done", "actionExecutionId": "c", "actionName": "f"},
]


def test_a_conversation_comes_at_once_and_in_the_flat_form_at_the_end() -> None:
    assert each(events.state_snapshot({"a": 1}), events.messages_snapshot(MESSAGES), FINISHED) == [
        state_message({"a": 1}),
        state_message({"a": 1, "messages": MESSAGES}),
        state_message({"a": 1, "messages": FLAT}, active=False),
        Finish(),
    ]
    assert each(events.messages_snapshot([]), FINISHED) == [
        state_message({"messages": []}),
        state_message({"messages": []}, active=False),
        Finish(),
    ]


def test_an_end_without_a_state_is_just_an_end() -> None:
    assert each(FINISHED) == [Finish()]
    assert each(events.state_snapshot({}), FINISHED) == [state_message({}), Finish()]


def test_an_exit_ends_the_session() -> None:
    assert each(
        events.state_snapshot({"a": 1}), events.custom("Exit", None), events.step_started("s"), FINISHED
    ) == [
        state_message({"a": 1}),
        state_message({"a": 1}, "s", running=False),
        state_message({"a": 1}, "s", active=False, running=False),
        Finish(),
    ]
    assert each(events.custom("Exit", None), FINISHED) == [
        state_message({}, active=False, running=False),
        Finish(),
    ]


@pytest.mark.parametrize("name", ["on_interrupt", "LangGraphInterruptEvent"])
@pytest.mark.parametrize(("value", "text"), [("name?", "name?"), ({"q": [1]}, '{"q":[1]}'), (None, "null")])
def test_an_interrupt_is_a_text(name: str, value: Any, text: str) -> None:
    assert each(events.custom(name, value)) == [AddInterrupt(text)]


def test_the_interrupts_of_the_outcome_are_told_unless_they_were() -> None:
    waiting: list[dict[str, Any]] = [
        {"id": "i1", "reason": "x", "message": "name?"},
        {"id": "i2", "reason": "x", "metadata": {"langgraph": {"raw": {"q": 1}}}},
    ]
    finished = events.run_finished("t", "r", waiting)
    assert each(finished) == [AddInterrupt("name?"), AddInterrupt('{"q":1}'), Finish()]
    assert each(events.custom("on_interrupt", "name?"), finished) == [AddInterrupt("name?"), Finish()]
    assert each({**FINISHED, "outcome": {"type": "success"}}) == [Finish()]


@pytest.mark.parametrize("name", ["on_copilotkit_interrupt", "CopilotKitLangGraphInterruptEvent"])
@pytest.mark.parametrize(
    ("value", "text", "messages"),
    [
        ({"data": {"value": "sure?", "messages": [ASSISTANT]}}, "sure?", [ASSISTANT]),
        ({"value": {"q": 1}, "messages": [ASSISTANT, "junk"]}, '{"q":1}', [ASSISTANT]),
        ({"value": "sure?", "messages": 5}, "sure?", []),
        ({"data": "sure?"}, "sure?", []),
        ("sure?", "sure?", []),
        (["sure?"], '["sure?"]', []),
    ],
)
def test_an_interrupt_may_show_messages(name: str, value: Any, text: str, messages: list[Any]) -> None:
    assert each(events.custom(name, value)) == [AddCopilotKitInterrupt(text, messages)]


def predict(*entries: Any) -> Event:
    return events.custom("PredictState", list(entries))


DOCUMENT = {"state_key": "document", "tool": "write", "tool_argument": "text"}


def test_arguments_predict_the_state() -> None:
    assert each(
        events.state_snapshot({"a": 1}), predict(DOCUMENT), *call("c", "write", '{"te', 'xt":"He', 'llo"}')
    )[1:] == [
        StartAction("c", "write", None),
        Grow(ACTION, "c", '{"te'),
        Grow(ACTION, "c", 'xt":"He'),
        state_message({"a": 1, "document": "He"}),
        Grow(ACTION, "c", 'llo"}'),
        state_message({"a": 1, "document": "Hello"}),
    ]


def test_all_arguments_may_predict_the_state() -> None:
    whole = {"state_key": "call", "tool": "write"}
    assert each(predict(whole), *call("c", "write", '{"a":1}'))[-1] == state_message({"call": {"a": 1}})


def test_a_prediction_sees_the_beginning_of_the_call() -> None:
    told = [*call("c", "write", '{"text":"He'), predict(DOCUMENT), events.tool_call_args("c", 'llo"}')]
    assert each(*told)[-1] == state_message({"document": "Hello"})
    assert project(*told)[-1] == state_message({"document": "Hello"})


@pytest.mark.parametrize("step", [events.step_started("s"), events.step_finished("s")])
def test_a_step_ends_a_prediction(step: Event) -> None:
    told = each(predict(DOCUMENT), *call("c", "write"), step, events.tool_call_args("c", '{"text":"x"}'))
    assert told[-1] == Grow(ACTION, "c", '{"text":"x"}')


@pytest.mark.parametrize(
    "entries",
    [
        [{**DOCUMENT, "tool": "other"}],
        [{**DOCUMENT, "state_key": 5}],
        [{**DOCUMENT, "tool_argument": "other"}],
        [{**DOCUMENT, "tool_argument": ["text"]}],
        ["junk", None],
        [],
    ],
)
def test_a_prediction_of_something_else_says_nothing(entries: list[Any]) -> None:
    assert each(predict(*entries), *call("c", "write", '{"text":"x"}'))[1:] == [
        Grow(ACTION, "c", '{"text":"x"}')
    ]


def test_arguments_that_are_no_json_predict_nothing() -> None:
    assert each(predict(DOCUMENT), *call("c", "write", "oops"))[1:] == [Grow(ACTION, "c", "oops")]


@pytest.mark.parametrize("value", [None, "x", {"state_key": "a"}])
def test_a_prediction_that_is_no_list_is_none(value: Any) -> None:
    assert each(events.custom("PredictState", value), *call("c", "write", "{}"))[1:] == [
        Grow(ACTION, "c", "{}")
    ]


@pytest.mark.parametrize(
    "event",
    [
        events.run_started("t", "r"),
        events.custom("progress", {"percent": 10}),
        {"type": "RAW", "event": {}},
        {"type": "REASONING_START", "messageId": "m"},
        {"type": "REASONING_MESSAGE_START", "messageId": "m", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "m", "delta": "x"},
        {"type": "REASONING_MESSAGE_END", "messageId": "m"},
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "x", "content": {}},
        {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "x"},
    ],
    ids=lambda event: str(event["type"]),
)
def test_what_this_contract_does_not_know_says_nothing(event: Event) -> None:
    assert each(event) == []


def test_an_error_is_a_failure() -> None:
    assert each(events.run_error("boom")) == [Fail("boom", None)]
    assert each(events.run_error("boom", "RATE_LIMIT")) == [Fail("boom", "RATE_LIMIT")]
    assert each(events.run_error("boom", "INCOMPLETE_STREAM")) == [Fail("boom", None)]


def test_what_was_cut_off_has_failed() -> None:
    cut = [events.text_end("m"), events.tool_call_end("c"), events.step_finished("s")]
    assert Projection().project(entry(event, cut=True) for event in cut) == [
        End(TEXT, "m", TEXT_CUT),
        End(ACTION, "c", ARGUMENTS_CUT),
    ]


def test_the_log_is_left_alone() -> None:
    snapshot = events.state_snapshot({"items": [1], "messages": []})
    patch = add("/items/-", {"n": 1})
    deeper = add("/items/1/m", 2)
    each(snapshot, predict(DOCUMENT), patch, deeper, *call("c", "write", '{"text":"x"}'))
    assert (snapshot, patch) == (
        events.state_snapshot({"items": [1], "messages": []}),
        add("/items/-", {"n": 1}),
    )
