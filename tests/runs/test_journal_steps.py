"""A journal step by step: what it hands to its writer, and what readers see after each write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.errors import AgentError, RunDataLostError, RunLostError, StoreUnavailableError
from copilotkit_runtime_py.runs.event_log import Entry
from copilotkit_runtime_py.runs.journal import SAVING, UNSAVED, Journal
from copilotkit_runtime_py.runs.log_memory import LogMemory
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.state_store.base import (
    AgentState,
    Append,
    AppendResult,
    RunEnding,
    RunLog,
    RunRecord,
    StateStore,
)
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.running import StreamRun

pytestmark = pytest.mark.anyio

RECORD = RunRecord(id="r1", thread_id="t1", agent_name="a", owner="ann", number=2)
ENDING = RunEnding(state=AgentState(), compacted=[b"{}"])
LATER = "Saving takes longer than usual. What follows is shown when it is saved."
NOT_SAVED = "This conversation cannot be saved at the moment."
END_NOT_SAVED = "The end of this conversation could not be saved yet."


class Store(MemoryStateStore):
    """A store with the log of the run as another worker left it."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[RunLog] | None = []
        self.hangs = False

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0, limit: int | None = None
    ) -> list[RunLog]:
        assert (owner, thread_id, since) == ("ann", "t1", 2)
        if self.hangs:
            await asyncio.Event().wait()
        if self.logs is None:
            raise StoreUnavailableError
        return self.logs


class Writer:
    """A writer that notes what it is asked to do, and writes nothing by itself."""

    writes_ahead = True
    lease_seconds = 0.0
    patience = 10.0
    closed = False

    def __init__(self) -> None:
        self.others = Store()
        self.store: StateStore = self.others
        self.asked: list[Any] = []

    def add(self, journal: Journal) -> None:
        self.asked.append("add")

    def remove(self, journal: Journal) -> None:
        self.asked.append("remove")

    def mark(self, journal: Journal, events: int) -> None:
        self.asked.append(events)

    def write_now(self, journal: Journal) -> None:
        self.asked.append("now")

    async def write_once(self, record: RunRecord, data: Sequence[bytes], ending: RunEnding) -> None:
        self.asked.append((record, list(data), ending))


class Case:
    """A journal of a run that has emitted some events, none of which is written."""

    def __init__(self, count: int = 3, *, memory: LogMemory | None = None, **writer: Any) -> None:
        self.writer = Writer()
        for name, value in writer.items():
            setattr(self.writer, name, value)
        self.run = StreamRun(memory=memory)
        self.journal = Journal(self.writer, RECORD)
        self.journal.start(self.run)
        self.emit(count)

    def emit(self, count: int) -> None:
        for _ in range(count):
            self.run.add(Entry.of(events.custom("x", self.run.length)))
        self.journal.on_entries()

    def write(self, count: int | None = None, *, stop: bool = False) -> Append:
        """Writes what comes next, or the first events of it."""
        append, _ = self.journal.next_append()
        if count is not None:
            append = replace(append, events=append.events[:count], ending=None)
        self.journal.on_written(append, AppendResult(stop_requested=stop), 1.0)
        return append

    def fail(self, error: Exception | None = None) -> None:
        now = asyncio.get_running_loop().time()
        self.journal.on_failed(error or StoreUnavailableError(), now)

    @property
    def notice(self) -> tuple[str, Any] | None:
        notice = self.run.notice
        return None if notice is None else (notice.event["name"], notice.event["value"])


@pytest.fixture
async def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loop's time, which stands still until a test changes it."""
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    return now


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_writer_is_told_how_many_events_are_new() -> None:
    case = Case(3)
    case.emit(2)
    assert case.writer.asked == ["add", 3, 2]


async def test_readers_see_what_was_written_and_no_more() -> None:
    case = Case(3)
    assert (case.run.shown, case.journal.unsaved) == (0, 3)
    append = case.write(2)
    assert (append.position, len(append.events), append.ending) == (0, 2, None)
    assert (case.run.shown, case.run.in_store, case.journal.unsaved, case.journal.writes) == (2, 2, 1, 1)
    append = case.write()
    assert (append.position, [events.decode(data)["value"] for data in append.events]) == (2, [2])
    assert (case.run.shown, case.journal.stored, case.journal.written_at) == (3, 3, 1.0)
    assert case.journal.writes == 2


async def test_a_write_takes_no_more_than_a_batch_but_always_one_event() -> None:
    case = Case(0)
    for size in (700_000, 300_000, 100_000, 2_000_000, 10):
        case.run.add(Entry(None, b"x" * size, False))
    sizes = []
    while case.journal.unsaved:
        _, size = case.journal.next_append()
        sizes.append((len(case.write().events), size))
    assert sizes == [(2, 1_000_000), (1, 100_000), (1, 2_000_000), (1, 10)]


async def test_a_batch_may_be_exactly_as_large_as_the_bound() -> None:
    case = Case(0)
    for _ in range(3):
        case.run.add(Entry(None, b"x" * (512 * 1024), False))
    assert len(case.write().events) == 2


async def test_nothing_is_gained_by_writing_ahead_to_a_store_that_ends_with_the_process() -> None:
    case = Case(3, writes_ahead=False)
    assert case.run.shown == 3
    await case.journal.finish(ENDING)
    data = [entry.data for entry in case.run.entries]
    assert case.writer.asked == [(RECORD, data, ENDING)]
    assert case.journal.complete
    await case.journal.aclose()
    assert case.writer.asked == [(RECORD, data, ENDING)]


async def test_readers_are_told_once_that_the_store_is_slow_until_it_has_everything() -> None:
    case = Case(3)
    case.journal.on_slow()
    notice = case.run.notice
    assert case.notice == (SAVING, {"message": LATER})
    case.journal.on_slow()
    assert case.run.notice is notice
    case.write(1)
    assert case.run.notice is None


@pytest.mark.parametrize("count", [0, 2])
async def test_a_slow_write_of_nothing_is_not_shown(count: int) -> None:
    case = Case(count)
    case.write()
    case.journal.on_slow()
    assert case.run.notice is None


async def test_a_store_that_fails_for_less_than_the_patience_is_not_shown(now: list[float]) -> None:
    case = Case(3)
    case.fail()
    case.fail()
    assert case.journal.failures == 2
    now[0] += 9.9
    await turns()
    assert (case.notice, case.run.shown) == (None, 0)
    case.write()
    assert case.journal.failures == 0
    now[0] += 0.2
    await turns()
    assert (case.notice, case.run.shown) == (None, 3)


async def test_patience_is_counted_from_the_first_failure(now: list[float]) -> None:
    case = Case(3)
    case.write(1)
    case.fail()
    now[0] += 10.0
    await turns()
    assert case.notice == (UNSAVED, {"events": 2, "message": NOT_SAVED})
    assert case.run.shown == 3
    case.emit(1)
    assert case.run.shown == 4
    case.fail()
    case.journal.on_slow()
    assert case.notice == (UNSAVED, {"events": 2, "message": NOT_SAVED})


async def test_what_was_not_saved_stays_shown_until_all_is_saved(now: list[float]) -> None:
    case = Case(3)
    case.fail()
    now[0] += 10.0
    await turns()
    case.write(2)
    assert case.notice == (UNSAVED, {"events": 3, "message": NOT_SAVED})
    case.emit(1)
    assert case.run.shown == 4
    case.write()
    assert case.notice is None
    case.emit(1)
    assert case.run.shown == 4


async def test_a_second_outage_is_shown_like_the_first(now: list[float]) -> None:
    case = Case(1)
    for _ in range(2):
        case.fail()
        now[0] += 10.0
        await turns()
        assert case.notice is not None
        case.write()
        assert case.notice is None
        case.emit(1)


async def test_a_server_that_lost_its_last_writes_gets_them_again() -> None:
    case = Case(3)
    case.write(2)
    case.fail(ValueError("a gap"))
    assert (case.journal.stored, case.run.in_store) == (0, 0)
    assert (len(case.write().events), case.journal.stored) == (3, 3)


async def test_a_gap_in_what_memory_does_not_hold_is_beyond_repair() -> None:
    case = Case(3)
    case.write(2)
    assert not case.journal.is_beyond_repair
    case.run.drop(also_unread=True)
    assert (case.run.dropped, case.journal.is_beyond_repair) == (2, True)
    case.write()
    assert not case.journal.is_beyond_repair


async def test_the_end_is_written_with_the_last_events() -> None:
    case = Case(3)
    finishing = asyncio.create_task(case.journal.finish(ENDING))
    await turns()
    assert case.writer.asked == ["add", 3, "now"]
    assert case.write(2).ending is None
    assert not case.journal.complete
    assert case.write().ending is ENDING
    await finishing
    assert (case.journal.complete, case.journal.unsaved) == (True, 0)
    await case.journal.aclose()
    assert case.writer.asked[-1] == "remove"


async def test_an_end_that_cannot_be_saved_is_shown_after_a_while(now: list[float]) -> None:
    case = Case(3)
    case.fail()
    finishing = asyncio.create_task(case.journal.finish(ENDING))
    await turns()
    now[0] += 10.0
    await turns()
    now[0] += 10.0
    await finishing
    last = case.run.entries[-1]
    assert last.event == events.custom(UNSAVED, {"events": 3, "message": END_NOT_SAVED})
    assert (last.is_notice, case.journal.complete) == (True, False)
    # The notice has no place in the store.
    case.write()
    assert (case.journal.complete, case.run.in_store) == (True, 3)


async def test_a_slow_end_is_waited_for_while_the_store_does_not_fail(now: list[float]) -> None:
    case = Case(3)
    finishing = asyncio.create_task(case.journal.finish(ENDING))
    for _ in range(3):
        await turns()
        now[0] += 10.0
    await turns()
    assert not finishing.done()
    case.write()
    await finishing
    assert len(case.run.entries) == 3


async def test_a_request_to_stop_that_a_write_brings_stops_the_run() -> None:
    case = Case(1)
    case.run.play(hangs())
    await turns()
    case.write(stop=False)
    assert not case.run.stopping
    case.emit(1)
    case.write(stop=True)
    assert case.run.stopping
    await case.run.wait()


async def hangs() -> Any:
    yield events.custom("x", 1)
    await asyncio.Event().wait()


async def test_nothing_is_waited_for_once_the_writer_is_closed(now: list[float]) -> None:
    case = Case(3)
    case.writer.closed = True
    case.journal.on_closed()
    assert case.run.shown == 3
    case.emit(1)
    assert case.run.shown == 4
    await case.journal.finish(ENDING)
    assert case.run.entries[-1].event["value"] == {"events": 4, "message": END_NOT_SAVED}


async def test_an_agent_waits_for_room_until_the_store_has_its_events() -> None:
    memory = LogMemory(1)
    case = Case(3, memory=memory)
    reader = case.run.subscribe(lambda: None)
    waiting = asyncio.create_task(case.journal.make_room())
    await turns()
    assert not waiting.done()
    case.write()
    await waiting
    reader.close()
    assert (case.run.dropped, case.run.held) == (3, 0)


async def test_there_is_no_room_where_the_store_does_not_take_the_events() -> None:
    case = Case(3, memory=LogMemory(1))
    waiting = asyncio.create_task(case.journal.make_room())
    await turns()
    case.journal.on_closed()
    with pytest.raises(AgentError, match="no room for more events"):
        await waiting
    ahead = Case(3, memory=LogMemory(1), writes_ahead=False)
    with pytest.raises(AgentError, match="no room for more events"):
        await ahead.journal.make_room()
    roomy = Case(3, writes_ahead=False)
    await roomy.journal.make_room()


def log_of(
    *all: events.Event, record: RunRecord = RECORD, ended: bool = True, compacted: bool = False
) -> RunLog:
    return RunLog(
        run=record,
        events=[events.encode(event) for event in all],
        compacted=compacted,
        lease=None if ended else 1.0,
    )


FINISHED = events.run_finished("t1", "r1")
OTHERS = [events.run_started("t1", "r1"), events.custom("x", 1), events.custom("y", 2), FINISHED]


async def lost(logs: list[RunLog] | None, *, away: bool = False) -> tuple[Run, Journal]:
    """A run in progress whose readers have seen its first two events, after another worker has taken it."""
    case = Case(0)
    case.writer.others.logs = logs
    case.run.play(hangs())
    await turns()
    case.emit(0)
    case.write(2)
    if away:
        case.journal.on_closed()
    await case.journal.lose(RunLostError())
    await case.run.wait()
    return case.run, case.journal


async def test_a_run_that_another_worker_ended_ends_as_it_did_there() -> None:
    run, journal = await lost([log_of(*OTHERS)])
    assert [entry.event for entry in run.entries] == OTHERS
    assert (journal.complete, journal.orphaned) == (True, False)


@pytest.mark.parametrize(
    "logs",
    [
        None,
        [log_of(*OTHERS, ended=False)],
        [log_of(*OTHERS, compacted=True)],
    ],
    ids=["the store fails", "the other worker goes on", "the log is gone"],
)
async def test_a_run_with_an_end_that_is_not_known_ends_with_an_error(logs: list[RunLog] | None) -> None:
    run, journal = await lost(logs)
    error = RunLostError()
    assert [entry.event for entry in run.entries][2:] == [events.run_error(error.message, error.code)]
    assert (run.status, journal.complete, journal.orphaned) == (RunStatus.FAILED, True, False)


async def test_readers_who_saw_what_was_not_saved_get_an_error_instead_of_another_log() -> None:
    run, _ = await lost([log_of(*OTHERS)], away=True)
    assert run.entries[-1].event["type"] == "RUN_ERROR"


@pytest.mark.parametrize(
    ("logs", "orphaned"),
    [
        ([], True),
        ([log_of(*OTHERS, record=replace(RECORD, number=3))], False),
        ([log_of(*OTHERS, record=replace(RECORD, id="r2"))], False),
        ([log_of(*OTHERS, record=replace(RECORD, started_at=RECORD.started_at.replace(year=2001)))], False),
    ],
    ids=["the thread is gone", "another number", "another id", "another time"],
)
async def test_a_run_of_a_thread_that_was_deleted_is_stopped(logs: list[RunLog], orphaned: bool) -> None:
    run, journal = await lost(logs)
    assert run.status is RunStatus.STOPPED
    assert (journal.complete, journal.orphaned) == (True, orphaned)


async def test_a_run_whose_data_the_store_has_lost_goes_on_and_says_that_it_is_not_saved() -> None:
    case = Case(3)
    case.write(2)
    await case.journal.lose(RunDataLostError())
    assert case.notice == (UNSAVED, {"events": 3, "message": NOT_SAVED})
    assert (case.run.shown, case.journal.complete) == (3, False)
    # Nothing is waited for: the store takes nothing more.
    await case.journal.finish(ENDING)
    assert case.run.entries[-1].event["value"] == {"events": 3, "message": END_NOT_SAVED}


async def test_a_journal_that_is_closed_holds_no_log(caplog: pytest.LogCaptureFixture) -> None:
    case = Case(3)
    case.fail()
    await case.journal.aclose()
    assert caplog.messages[-1] == (
        "3 events of run r1 on thread t1 were not saved: the state store cannot be reached"
    )
    assert (case.writer.asked[-1], case.journal.unsaved) == ("remove", 0)


async def test_a_log_that_is_no_larger_than_its_share_makes_no_room_for_others() -> None:
    memory = LogMemory(1_000_000)
    case = Case(3, memory=memory)
    memory.held += 2_000_000
    await case.journal.make_room()
    case.run.held = int(memory.share)
    await case.journal.make_room()
    case.run.held += 1
    waiting = asyncio.create_task(case.journal.make_room())
    await turns()
    assert not waiting.done()
    waiting.cancel()


async def test_the_end_follows_the_last_batch_of_a_large_log_of_which_much_was_dropped() -> None:
    case = Case(0)
    for _ in range(4):
        case.run.add(Entry(None, b"x" * 700_000, False))
    case.write()
    case.run.drop(also_unread=True)
    finishing = asyncio.create_task(case.journal.finish(ENDING))
    await turns()
    appends = [case.write() for _ in range(3)]
    await finishing
    assert [(append.position, append.ending) for append in appends] == [(1, None), (2, None), (3, ENDING)]


async def test_a_closing_journal_waits_for_the_store_while_it_holds_the_lease(
    now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    case = Case(3, lease_seconds=10.0)
    finishing = asyncio.create_task(case.journal.finish(ENDING))
    closing = asyncio.create_task(case.journal.aclose())
    await turns()
    assert not closing.done()
    case.write()
    await asyncio.gather(finishing, closing)
    assert caplog.messages == []


async def test_a_failure_after_the_end_was_saved_is_not_shown(now: list[float]) -> None:
    case = Case(3)
    case.fail()
    finishing = asyncio.create_task(case.journal.finish(ENDING))
    await turns()
    case.write()
    await finishing
    case.fail()
    now[0] += 10.0
    await turns()
    assert case.notice is None


async def test_a_store_that_does_not_say_why_a_run_was_lost_is_not_waited_for(now: list[float]) -> None:
    case = Case(0)
    case.writer.others.hangs = True
    case.run.play(hangs())
    await turns()
    losing = asyncio.create_task(case.journal.lose(RunLostError()))
    await turns()
    assert not losing.done()
    now[0] += 10.0
    await losing
    await case.run.wait()
    assert case.run.status is RunStatus.FAILED


async def test_room_is_made_at_the_cost_of_readers_who_have_not_read_what_is_stored() -> None:
    memory = LogMemory(1_000_000)
    case = Case(3, memory=memory)
    reader = case.run.subscribe(lambda: None)
    case.write()
    assert case.run.dropped == 0
    memory.max_bytes = 1
    await case.journal.make_room()
    assert case.run.dropped == 3
    reader.close()
