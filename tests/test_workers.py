"""Several workers that share a store: each test has two runtimes, which know nothing of each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import ShuttingDownError, StoreUnavailableError, ThreadBusyError
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.providers.base import Provider
from copilotkit_runtime_py.runs.event_log import EventLog
from copilotkit_runtime_py.runs.replay import replay
from copilotkit_runtime_py.runs.run import Run, RunStatus
from copilotkit_runtime_py.runtime import CopilotRuntime
from copilotkit_runtime_py.state_store.base import AppendResult, Signal, StateStore
from copilotkit_runtime_py.state_store.from_url import open_state_store
from copilotkit_runtime_py.tools.actions import action_from
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")
BOB = RequestContext(owner="bob")
Event = dict[str, Any]
Worker = Callable[..., CopilotRuntime]


@asynccontextmanager
async def workers(url: str) -> AsyncIterator[Worker]:
    async with AsyncExitStack() as stack:

        def worker(agent: Any, *, lease_seconds: float = 30.0, **options: Any) -> CopilotRuntime:
            store = open_state_store(url, lease_seconds=lease_seconds)
            runtime = CopilotRuntime({"a": agent}, state_store=store, **options)
            stack.push_async_callback(runtime.aclose)
            return runtime

        yield worker


class Gated:
    """An agent that says a word each time it is let, and notes whether it was cancelled."""

    def __init__(self) -> None:
        self.allowed = asyncio.Semaphore(0)
        self.cancelled = asyncio.Event()

    def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        return self._run(input)

    async def _run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        try:
            yield events.text_start("m")
            for word in ("one ", "two ", "three"):
                await self.allowed.acquire()
                yield events.text_content("m", word)
            yield events.text_end("m")
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


class Mortal:
    """A store whose worker can die: from then on it writes nothing."""

    def __init__(self, url: str, lease_seconds: float) -> None:
        self._store = open_state_store(url, lease_seconds=lease_seconds)
        self._alive = True

    def kill(self) -> None:
        self._alive = False

    def revive(self) -> None:
        self._alive = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, *args: Any, **kwargs: Any) -> AppendResult:
        if not self._alive:
            raise StoreUnavailableError
        return await self._store.append(*args, **kwargs)


@asynccontextmanager
async def dying(url: str, agent: Any, lease_seconds: float) -> AsyncIterator[tuple[Run, Callable[[], None]]]:
    """A run on a worker, and what kills the worker."""
    store = Mortal(url, lease_seconds)
    runtime = CopilotRuntime(
        {"a": agent}, state_store=cast(StateStore, store), limits=Limits(store_seconds=0.1)
    )
    yield await runtime.start("a", asked(state={"n": 1}), ANN), store.kill
    await runtime.aclose()


async def hello(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start(f"{input.run_id}-m")
    yield events.text_content(f"{input.run_id}-m", "hello")
    yield events.text_end(f"{input.run_id}-m")


def asked(run_id: str = "r1", **fields: Any) -> RunAgentInput:
    message = {"id": f"{run_id}-u", "role": "user", "content": "hi"}
    defaults = {"threadId": "t1", "runId": run_id, "state": {}, "messages": [message], "tools": []}
    return RunAgentInput.model_validate({**defaults, "context": [], "forwardedProps": {}, **fields})


async def read(log: EventLog, until: Callable[[list[bytes]], bool] = lambda seen: False) -> list[bytes]:
    """What a reader sees of a run, until that is enough or the run is over."""
    news = asyncio.Event()
    reader = log.subscribe(news.set)
    seen: list[bytes] = []
    while not reader.exhausted and not until(seen):
        seen += [entry.data for entry in reader.take()]
        if not reader.exhausted and not until(seen):
            await news.wait()
            news.clear()
    reader.close()
    return seen


async def attached(runtime: CopilotRuntime) -> EventLog:
    connection = await runtime.connect("a", "t1", ANN)
    assert connection.run is not None
    return connection.run


async def shown(runtime: CopilotRuntime, context: RequestContext = ANN) -> list[Event]:
    return replay(await runtime.state_store.read_runs(context.owner, "t1"))


async def test_a_run_is_followed_live_from_another_worker(url: str) -> None:
    agent = Gated()
    async with workers(url) as worker:
        first, second = worker(agent), worker(hello)
        run = await first.start("a", asked(), ANN)
        for length in (3, 4):
            agent.allowed.release()
            seen = await read(await attached(second), lambda seen, length=length: len(seen) == length)  # type: ignore[misc]
            assert seen == [entry.data for entry in run.entries[:length]]
        last = asyncio.create_task(read(await attached(second)))
        agent.allowed.release()
        assert await last == [entry.data for entry in run.log()]


async def test_all_who_follow_a_run_of_another_worker_share_one_reader(url: str) -> None:
    async with workers(url) as worker:
        agent = Gated()
        first, second = worker(agent), worker(hello)
        await first.start("a", asked(), ANN)
        logs = [await attached(second) for _ in range(10)]
        assert len(set(logs)) == 1
        readers = [asyncio.create_task(read(log)) for log in logs]
        for _ in range(3):
            agent.allowed.release()
        seen = await asyncio.gather(*readers)
        assert len({tuple(body) for body in seen}) == 1


async def test_a_run_is_stopped_from_another_worker(url: str) -> None:
    agent = Gated()
    async with workers(url) as worker:
        first, second = worker(agent), worker(hello)
        run = await first.start("a", asked(), ANN)
        assert not await second.stop("t1", BOB)
        assert not await second.stop("t1", ANN, run_id="other")
        assert await second.is_running("t1", ANN)
        assert await second.stop("t1", ANN, run_id="r1")
        await agent.cancelled.wait()
        await run.wait()
        assert run.status is RunStatus.STOPPED
        assert not await second.stop("t1", ANN)
        again = await second.start("a", asked("r2"), ANN)
        await again.wait()
        assert again.status is RunStatus.FINISHED


async def test_a_run_is_stopped_from_another_worker_before_it_listens(url: str) -> None:
    listens = asyncio.Event()

    async def silent(input: RunAgentInput) -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield {}

    class Deaf(Mortal):
        @asynccontextmanager
        async def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AsyncIterator[None]:
            await listens.wait()
            async with self._store.watch(thread_id, listener):
                yield

    async with workers(url) as worker:
        store = cast(StateStore, Deaf(url, 30.0))
        first, second = CopilotRuntime({"a": silent}, state_store=store), worker(hello)
        run = await first.start("a", asked(), ANN)
        assert await second.stop("t1", ANN)
        listens.set()
        async with asyncio.timeout(5):  # less than until the lease is renewed
            await run.wait()
        assert run.status is RunStatus.STOPPED
        await first.aclose()


async def test_a_page_that_is_loaded_again_on_another_worker_follows_on_though_the_old_one_leaves(
    url: str,
) -> None:
    agent = Gated()
    async with workers(url) as worker:
        first, second = worker(agent), worker(hello)
        run = await first.start("a", asked(), ANN)
        page = (await attached(second)).subscribe(lambda: None)
        reloaded = await attached(second)
        page.close()
        seen = asyncio.create_task(read(reloaded))
        for _ in range(3):
            agent.allowed.release()
        assert await seen == [entry.data for entry in run.log()]


async def test_a_worker_keeps_its_run_though_the_lease_ran_out_while_the_store_was_away(url: str) -> None:
    agent = Gated()
    store = Mortal(url, 0.05)
    runtime = CopilotRuntime({"a": agent}, state_store=cast(StateStore, store))
    run = await runtime.start("a", asked(), ANN)
    agent.allowed.release()
    await read(run, lambda seen: len(seen) >= 3)
    store.kill()
    (log,) = await runtime.state_store.read_runs("ann", "t1")
    assert log.lease is not None
    await asyncio.sleep(max(0, log.lease))
    assert await attached(runtime) is run
    assert await runtime.is_running("t1", ANN)
    store.revive()
    agent.allowed.release()
    agent.allowed.release()
    await run.wait()
    assert run.status is RunStatus.FINISHED
    assert [event["type"] for event in await shown(runtime)][-1] == "RUN_FINISHED"
    await runtime.aclose()


async def test_a_run_is_followed_although_its_thread_cannot_be_watched_at_first(url: str) -> None:
    class Recovering(Mortal):
        def watch(
            self, thread_id: str, listener: Callable[[Signal], None]
        ) -> AbstractAsyncContextManager[None]:
            if not self._alive:
                self.revive()
                raise StoreUnavailableError
            watching: AbstractAsyncContextManager[None] = self._store.watch(thread_id, listener)
            return watching

    agent = Gated()
    async with workers(url) as worker:
        run = await worker(agent).start("a", asked(), ANN)
        store = Recovering(url, 30.0)
        store.kill()
        second = CopilotRuntime({"a": hello}, state_store=cast(StateStore, store))
        seen = asyncio.create_task(read(await attached(second)))
        for _ in range(3):
            agent.allowed.release()
        assert await seen == [entry.data for entry in run.log()]
        await second.aclose()


async def test_a_thread_that_is_busy_elsewhere_is_refused(url: str) -> None:
    agent = Gated()
    async with workers(url) as worker:
        first, second = worker(agent), worker(hello, limits=Limits(busy_seconds=0.01))
        await first.start("a", asked(), ANN)
        with pytest.raises(ThreadBusyError):
            await second.start("a", asked("r2"), ANN)


async def test_a_run_waits_for_one_elsewhere(url: str) -> None:
    agent = Gated()
    async with workers(url) as worker:
        first, second = worker(agent), worker(hello, on_busy_thread="enqueue")
        run = await first.start("a", asked(), ANN)
        waiting = asyncio.create_task(second.start("a", asked("r2"), ANN))
        for _ in range(3):
            agent.allowed.release()
        later = await waiting
        await later.wait()
        assert (run.ended, later.number) == (True, 2)


async def test_a_run_supersedes_one_elsewhere(url: str) -> None:
    agent = Gated()
    async with workers(url) as worker:
        first, second = worker(agent), worker(hello, on_busy_thread="supersede")
        run = await first.start("a", asked(), ANN)
        later = await second.start("a", asked("r2"), ANN)
        await later.wait()
        assert (run.status, later.status) == (RunStatus.STOPPED, RunStatus.FINISHED)


async def test_a_thread_is_deleted_under_a_run_elsewhere_and_that_is_no_fault(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Gated()
    async with workers(url) as worker:
        first, second = worker(agent), worker(hello)
        run = await first.start("a", asked(), ANN)
        await second.delete_thread("t1", ANN)
        await agent.cancelled.wait()
        await run.wait()
        assert await shown(second) == []
        assert run.status is RunStatus.STOPPED
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


class Remembering(Provider):
    """An agent with a memory of its own, into which it writes as it lets go."""

    def __init__(self) -> None:
        self.memory: set[str] = set()

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        try:
            yield events.text_start("m")
            await asyncio.Event().wait()
        finally:
            self.memory.add(input.thread_id)

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        self.memory.discard(thread_id)


async def test_an_agent_remembers_nothing_of_a_thread_that_was_deleted_under_its_run(url: str) -> None:
    agent = Remembering()
    async with workers(url) as worker:
        first, second = worker(agent), worker(agent)
        run = await first.start("a", asked(), ANN)
        await second.delete_thread("t1", ANN)
        await run.wait()
        assert agent.memory == set()


async def test_a_run_whose_worker_is_gone_ends_with_an_error_and_keeps_what_was_seen(url: str) -> None:
    agent = Gated()
    async with workers(url) as worker, AsyncExitStack() as lives:
        run, kill = await lives.enter_async_context(dying(url, agent, 0.2))
        agent.allowed.release()
        seen = await read(run, lambda seen: len(seen) >= 3)
        kill()

        second = worker(hello)
        followed = await read(await attached(second))
        assert followed[: len(seen)] == seen
        told = [events.decode(data) for data in followed]
        check_stream(told)
        assert told[-1]["code"] == events.INTERRUPTED
        assert [event["type"] for event in await shown(second)][-1] == "RUN_ERROR"

        kept = await second.load_agent_state("a", "t1", ANN)
        assert kept is not None
        assert [message["content"] for message in kept.messages] == ["hi", "one "]
        assert kept.state == {"n": 1}
        later = await second.start("a", asked("r2"), ANN)
        await later.wait()
        assert (later.number, later.status) == (2, RunStatus.FINISHED)


async def sending(input: RunAgentInput) -> AsyncIterator[Event]:
    """Calls the server's tool, and says what came of it."""
    if input.messages[-1].role == "tool":
        yield events.text_start("m1")
        yield events.text_content("m1", str(input.messages[-1].content))
    else:
        yield events.tool_call_start("c1", "send")
        yield events.tool_call_end("c1")


def granted(run_id: str) -> RunAgentInput:
    resume = [{"interruptId": "c1", "status": "resolved", "payload": {"approved": True}}]
    return asked(run_id, messages=[], resume=resume)


def said(run: Run) -> str:
    return "".join(entry.event.get("delta", "") for entry in run.entries)


async def test_an_approval_is_answered_on_any_worker_and_the_tool_is_called_once(url: str) -> None:
    calls: list[str] = []

    async def send() -> str:
        calls.append("sent")
        return "sent"

    action = action_from(send, approval=True)
    async with workers(url) as worker:
        first, second, third = (worker(sending, actions=[action]) for _ in range(3))
        await (await first.start("a", asked(), ANN)).wait()
        starts = [runtime.start("a", granted(f"r{n}"), ANN) for n, runtime in enumerate((second, third), 2)]
        started = await asyncio.gather(*starts, return_exceptions=True)
        runs = [run for run in started if isinstance(run, Run)]
        for run in runs:
            await run.wait()
        assert calls == ["sent"]
        assert [said(run) for run in runs if run.status is RunStatus.FINISHED] == ["sent"]


async def test_a_tool_that_a_lost_worker_has_begun_to_call_is_not_called_again(url: str) -> None:
    begun = asyncio.Event()
    calls: list[str] = []

    async def send() -> None:
        calls.append("sent")
        begun.set()
        await asyncio.Event().wait()

    action = action_from(send, approval=True)
    store = Mortal(url, 0.2)
    first = CopilotRuntime(
        {"a": sending},
        state_store=cast(StateStore, store),
        limits=Limits(store_seconds=0.1),
        actions=[action],
    )
    async with workers(url) as worker:
        second = worker(sending, actions=[action])
        await (await second.start("a", asked(), ANN)).wait()
        await first.start("a", granted("r2"), ANN)
        await begun.wait()
        store.kill()
        if (lost := (await second.connect("a", "t1", ANN)).run) is not None:
            await read(lost)
        again = await second.start("a", granted("r3"), ANN)
        await again.wait()
        assert calls == ["sent"]
        assert "This call was interrupted. It may have been carried out." in said(again)
    await first.aclose()


@pytest.mark.parametrize("first_step", ["start", "load", "stop", "messages"])
async def test_whoever_comes_first_ends_a_run_whose_worker_is_gone(url: str, first_step: str) -> None:
    agent = Gated()
    async with workers(url) as worker, AsyncExitStack() as lives:
        _, kill = await lives.enter_async_context(dying(url, agent, 0.05))
        kill()
        second = worker(hello)
        (log,) = await second.state_store.read_runs("ann", "t1")
        assert log.lease is not None
        await asyncio.sleep(max(0, log.lease))
        if first_step == "start":
            await (await second.start("a", asked("r2"), ANN)).wait()
        elif first_step == "load":
            assert await second.load_agent_state("a", "t1", ANN) is not None
        elif first_step == "stop":
            assert not await second.stop("t1", ANN)
            assert not await second.is_running("t1", ANN)
        else:
            assert await second.last_agent("t1", ANN) == "a"
        ended = (await second.state_store.read_runs("ann", "t1"))[0]
        assert ended.ended


async def test_two_workers_that_find_a_lost_run_end_it_once(url: str) -> None:
    agent = Gated()
    async with workers(url) as worker, AsyncExitStack() as lives:
        run, kill = await lives.enter_async_context(dying(url, agent, 1.0))
        await read(run, lambda seen: len(seen) >= 2)
        logs = [await attached(worker(hello)), await attached(worker(hello))]
        kill()
        seen = await asyncio.gather(*map(read, logs))
        assert seen[0] == seen[1]
        types = [events.decode(data)["type"] for data in seen[0]]
        assert types.count("RUN_ERROR") == 1


async def test_state_messages_and_threads_are_there_for_a_new_process(url: str) -> None:
    async def counting(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.state_snapshot({"n": (input.state or {}).get("n", 0) + 1})
        yield events.text_start(f"{input.run_id}-m")
        yield events.text_content(f"{input.run_id}-m", "counted")
        yield events.text_end(f"{input.run_id}-m")

    def runtime() -> CopilotRuntime:
        return CopilotRuntime({"a": counting, "b": hello}, state_store=url)

    first = runtime()
    await (await first.start("a", asked(), ANN)).wait()
    await (await first.start("b", asked("r2"), ANN)).wait()
    await first.state_store.update_thread("ann", "t1", name="Counting")
    before = await shown(first)
    states = [await first.load_agent_state(name, "t1", ANN) for name in ("a", "b")]
    await first.aclose()

    second = runtime()
    assert await shown(second) == before
    assert [await second.load_agent_state(name, "t1", ANN) for name in ("a", "b")] == states
    assert states[0] is not None
    assert states[0].state == {"n": 1}
    (record,) = await second.state_store.list_threads("ann")
    assert (record.id, record.agent_name, record.name) == ("t1", "b", "Counting")
    assert await second.load_agent_state("a", "t1", BOB) is None
    await second.aclose()


async def test_a_worker_that_ends_lets_its_runs_finish_and_closes_the_others(url: str) -> None:
    slow, fast = Gated(), Gated()
    async with workers(url) as worker:
        runtime = worker(slow, limits=Limits(cancel_seconds=5))
        other = worker(fast)
        stuck = await runtime.start("a", asked(), ANN)
        elsewhere = await other.start("a", asked(threadId="t2"), ANN)
        followed = (await runtime.connect("a", "t2", ANN)).run
        assert followed is not None
        reader = asyncio.create_task(read(followed))
        await runtime.drain(0.01)
        assert stuck.error is not None
        assert events.decode(stuck.entries[-1].data)["code"] == ShuttingDownError.code
        check_stream([entry.event for entry in stuck.entries])
        await reader
        with pytest.raises(ShuttingDownError):
            await runtime.start("a", asked("r3"), ANN)
        assert not elsewhere.ended
