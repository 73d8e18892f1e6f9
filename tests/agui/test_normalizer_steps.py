"""What a sequence offers besides pushing events: turns, answers, ids of the conversation, what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.normalizer import EventSequence
from copilotkit_runtime_py.agui.versions import SentMessage
from copilotkit_runtime_py.errors import ProtocolViolationError

STARTED = events.run_started("t1", "r1")
FINISHED = events.run_finished("t1", "r1")


def sequence(**options: Any) -> EventSequence:
    return EventSequence("t1", "r1", **{"strict_stream": False, **options})


def pushed(sequence: EventSequence, *all: Event) -> list[Event]:
    out: list[Event] = []
    for event in all:
        sequence.push(event, out)
    return out


def chunk(kind: str, **members: Any) -> Event:
    return {"type": f"{kind}_CHUNK", **members}


def test_the_next_turn_may_begin_with_a_run_started_that_is_dropped() -> None:
    turns = sequence()
    assert pushed(turns, dict(STARTED), events.custom("x", 1)) == [STARTED, events.custom("x", 1)]
    with pytest.raises(ProtocolViolationError, match="while a run is still active"):
        pushed(turns, dict(STARTED))
    turns.begin_turn(strict_stream=False)
    assert pushed(turns, dict(STARTED), events.custom("y", 2)) == [events.custom("y", 2)]


def test_each_turn_is_as_strict_as_its_agent() -> None:
    turns = sequence()
    pushed(turns, events.custom("x", 1))
    turns.begin_turn(strict_stream=True)
    with pytest.raises(ProtocolViolationError, match="First event must be 'RUN_STARTED'"):
        pushed(turns, events.custom("y", 2))
    with pytest.raises(ProtocolViolationError, match="without emitting a terminal event"):
        turns.finish([])
    turns.begin_turn(strict_stream=False)
    turns.finish([])
    assert turns.terminal == FINISHED


def test_a_text_message_begins_with_its_start_or_its_first_chunk() -> None:
    text = sequence()
    first = chunk("TEXT_MESSAGE", messageId="m", delta="x")
    assert text.begins_text(first)
    assert text.begins_text(events.text_start("m"))
    assert not text.begins_text(events.text_content("m", "x"))
    assert not text.begins_text(chunk("TEXT_MESSAGE", delta="x"))
    assert not text.begins_text(chunk("TOOL_CALL", toolCallId="c", toolCallName="f"))
    pushed(text, first)
    assert not text.begins_text(first)
    assert text.begins_text(chunk("TEXT_MESSAGE", messageId="other", delta="x"))


def test_a_chunked_call_ends_ahead_of_the_text_that_ends_it() -> None:
    calls = sequence()
    pushed(calls, chunk("TOOL_CALL", toolCallId="c", toolCallName="f", delta="{}"))
    out: list[Event] = []
    calls.end_call_before(events.text_start("m"), out)
    assert out == [events.tool_call_end("c")]
    calls.end_call_before(events.text_start("m"), out)
    assert out == [events.tool_call_end("c")]


def test_calls_without_a_result_are_answered_once() -> None:
    calls = sequence()
    for id in ("c1", "c2", "c3"):
        pushed(calls, events.tool_call_start(id, "f"), events.tool_call_end(id))
    pushed(calls, events.tool_call_result("m", "c2", "ok"))
    out: list[Event] = []
    calls.answer_calls(["c1", "c2", "unknown"], {"status": "stopped"}, out)
    calls.answer_calls(["c1"], {"status": "stopped"}, out)
    assert out == [events.tool_call_result("c1-result", "c1", '{"status":"stopped"}')]
    assert calls.unanswered_calls == ["c3"]
    # The result of a call has one id, which no other message has.
    assert pushed(calls, events.tool_call_result("m2", "c1", "late")) == []


def test_an_answer_takes_an_id_that_no_other_message_has() -> None:
    calls = sequence(known=[{"id": "c1-result", "role": "user", "content": "hi"}])
    pushed(calls, events.tool_call_start("c1", "f"), events.tool_call_end("c1"))
    out: list[Event] = []
    calls.answer_calls(["c1"], {}, out)
    assert [event["messageId"] for event in out] == ["c1-result-c1"]


def test_a_call_of_an_earlier_run_is_answered_unless_it_was() -> None:
    calls = sequence(known=[{"id": "m", "role": "tool", "toolCallId": "old", "content": "ok"}])
    for id in ("old", "new"):
        calls.expect_result(id)
    assert calls.unanswered_calls == ["new"]
    assert pushed(calls, events.tool_call_result("m2", "new", "ok"))[-1]["toolCallId"] == "new"
    assert calls.unanswered_calls == []


def test_a_call_belongs_to_a_message_of_the_assistant() -> None:
    user = {"id": "m", "role": "user", "content": "hi"}
    ids = sequence(known=[user, {**user, "id": "c2"}])
    out = pushed(
        ids,
        {**events.tool_call_start("c1", "f"), "parentMessageId": "m"},
        events.tool_call_start("c2", "f"),
        events.tool_call_start("c3", "f"),
        {**events.tool_call_start("c4", "f"), "parentMessageId": "answer"},
    )
    parents = {event["toolCallId"]: event.get("parentMessageId") for event in out[1:]}
    assert parents == {"c1": "m-assistant", "c2": "c2-assistant", "c3": None, "c4": "answer"}


def test_a_snapshot_shows_a_message_as_its_client_sent_it() -> None:
    original = {"id": "u", "role": "user", "content": [{"type": "binary", "mimeType": "image/png"}]}
    outline = ("user", [("image", None)])
    received = {"id": "u", "role": "user", "content": [{"type": "image", "source": {"type": "data"}}]}
    own = {"id": "a", "role": "assistant", "content": "hello"}
    sent = sequence(sent={"u": SentMessage(outline, original)})
    received_as_models = {**received, "content": [{"type": "image", "source": IMAGE}]}
    snapshot = events.messages_snapshot([received_as_models, own])
    assert pushed(sent, snapshot)[-1]["messages"] == [original, own]


IMAGE = {"type": "data", "value": "aGk=", "mimeType": "image/png"}


def test_open_calls_are_those_with_incomplete_arguments() -> None:
    calls = sequence()
    pushed(calls, events.tool_call_start("c1", "f"), events.tool_call_end("c1"), events.text_start("m"))
    pushed(calls, events.tool_call_start("c2", "f"))
    assert (calls.open_calls, calls.unanswered_calls) == (["c2"], ["c1", "c2"])


def test_a_patch_is_counted_and_one_with_too_many_operations_is_refused() -> None:
    patches = sequence()
    operation = {"op": "add", "path": "/a", "value": 1}
    delta = {"type": "STATE_DELTA", "delta": [operation, operation]}
    activity = {"type": "ACTIVITY_DELTA", "messageId": "m", "activityType": "x", "patch": [operation]}
    pushed(patches, delta, activity)
    assert patches.patch_operations == 3
    pushed(patches, {**delta, "delta": [operation] * 10_000})
    with pytest.raises(ProtocolViolationError, match="exceeded 10000 operations") as refused:
        pushed(patches, {**delta, "delta": [operation] * 10_001})
    assert refused.value.agent_code == "LIMIT_EXCEEDED"
    assert patches.patch_operations == 10_003


def test_the_start_shows_the_input_of_the_client_without_the_servers_properties() -> None:
    input = {"messages": [{"id": "u", "role": "user", "content": "hi"}], "forwardedProps": {"a": 1}}
    assert pushed(sequence(input=input), events.custom("x", 1))[0] == {**STARTED, "input": input}
    echoed = {**input, "forwardedProps": {"a": 1, "secret": 2}}
    (start,) = pushed(sequence(input=input), {**STARTED, "input": echoed})
    assert start["input"]["forwardedProps"] == {"a": 1}


def test_a_corrected_conversation_follows_the_start() -> None:
    message = {"id": "u", "role": "user", "content": "hi"}
    out = pushed(sequence(corrected=[message]), events.custom("x", 1))
    assert out == [STARTED, events.messages_snapshot([message]), events.custom("x", 1)]


def test_questions_of_the_outcome_are_announced_to_old_clients_once() -> None:
    question = {"id": "q", "value": "ok?"}
    finished = {**FINISHED, "outcome": {"type": "interrupt", "interrupts": [question]}}
    for announces, asked in ((True, 1), (False, 0)):
        out: list[Event] = []
        sequence(announces=announces).end(finished, out)
        assert [event["name"] for event in out[1:]] == ["on_interrupt"] * asked
    out = pushed(announced := sequence(announces=True), events.custom("on_interrupt", "ok?"))
    announced.end(finished, out)
    assert [event["type"] for event in out] == ["RUN_STARTED", "CUSTOM"]


def test_an_incomplete_strict_stream_is_an_error_with_a_code() -> None:
    strict = sequence(strict_stream=True)
    pushed(strict, dict(STARTED))
    with pytest.raises(ProtocolViolationError) as refused:
        strict.finish([])
    assert refused.value.agent_code == "INCOMPLETE_STREAM"


def test_an_announced_question_is_its_text_and_other_events_announce_nothing() -> None:
    question = {"id": "q", "reason": "tool_call", "message": "ok?"}
    asking = sequence(announces=True)
    out = pushed(asking, events.custom("x", 1))
    asking.end({**FINISHED, "outcome": {"type": "interrupt", "interrupts": [question]}}, out)
    assert out[2:] == [events.custom("on_interrupt", events.interrupt_text(question))]
    silent = sequence(announces=True)
    for terminal in (FINISHED, {**FINISHED, "outcome": {"type": "success"}}):
        silent = sequence(announces=True)
        silent.end(terminal, out := [])
        assert out == [STARTED]


def test_what_is_open_at_a_cut_is_closed_with_or_without_a_terminal_event() -> None:
    subagent = {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "researcher"}
    for terminal in (None, FINISHED, events.run_error("no", "X")):
        cut = sequence()
        out = pushed(cut, dict(subagent), events.text_start("m"))
        cut.terminal = terminal
        out.clear()
        cut.close_open(out)
        failed = terminal is not None and terminal["type"] == "RUN_ERROR"
        assert [event["type"] for event in out] == [
            "TEXT_MESSAGE_END",
            "SUBAGENT_ERROR" if failed else "SUBAGENT_FINISHED",
        ]


def test_the_input_that_an_agent_echoes_shows_what_the_client_sent() -> None:
    original = {"id": "u", "role": "user", "content": [{"type": "binary", "mimeType": "image/png"}]}
    received = {"id": "u", "role": "user", "content": [{"type": "image", "source": IMAGE}]}
    client: Event = {"messages": [original]}
    ids = {"threadId": "t1", "runId": "r1"}
    echoed: Event = {**ids, "messages": [received], "tools": [], "context": []}
    sent = {"u": SentMessage(("user", [("image", None)]), original)}
    (start,) = pushed(sequence(input=client, sent=sent), {**STARTED, "input": dict(echoed)})
    assert start["input"]["messages"] == [original]
    assert "forwardedProps" not in start["input"]
    echoed["forwardedProps"] = {"secret": 2}
    (start,) = pushed(sequence(input=client, sent=sent), {**STARTED, "input": dict(echoed)})
    assert start["input"]["forwardedProps"] == {}
    (start,) = pushed(sequence(input=client, sent=sent), dict(STARTED))
    assert start["input"] is client


def test_an_activity_takes_no_id_of_another_message() -> None:
    ids = sequence(known=[{"id": "m", "role": "user", "content": "hi"}])
    activity = {"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "x", "content": {}}
    assert pushed(ids, activity)[-1]["messageId"] == "m-activity"


def test_errors_carry_no_credentials() -> None:
    text, key = "the key sk-abcdefghijklmnopqrstuvwxyz123456 is wrong", "sk-abcdefghijklmnopqrstuvwxyz123456"
    ended = sequence()
    subagent = {"subagentRunId": "s", "name": "researcher"}
    out = pushed(
        ended,
        {"type": "SUBAGENT_STARTED", **subagent},
        {"type": "SUBAGENT_ERROR", "subagentRunId": "s", "message": text},
        {"type": "RUN_ERROR", "message": text, "code": key},
    )
    assert ended.terminal is not None
    shown = [out[-1]["message"], ended.terminal["message"], ended.terminal["code"]]
    assert not [each for each in shown if key in each]
    harmless = sequence()
    harmless.end(events.run_error("the model is busy", "BUSY"), [])
    assert harmless.terminal == events.run_error("the model is busy", "BUSY")
    assert "code" not in events.run_error("no", None)


def test_a_delta_grows_its_message_alone_with_the_tag_of_its_subagent() -> None:
    growing = sequence()
    tag = {"subagentRunId": "s"}
    pushed(growing, {"type": "SUBAGENT_STARTED", **tag, "name": "researcher"})
    pushed(growing, events.text_start("m"), {**events.text_start("n"), **tag})
    own, tagged = events.text_content("m", "x"), {**events.text_content("n", "y"), **tag}
    assert pushed(growing, own, tagged) == [own, tagged]
    assert pushed(growing, {**tagged, "junk": 1})[0]["delta"] == "y"
    with pytest.raises(ProtocolViolationError, match="No active"):
        pushed(growing, events.text_content("other", "x"))


def test_the_start_of_a_strict_stream_begins_it_once() -> None:
    strict = sequence(strict_stream=True)
    assert pushed(strict, dict(STARTED), events.custom("x", 1)) == [STARTED, events.custom("x", 1)]
    loose = sequence()
    pushed(loose, events.custom("x", 1))
    with pytest.raises(ProtocolViolationError, match="while a run is still active"):
        pushed(loose, dict(STARTED))


def test_the_messages_of_the_input_have_their_ids() -> None:
    input = {"messages": [{"id": "m", "role": "user", "content": "hi"}]}
    out = pushed(sequence(input=input), events.text_start("m"))
    assert out[-1]["messageId"] == "m-assistant"
