"""A run of another worker, as its readers on this one see it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.errors import ShuttingDownError
from copilotkit_runtime_py.protocols.agui.event_id import parse_event_id
from copilotkit_runtime_py.protocols.agui.feeds import RunFeed
from copilotkit_runtime_py.runs import remote_run
from copilotkit_runtime_py.runs.completion import ending_of
from copilotkit_runtime_py.runs.remote_run import RemoteRun
from copilotkit_runtime_py.runs.replay import replayed
from copilotkit_runtime_py.state_store.base import RunLog, RunRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

STARTED = events.run_started("t1", "r1")
OPEN = [
    STARTED,
    events.tool_call_start("c1", "f"),
    events.tool_call_end("c1"),
    events.text_start("m1"),
    events.text_content("m1", "Hel"),
]


class Store(MemoryStateStore):
    """A store that can be told to let readers wait, or to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.readable = asyncio.Event()
        self.readable.set()
        self.fault: Exception | None = None

    async def read_runs(self, *args: Any, **options: Any) -> list[RunLog]:
        await self.readable.wait()
        if self.fault is not None:
            raise self.fault
        return await super().read_runs(*args, **options)

    async def produce(self, log: Sequence[Event], run_id: str = "r1") -> RunRecord:
        run = await self.begin_run(RunRecord(id=run_id, thread_id="t1", agent_name="a", owner="ann"))
        await self.append(run, 0, [events.encode(event) for event in log])
        return run

    async def finish(self, run: RunRecord, log: Sequence[Event], ending: Sequence[Event]) -> None:
        data = [events.encode(event) for event in ending]
        await self.append(run, len(log), data, ending=ending_of([*log, *ending], [], {}))


async def nothing(run: RunRecord) -> None: ...


async def follow(store: Store) -> RemoteRun:
    (log,) = await store.read_runs("ann", "t1", since=-1)
    run = RemoteRun(store, log, lambda run: None, nothing)
    await seen(run, len(log.events))
    return run


async def seen(run: RemoteRun, count: int | None = None) -> list[Event]:
    """What a reader sees of the run, up to a number of events or to the end."""
    news = asyncio.Event()
    reader = run.subscribe(news.set)
    taken: list[Event] = []
    while not reader.exhausted and (count is None or len(taken) < count):
        taken += [entry.event for entry in reader.take()]
        if not reader.exhausted and (count is None or len(taken) < count):
            await news.wait()
            news.clear()
    reader.close()
    return taken


async def test_readers_see_the_log_as_it_grows_and_its_end() -> None:
    store = Store()
    producer = await store.produce(OPEN)
    run = await follow(store)
    ending = [events.text_end("m1"), events.run_finished("t1", "r1")]
    await store.finish(producer, OPEN, ending)
    assert await seen(run) == [*OPEN, *ending]


async def test_a_thread_that_is_deleted_ends_the_run_as_if_it_was_stopped() -> None:
    store = Store()
    await store.produce(OPEN)
    run = await follow(store)
    await store.delete_thread("ann", "t1")
    told = await seen(run)
    check_stream(told)
    assert [event["type"] for event in told[len(OPEN) :]] == [
        "TEXT_MESSAGE_END",
        "TOOL_CALL_RESULT",
        "RUN_FINISHED",
    ]


async def test_a_thread_of_the_same_name_is_another_one() -> None:
    store = Store()
    await store.produce(OPEN)
    run = await follow(store)
    store.readable.clear()
    await store.delete_thread("ann", "t1")
    await store.produce([STARTED, *(events.custom("x", n) for n in range(9))])
    store.readable.set()
    told = await seen(run)
    check_stream(told)
    assert [event["type"] for event in told].count("CUSTOM") == 0


async def test_a_worker_that_shuts_down_tells_its_readers() -> None:
    store = Store()
    await store.produce(OPEN)
    run = await follow(store)
    await run.aclose()
    told = await seen(run)
    assert told == [*OPEN, events.run_error(ShuttingDownError().message, ShuttingDownError.code)]


async def test_the_error_of_a_worker_that_shuts_down_has_no_id_as_the_run_goes_on() -> None:
    store = Store()
    await store.produce(OPEN)
    run = await follow(store)
    feed = RunFeed((), run, lambda: None, knows_subagents=True)
    await run.aclose()
    sent = feed.take().decode()
    assert sent.count("id: 1:") == len(OPEN)
    assert sent.split("\n\n")[-2].startswith('data: {"type":"RUN_ERROR"')


async def test_a_reader_that_is_far_behind_can_resume_from_any_id_of_the_compacted_rest() -> None:
    store = Store()
    producer = await store.produce(OPEN)
    run = await follow(store)
    feed = RunFeed((), run, lambda: None, knows_subagents=True)
    before = feed.take()
    store.readable.clear()
    finished = events.run_finished("t1", "r1")
    ending = [events.text_content("m1", "lo"), events.text_end("m1"), finished]
    await store.finish(producer, OPEN, ending)
    await store.finish(await store.produce([STARTED], "r2"), [STARTED], [finished])
    store.readable.set()
    await run.wait()
    frames = (before + feed.take()).split(b"\n\n")[:-1]
    ids = [frame.partition(b"\n")[0].removeprefix(b"id: ").decode() for frame in frames]
    assert ids[len(OPEN) :]
    assert all(id.startswith(f"1:{len(OPEN) - 1}/") for id in ids[len(OPEN) :])
    (log, _) = await store.read_runs("ann", "t1")
    for place, id in enumerate(ids):
        after = parse_event_id(id)
        assert after is not None
        if after.compacted >= 0:
            rest = [data for _, data in replayed(log, pending=False, after=after.compacted, seen=after.index)]
            assert rest == [frame.partition(b"data: ")[2] for frame in frames[place + 1 :]]


async def test_a_store_that_fails_ends_the_reading_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    producer = await store.produce(OPEN)
    run = await follow(store)
    store.fault = RuntimeError("no such column")
    await store.append(producer, len(OPEN), [events.encode(events.text_end("m1"))])
    told = await seen(run)
    assert (told[:-1], told[-1]["type"]) == (OPEN, "RUN_ERROR")
    assert "no such column" in caplog.text
    assert "no such column" not in told[-1]["message"]


async def test_a_reader_that_is_far_behind_gets_the_rest_of_the_run() -> None:
    store = Store()
    first = await store.produce(OPEN)
    run = await follow(store)
    store.readable.clear()
    rest = [events.text_content("m1", "lo"), events.text_end("m1"), events.run_finished("t1", "r1")]
    await store.finish(first, OPEN, rest)
    log = [events.run_started("t1", "r2")]
    second = await store.produce(log, "r2")
    await store.finish(second, log, [events.run_finished("t1", "r2")])
    store.readable.set()
    told = await seen(run)
    assert told[: len(OPEN)] == OPEN
    assert told[len(OPEN) :] == rest


async def test_a_run_without_readers_is_not_followed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_run, "_LINGER", 0.0)
    store, left = Store(), asyncio.Event()
    await store.produce(OPEN)
    (log,) = await store.read_runs("ann", "t1", since=-1)
    RemoteRun(store, log, lambda run: left.set(), nothing)
    await left.wait()
