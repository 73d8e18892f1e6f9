"""How many runs there may be, and how fast they may start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, Limits, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.errors import RateLimitError, ThreadBusyError
from copilotkit_runtime_py.runs.capacity import StartRate
from copilotkit_runtime_py.runs.run import Run
from copilotkit_runtime_py.state_store.base import RunRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.run_request import run_request

pytestmark = pytest.mark.anyio

Event = dict[str, Any]

ANN, BOB, NOBODY = RequestContext(owner="ann"), RequestContext(owner="bob"), RequestContext()


class Waiting:
    """An agent that waits until it may end."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m1")
        await self.go.wait()


def asked(thread_id: str) -> RunAgentInput:
    said = [{"id": "u1", "role": "user", "content": "hi"}]
    body = {"threadId": thread_id, "runId": "r1", "messages": said, "state": {}}
    return RunAgentInput.model_validate({**body, "tools": [], "context": [], "forwardedProps": {}})


def runtime_of(agent: Any, **limits: Any) -> CopilotRuntime:
    return CopilotRuntime({"a": agent}, limits=Limits(**{"busy_seconds": 0.0, **limits}))


async def start(runtime: CopilotRuntime, thread_id: str, context: RequestContext = ANN) -> Run:
    return await runtime.start("a", asked(thread_id), context)


async def test_an_owner_has_as_many_runs_at_once_as_the_limit_says_and_others_have_theirs() -> None:
    runtime = runtime_of(Waiting(), runs_per_owner=2)
    first = await start(runtime, "t1")
    await runtime.start_ephemeral(await run_request(runtime, "a", asked("t1"), ANN))
    with pytest.raises(RateLimitError, match="You have 2 runs in progress"):
        await start(runtime, "t2")
    with pytest.raises(RateLimitError):
        await runtime.start_ephemeral(await run_request(runtime, "a", asked("t2"), ANN))
    await start(runtime, "t3", BOB)
    first.stop()
    await first.wait()
    await start(runtime, "t2")
    await runtime.aclose()


async def test_all_together_have_as_many_runs_as_the_process_takes() -> None:
    runtime = runtime_of(Waiting(), runs_per_process=2)
    await start(runtime, "t1", ANN)
    await start(runtime, "t2", NOBODY)
    with pytest.raises(RateLimitError, match="The server has as many runs in progress as it can take"):
        await start(runtime, "t3", BOB)
    await runtime.aclose()


async def test_one_visitor_cannot_lock_out_the_others_who_are_anonymous_too() -> None:
    runtime = runtime_of(Waiting(), runs_per_owner=1, runs_per_minute_per_owner=1)
    for number in range(5):
        await start(runtime, f"t{number}", NOBODY)
    await runtime.aclose()


async def test_a_run_that_did_not_begin_takes_no_place() -> None:
    agent = Waiting()
    runtime = runtime_of(agent, runs_per_owner=2)
    first = await start(runtime, "t1")
    for _ in range(3):
        with pytest.raises(ThreadBusyError):
            await start(runtime, "t1")
    agent.go.set()
    await first.wait()
    assert not (await start(runtime, "t1")).ended
    await runtime.aclose()


async def test_the_next_run_may_begin_while_hooks_look_at_the_last_one() -> None:
    async def next_run(request: Any) -> None:
        if request.request.thread_id == "t1":
            runs.append(await start(runtime, "t2"))

    async def hello(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m1")

    runs: list[Run] = []
    runtime = CopilotRuntime({"a": hello}, limits=Limits(runs_per_owner=1), on_after_request=next_run)
    await (await start(runtime, "t1")).wait()
    await runs[0].wait()
    await runtime.aclose()


async def test_a_run_that_claims_its_thread_while_the_worker_ends_fails_instead_of_being_cut() -> None:
    asked_for, may_begin = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStateStore):
        async def begin_run(self, run: RunRecord) -> RunRecord:
            asked_for.set()
            await may_begin.wait()
            return await super().begin_run(run)

    store = Slow()
    runtime = CopilotRuntime({"a": Waiting()}, state_store=store)
    starting = asyncio.create_task(start(runtime, "t1"))
    await asked_for.wait()
    await runtime.drain(0)
    may_begin.set()
    run = await starting
    await run.wait()

    (log,) = await store.read_runs("ann", "t1")
    terminal = events.decode(log.events[-1])
    assert (terminal["type"], terminal["code"]) == ("RUN_ERROR", "SHUTTING_DOWN")
    await runtime.aclose()


async def test_without_limits_there_are_none() -> None:
    runtime = runtime_of(
        Waiting(), runs_per_owner=None, runs_per_process=None, runs_per_minute_per_owner=None
    )
    for number in range(200):
        await start(runtime, f"t{number}")
    await runtime.aclose()


async def test_what_costs_as_much_as_a_run_is_counted_with_the_runs() -> None:
    runtime = runtime_of(Waiting(), runs_per_minute_per_owner=2)
    await start(runtime, "t1")
    runtime.count_start(ANN)
    with pytest.raises(RateLimitError, match="You may start 2 runs a minute"):
        await start(runtime, "t2")
    with pytest.raises(RateLimitError):
        runtime.count_start(ANN)
    runtime.count_start(BOB)
    await runtime.aclose()


def counted(rate: StartRate, owner: str, now: float) -> int | None:
    """Counts a start. Returns after how many seconds to try again if it is refused."""
    try:
        rate.count(owner, now)
    except RateLimitError as error:
        return error.retry_after
    return None


def test_a_rate_allows_a_burst_and_then_one_at_a_time() -> None:
    rate = StartRate(4)
    assert [counted(rate, "ann", 100.0) for _ in range(6)] == [None, None, None, None, 15, 15]
    assert [counted(rate, "ann", 108.0), counted(rate, "ann", 115.0), counted(rate, "ann", 115.0)] == [
        7,
        None,
        15,
    ]
    assert counted(rate, "bob", 100.0) is None


def test_a_pause_of_an_hour_allows_no_more_than_a_burst() -> None:
    rate = StartRate(2)
    counted(rate, "ann", 0.0)
    assert [counted(rate, "ann", 3600.0) for _ in range(3)] == [None, None, 30]


def test_owners_who_are_gone_are_forgotten() -> None:
    rate = StartRate(60)
    for number in range(1000):
        rate.count(f"o{number}", 0.0)
    rate.count("ann", 100.0)
    assert len(rate._full_at) == 1
