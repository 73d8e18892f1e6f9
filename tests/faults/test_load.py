"""Many threads and many readers: memory is bounded and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.runs.event_log import Subscription
from copilotkit_runtime_py.runs.run import Run
from copilotkit_runtime_py.runtime import CopilotRuntime
from copilotkit_runtime_py.state_store.base import Retention
from copilotkit_runtime_py.state_store.from_url import open_state_store
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.faults.process import WorkerProcess, no_orphans

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.timeout(180)]

ANN = RequestContext(owner="ann")
UNBOUND = Limits(runs_per_minute_per_owner=None, runs_per_owner=None)
MIB = 1024 * 1024
Event = dict[str, Any]


def asked(thread_id: str, run_id: str) -> RunAgentInput:
    message = {"id": f"{run_id}-u", "role": "user", "content": "hi"}
    fields = {"threadId": thread_id, "runId": run_id, "state": {}, "messages": [message], "tools": []}
    return RunAgentInput.model_validate({**fields, "context": [], "forwardedProps": {}})


def rss() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


async def test_memory_stays_flat_over_200_threads_of_90_runs_under_the_bound() -> None:
    async def verbose(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(f"{input.run_id}-m")
        for _ in range(5):
            yield events.text_content(f"{input.run_id}-m", "word " * 100)
        yield events.text_end(f"{input.run_id}-m")

    store = MemoryStateStore(retention=Retention(max_bytes=16 * MIB))
    runtime = CopilotRuntime({"a": verbose}, state_store=store, limits=UNBOUND)
    sizes = []
    for number in range(90):
        for thread in range(200):
            run = await runtime.start("a", asked(f"t{thread}", f"r{number}"), ANN)
            await run.wait()
        if number % 10 == 9:
            sizes.append(rss())
            assert store.size <= 16 * MIB
    assert max(sizes[3:]) - sizes[2] < 16 * MIB
    await runtime.aclose()


async def test_a_thousand_idle_readers_of_other_workers_runs_cost_nothing_and_leave_nothing(
    tmp_path: Path,
) -> None:
    go_on = asyncio.Event()

    async def waiting(input: RunAgentInput) -> AsyncIterator[Event]:
        await go_on.wait()
        yield events.text_start(f"{input.run_id}-m")
        yield events.text_end(f"{input.run_id}-m")

    def worker() -> CopilotRuntime:
        store = open_state_store(f"sqlite:///{tmp_path / 'threads.db'}")
        return CopilotRuntime({"a": waiting}, state_store=store, limits=UNBOUND)

    others = asyncio.all_tasks()
    first, second = worker(), worker()
    runs: list[Run] = [await first.start("a", asked(f"t{n}", f"r{n}"), ANN) for n in range(200)]
    before = rss()
    readers: list[Subscription] = []
    for number in range(1000):
        log = (await second.connect("a", f"t{number % 200}", ANN)).run
        assert log is not None
        readers.append(log.subscribe(lambda: None))
    following = [task for task in asyncio.all_tasks() if task.get_name().startswith("follow run")]
    assert len(following) == 200
    assert rss() - before < 30_000 * 1000

    for reader in readers[:500]:
        reader.close()
    go_on.set()
    for run in runs:
        await run.wait()
    while not all(reader.exhausted for reader in readers[500:]):
        for reader in readers[500:]:
            reader.take()
        await asyncio.sleep(0)
    for reader in readers[500:]:
        reader.close()
    await first.aclose()
    await second.aclose()
    assert asyncio.all_tasks() == others


async def test_a_thousand_connections_that_wait_are_cheap_and_leave_nothing(tmp_path: Path) -> None:
    with no_orphans() as processes:
        worker = WorkerProcess(f"sqlite:///{tmp_path / 'threads.db'}", 30.0)
        processes.append(worker)
        watched = psutil.Process(worker.pid)
        async with worker.stream("run", "t", "r", pause=600) as run:
            assert (await anext(run))["type"] == "RUN_STARTED"
            await worker.events("connect", "unknown", "c")
            files, memory = watched.num_fds(), watched.memory_info().rss
            async with AsyncExitStack() as connections:
                streams = [
                    await connections.enter_async_context(worker.stream("connect", "t", "c"))
                    for _ in range(1000)
                ]
                for stream in streams:
                    assert (await anext(stream))["type"] == "RUN_STARTED"
                assert watched.num_fds() - files > 990
                assert watched.memory_info().rss - memory < 1000 * 60_000
                before = watched.cpu_times().user
                await worker.events("connect", "unknown", "c")
                assert watched.cpu_times().user - before < 1
            while watched.num_fds() > files + 5:
                await worker.events("connect", "unknown", "c")
        await worker.kill()
