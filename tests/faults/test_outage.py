"""A store that goes away and comes back: conversations go on, and what was missed is written later."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import StoreUnavailableError
from copilotkit_runtime_py.hooks import RequestFailed
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.runs.journal import UNSAVED
from copilotkit_runtime_py.runs.remote_run import RemoteRun
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.runtime import CopilotRuntime
from copilotkit_runtime_py.state_store.from_url import open_state_store
from tests.faults.process import WorkerProcess, no_orphans
from tests.servers import Redis
from tests.well_formed import check_stream

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.faults,
    # Outages are waited for, and the collection at the end of each test counts, too.
    pytest.mark.timeout(180),
    # A connection that is given up while it is being set up is closed when it is collected.
    pytest.mark.filterwarnings("ignore:.*BaseConnection.__del__:pytest.PytestUnraisableExceptionWarning"),
]

ANN = RequestContext(owner="ann")
Event = dict[str, Any]


class OwnServer(Protocol):
    url: str

    def stop(self) -> None: ...
    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def server(request: pytest.FixtureRequest) -> OwnServer:
    found: OwnServer = request.getfixturevalue(f"own_{request.param}")
    return found


@pytest.fixture(autouse=True)
def _leftovers() -> Iterator[None]:
    """Collects what was given up while its warnings are still expected."""
    yield
    gc.collect()


class Gated:
    """An agent that says a word each time it is let."""

    def __init__(self, words: int) -> None:
        self.allowed = asyncio.Semaphore(0)
        self.words = words

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(f"{input.run_id}-m")
        for word in range(self.words):
            await self.allowed.acquire()
            yield events.text_content(f"{input.run_id}-m", f"{word} ")
        yield events.text_end(f"{input.run_id}-m")


def asked(run_id: str = "r1") -> RunAgentInput:
    message = {"id": f"{run_id}-u", "role": "user", "content": "hi"}
    fields = {"threadId": "t1", "runId": run_id, "state": {}, "messages": [message], "tools": []}
    return RunAgentInput.model_validate({**fields, "context": [], "forwardedProps": {}})


def runtime_on(
    server: OwnServer, agent: Any, *, lease_seconds: float = 30.0, **options: Any
) -> CopilotRuntime:
    store = open_state_store(server.url, lease_seconds=lease_seconds)
    return CopilotRuntime({"a": agent}, state_store=store, limits=Limits(store_seconds=0.5), **options)


async def shown(run: Run, count: int) -> list[bytes]:
    """The events that a reader has seen once there are so many."""
    news = asyncio.Event()
    reader = run.subscribe(news.set)
    seen: list[bytes] = []
    while len(seen) < count:
        seen += [entry.data for entry in reader.take()]
        if len(seen) < count:
            await news.wait()
            news.clear()
    reader.close()
    return seen


async def kept(runtime: CopilotRuntime) -> list[bytes]:
    (log,) = await runtime.state_store.read_runs("ann", "t1")
    assert log.ended
    return list(log.events)


@pytest.mark.parametrize("outage", ["stopped", "paused"])
async def test_a_stream_goes_on_without_the_store_and_everything_is_kept_later(
    server: OwnServer, outage: str
) -> None:
    agent = Gated(6)
    runtime = runtime_on(server, agent)
    run = await runtime.start("a", asked(), ANN)
    agent.allowed.release()
    await shown(run, 3)
    server.stop() if outage == "stopped" else server.pause()
    for words in range(2, 5):
        agent.allowed.release()
        await shown(run, 2 + words)
    server.start() if outage == "stopped" else server.resume()
    agent.allowed.release()
    agent.allowed.release()
    await run.wait()
    assert run.status is RunStatus.FINISHED
    assert await kept(runtime) == [entry.data for entry in run.entries]
    check_stream([entry.event for entry in run.entries])
    await runtime.aclose()


async def test_what_was_not_kept_in_time_is_said_and_kept_when_the_store_is_back(server: OwnServer) -> None:
    agent = Gated(2)
    runtime = runtime_on(server, agent)
    run = await runtime.start("a", asked(), ANN)
    agent.allowed.release()
    await shown(run, 3)
    server.stop()
    agent.allowed.release()
    seen = [events.decode(data) for data in await shown(run, 7)]
    assert [event["type"] for event in seen[3:]] == [
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "CUSTOM",
        "RUN_FINISHED",
    ]
    assert (seen[-2]["name"], seen[-2]["value"]["events"]) == (UNSAVED, 3)
    server.start()
    await run.wait()
    assert await kept(runtime) == [entry.data for entry in run.entries if entry.event["type"] != "CUSTOM"]
    await runtime.aclose()


async def test_the_next_message_is_refused_soon_while_the_end_of_the_last_run_cannot_be_kept(
    server: OwnServer,
) -> None:
    agent = Gated(1)
    runtime = runtime_on(server, agent)
    run = await runtime.start("a", asked(), ANN)
    await shown(run, 2)
    server.stop()
    agent.allowed.release()
    await shown(run, 6)
    async with asyncio.timeout(15):  # less than the lease
        with pytest.raises(StoreUnavailableError):
            await runtime.start("a", asked("r2"), ANN)
    server.start()
    agent.allowed.release()
    later = await runtime.start("a", asked("r3"), ANN)
    await later.wait()
    assert (later.number, later.status) == (2, RunStatus.FINISHED)
    await runtime.aclose()


async def test_what_is_lost_for_good_is_told_to_the_operator(
    server: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Gated(1)
    problems: list[RequestFailed] = []
    runtime = runtime_on(server, agent, lease_seconds=1.0, on_error=problems.append)
    run = await runtime.start("a", asked(), ANN)
    await shown(run, 2)
    server.stop()
    agent.allowed.release()
    await run.wait()
    assert [type(problem.error) for problem in problems] == [StoreUnavailableError]
    assert "3 events of run r1 on thread t1 were not saved" in caplog.text.replace("4 events", "3 events")
    with pytest.raises(StoreUnavailableError):
        await runtime.start("a", asked("r2"), ANN)
    server.start()
    later = await runtime.start("a", asked("r3"), ANN)
    agent.allowed.release()
    await later.wait()
    assert later.status is RunStatus.FINISHED
    await runtime.aclose()


async def test_a_worker_ends_in_time_although_the_store_is_away(server: OwnServer) -> None:
    agent = Gated(1)
    runtime = runtime_on(server, agent)
    run = await runtime.start("a", asked(), ANN)
    await shown(run, 2)
    server.stop()
    async with asyncio.timeout(20):  # less than the lease
        await runtime.drain(0)
        await runtime.aclose()
    assert run.ended
    assert asyncio.all_tasks() <= {task for task in asyncio.all_tasks() if "run" not in task.get_name()}


async def test_a_follower_elsewhere_outlives_an_outage(server: OwnServer) -> None:
    agent = Gated(3)
    first, second = runtime_on(server, agent), runtime_on(server, agent)
    run = await first.start("a", asked(), ANN)
    followed = (await second.connect("a", "t1", ANN)).run
    assert followed is not None
    news = asyncio.Event()
    reader = followed.subscribe(news.set)
    agent.allowed.release()
    await shown(run, 3)
    server.stop()
    agent.allowed.release()
    await shown(run, 4)
    server.start()
    agent.allowed.release()
    seen: list[bytes] = []
    while not reader.exhausted:
        await news.wait()
        news.clear()
        seen += [entry.data for entry in reader.take()]
    await run.wait()
    assert seen == [entry.data for entry in run.entries]
    await first.aclose()
    await second.aclose()


async def test_a_follower_does_not_end_a_run_while_the_store_hangs_for_longer_than_the_lease(
    server: OwnServer,
) -> None:
    agent = Gated(3)
    first, second = (runtime_on(server, agent, lease_seconds=3.0) for _ in range(2))
    run = await first.start("a", asked(), ANN)
    followed = (await second.connect("a", "t1", ANN)).run
    assert isinstance(followed, RemoteRun)
    agent.allowed.release()
    await shown(run, 3)
    server.pause()
    await asyncio.sleep(4)
    server.resume()
    assert await second.last_agent("t1", ANN) == "a"  # whoever comes across the run now leaves it alone
    agent.allowed.release()
    agent.allowed.release()
    await run.wait()
    assert run.status is RunStatus.FINISHED
    assert await followed.wait(20)
    assert [entry.data for entry in followed.entries] == await kept(second)
    assert await kept(first) == [entry.data for entry in run.entries if not entry.is_notice]
    await first.aclose()
    await second.aclose()


async def test_a_slow_store_loses_nothing_of_a_worker_that_is_killed(url: str) -> None:
    with no_orphans() as processes:
        worker = WorkerProcess(url, 5.0, write_seconds=3.0)
        processes.append(worker)
        seen = []
        async with worker.stream("run", "t1", "r1", count=500) as stream:
            async for event in stream:
                seen.append(event)
                if event["type"] == "CUSTOM":
                    break
        await worker.kill()
        assert [event["name"] for event in seen if event["type"] == "CUSTOM"] == ["saving"]
        worker = WorkerProcess(url, 5.0)
        processes.append(worker)
        there = await worker.events("connect", "t1", "c1")
        said, stored = (
            "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")
            for events in (seen, there)
        )
        assert stored.startswith(said)
        assert there[-1]["code"] == "RUN_INTERRUPTED"
        await worker.kill()


@pytest.mark.redis
async def test_what_a_server_without_persistence_has_lost_is_said_to_be_unsaved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Redis() as server:
        agent = Gated(3)
        problems: list[RequestFailed] = []
        runtime = runtime_on(server, agent, on_error=problems.append)
        run = await runtime.start("a", asked(), ANN)
        agent.allowed.release()
        await shown(run, 3)
        server.stop()
        server.start()
        agent.allowed.release()
        agent.allowed.release()
        seen = [events.decode(data) for data in await shown(run, 8)]
        assert [event["type"] for event in seen[-3:]] == ["TEXT_MESSAGE_END", "CUSTOM", "RUN_FINISHED"]
        assert (seen[-2]["name"], seen[-2]["value"]["events"]) == (UNSAVED, 7)
        await run.wait()
        assert [type(problem.error) for problem in problems] == [StoreUnavailableError]
        assert "Redis has lost a run in progress" in caplog.text
        await runtime.aclose()
