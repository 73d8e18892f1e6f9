"""Clients that post the request for a run again, with `Last-Event-ID`, after their stream was cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Event, Served, owned, run_body, serve
from tests.protocols.agui.test_connect import Gated, agent_of, body_of, frames, ids, talk

pytestmark = pytest.mark.anyio


class Counted:
    """Counts the runs of an agent."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    async def __call__(self, input: RunAgentInput) -> AsyncIterator[Event]:
        self.runs.append(input.run_id)
        async for event in talk(input):
            yield event


def again(served: Served, last: str, run: str = "r1", **body: Any) -> Exchange:
    return served.agent("run", "agent", run_body(run=run, **body), {"last-event-id": last})


@pytest.mark.parametrize("single", [False, True])
async def test_a_run_that_is_over_is_not_run_again_and_its_rest_is_sent(single: bool) -> None:
    agent = Counted()
    async with serve({"agent": agent}, single=single) as served:
        whole = frames(await body_of(served.run()))
        for seen in range(1, len(whole) + 1):
            (last,) = ids(whole[seen - 1])
            assert frames(await body_of(again(served, last))) == whole[seen:]
    assert agent.runs == ["r1"]


async def test_a_run_that_goes_on_is_followed() -> None:
    gated = Gated(4)
    async with serve({"agent": agent_of(gated)}) as served, served.run() as run:
        seen = run.chunks()
        gated.allow()
        first = b""
        while b"w0" not in first:
            first += await anext(seen)
        (*_, last) = ids(first)
        async with again(served, last) as reader:
            for _ in range(3):
                gated.allow()
            assert await reader.body() == b"".join([chunk async for chunk in seen])


async def test_later_runs_of_the_thread_are_not_sent() -> None:
    agent = Counted()
    async with serve({"agent": agent}) as served:
        first = frames(await body_of(served.run(run="r1")))
        await body_of(served.run(run="r2"))
        (last,) = ids(first[3])
        rest = frames(await body_of(again(served, last)))
    assert rest[-1].endswith(b'"RUN_FINISHED","threadId":"t1","runId":"r1"}\n\n')
    assert b'"runId":"r2"' not in b"".join(rest)
    assert agent.runs == ["r1", "r2"]


@pytest.mark.parametrize("last", ["", "junk", "7:0", "1:999", "1/99"])
async def test_from_an_unknown_place_the_whole_run_is_sent(last: str) -> None:
    agent = Counted()
    async with serve({"agent": agent}) as served:
        await body_of(served.run())
        everything = await body_of(served.connect())
        assert await body_of(again(served, last)) == everything
    assert agent.runs == ["r1"]


async def test_a_run_that_the_thread_does_not_have_is_run() -> None:
    agent = Counted()
    async with serve({"agent": agent}) as served:
        (*_, last) = ids(await body_of(served.run()))
        second = await body_of(again(served, last, run="r2"))
        elsewhere = await body_of(again(served, last, thread="t2"))
    assert b'"runId":"r2"' in second
    assert b'"threadId":"t2"' in elsewhere
    assert agent.runs == ["r1", "r2", "r1"]


async def test_a_run_of_another_user_is_not_sent() -> None:
    runtime = CopilotRuntime({"agent": talk})
    served = owned(runtime)
    as_bob = {"x-user": "bob"}
    (*_, last) = ids(await body_of(served.agent("run", "agent", run_body(), {"x-user": "ann"})))
    async with served.agent("run", "agent", run_body(), {**as_bob, "last-event-id": last}) as exchange:
        answer = await exchange.body()
    assert b"Hel" not in answer
    await runtime.aclose()
