"""A run's events fold into the conversation and the state that they leave."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.reducer import Transcript
from copilotkit_runtime_py.state_store.base import AgentState

Event = dict[str, Any]
Message = dict[str, Any]

USER = {"id": "u1", "role": "user", "content": "hi"}


def fold(*told: Event, messages: list[Message] | None = None, state: Any = None) -> AgentState:
    given = [USER] if messages is None else messages
    before = copy.deepcopy((given, state))
    log = copy.deepcopy(told)
    transcript = Transcript(given, state)
    for event in told:
        transcript.add(event)
    result = transcript.result()
    assert (given, state) == before, "the input is left alone"
    assert told == log, "the log is left alone"
    return result


def say(id: str, *deltas: str, role: str = "assistant") -> list[Event]:
    return [
        events.text_start(id, role),
        *(events.text_content(id, delta) for delta in deltas),
        events.text_end(id),
    ]


def ask(id: str, name: str, *deltas: str, parent: str | None = None) -> list[Event]:
    return [
        events.tool_call_start(id, name, parent),
        *(events.tool_call_args(id, delta) for delta in deltas),
        events.tool_call_end(id),
    ]


def call(id: str, name: str, arguments: str) -> Message:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def said(id: str, content: str) -> Message:
    return {"id": id, "role": "assistant", "content": content}


def result(id: str, call_id: str, content: str) -> Message:
    return {"id": id, "role": "tool", "toolCallId": call_id, "content": content}


def test_nothing_leaves_everything_as_it_was() -> None:
    assert fold(state={"a": 1}) == AgentState(state={"a": 1}, messages=[USER])
    assert fold(messages=[], state=None) == AgentState()


def test_deltas_become_messages_in_the_order_of_their_starts() -> None:
    told = [
        events.text_start("m1"),
        events.text_start("m2"),
        events.text_content("m2", "two"),
        events.text_content("m1", "o"),
        events.text_end("m2"),
        events.text_content("m1", "ne"),
        events.text_end("m1"),
    ]
    assert fold(*told).messages == [USER, said("m1", "one"), said("m2", "two")]


def test_a_message_that_was_cut_keeps_what_was_said() -> None:
    told = [events.text_start("m1"), events.text_content("m1", "o")]
    assert fold(*told).messages == [USER, said("m1", "o")]
    assert fold(events.text_start("m1")).messages == [USER, said("m1", "")]


def test_the_result_may_be_asked_for_twice() -> None:
    transcript = Transcript([], None)
    for event in say("m1", "a")[:-1]:
        transcript.add(event)
    assert transcript.result() == transcript.result() == AgentState(messages=[said("m1", "a")])


def test_a_text_keeps_its_role() -> None:
    assert fold(*say("m1", "x", role="user")).messages == [
        USER,
        {"id": "m1", "role": "user", "content": "x"},
    ]


def test_reasoning_is_a_message_of_its_own_even_under_the_same_id() -> None:
    told = [
        {"type": "REASONING_MESSAGE_START", "messageId": "m1", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "m1", "delta": "hm"},
        {"type": "REASONING_MESSAGE_END", "messageId": "m1"},
        *say("m1", "so"),
    ]
    assert fold(*told).messages == [
        USER,
        {"id": "m1", "role": "reasoning", "content": "hm"},
        said("m1", "so"),
    ]


def test_what_a_vendor_wants_back_is_kept_with_the_message_or_the_call() -> None:
    def sealed(subtype: str, id: str) -> Event:
        return {
            "type": "REASONING_ENCRYPTED_VALUE",
            "subtype": subtype,
            "entityId": id,
            "encryptedValue": f"seal of {id}",
        }

    earlier = {"id": "a0", "role": "assistant", "toolCalls": [call("c0", "f", "{}")]}
    told = [*say("a1", "Hm."), *ask("c1", "g", "{}", parent="a1")]
    seals = [sealed("message", "a1"), sealed("tool-call", "c0"), sealed("message", "of nobody")]
    assert fold(*told[:4], seals[0], *told[4:], *seals[1:], messages=[USER, earlier]).messages == [
        USER,
        {**earlier, "toolCalls": [{**call("c0", "f", "{}"), "encryptedValue": "seal of c0"}]},
        {**said("a1", "Hm."), "toolCalls": [call("c1", "g", "{}")], "encryptedValue": "seal of a1"},
    ]
    while_open = fold(*told[:4], sealed("tool-call", "c1"), *told[4:])
    assert while_open.messages[1]["toolCalls"] == [{**call("c1", "g", "{}"), "encryptedValue": "seal of c1"}]


def test_calls_join_the_message_they_name() -> None:
    told = [
        *say("m1", "let me see"),
        *ask("c1", "f", '{"a":', "1}", parent="m1"),
        *ask("c2", "g", parent="m1"),
    ]
    assert fold(*told).messages == [
        USER,
        {**said("m1", "let me see"), "toolCalls": [call("c1", "f", '{"a":1}'), call("c2", "g", "")]},
    ]


def test_calls_without_a_message_get_one() -> None:
    told = [*ask("c1", "f", "{}"), *ask("c2", "g", "{}", parent="p1"), *ask("c3", "h", "{}", parent="p1")]
    assert fold(*told).messages == [
        USER,
        {"id": "c1", "role": "assistant", "toolCalls": [call("c1", "f", "{}")]},
        {"id": "p1", "role": "assistant", "toolCalls": [call("c2", "g", "{}"), call("c3", "h", "{}")]},
    ]


def test_a_call_does_not_join_a_message_of_somebody_else() -> None:
    assert fold(*ask("c1", "f", "{}", parent="u1")).messages == [
        USER,
        {"id": "c1", "role": "assistant", "toolCalls": [call("c1", "f", "{}")]},
    ]


def test_a_call_joins_a_message_of_an_earlier_run() -> None:
    earlier: list[Message] = [{**said("m0", "x"), "toolCalls": [call("c0", "f", "{}")]}]
    assert fold(*ask("c1", "g", "{}", parent="m0"), messages=earlier).messages == [
        {**said("m0", "x"), "toolCalls": [call("c0", "f", "{}"), call("c1", "g", "{}")]}
    ]


def test_a_text_under_a_known_id_goes_on() -> None:
    assert fold(*say("m1", "a"), *say("m1", "b")).messages == [USER, said("m1", "ab")]
    earlier: list[Message] = [{"id": "m0", "role": "assistant", "content": None}]
    assert fold(*say("m0", "a"), messages=earlier).messages == [said("m0", "a")]


def test_a_text_goes_on_after_content_in_parts() -> None:
    earlier: list[Message] = [
        {"id": "m0", "role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}
    ]
    assert fold(*say("m0", "b"), messages=earlier).messages == [said("m0", "ab")]


def test_two_calls_of_one_id_keep_their_own_arguments() -> None:
    told = [*ask("c1", "f", "1", parent="m"), *ask("c1", "f", "2", parent="m")]
    assert fold(*told, messages=[]).messages == [
        {"id": "m", "role": "assistant", "toolCalls": [call("c1", "f", "1"), call("c1", "f", "2")]}
    ]


def test_results_are_messages() -> None:
    told = [*ask("c1", "f", "{}"), events.tool_call_result("r1", "c1", "found")]
    assert fold(*told, messages=[]).messages == [
        {"id": "c1", "role": "assistant", "toolCalls": [call("c1", "f", "{}")]},
        result("r1", "c1", "found"),
    ]


def test_a_call_has_one_result() -> None:
    told = [events.tool_call_result("r2", "c1", "new"), events.tool_call_result("r3", "c1", "newest")]
    assert fold(*told, messages=[result("r1", "c1", "old")]).messages == [result("r1", "c1", "newest")]


def test_results_of_two_calls_with_one_text_are_both_kept() -> None:
    told = [events.tool_call_result("r1", "c1", "yes"), events.tool_call_result("r2", "c2", "yes")]
    assert fold(*told, messages=[]).messages == [result("r1", "c1", "yes"), result("r2", "c2", "yes")]


def test_a_result_under_the_id_of_a_text_leaves_the_text() -> None:
    told = [*say("m1", "x"), events.tool_call_result("m1", "c1", "y")]
    assert fold(*told, messages=[]).messages == [said("m1", "x"), result("m1", "c1", "y")]


def test_a_snapshot_is_the_conversation() -> None:
    whole = [USER, said("m9", "other")]
    assert fold(*say("m1", "gone"), events.messages_snapshot(whole)).messages == whole
    assert fold(events.messages_snapshot(whole), *say("m9", "!")).messages == [USER, said("m9", "other!")]


def test_what_grows_goes_on_in_a_snapshot_that_has_it() -> None:
    whole = [{**said("m1", "a"), "toolCalls": [call("c1", "f", "1")]}]
    told = [
        events.text_start("m1"),
        events.text_content("m1", "a"),
        events.tool_call_start("c1", "f", "m1"),
        events.tool_call_args("c1", "1"),
        events.messages_snapshot(whole),
        events.text_content("m1", "b"),
        events.tool_call_args("c1", "2"),
    ]
    assert fold(*told).messages == [{**said("m1", "ab"), "toolCalls": [call("c1", "f", "12")]}]


def test_what_grows_outlives_a_snapshot_that_lacks_it() -> None:
    told = [
        events.text_start("m1"),
        events.text_content("m1", "a"),
        events.tool_call_start("c1", "f", "m0"),
        events.tool_call_args("c1", "1"),
        events.messages_snapshot([said("m0", "x")]),
        events.text_content("m1", "b"),
        events.tool_call_args("c1", "2"),
    ]
    assert fold(*told, messages=[said("m0", "x")]).messages == [
        {**said("m0", "x"), "toolCalls": [call("c1", "f", "12")]},
        said("m1", "ab"),
    ]


def test_an_emoji_in_two_halves_is_whole_in_the_end() -> None:
    assert fold(*say("m1", "a\ud83e", "\udd8a", "\ud83e"), messages=[]).messages == [said("m1", "a🦊\ufffd")]


def test_state_is_replaced_and_patched() -> None:
    told = [
        events.state_delta([{"op": "add", "path": "/b", "value": 2}]),
        events.state_snapshot({"c": [1]}),
        events.state_delta([{"op": "add", "path": "/c/-", "value": 2}]),
        events.state_delta([{"op": "add", "path": "/c/-", "value": 3}]),
    ]
    assert fold(told[0], state={"a": 1}).state == {"a": 1, "b": 2}
    assert fold(*told, state={"a": 1}).state == {"c": [1, 2, 3]}


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "replace", "path": "/x/y", "value": 1}],
        [{"op": "add", "path": "/a/0", "value": 1}],
        [{"op": "remove", "path": ""}, {"op": "remove", "path": "/b"}],
        [{"op": "add", "path": "/b", "value": 1}, {"op": "test", "path": "/a", "value": 2}],
        [{"op": "move", "from": "/zz", "path": "/b"}],
    ],
)
def test_a_patch_that_does_not_apply_is_skipped_whole(patch: list[dict[str, Any]]) -> None:
    assert fold(events.state_delta(patch), state={"a": 1}).state == {"a": 1}


def test_the_interrupts_of_the_end_wait_for_an_answer() -> None:
    waiting = [{"id": "i1", "reason": "input_required"}]
    assert fold(events.run_finished("t", "r", waiting)).interrupts == waiting
    assert fold(events.run_finished("t", "r")).interrupts == []


def test_events_that_say_nothing_change_nothing() -> None:
    told = [
        events.run_started("t", "r"),
        events.step_started("s"),
        events.custom("x", 1),
        {"type": "RAW", "event": {}},
        {"type": "HOLOGRAM"},
        events.step_finished("s"),
        events.run_error("boom"),
    ]
    assert fold(*told) == AgentState(messages=[USER])


def test_a_message_is_copied_once_however_many_calls_join_it() -> None:
    transcript = Transcript([said("m0", "x")], None)
    for event in ask("c0", "f", parent="m0"):
        transcript.add(event)
    (message,) = transcript.result().messages
    calls = message["toolCalls"]
    for event in ask("c1", "f", parent="m0"):
        transcript.add(event)
    assert transcript.result().messages[0] is message
    assert message["toolCalls"] is calls
    assert calls == [call("c0", "f", ""), call("c1", "f", "")]


def test_deltas_are_joined_once() -> None:
    class Delta(str):
        __slots__ = ()

        def __radd__(self, other: str) -> str:
            raise AssertionError("joined one by one")

        __add__ = __radd__

    transcript = Transcript([], None)
    for event in say("m1", Delta("a"), Delta("b"), Delta("c")):
        transcript.add(event)
    assert transcript.result().messages == [said("m1", "abc")]


def plan(content: Any, **more: Any) -> Message:
    return {"id": "a", "role": "activity", "activityType": "plan", "content": content, **more}


def change(value: Any, path: str = "/step") -> Event:
    return events.activity_delta("a", "plan", [{"op": "replace", "path": path, "value": value}])


def test_an_activity_is_a_message_with_its_patches_applied() -> None:
    told = [events.activity_snapshot("a", "plan", {"step": 1}), change(2), change(3, "/missing")]
    assert fold(*told).messages == [USER, plan({"step": 2})]
    assert fold(change(2), messages=[plan({"step": 1})]).messages == [plan({"step": 2})]
    assert fold(change(2)).messages == [USER]
    ignored = {**events.activity_snapshot("a", "other", {}), "replace": False}
    assert fold(*told, ignored).messages == [USER, plan({"step": 2})]
    assert fold(*told, events.activity_snapshot("a", "plan", {})).messages == [USER, plan({})]


def test_what_clients_keep_beside_a_snapshot_stays_in_its_place() -> None:
    thought = {"id": "t", "role": "reasoning", "content": "hm"}
    before = [USER, thought, said("m1", "yes"), plan({"step": 1})]
    answered = [said("m0", "before"), USER, said("m1", "yes"), said("m2", "no")]
    assert fold(events.messages_snapshot(answered), messages=before).messages == [
        *answered[:2],
        thought,
        answered[2],
        before[3],
        answered[3],
    ]
    own = [{**thought, "id": "t2"}, {**plan({}), "id": "b"}]
    assert fold(events.messages_snapshot(own), messages=before).messages == own


def test_metadata_and_attribution_come_with_the_message_or_the_call_that_they_belong_to() -> None:
    def stamped(event: Event, **metadata: Any) -> Event:
        return {**event, "metadata": metadata}

    mine = {"subagentRunId": "s1"}
    assert fold(
        stamped(events.text_start("m") | mine, a=1),
        stamped(events.text_content("m", "x"), a=2, b=1),
        stamped(events.text_end("m"), c=3),
        stamped(events.tool_call_start("c", "f", "m"), a=1),
        stamped(events.tool_call_args("c", "{}"), b=2),
        stamped(events.tool_call_end("c"), c=3),
        stamped(events.tool_call_result("r", "c", "found") | mine, a=1),
        stamped(events.activity_snapshot("a", "plan", {}) | mine, a=1),
        stamped(change(2, "/missing"), b=2),
        messages=[],
    ).messages == [
        said("m", "x")
        | mine
        | {"metadata": {"a": 2, "b": 1, "c": 3}}
        | {"toolCalls": [call("c", "f", "{}") | {"metadata": {"a": 1, "b": 2, "c": 3}}]},
        result("r", "c", "found") | mine | {"metadata": {"a": 1}},
        plan({}) | mine | {"metadata": {"a": 1, "b": 2}},
    ]
