"""A run that was cut off at any event is brought to a well-formed end that keeps what there was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.compaction import visible_event
from copilotkit_runtime_py.agui.reducer import Transcript
from copilotkit_runtime_py.runs.recovery import recover
from copilotkit_runtime_py.state_store.base import (
    AgentState,
    AppendResult,
    RunEnding,
    RunLog,
    RunRecord,
    StateStore,
)
from tests.random_runs import runs
from tests.well_formed import check_models, check_stream

Event = dict[str, Any]
RECORD = RunRecord(id="r", thread_id="t", agent_name="a", owner="ann", number=1)


class LostRun:
    """A store with a run whose lease has run out."""

    def __init__(self, log: list[Event], known: AgentState | None = None) -> None:
        self.log = [events.encode(event) for event in log]
        self.known = known
        self.ending: RunEnding | None = None

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0, limit: int | None = None
    ) -> list[RunLog]:
        return [RunLog(run=RECORD, events=list(self.log), lease=-1.0)]

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        return self.known

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        assert position == len(self.log)
        assert run.producer != RECORD.producer
        self.log += events
        self.ending = ending
        return AppendResult(stop_requested=False)


def ended(store: LostRun, *, judged: bool = False) -> list[Event]:
    abandoned: list[RunRecord] = []

    async def abandon(run: RunRecord) -> None:
        abandoned.append(run)
        raise ConnectionError("what an agent raises changes nothing")

    asyncio.run(recover(cast(StateStore, store), "ann", "t", abandon, judged=judged))
    assert [(run.id, run.agent_name) for run in abandoned] == [("r", "a")]
    return [events.decode(data) for data in store.log]


def test_a_message_without_a_verdict_is_not_stored_as_allowed() -> None:
    message = {"id": "u", "role": "user", "content": "hi"}
    started = {"type": "RUN_STARTED", "threadId": "t", "runId": "r", "input": {"messages": [message]}}
    text = [events.text_start("m"), events.text_content("m", "Hello")]
    for log, judged, stored in (
        ([started], True, []),
        ([started], False, ["u"]),
        ([started, *text], True, ["u", "m"]),
    ):
        store = LostRun(log)
        ended(store, judged=judged)
        assert store.ending is not None
        assert [each["id"] for each in store.ending.state.messages] == stored


@given(log=runs(), data=st.data())
def test_a_run_that_was_cut_off_at_any_event_is_well_formed_once_it_is_ended(
    log: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(log) - 1))
    store = LostRun(log[:cut])
    told = ended(store)
    assert told[:cut] == log[:cut]
    check_stream(told)
    check_models(told[cut:])
    assert told[-1]["code"] == events.INTERRUPTED
    started = {event["toolCallId"] for event in told if event["type"] == "TOOL_CALL_START"}
    answered = [event["toolCallId"] for event in told if event["type"] == "TOOL_CALL_RESULT"]
    assert sorted(answered) == sorted(started)
    assert store.ending is not None
    left = Transcript(log[0]["input"]["messages"] if cut else (), log[0]["input"]["state"] if cut else {})
    for event in told:
        left.add(event)
    assert store.ending.state == left.result()
    check_stream([events.decode(event) for event in map(visible_event, store.ending.compacted) if event])


def test_a_run_that_was_cut_off_keeps_the_conversation_and_the_state_that_it_began_with() -> None:
    known = AgentState(state={"n": 1}, messages=[{"id": "u0", "role": "user", "content": "before"}])
    asked = [{"id": "u1", "role": "user", "content": "hi"}]
    store = LostRun([{**events.run_started("t", "r"), "input": {"messages": asked}}], known)
    ended(store)
    assert store.ending is not None
    assert store.ending.state == AgentState(state={"n": 1}, messages=[*known.messages, *asked])
