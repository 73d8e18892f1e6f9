"""Whatever a reader has of a run that is over, what it gets of the compacted form completes it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.agui import compaction, events
from copilotkit_runtime_py.agui.message_events import PARTS
from copilotkit_runtime_py.agui.reducer import Transcript
from copilotkit_runtime_py.runs.replay import replayed
from copilotkit_runtime_py.state_store.base import RunLog, RunRecord
from tests.random_runs import runs
from tests.well_formed import check_stream

Event = dict[str, Any]
RECORD = RunRecord(id="r", thread_id="t", agent_name="a", owner="ann", number=1)


def whole(log: list[Event]) -> RunLog:
    return RunLog(run=RECORD, events=[events.encode(event) for event in log])


def compacted(log: list[Event]) -> RunLog:
    lines = compaction.compacted(log)
    return RunLog(run=RECORD, events=lines, compacted=True)


def conversation(told: list[Event]) -> tuple[list[Event], Any, list[Event]]:
    """The messages, the state and all else that events leave a frontend with."""
    transcript = Transcript([], told[0]["input"]["state"])
    others = []
    for event in told:
        transcript.add(event)
        if event["type"].startswith(("CUSTOM", "RAW", "ACTIVITY", "STEP", "REASONING_START")):
            others.append(event)
    left = transcript.result()
    return left.messages, left.state, others


def without_interrupts(log: list[Event]) -> list[Event]:
    """The log as it reads once its interrupts do not wait any more."""
    return [event for event in log if event.get("name") != "on_interrupt"]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(log=runs(), data=st.data())
def test_what_a_reader_saw_and_the_rest_amount_to_the_whole_at_every_place(
    log: list[Event], data: st.DataObject
) -> None:
    log = without_interrupts(log)
    kept = data.draw(st.sampled_from([compacted, whole]))(log)
    for seen in range(-1, len(log)):
        rest = [events.decode(line) for _, line in replayed(kept, pending=False, seen=seen)]
        assert conversation(log[: seen + 1] + rest) == conversation(log)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(log=runs(), data=st.data())
def test_a_reader_who_comes_back_again_and_again_ends_up_with_the_whole(
    log: list[Event], data: st.DataObject
) -> None:
    log = without_interrupts(log)
    seen = data.draw(st.integers(-1, len(log) - 1))
    told, after = log[: seen + 1], -1
    while True:
        kept = data.draw(st.sampled_from([compacted, whole]))(log)
        rest = list(replayed(kept, pending=data.draw(st.booleans()), after=after, seen=seen))
        read = data.draw(st.integers(1, max(len(rest), 1)))
        told = told + [events.decode(line) for _, line in rest[:read]]
        if read >= len(rest):
            break
        after = rest[read - 1][0]
    assert conversation(told) == conversation(log)


@given(log=runs())
def test_a_compacted_run_is_well_formed(log: list[Event]) -> None:
    check_stream([events.decode(line) for _, line in replayed(compacted(log), pending=False)])
    check_stream([events.decode(line) for _, line in replayed(whole(log), pending=True)])


@given(log=runs())
def test_a_compacted_run_has_one_event_for_the_state_and_no_delta_that_could_be_joined(
    log: list[Event],
) -> None:
    told = [events.decode(line) for _, line in replayed(compacted(log), pending=False)]
    assert sum(event["type"].startswith("STATE_") for event in told) <= 1
    grown: set[tuple[str, str]] = set()
    for event in told:
        action, part, field = PARTS.get(event["type"], ("", "", ""))
        if action == "grow":
            assert (part, event[field]) not in grown
            grown.add((part, event[field]))
        elif event["type"] == "MESSAGES_SNAPSHOT":
            grown.clear()


def test_a_snapshot_that_came_while_a_message_grew_does_not_cut_it_off() -> None:
    asked: Event = {"messages": [], "state": {}}
    log = [
        {**events.run_started("t", "r"), "input": asked},
        events.text_start("m"),
        events.text_content("m", "one "),
        events.text_content("m", "two "),
        events.messages_snapshot([{"id": "m", "role": "assistant", "content": "one two "}]),
        events.text_content("m", "three "),
        events.text_content("m", "four"),
        events.text_end("m"),
        events.run_finished("t", "r"),
    ]
    told = [events.decode(line) for _, line in replayed(compacted(log), pending=False)]
    assert told == [
        *log[:2],
        events.text_content("m", "one two "),
        log[4],
        events.text_content("m", "three four"),
        *log[7:],
    ]


BROKEN: list[Event] = [
    {**events.run_started("t", "r"), "input": {"messages": [], "state": {}}},
    {"type": "REASONING_END", "messageId": "x"},
    {"type": "REASONING_START", "messageId": "x"},
    {"type": "REASONING_START", "messageId": "x"},
    {"type": "REASONING_MESSAGE_START", "messageId": "m", "role": "reasoning"},
    {"type": "REASONING_MESSAGE_CONTENT", "messageId": "m", "delta": "hm"},
    {"type": "REASONING_MESSAGE_END", "messageId": "m"},
    {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "helper"},
    {**events.step_started("look"), "subagentRunId": "s"},
    events.text_start("m"),
    {**events.text_content("m", "one"), "subagentRunId": "s"},
    events.text_end("m"),
    events.step_finished("look"),
    events.run_error("No more."),
]
MENDED: list[Event] = [
    BROKEN[0],
    *BROKEN[3:9],
    events.text_start("m-assistant"),
    events.text_content("m-assistant", "one"),
    events.text_end("m-assistant"),
    {**events.step_finished("look"), "subagentRunId": "s"},
    {"type": "SUBAGENT_ERROR", "subagentRunId": "s", "message": "No more."},
    {"type": "REASONING_END", "messageId": "x"},
    events.run_finished("t", "r"),
]
AS_FINISHED: list[Event] = [
    *MENDED[:-3],
    {"type": "SUBAGENT_FINISHED", "subagentRunId": "s"},
    *MENDED[-2:],
]


def test_a_log_that_an_earlier_version_left_broken_is_mended_when_it_is_read() -> None:
    check_stream(MENDED)
    told = [events.decode(line) for _, line in replayed(whole(BROKEN), pending=True)]
    assert told == MENDED
    # Earlier versions wrote a number, a tab and the event on a line.
    finished = [*BROKEN[:-1], events.run_finished("t", "r")]
    lines = [b"%d\t%b" % (place, events.encode(event)) for place, event in enumerate(finished)]
    kept = RunLog(run=RECORD, events=lines, compacted=True)
    told = [events.decode(line) for _, line in replayed(kept, pending=False)]
    assert told == AS_FINISHED
    for seen in range(len(finished)):
        rest = [events.decode(line) for _, line in replayed(kept, pending=False, seen=seen)]
        assert [event for event in rest if event["type"] == "RUN_FINISHED"] == (
            told[-1:] if seen < len(finished) - 1 else []
        )


def test_a_compacted_run_of_this_version_is_not_mended_again() -> None:
    kept = compacted(MENDED)
    assert compaction.repaired(kept.events) is kept.events


def test_metadata_of_every_part_of_a_message_is_kept() -> None:
    def stamped(event: Event, **metadata: Any) -> Event:
        return {**event, "metadata": metadata}

    log = [
        {**events.run_started("t", "r"), "input": {"messages": [], "state": {}}},
        stamped(events.text_start("m"), a=1),
        stamped(events.text_content("m", "one "), a=2, b=1),
        events.text_content("m", "two "),
        stamped(events.text_content("m", "three"), b=2, c=3),
        stamped(events.text_end("m"), d=4),
        events.run_finished("t", "r"),
    ]
    told = [events.decode(line) for _, line in replayed(compacted(log), pending=False)]
    assert told[1:-1] == [
        log[1],
        stamped(events.text_content("m", "one two three"), a=2, b=2, c=3),
        log[5],
    ]


def test_the_patches_of_an_activity_are_folded_into_its_snapshot() -> None:
    def patched(path: str, value: Any, op: str = "add") -> Event:
        return events.activity_delta("a", "plan", [{"op": op, "path": path, "value": value}])

    log = [
        {**events.run_started("t", "r"), "input": {"messages": [], "state": {}}},
        patched("/early", 1),
        events.activity_snapshot("a", "plan", {"steps": []}),
        patched("/steps/-", "one"),
        {**events.activity_snapshot("a", "plan", {"other": 1}), "replace": False},
        patched("/missing/deep", 1, "replace"),
        patched("/steps/-", "two") | {"metadata": {"by": "me"}},
        events.messages_snapshot([]),
        patched("/steps/-", "three"),
        events.run_finished("t", "r"),
    ]
    told = [events.decode(line) for _, line in replayed(compacted(log), pending=False)]
    folded = events.activity_snapshot("a", "plan", {"steps": ["one", "two"]}) | {"metadata": {"by": "me"}}
    assert told == [log[0], log[1], folded, *log[7:]]


def test_every_kind_of_question_is_gone_once_it_was_answered() -> None:
    asked = [events.custom(name, "Sure?") for name in sorted(events.INTERRUPTS)]
    log = [{**events.run_started("t", "r"), "input": {}}, *asked, events.run_finished("t", "r")]
    told = [events.decode(line) for _, line in replayed(whole(log), pending=False)]
    assert told == [log[0], log[-1]]
    assert [events.decode(line) for _, line in replayed(whole(log), pending=True)] == log


@given(log=runs())
def test_a_compacted_run_expands_to_its_events_but_for_states_and_activities_in_between(
    log: list[Event],
) -> None:
    def told(log: list[Event]) -> list[Event]:
        folded = ("STATE_", "ACTIVITY_", "MESSAGES_", "REASONING_START", "REASONING_END", "SUBAGENT_")
        return [event for event in log if not event["type"].startswith(folded)]

    expanded = compaction.expanded(compaction.compacted(log))

    if not any("metadata" in event for event in log):
        assert told(expanded) == told(log)
    assert [event["type"] for event in told(expanded)] == [event["type"] for event in told(log)]


def test_the_interrupts_and_the_error_of_the_past_are_hidden_and_not_lost() -> None:
    started = {**events.run_started("t", "r"), "input": {"messages": [], "state": {}}}
    waits = events.run_finished("t", "r", [{"id": "i", "reason": "approval"}])
    failed = events.run_error("no", "NO")
    asked = events.custom("on_interrupt", "Sure?")

    for log in ([started, asked, waits], [started, failed]):
        kept = compacted(log)
        shown = [events.decode(line) for _, line in replayed(kept, pending=False)]
        assert shown == [started, events.run_finished("t", "r")]
        assert compaction.expanded(kept.events) == log
