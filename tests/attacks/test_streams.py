"""Agents and clocks that behave badly, as far as their surroundings are concerned."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from blockbuster import blockbuster_ctx

from copilotkit_runtime_py import Limits
from copilotkit_runtime_py.agui import events
from tests.attacks import graphql
from tests.protocols.agui.served import serve

pytestmark = pytest.mark.anyio

Event = dict[str, Any]


async def talker(input: RunAgentInput) -> AsyncIterator[Event]:
    id = f"{input.run_id}-m"
    yield events.text_start(id)
    for number in range(50):
        yield events.text_content(id, f"{number} ")
        await asyncio.sleep(0)
    yield events.text_end(id)


async def calling(input: RunAgentInput) -> AsyncIterator[Event]:
    if input.messages[-1].role == "user":
        yield events.tool_call_start(f"{input.run_id}-c", "work")
        yield events.tool_call_end(f"{input.run_id}-c")


@pytest.mark.attack(56)
@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_nothing_that_the_runtime_does_blocks_the_event_loop(store: str, tmp_path: Path) -> None:
    def work() -> str:
        """Works in a thread of its own."""
        time.sleep(0.001)
        return "done"

    url = "memory" if store == "memory" else f"sqlite:///{tmp_path / 'threads.db'}"
    async with serve({"talker": talker, "calling": calling}, actions=[work], state_store=url) as served:
        await served.events(served.run("talker", run="r0"))  # what is made once may take its time
        with blockbuster_ctx("copilotkit_runtime_py"):
            for name in ("talker", "calling"):
                assert (await served.events(served.run(name, run=f"r-{name}")))[-1]["type"] == "RUN_FINISHED"
            assert (await served.events(served.connect("talker")))[-1]["type"] == "RUN_FINISHED"
            asked = graphql.data(threadId="t2", agentSession={"agentName": "talker"})
            status, answer = await graphql.answer(graphql.ask(served, graphql.RUN, {"data": asked}))
            assert (status, "errors" in answer) == (200, False)
            assert (await served.json(served.request("GET", "/threads?agentId=talker")))[0] == 200
            assert (await served.json(served.request("DELETE", "/threads/t1")))[0] == 200


async def test_what_blocks_the_event_loop_is_found() -> None:
    async def blocking(input: RunAgentInput) -> AsyncIterator[Event]:
        time.sleep(0.001)  # noqa: ASYNC251 - on purpose
        yield events.text_start("m1")

    async with serve({"agent": blocking}, development=True) as served:
        with blockbuster_ctx("copilotkit_runtime_py"):
            received = await served.events(served.run())
    assert received[-1]["message"].startswith("BlockingError: Blocking call to time.sleep")


@pytest.mark.attack(38)
async def test_a_stop_during_an_action_that_nobody_can_interrupt_ends_the_run_at_once() -> None:
    started, go, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> str:
        """Works in a thread until it may end."""
        started.set()
        go.wait(30)
        done.set()
        return "late"

    async with serve({"agent": calling}, actions=[work]) as served:
        async with served.run() as exchange:
            assert await asyncio.to_thread(started.wait, 30)
            await served.json(served.stop())
            received = await exchange.all_events()
        assert not done.is_set()
        go.set()
        assert await asyncio.to_thread(done.wait, 30)
        replayed = await served.events(served.connect())
    assert received[-1]["type"] == replayed[-1]["type"] == "RUN_FINISHED"
    assert "late" not in str(received + replayed)


@pytest.mark.attack(38)
async def test_a_stop_between_two_runs_stops_neither() -> None:
    async with serve({"agent": talker}) as served:
        await served.events(served.run("agent"))
        _, told = await served.json(served.stop())
        after = await served.events(served.run("agent", run="r2"))
    assert told["stopped"] is False
    assert sum(event["type"] == "TEXT_MESSAGE_CONTENT" for event in after) == 50


@pytest.mark.attack(40)
@pytest.mark.parametrize("size", [1, 1_000_000])
async def test_an_agent_that_floods_is_ended_whatever_the_size_of_its_events(size: int) -> None:
    async def flooding(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m1")
        while True:
            yield events.text_content("m1", "x" * size)

    limits = Limits(events_per_run=10_000, bytes_per_run=4_000_000)
    async with serve({"agent": flooding}, limits=limits) as served:
        received = await served.events(served.run())
        assert [event["type"] for event in received[-2:]] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
        assert received[-1]["code"] == "LIMIT_EXCEEDED"
        assert len(str(received)) < 6_000_000
        again = await served.events(served.run(run="r2"))
    assert again[-1]["code"] == "LIMIT_EXCEEDED"


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many days the wall clock is ahead, which may change at any time."""
    ahead = [0.0]
    wall = time.time

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(wall(), tz or UTC) + timedelta(days=ahead[0])

    monkeypatch.setattr(time, "time", lambda: wall() + 86400 * ahead[0])
    for module in ("state_store.base", "state_store.memory"):
        monkeypatch.setattr(f"copilotkit_runtime_py.{module}.datetime", Clock, raising=False)
    return ahead


@pytest.mark.attack(51)
@pytest.mark.parametrize("jump", [-400.0, 400.0])
@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_a_wall_clock_that_jumps_ends_no_run_and_loses_no_thread(
    jump: float, store: str, days: list[float], tmp_path: Path
) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def waiting(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(f"{input.run_id}-m")
        reached.set()
        await go.wait()
        yield events.text_content(f"{input.run_id}-m", "after all")

    url = "memory" if store == "memory" else f"sqlite:///{tmp_path / 'threads.db'}"
    async with serve({"agent": waiting}, state_store=url) as served:
        async with served.run() as exchange:
            await reached.wait()
            days[0] = jump
            refused = await served.events(served.run(run="r2"))
            go.set()
            received = await exchange.all_events()
        after = await served.events(served.run(run="r3"))
        replayed = await served.events(served.connect())
        _, listed = await served.json(served.request("GET", "/threads?agentId=agent"))
    assert refused[-1]["code"] == "THREAD_BUSY"
    assert received[-1]["type"] == after[-1]["type"] == "RUN_FINISHED"
    assert str(replayed).count("after all") == 2
    assert [thread["id"] for thread in listed["threads"]] == ["t1"]


@pytest.mark.attack(51)
async def test_a_run_whose_lease_a_jump_of_the_stores_clock_has_ended_goes_on_here(tmp_path: Path) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def waiting(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m1")
        reached.set()
        await go.wait()
        yield events.text_content("m1", "after all")

    def jump() -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "threads.db")) as database:
            database.execute("UPDATE copilotkit_runs SET lease_until = lease_until - 86400")
            database.commit()

    async with (
        serve({"agent": waiting}, state_store=f"sqlite:///{tmp_path / 'threads.db'}") as served,
        served.run() as exchange,
    ):
        await reached.wait()
        shown = exchange.events()
        while (await anext(shown))["type"] != "TEXT_MESSAGE_START":
            pass
        await asyncio.to_thread(jump)
        async with served.connect() as reader:
            followed = reader.events()
            await anext(followed)
            go.set()
            assert [event["type"] async for event in followed][-1] == "RUN_FINISHED"
        assert [event["type"] async for event in shown][-1] == "RUN_FINISHED"
