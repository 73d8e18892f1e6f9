"""When readers see events: not before the store has them, unless it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.errors import StoreUnavailableError
from copilotkit_runtime_py.hooks import RequestFailed
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.runs.journal import SAVING, UNSAVED
from copilotkit_runtime_py.runs.recovery import recover
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.state_store.base import (
    Append,
    AppendResult,
    RunEnding,
    RunRecord,
    StateStore,
)
from copilotkit_runtime_py.state_store.from_url import open_state_store
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from copilotkit_runtime_py.state_store.sql import SQLStateStore
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")
QUICK = Limits(store_seconds=0.05)


def asked(run_id: str = "r1", thread_id: str = "t1") -> RunAgentInput:
    message = {"id": f"{run_id}-u", "role": "user", "content": "hi"}
    body = {"threadId": thread_id, "runId": run_id, "messages": [message], "tools": [], "context": []}
    return RunAgentInput.model_validate({**body, "state": {}, "forwardedProps": {}})


class Gate:
    """An agent that says a word each time it is let."""

    def __init__(self, words: int) -> None:
        self._allowed = asyncio.Semaphore(0)
        self._words = words

    def let(self, words: int = 1) -> None:
        for _ in range(words):
            self._allowed.release()

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(f"{input.run_id}-m")
        for word in range(self._words):
            await self._allowed.acquire()
            yield events.text_content(f"{input.run_id}-m", f"{word} ")
        yield events.text_end(f"{input.run_id}-m")


class Gated(SQLStateStore):
    """A store that writes only while it is let, and fails if it is told to."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(f"sqlite:///{path}/threads.db", **options)
        self.writes = asyncio.Event()
        self.writes.set()
        self.fails = False

    async def append_many(self, appends: Sequence[Append]) -> list[AppendResult | Exception]:
        await self.writes.wait()
        if self.fails:
            return [StoreUnavailableError()] * len(appends)
        return await super().append_many(appends)


class Reader:
    """Reads a run from its beginning."""

    def __init__(self, run: Run) -> None:
        self._news = asyncio.Event()
        self._subscription = run.subscribe(self._news.set)
        self.seen: list[Event] = []

    async def until(self, *types: str) -> None:
        """Reads on until the last events are of these types, or CUSTOM events of these names."""
        async with asyncio.timeout(20):
            while True:
                self._news.clear()
                self.seen += [entry.event for entry in self._subscription.take()]
                notice = self._subscription.take_notice()
                self.seen += [] if notice is None else [notice.event]
                if tuple(self.shown[-len(types) :]) == types:
                    return
                await self._news.wait()

    @property
    def shown(self) -> list[str]:
        return [str(event.get("name", event["type"])) for event in self.seen]


async def start(runtime: CopilotRuntime, agent: str = "a", **names: str) -> Run:
    return await runtime.start(agent, asked(**names), ANN)


async def nothing(run: RunRecord) -> None:
    """Ends nothing outside of this process."""


async def stored(store: StateStore) -> list[bytes]:
    (log,) = await store.read_runs("ann", "t1")
    return list(log.events)


async def test_readers_wait_for_a_slow_store_and_are_told_why(tmp_path: Path) -> None:
    agent, store = Gate(2), Gated(tmp_path)
    runtime = CopilotRuntime({"a": agent}, state_store=store, limits=QUICK)
    async with aclosing(runtime):
        run = await start(runtime)
        reader = Reader(run)
        await reader.until("RUN_STARTED", "TEXT_MESSAGE_START")
        store.writes.clear()
        agent.let()
        await reader.until(SAVING)
        assert reader.shown == ["RUN_STARTED", "TEXT_MESSAGE_START", SAVING]
        late = Reader(run)
        await late.until("RUN_STARTED", "TEXT_MESSAGE_START", SAVING)
        store.writes.set()
        await reader.until("TEXT_MESSAGE_CONTENT", "saved")
        agent.let()
        await reader.until("RUN_FINISHED")
        assert UNSAVED not in reader.shown
        check_stream(reader.seen)
        await run.wait()
        assert await stored(store) == [entry.data for entry in run.entries]


async def test_the_end_of_a_run_waits_for_a_slow_store(tmp_path: Path) -> None:
    agent, store = Gate(1), Gated(tmp_path)
    runtime = CopilotRuntime({"a": agent}, state_store=store, limits=QUICK)
    async with aclosing(runtime):
        reader = Reader(await start(runtime))
        await reader.until("TEXT_MESSAGE_START")
        store.writes.clear()
        agent.let()
        await reader.until(SAVING)
        await asyncio.sleep(4 * QUICK.store_seconds)
        assert reader.shown[-1] == SAVING
        store.writes.set()
        await reader.until("RUN_FINISHED")


async def test_readers_of_a_store_that_fails_see_everything_and_are_told_that_it_is_not_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent, store = Gate(2), Gated(tmp_path)
    runtime = CopilotRuntime({"a": agent}, state_store=store, limits=QUICK)
    async with aclosing(runtime):
        run = await start(runtime)
        reader = Reader(run)
        await reader.until("TEXT_MESSAGE_START")
        store.fails = True
        agent.let()
        await reader.until("TEXT_MESSAGE_CONTENT", UNSAVED)
        late = Reader(run)
        await late.until("TEXT_MESSAGE_CONTENT", UNSAVED)
        assert late.seen[-1]["value"]["events"] == 1
        assert "readers of run r1 see events that are not saved" in caplog.text
        store.fails = False
        await reader.until("saved")
        agent.let()
        await reader.until("RUN_FINISHED")
        await late.until("RUN_FINISHED")
        assert [name for name in reader.shown if name.islower()] == [UNSAVED, "saved"]
        await run.wait()
        assert await stored(store) == [entry.data for entry in run.entries]


async def test_a_store_that_fails_for_a_moment_is_not_noticed(tmp_path: Path) -> None:
    agent, store = Gate(1), Gated(tmp_path)
    runtime = CopilotRuntime({"a": agent}, state_store=store, limits=Limits(store_seconds=20))
    async with aclosing(runtime):
        reader = Reader(await start(runtime))
        await reader.until("TEXT_MESSAGE_START")
        store.fails = True
        agent.let()
        await asyncio.sleep(0.05)
        store.fails = False
        await reader.until("RUN_FINISHED")
        assert not [name for name in reader.shown if name.islower()]


async def test_a_worker_that_was_suspended_shows_what_is_stored_then_the_error(tmp_path: Path) -> None:
    agent, store = Gate(3), Gated(tmp_path, lease_seconds=0.2)
    problems: list[RequestFailed] = []
    runtime = CopilotRuntime({"a": agent}, state_store=store, on_error=problems.append)
    async with aclosing(runtime), aclosing(store.reopen()) as other:
        run = await start(runtime)
        reader = Reader(run)
        agent.let()
        await reader.until("TEXT_MESSAGE_CONTENT")
        store.writes.clear()
        agent.let()
        while (await other.read_runs("ann", "t1"))[-1].lease is not None:
            await recover(other, "ann", "t1", nothing)
        store.writes.set()
        await reader.until("RUN_ERROR")
        assert [events.encode(event) for event in reader.seen if event["type"] != "CUSTOM"] == await stored(
            other
        )
        await run.wait()
        assert run.status is RunStatus.FAILED
        assert [type(problem.error).__name__ for problem in problems] == ["RunLostError"]


async def test_one_run_that_cannot_be_written_does_not_hold_up_the_others(tmp_path: Path) -> None:
    agent, other, store = Gate(2), Gate(1), SQLStateStore(f"sqlite:///{tmp_path}/threads.db")
    runtime = CopilotRuntime({"a": agent, "b": other}, state_store=store, limits=QUICK)
    async with aclosing(runtime):
        lost, kept = await start(runtime), await start(runtime, "b", thread_id="t2")
        for run in (lost, kept):
            await Reader(run).until("TEXT_MESSAGE_START")
        await store.delete_thread("ann", "t1")
        agent.let()
        other.let()
        await lost.wait()
        await kept.wait()
        assert (lost.status, kept.status) == (RunStatus.STOPPED, RunStatus.FINISHED)
        (log,) = await store.read_runs("ann", "t2")
        assert list(log.events) == [entry.data for entry in kept.entries]


async def test_what_a_run_begins_with_is_seen_at_once_while_few_events_of_others_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilotkit_runtime_py.runs.journal_writer._INTERVAL", 3600)
    store = SQLStateStore(f"sqlite:///{tmp_path}/threads.db", lease_seconds=3600)
    agent, other = Gate(5), Gate(2)
    runtime = CopilotRuntime({"a": agent, "b": other}, state_store=store)
    async with aclosing(runtime):
        early = Reader(await start(runtime))
        await early.until("TEXT_MESSAGE_START")
        for word in range(1, 6):
            agent.let()
            if word < 5:
                await early.until("TEXT_MESSAGE_START", *["TEXT_MESSAGE_CONTENT"] * word)
        late = Reader(await start(runtime, "b", thread_id="t2"))
        await late.until("RUN_STARTED", "TEXT_MESSAGE_START")
        other.let()
        await late.until("TEXT_MESSAGE_CONTENT")
        other.let()
        await late.until("RUN_FINISHED")
        await early.until("RUN_FINISHED")


async def test_leases_are_renewed_while_the_event_loop_is_blocked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/threads.db"
    leases: list[float] = []

    async def blocking(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m")
        await asyncio.sleep(0.1)
        time.sleep(3)  # noqa: ASYNC251
        yield events.text_end("m")

    def watch() -> None:
        async def read() -> None:
            async with aclosing(open_state_store(url)) as store:
                while (lease := (await store.read_runs("ann", "t1"))[-1].lease) is not None:
                    leases.append(lease)
                    await asyncio.sleep(0.05)

        asyncio.run(read())

    store = open_state_store(url, lease_seconds=1.0)
    async with aclosing(CopilotRuntime({"a": blocking}, state_store=store)) as runtime:
        run = await start(runtime)
        thread = Thread(target=watch)
        thread.start()
        await run.wait()
        await asyncio.to_thread(thread.join)
    assert run.status is RunStatus.FINISHED
    assert len(leases) > 20
    assert min(leases) > 0


class Simple:
    """A store of a user, with what the contract demands and no more."""

    lease_seconds = 30.0
    url = None

    def __init__(self) -> None:
        self._memory = MemoryStateStore()
        self.appends: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        if name in ("append_many", "watch_stops", "reopen"):
            raise AttributeError(name)
        return getattr(self._memory, name)

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        self.appends.append((run.thread_id, len(events)))
        return await self._memory.append(run, position, events, ending=ending)


async def test_a_store_that_knows_no_batches_is_written_run_by_run_and_heard() -> None:
    agent, store = Gate(2), Simple()
    runtime: CopilotRuntime = CopilotRuntime({"a": agent}, state_store=store)
    async with aclosing(runtime):
        finished, stopped = await start(runtime), await start(runtime, thread_id="t2")
        for run in (finished, stopped):
            await Reader(run).until("TEXT_MESSAGE_START")
        assert await store.request_stop("ann", "t2")
        await stopped.wait()
        agent.let(2)
        await finished.wait()
        assert (finished.status, stopped.status) == (RunStatus.FINISHED, RunStatus.STOPPED)
        assert {thread for thread, _ in store.appends} == {"t1", "t2"}
