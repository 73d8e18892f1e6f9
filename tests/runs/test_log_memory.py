"""What the logs of a process may hold, and how readers get the rest."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.protocols.agui.feeds import RunFeed
from copilotkit_runtime_py.runs.event_log import EventLog
from copilotkit_runtime_py.runs.journal import UNSAVED
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.state_store.base import AppendResult, RunEnding, RunRecord
from copilotkit_runtime_py.state_store.from_url import open_state_store
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.run_request import run_request
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")
SMALL = Limits(live_log_bytes=64 * 1024)
ROOT: Final = Path(__file__).parents[2]
MIB: Final = 1024 * 1024
# Modules, threads and connections of the database, whatever the floods emit.
NOISE: Final = 24 * MIB
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs the GNU C library and its accounts")
WORD = "x" * 1000
WORDS = 300


def asked(thread_id: str = "t1", run_id: str = "r1") -> RunAgentInput:
    message = {"id": f"{run_id}-u", "role": "user", "content": "hi"}
    body = {"threadId": thread_id, "runId": run_id, "messages": [message], "tools": [], "context": []}
    return RunAgentInput.model_validate({**body, "state": {}, "forwardedProps": {}})


class Flood:
    """An agent that says much, and then waits until it may end."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(f"{input.run_id}-m")
        for number in range(WORDS):
            yield events.text_content(f"{input.run_id}-m", f"{number} {WORD} ")
        await self.may_end.wait()
        yield events.text_end(f"{input.run_id}-m")


def text_of(told: Sequence[Event]) -> str:
    return "".join(event["delta"] for event in told if event["type"] == "TEXT_MESSAGE_CONTENT")


WHOLE = "".join(f"{number} {WORD} " for number in range(WORDS))


class Reader:
    """A reader of a log, as slow as it wants to be."""

    def __init__(self, log: EventLog) -> None:
        self._news = asyncio.Event()
        self.subscription = log.subscribe(self._news.set)
        self.told: list[Event] = []

    async def read(self, until: int | None = None) -> list[Event]:
        """Reads so many events, or all."""
        async with asyncio.timeout(20):
            while not self.subscription.exhausted and (until is None or len(self.told) < until):
                self._news.clear()
                taken = self.subscription.take()
                self.told += [entry.event for entry in taken]
                if not taken and not self.subscription.exhausted:
                    await self._news.wait()
        return self.told


async def stored(run: EventLog, count: int) -> None:
    """Waits until the store has so many events."""
    async with asyncio.timeout(20):
        while run.in_store < count:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)


async def test_beyond_the_budget_a_slow_reader_gets_from_the_store_what_the_log_has_dropped(url: str) -> None:
    agent = Flood()
    runtime = CopilotRuntime({"a": agent}, state_store=open_state_store(url), limits=SMALL)
    run = await runtime.start("a", asked(), ANN)
    slow = Reader(run)
    await stored(run, WORDS + 2)
    assert run.dropped > WORDS / 2
    assert run.held < 2 * SMALL.live_log_bytes
    agent.may_end.set()
    told = await slow.read()
    check_stream(told)
    assert text_of(told) == WHOLE
    await run.wait()
    state = await runtime.state_store.load_state("ann", "t1", "a")
    assert state is not None
    assert state.messages[-1]["content"] == WHOLE
    await runtime.aclose()


async def test_a_follower_drops_and_reads_back_too(url: str) -> None:
    agent = Flood()
    first = CopilotRuntime({"a": agent}, state_store=open_state_store(url))
    second = CopilotRuntime({"a": agent}, state_store=open_state_store(url), limits=SMALL)
    run = await first.start("a", asked(), ANN)
    followed = (await second.connect("a", "t1", ANN)).run
    assert followed is not None
    slow = Reader(followed)
    await stored(followed, WORDS + 2)
    assert followed.dropped > WORDS / 2
    agent.may_end.set()
    told = await slow.read()
    check_stream(told)
    assert text_of(told) == WHOLE
    await run.wait()
    await second.aclose()
    await first.aclose()


async def test_events_that_are_read_back_have_their_own_ids(url: str) -> None:
    agent = Flood()
    runtime = CopilotRuntime({"a": agent}, state_store=open_state_store(url), limits=SMALL)
    run = await runtime.start("a", asked(), ANN)
    news = asyncio.Event()
    feed = RunFeed((), run, news.set, knows_subagents=True)
    await stored(run, WORDS + 2)
    agent.may_end.set()
    sent = b""
    async with asyncio.timeout(20):
        while not feed.exhausted:
            news.clear()
            piece = feed.take()
            sent += piece
            if not piece and not feed.exhausted:
                await news.wait()
    feed.close()
    ids = [line[4:].decode() for line in sent.split(b"\n") if line.startswith(b"id: ")]
    assert ids == [f"1:{place}" for place in range(WORDS + 4)]
    await runtime.aclose()


async def test_of_a_store_that_ends_with_the_process_the_run_that_holds_most_ends() -> None:
    agent = Flood()
    released = asyncio.Event()

    async def brief(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(f"{input.run_id}-m")
        await released.wait()
        yield events.text_end(f"{input.run_id}-m")

    runtime = CopilotRuntime(
        {"a": agent, "b": brief}, state_store=MemoryStateStore(), limits=SMALL, development=True
    )
    other = await runtime.start("b", asked("t2"), ANN)
    run = await runtime.start("a", asked(), ANN)
    told = await Reader(run).read()
    check_stream(told)
    assert (told[-1]["type"], told[-1]["code"]) == ("RUN_ERROR", "LIMIT_EXCEEDED")
    released.set()
    await other.wait()
    assert other.status is RunStatus.FINISHED
    await runtime.aclose()


async def test_an_ephemeral_run_beyond_the_budget_ends() -> None:
    runtime = CopilotRuntime({"a": Flood()}, limits=SMALL)
    run = await runtime.start_ephemeral(await run_request(runtime, "a", asked(), ANN))
    told = await Reader(run).read()
    check_stream(told)
    assert (told[-1]["type"], told[-1]["code"]) == ("RUN_ERROR", "LIMIT_EXCEEDED")
    await runtime.aclose()


class Forgetful(MemoryStateStore):
    """A store that outlives the process, and can lose what comes after so many events of a log."""

    lease_seconds = 15.0  # type: ignore[assignment]
    kept: int | None = None

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        if self.kept is not None and position > self.kept:
            raise ValueError("a gap")
        return await super().append(run, position, events, ending=ending)


async def test_readers_hear_of_a_store_that_has_lost_what_the_log_has_dropped() -> None:
    store = Forgetful()
    agent = Flood()
    runtime = CopilotRuntime({"a": agent}, state_store=store, limits=SMALL)
    run = await runtime.start("a", asked(), ANN)
    reader = Reader(run)
    await stored(run, WORDS + 2)
    await reader.read(run.length)
    store.kept = 3
    agent.may_end.set()
    told = await reader.read()
    assert [event["type"] for event in told[-3:]] == ["TEXT_MESSAGE_END", "CUSTOM", "RUN_FINISHED"]
    assert told[-2]["name"] == UNSAVED
    await runtime.aclose()


async def test_a_run_that_is_over_is_freed_at_once() -> None:
    async def failing(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m")
        raise ValueError("no")

    async def brief(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m")
        yield events.text_end("m")

    runtime = CopilotRuntime({"a": brief, "b": failing}, state_store=MemoryStateStore())

    async def held(agent: str) -> weakref.ref[Run]:
        run = await runtime.start(agent, asked(), ANN)
        await run.wait()
        return weakref.ref(run)

    gc.collect()
    gc.disable()
    try:
        for agent in ("a", "b"):
            run = await held(agent)
            for _ in range(5):
                await asyncio.sleep(0)
            assert run() is None
    finally:
        gc.enable()
    assert runtime._memory.held == 0
    await runtime.aclose()


def flooded(budget: int, count: int, size: int, event: int, url: str) -> tuple[int, int]:
    """Returns how much memory floods took at most, and how much they left."""
    arguments = [str(budget), str(count), str(size), str(event), url]
    done = subprocess.run(
        [sys.executable, "-m", "tests.runs.floods", *arguments], capture_output=True, check=True, cwd=ROOT
    )
    held = json.loads(done.stdout)
    return held["peak"] - held["rest"], held["after"] - held["rest"]


@linux
def test_floods_that_nobody_reads_stay_within_twice_the_budget_and_give_it_back(tmp_path: Path) -> None:
    budget = 32 * MIB
    peak, left = flooded(budget, 16, 4_000_000, 20_000, f"sqlite:///{tmp_path / 'threads.db'}")
    assert peak < 2 * budget + NOISE
    assert left < budget


@linux
@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_large_event_takes_no_more_than_three_times_its_size(store: str, tmp_path: Path) -> None:
    size = 48 * MIB
    url = "memory" if store == "memory" else f"sqlite:///{tmp_path / 'threads.db'}"
    peak, _ = flooded(256 * MIB, 1, size, size, url)
    assert peak < 3 * size + NOISE
