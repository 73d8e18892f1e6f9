"""Which run has a thread, which one waits for it, and which one is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.run_input import RunInput
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import StoreUnavailableError, ThreadBusyError, ThreadNotFoundError
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.providers.base import AgentSnapshot, Provider
from copilotkit_runtime_py.providers.directory import AgentDirectory
from copilotkit_runtime_py.runs.completion import ending_of
from copilotkit_runtime_py.runs.request import RunRequest
from copilotkit_runtime_py.runs.run import Run
from copilotkit_runtime_py.runs.thread_locks import ThreadLocks
from copilotkit_runtime_py.state_store.base import AgentState, RunEnding, RunRecord, StateStore
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.running import StreamRun, Unrecorded

pytestmark = pytest.mark.anyio

ANN, BOB = RequestContext(owner="ann"), RequestContext(owner="bob")
Stream = AsyncIterator[Any]


class Remembering(Provider):
    """An agent that remembers some threads, and does not know whose they are."""

    def __init__(self, *threads: str) -> None:
        self.threads = threads

    async def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
        yield events.custom("x", 1)

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        return AgentSnapshot() if thread_id in self.threads else None


async def request(
    context: RequestContext = ANN, *, agent: Provider | None = None, **fields: Any
) -> RunRequest:
    directory = AgentDirectory({"a": agent or Remembering()}, default=None, authorize=None)
    resolved = await directory.for_caller(context).resolve("a")
    input = RunInput.parse({"threadId": "t1", "runId": "r1", "messages": [], **fields})
    return RunRequest(agent=resolved, input=input, context=context)


async def nothing(run: RunRecord) -> None: ...


def locks(store: StateStore | None = None, policy: Any = "reject") -> ThreadLocks:
    limits = Limits(busy_seconds=0.0, store_seconds=0.01, cancel_seconds=0.01)
    store = MemoryStateStore() if store is None else store
    return ThreadLocks(store, on_busy_thread=policy, limits=limits, abandon=nothing)


class Held:
    """A run that goes on until it is told to end."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.run = StreamRun(Unrecorded())
        self.run.play(self._agent())

    async def _agent(self) -> Stream:
        yield events.text_start("m1")
        await self.go.wait()

    async def end(self) -> None:
        self.go.set()
        await self.run.wait()


async def claim(of: ThreadLocks, store: StateStore, asked: RunRequest, run: Run | None = None) -> RunRecord:
    async with of.claim(asked, store) as claimed:
        if run is not None:
            of.hold(asked.owner, run)
        return claimed.record


async def test_a_claimed_thread_is_the_runs_until_it_is_released() -> None:
    store, held = MemoryStateStore(), Held()
    of = locks(store)
    record = await claim(of, store, await request(), held.run)
    assert (record.number, of.here("ann", "t1")) == (1, held.run)
    with pytest.raises(ThreadBusyError):
        await claim(of, store, await request())
    assert of.here("bob", "t1") is None
    of.release("ann", StreamRun())
    assert of.here("ann", "t1") is held.run
    of.release("ann", held.run)
    assert of.here("ann", "t1") is None
    await held.end()


async def test_a_claim_knows_what_the_last_run_left() -> None:
    store = MemoryStateStore()
    of = locks(store)
    async with of.claim(await request(), store) as first:
        assert first.known is None
    said = {"id": "u1", "role": "user", "content": "hi"}
    await store.append(first.record, 0, [], ending=ending_of([], [said], {"n": 1}))
    async with of.claim(await request(runId="r2"), store) as second:
        assert second.known is not None
        assert (second.record.number, second.known.messages, second.known.state) == (2, [said], {"n": 1})


async def test_a_claim_knows_of_a_run_elsewhere_that_took_the_answer_just_before() -> None:
    question = {"id": "q1", "reason": "tool_call"}

    class Overtaken(MemoryStateStore):
        """A store in which a whole run of another worker passes before the claim succeeds."""

        async def begin_run(self, run: RunRecord) -> RunRecord:
            if run.id == "r3":
                other = await super().begin_run(replace(run, id="r2", producer="elsewhere"))
                await self.append(other, 0, [], ending=RunEnding(state=AgentState(), compacted=[b"2"]))
            return await super().begin_run(run)

    store = Overtaken()
    of = locks(store)
    async with of.claim(await request(), store) as first:
        asked = AgentState(interrupts=[question])
        await store.append(first.record, 0, [], ending=RunEnding(state=asked, compacted=[b"1"]))
    async with of.claim(await request(runId="r3"), store) as third:
        assert third.known is not None
        assert (third.record.number, third.known.interrupts) == (3, [])


async def test_requests_for_one_thread_take_turns_and_others_do_not_wait() -> None:
    store, order, go = MemoryStateStore(), list[str](), asyncio.Event()
    of = locks(store, "enqueue")

    async def start(run_id: str, thread_id: str = "t1") -> None:
        async with of.claim(await request(runId=run_id, threadId=thread_id), store) as claimed:
            order.append(f"{run_id} claimed")
            if run_id == "r1":
                await go.wait()
            await store.append(claimed.record, 0, [], ending=ending_of([], [], {}))
            order.append(f"{run_id} left")

    first = asyncio.create_task(start("r1"))
    await asyncio.sleep(0)
    second = asyncio.create_task(start("r2"))
    await start("other", "t2")
    go.set()
    await asyncio.gather(first, second)
    assert order == ["r1 claimed", "other claimed", "other left", "r1 left", "r2 claimed", "r2 left"]


async def test_a_new_run_stops_the_old_one_if_the_policy_says_so() -> None:
    store, held = MemoryStateStore(), Held()
    of = locks(store, "supersede")
    of.hold("ann", held.run)
    await of.wait_here("ann", "t1")
    assert held.run.stopping
    assert of.here("ann", "t1") is None


async def test_a_new_run_waits_as_long_as_it_is_patient() -> None:
    of, held = locks(), Held()
    of.hold("ann", held.run)
    with pytest.raises(ThreadBusyError):
        await of.wait_here("ann", "t1", patience=0.01)
    waiting = asyncio.create_task(of.wait_here("ann", "t1", patience=60.0))
    await asyncio.sleep(0)
    await held.end()
    await waiting
    assert of.here("ann", "t1") is None


async def test_a_run_that_is_over_and_cannot_be_recorded_keeps_its_thread() -> None:
    class Stuck(Unrecorded):
        async def after_end(self, run: Run) -> None:
            await asyncio.Event().wait()

    async def agent() -> Stream:
        yield events.custom("x", 1)

    of, run = locks(), StreamRun(Stuck())
    run.play(agent())
    of.hold("ann", run)
    with pytest.raises(StoreUnavailableError):
        await of.wait_here("ann", "t1", patience=1.0)
    await run.close(0)


async def test_a_thread_that_only_the_agent_remembers_belongs_to_the_anonymous_user() -> None:
    of, store = locks(), MemoryStateStore()
    with pytest.raises(ThreadNotFoundError):
        await claim(of, store, await request(ANN, agent=Remembering("t1")))
    assert await store.list_threads("ann") == []
    assert (await claim(of, store, await request(RequestContext(), agent=Remembering("t1")))).number == 1


async def test_a_thread_of_another_owner_cannot_be_claimed() -> None:
    store = MemoryStateStore()
    of = locks(store)
    await claim(of, store, await request(BOB))
    with pytest.raises(ThreadNotFoundError):
        await claim(of, store, await request(ANN))


async def test_ephemeral_runs_are_listed_beside_the_threads_run_and_hold_nothing() -> None:
    of, held, first, second = locks(), Held(), Held(), Held()
    of.hold("ann", held.run)
    of.add_ephemeral("ann", first.run)
    of.add_ephemeral("ann", second.run)
    assert list(of.all_here("ann", "t1")) == [held.run, first.run, second.run]
    assert list(of.all_here("bob", "t1")) == []
    of.remove_ephemeral("ann", first.run)
    of.release("ann", held.run)
    assert list(of.all_here("ann", "t1")) == [second.run]
    assert of.here("ann", "t1") is None
    of.remove_ephemeral("ann", second.run)
    assert list(of.all_here("ann", "t1")) == []
    for each in (held, first, second):
        await each.end()
