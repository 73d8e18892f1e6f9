"""Ids of tool calls that repeat become unique within a thread, the same wherever they are seen."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py.agui.call_ids import CallIds, original, repeats
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.reducer import Transcript

Json = dict[str, Any]


def calling(message: str, *ids: str) -> Json:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": id, "type": "function", "function": function} for id in ids]
    return {"id": message, "role": "assistant", "toolCalls": calls}


def result(message: str, call: str, content: str = "") -> Json:
    return {"id": message, "role": "tool", "toolCallId": call, "content": content}


def start(id: str, parent: str | None = None) -> Event:
    event = {"type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": "f"}
    return event if parent is None else {**event, "parentMessageId": parent}


def ids_of(messages: list[Json]) -> list[str]:
    """Returns the ids of calls, and those that results name, in order."""
    ids: list[str] = []
    for message in messages:
        ids += [call["id"] for call in message.get("toolCalls", ())]
        ids += [message["toolCallId"]] if "toolCallId" in message else []
    return ids


def events_of(messages: list[Json], *, parents: bool = True) -> list[Event]:
    """Returns the events in which an agent streams messages."""
    events: list[Event] = []
    for message in messages:
        for call in message.get("toolCalls", ()):
            events.append(start(call["id"], message["id"] if parents else None))
            events.append({"type": "TOOL_CALL_ARGS", "toolCallId": call["id"], "delta": "{}"})
            events.append({"type": "TOOL_CALL_END", "toolCallId": call["id"]})
        if "toolCallId" in message:
            fields = {"messageId": message["id"], "toolCallId": message["toolCallId"]}
            events.append({"type": "TOOL_CALL_RESULT", "content": message["content"], **fields})
    return events


TURN = [calling("m1", "f:0"), result("r1", "f:0", "one")]
NEXT = [calling("m2", "f:0"), result("r2", "f:0", "two")]


def test_an_id_that_does_not_repeat_stays_as_it_is() -> None:
    ids = CallIds()
    ids.learn(TURN)
    events = events_of([calling("m2", "f:1"), result("r2", "f:1")])
    assert all(ids.event(event) is event for event in events)


def test_a_call_with_the_id_of_an_earlier_one_gets_another_until_its_result() -> None:
    ids = CallIds()
    ids.learn(TURN)
    named = [ids.event(event)["toolCallId"] for event in events_of(NEXT)]
    assert len(set(named)) == 1
    assert re.fullmatch(r"f:0__again_[0-9a-f]{8}", named[0])
    assert original(named[0]) == "f:0"


def test_the_conversation_has_the_ids_that_streamed() -> None:
    ids = CallIds()
    ids.learn(TURN)
    streamed = [ids.event(event) for event in events_of(NEXT)]
    snapshot = ids.event({"type": "MESSAGES_SNAPSHOT", "messages": [*TURN, *NEXT]})
    assert ids_of(snapshot["messages"]) == [
        "f:0",
        "f:0",
        streamed[0]["toolCallId"],
        streamed[-1]["toolCallId"],
    ]


def test_who_knows_no_more_than_the_conversation_gives_the_same_ids() -> None:
    live = CallIds()
    live.learn(TURN)
    streamed = live.event(start("f:0", "m2"))["toolCallId"]
    assert ids_of(CallIds().named([*TURN, *NEXT]))[2:] == [streamed, streamed]


def test_a_conversation_that_lost_its_beginning_keeps_the_ids() -> None:
    """The user went back to an earlier message, or the agent forgets old ones."""
    known = CallIds().named([*TURN, *NEXT])
    ids = CallIds()
    ids.learn(known)
    assert ids.named(NEXT) == known[2:]


def test_messages_that_clients_know_by_other_ids_keep_the_ids_of_their_calls() -> None:
    """CopilotKit's GraphQL clients have a message for each call, with the call's id."""
    known = CallIds().named([*TURN, *NEXT])
    calls = [message["toolCalls"][0]["id"] for message in known if "toolCalls" in message]
    ids = CallIds()
    ids.learn([message for id in calls for message in (calling(id, id), result(f"{id}-result", id))])
    assert ids_of(ids.named([*TURN, *NEXT])) == ids_of(known)


def test_calls_in_no_message_are_matched_with_the_conversation_in_order() -> None:
    ids = CallIds("r2")
    ids.learn(TURN)
    streamed = [ids.event(event) for event in events_of([*NEXT, *NEXT], parents=False)]
    calls = list(dict.fromkeys(event["toolCallId"] for event in streamed))
    later = [calling("m3", "f:0"), result("r3", "f:0")]
    assert len(calls) == 2
    assert ids_of(ids.named([*TURN, *NEXT, *later]))[2:] == [calls[0], calls[0], calls[1], calls[1]]


def test_the_same_id_twice_in_one_message_is_two_calls_with_their_results_in_order() -> None:
    messages = [calling("m1", "f:0", "f:0"), result("r1", "f:0", "one"), result("r2", "f:0", "two")]
    named = CallIds().named(messages)
    first, second = (call["id"] for call in named[0]["toolCalls"])
    assert ids_of(named)[2:] == [first, second]
    streamed = list(map(CallIds().event, events_of(messages)))
    assert [e["toolCallId"] for e in streamed if e["type"] == "TOOL_CALL_RESULT"] == [first, second]


def test_two_results_with_one_id_go_to_their_calls() -> None:
    """Many agents make the id of a result of the call's."""
    own = [calling("m1", "f:0"), result("f:0-r", "f:0"), calling("m2", "f:0"), result("f:0-r", "f:0", "two")]
    named = CallIds().named(own)
    calls = [message["toolCalls"][0]["id"] for message in named if "toolCalls" in message]
    assert [message["toolCallId"] for message in named if "toolCallId" in message] == calls
    ids = CallIds()
    ids.learn(named)
    assert ids.named(own) == named


def test_chunks_are_named_like_the_events_that_they_stand_for() -> None:
    ids = CallIds("r")
    ids.learn(TURN)
    chunk = {"type": "TOOL_CALL_CHUNK", "delta": "{}"}
    first = ids.event({**chunk, "toolCallId": "f:0", "toolCallName": "f"})["toolCallId"]
    assert first != "f:0"
    assert "toolCallId" not in ids.event(chunk)
    assert ids.event({**chunk, "toolCallId": "f:0"})["toolCallId"] == first
    assert ids.event({**chunk, "toolCallId": "f:0", "toolCallName": "f"})["toolCallId"] == first
    ids.event({"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "f:0", "content": ""})
    assert ids.event({**chunk, "toolCallId": "f:0", "toolCallName": "f"})["toolCallId"] not in ("f:0", first)


def test_whatever_names_a_call_names_the_last_one() -> None:
    ids = CallIds()
    ids.learn(TURN)
    call = ids.event(start("f:0", "m2"))["toolCallId"]
    interrupt = {"id": "f:0", "reason": "tool_call", "toolCallId": "f:0"}
    finished = ids.event(
        {"type": "RUN_FINISHED", "outcome": {"type": "interrupt", "interrupts": [interrupt]}}
    )
    assert finished["outcome"]["interrupts"] == [{"id": call, "reason": "tool_call", "toolCallId": call}]
    value = {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "tool-call", "entityId": "f:0"}
    assert ids.event(value)["entityId"] == call
    subagent = {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "n", "parentToolCallId": "f:0"}
    assert ids.event(subagent)["parentToolCallId"] == call


def test_the_input_that_an_agent_tells_has_the_ids_that_clients_sent() -> None:
    known = CallIds().named([*TURN, *NEXT])
    ids = CallIds()
    ids.learn(known)
    told = ids.event({"type": "RUN_STARTED", "input": {"threadId": "t", "messages": [*TURN, *NEXT]}})
    assert told["input"] == {"threadId": "t", "messages": known}


def test_an_agent_that_has_such_ids_itself_gets_them_back() -> None:
    """A runtime of this kind behind a URL."""
    inner = CallIds().named([*TURN, *NEXT])
    outer = CallIds().named(inner)
    assert not repeats(outer)
    assert [original(id) if "__again_" in id else id for id in ids_of(outer)] == ids_of(inner)


def test_malformed_events_pass_as_they_are() -> None:
    ids = CallIds()
    events: list[Event] = [
        {"type": "TOOL_CALL_START"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": 3},
        {"type": "TOOL_CALL_RESULT"},
        {"type": "TOOL_CALL_CHUNK"},
        {"type": "MESSAGES_SNAPSHOT", "messages": ["x"]},
        {"type": "MESSAGES_SNAPSHOT"},
        {"type": "RUN_STARTED", "input": "x"},
        {"type": "RUN_FINISHED", "outcome": {"type": "interrupt", "interrupts": None}},
        {"type": "SUBAGENT_STARTED"},
        {},
    ]
    assert [ids.event(event) for event in events] == events
    odd: list[Json] = [
        {"id": "m", "toolCalls": "x"},
        {"id": "m", "toolCalls": [{}]},
        {"id": "m", "toolCalls": None},
    ]
    assert CallIds().named(odd) == odd


def test_a_conversation_that_was_stored_with_repeating_ids_becomes_unique() -> None:
    healed = CallIds().learn([*TURN, *NEXT])
    assert not repeats(healed)
    assert ids_of(healed)[0] == ids_of(healed)[1] == "f:0"
    assert healed == CallIds().named([*TURN, *NEXT])
    assert CallIds().learn(healed) == healed


@st.composite
def turns(draw: st.DrawFn) -> list[list[Json]]:
    """An agent's turns, in each of which it counts its calls anew."""
    made: list[list[Json]] = []
    for turn in range(draw(st.integers(1, 4))):
        messages: list[Json] = []
        for step in range(draw(st.integers(1, 3))):
            calls = draw(st.lists(st.sampled_from(["f:0", "f:1", "g:0"]), min_size=1, max_size=3))
            messages.append(calling(f"m{turn}-{step}", *calls))
            messages += [
                result(f"r{turn}-{step}-{n}", id, f"{turn}-{step}-{n}") for n, id in enumerate(calls)
            ]
        made.append(messages)
    return made


@given(turns(), st.booleans(), st.booleans())
def test_live_later_and_without_a_log_the_ids_are_unique_and_the_same(
    turns: list[list[Json]], parents: bool, snapshots: bool
) -> None:
    own: list[Json] = []
    seen = Transcript([], {})
    for number, turn in enumerate(turns):
        ids = CallIds(f"r{number}")
        ids.learn(seen.result().messages)
        own += turn
        for event in events_of(turn, parents=parents):
            seen.add(ids.event(event))
        if snapshots:
            before = seen.result().messages
            seen.add(ids.event({"type": "MESSAGES_SNAPSHOT", "messages": own}))
            assert ids_of(seen.result().messages) == ids_of(before)
    messages = seen.result().messages
    assert not repeats(messages)
    assert [original(id) for id in ids_of(messages)] == ids_of(own)
    results = {m["toolCallId"]: m["content"] for m in messages if "toolCallId" in m}
    assert len(results) == len([m for m in own if "toolCallId" in m])
    if parents:
        assert ids_of(CallIds().named(own)) == ids_of(messages)
