"""What keeping threads costs: each store beside the one in memory."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from ag_ui.core import RunAgentInput

from bench.compare import markdown
from copilotkit_runtime_py import CopilotRuntime, Limits, RequestContext, open_state_store
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.run_input import RunInput
from copilotkit_runtime_py.protocols.agui.feeds import history
from copilotkit_runtime_py.state_store.base import AgentState, Retention, RunEnding, RunRecord, StateStore
from tests.servers import Postgres, Redis

ANN = RequestContext(owner="ann")
THREADS = 10_000
RUNS = 500
CHUNKS = 20


@dataclass
class Cost:
    """CPU of this process and time, both in seconds."""

    cpu: float
    wall: float


class Meter:
    def __enter__(self) -> Meter:
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cost = Cost(time.process_time() - self._cpu, time.perf_counter() - self._wall)


async def talker(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Says as many chunks as it is asked to, with a pause after each."""
    count, pause = input.state["count"], input.state["pause"]  # type: ignore[index]
    yield events.text_start(f"{input.run_id}-m")
    for number in range(count):
        yield events.text_content(f"{input.run_id}-m", f"chunk {number:05d} of the answer ")
        if pause:
            await asyncio.sleep(pause)
    yield events.text_end(f"{input.run_id}-m")


def asked(thread_id: str, run_id: str, count: int, pause: float) -> RunAgentInput:
    message = {"id": f"{run_id}-u", "role": "user", "content": "hi"}
    fields = {"threadId": thread_id, "runId": run_id, "state": {"count": count, "pause": pause}}
    return RunAgentInput.model_validate(
        {**fields, "messages": [message], "tools": [], "context": [], "forwardedProps": {}}
    )


async def talk(runtime: CopilotRuntime, thread_id: str, run_id: str, count: int, pause: float) -> None:
    """Runs the agent and reads it to the end."""
    run = await runtime.start("talker", asked(thread_id, run_id, count, pause), ANN)
    news = asyncio.Event()
    reader = run.subscribe(news.set)
    while not reader.exhausted:
        await news.wait()
        news.clear()
        reader.take()
    await run.wait()


async def cost_per_event(runtime: CopilotRuntime, count: int, pause: float, repetitions: int) -> float:
    """The median CPU of an event, in microseconds."""
    costs = []
    for number in range(repetitions + 1):
        with Meter() as meter:
            await talk(runtime, f"cost-{pause}-{number}", f"r{number}", count, pause)
        costs.append(meter.cost.cpu / (count + 4) * 1e6)
    return median(costs[1:])


async def time_to_first(runtime: CopilotRuntime, repetitions: int) -> float:
    """The median time from the request of a run to its first event, in milliseconds."""
    times = []
    for number in range(repetitions):
        began = time.perf_counter()
        run = await runtime.start("talker", asked(f"first-{number}", "r", 1, 0), ANN)
        news = asyncio.Event()
        reader = run.subscribe(news.set)
        while not reader.take():
            await news.wait()
            news.clear()
        times.append((time.perf_counter() - began) * 1e3)
        reader.close()
        await run.wait()
    return median(times)


async def fill(store: StateStore) -> None:
    """Gives the owner many threads."""
    ending = RunEnding(state=AgentState(), compacted=[])
    for number in range(THREADS):
        record = RunRecord(id="r", thread_id=f"many-{number}", agent_name="talker", owner="bob")
        await store.append(await store.begin_run(record), 0, [b"{}"], ending=ending)


async def measure_store(name: str, url: str, quick: bool) -> tuple[list[str], list[str]]:
    repetitions = 2 if quick else 5
    store = open_state_store(url, retention=Retention())
    limits = Limits(runs_per_minute_per_owner=None)
    runtime = CopilotRuntime({"talker": talker}, state_store=store, limits=limits)
    burst = await cost_per_event(runtime, 5_000, 0, repetitions)
    paced = await cost_per_event(runtime, 300, 0.002, repetitions)
    first = await time_to_first(runtime, 50)
    for number in range(RUNS):
        await talk(runtime, "long", f"r{number}", CHUNKS, 0)
    with Meter() as connecting:
        connection = await runtime.connect("talker", "long", ANN)
        size = sum(map(len, await history(connection, None, RunInput.of(asked("long", "c", 0, 0)))))
    await fill(store)
    with Meter() as listing:
        assert len(await store.list_threads("bob")) == THREADS
    with Meter() as paging:
        await store.list_threads("bob", limit=50, after=f"many-{THREADS // 2}")
    await runtime.aclose()
    costs = [name, f"{burst:.1f}", f"{paced:.1f}", f"{first:.1f}"]
    reads = [
        name,
        *(f"{meter.cost.wall * 1e3:.1f}" for meter in (connecting, listing, paging)),
        f"{size / 1e3:.0f}",
    ]
    return costs, reads


@contextlib.contextmanager
def urls() -> Iterator[dict[str, str]]:
    """The address of each store."""
    with tempfile.TemporaryDirectory() as directory, Postgres() as postgres, Redis() as redis:
        yield {
            "memory": "memory",
            "SQLite": f"sqlite:///{directory}/threads.db",
            "PostgreSQL": postgres.url,
            "Redis": redis.url,
        }


async def measure(quick: bool) -> list[str]:
    """Returns the tables."""
    with urls() as addresses:
        rows = [await measure_store(name, url, quick) for name, url in addresses.items()]
    return [
        markdown(
            "A run and one reader, in the server's own process",
            ["store", "CPU µs/event, in a burst", "CPU µs/event, 2 ms apart", "first event, ms"],
            [costs for costs, _ in rows],
        ),
        markdown(
            f"Reading a thread of {RUNS} runs of {CHUNKS} chunks, and a list of {THREADS:,} threads",
            ["store", "connect, ms", "list, ms", "page of 50, ms", "connect, kB"],
            [reads for _, reads in rows],
        ),
    ]
