"""The vocabulary itself."""

from __future__ import annotations

import datetime
import json
import uuid
from collections import UserDict
from typing import Any

import pytest
from ag_ui.core import StateSnapshotEvent, TextMessageStartEvent

from copilotkit_runtime_py.agui import events
from tests.well_formed import check_models

MADE = [
    events.run_started("t", "r"),
    events.text_start("m"),
    events.text_start("m", "user"),
    events.text_content("m", "x"),
    events.text_end("m"),
    events.tool_call_start("c", "f"),
    events.tool_call_start("c", "f", "m"),
    events.tool_call_args("c", "{}"),
    events.tool_call_end("c"),
    events.tool_call_result("r", "c", "x"),
    events.state_snapshot({"a": None}),
    events.state_delta([{"op": "add", "path": "/a", "value": 1}]),
    events.messages_snapshot([{"id": "m", "role": "user", "content": "x"}]),
    events.step_started("s"),
    events.step_finished("s"),
    events.custom("x", {"y": 1}),
    events.run_error("x"),
    events.run_error("x", "CODE"),
    events.run_finished("t", "r"),
    events.run_finished("t", "r", []),
    events.run_finished("t", "r", [{"id": "i", "reason": "input_required", "message": "?"}]),
]


def test_every_factory_makes_an_event_of_agui() -> None:
    check_models(MADE)


def test_only_what_is_known_is_in_an_event() -> None:
    assert events.run_finished("t", "r", []) == {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}
    assert events.run_error("x") == {"type": "RUN_ERROR", "message": "x"}
    assert events.tool_call_start("c", "f") == {
        "type": "TOOL_CALL_START",
        "toolCallId": "c",
        "toolCallName": "f",
    }


def test_a_model_becomes_json_without_its_empty_fields() -> None:
    assert events.event_from(TextMessageStartEvent(message_id="m", role="user")) == events.text_start(
        "m", "user"
    )
    assert events.event_from(StateSnapshotEvent(snapshot={"a": None})) == events.state_snapshot({"a": None})


def test_a_mapping_becomes_a_dict() -> None:
    assert events.event_from(UserDict(events.text_end("m"))) == events.text_end("m")


@pytest.mark.parametrize("junk", [None, 5, "text", ["type"], object()])
def test_anything_else_is_no_event(junk: Any) -> None:
    with pytest.raises(TypeError, match="which is not an AG-UI event"):
        events.event_from(junk)


@pytest.mark.parametrize(
    "value", [None, "ä🦊", {"1": [1, 2.5, True]}, "\ud83e", ["\ud83e\udd8a", {"x": "\udd8a"}]]
)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    assert json.dumps(events.decode(events.encode(value))) == json.dumps(value)


def test_half_of_a_surrogate_pair_is_encoded_as_javascript_does() -> None:
    assert events.encode({"delta": "\ud83e"}) == b'{"delta":"\\ud83e"}'


def test_a_value_without_a_json_form_is_not_encoded() -> None:
    with pytest.raises(TypeError):
        events.encode({"x": object()})


def test_what_is_no_json_is_not_decoded() -> None:
    with pytest.raises(ValueError, match="line 1"):
        events.decode(b"{")


def test_a_text_is_itself_and_the_rest_is_json() -> None:
    assert [events.as_text(value) for value in ("x", "", None, {"a": 1}, 5)] == [
        "x",
        "",
        "null",
        '{"a":1}',
        "5",
    ]


@pytest.mark.parametrize(
    ("interrupt", "text"),
    [
        ({"id": "i", "message": "m", "metadata": {"langgraph": {"raw": "v"}}}, "v"),
        ({"id": "i", "message": "m", "metadata": {"langgraph": {"raw": {"q": 1}}}}, '{"q":1}'),
        ({"id": "i", "message": "m", "metadata": {"langgraph": {"raw": None}}}, "null"),
        ({"id": "i", "message": "m", "metadata": {"langgraph": "raw"}}, "m"),
        ({"id": "i", "message": "m", "metadata": {}}, "m"),
        ({"id": "i", "reason": "x"}, '{"id":"i","reason":"x"}'),
    ],
)
def test_an_interrupt_is_shown_as_its_value_its_message_or_itself(
    interrupt: dict[str, Any], text: str
) -> None:
    assert events.interrupt_text(interrupt) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "{}"),
        ({"day": datetime.date(2026, 1, 2)}, '{"day":"2026-01-02"}'),
        ({"n": 2**64, "half": "\ud83d"}, '{"n":18446744073709551616,"half":"\\ud83d"}'),
        ({"n": float("nan")}, '{"n":null}'),
        ({"key": uuid.UUID(int=1), "lock": Ellipsis}, f'{{"key":"{uuid.UUID(int=1)}","lock":"Ellipsis"}}'),
    ],
)
def test_arguments_of_every_kind_are_told_as_json(arguments: dict[str, Any], text: str) -> None:
    assert events.arguments_text(arguments) == text


def test_half_of_a_surrogate_pair_is_replaced_and_a_pair_becomes_its_character() -> None:
    assert events.well_formed("hi \ud83d") == "hi \ufffd"
    assert events.well_formed("\ud83d\ude00") == "\U0001f600"
