"""Seeing a thread again: history, the run in progress, and coming back after a broken connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import orjson
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import (
    AgentSnapshot,
    CopilotRuntime,
    MemoryStateStore,
    Provider,
    RequestContext,
    Retention,
)
from copilotkit_runtime_py.agui import events as ev
from copilotkit_runtime_py.agui.reducer import Transcript
from copilotkit_runtime_py.state_store.base import AgentState
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Event, owned, serve, without_input

pytestmark = pytest.mark.anyio


async def talk(input: RunAgentInput) -> AsyncIterator[Event]:
    id = f"{input.run_id}-m"
    yield ev.text_start(id)
    for delta in ("Hel", "lo", " wörld 🌍"):
        yield ev.text_content(id, delta)
    yield ev.tool_call_start(f"{input.run_id}-c", "look", id)
    yield ev.tool_call_args(f"{input.run_id}-c", '{"at":')
    yield ev.state_snapshot({"step": 1})
    yield ev.tool_call_args(f"{input.run_id}-c", '"me"}')
    yield ev.tool_call_end(f"{input.run_id}-c")
    yield ev.state_delta([{"op": "replace", "path": "/step", "value": 2}])
    yield ev.text_end(id)


class Gated:
    """An agent that says one more word each time it is let."""

    def __init__(self, words: int) -> None:
        self.words = words
        self._allowed = anyio.Semaphore(0)

    def allow(self) -> None:
        self._allowed.release()

    async def __call__(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.text_start("m")
        for word in range(self.words):
            await self._allowed.acquire()
            yield ev.text_content("m", f"w{word} ")
        yield ev.text_end("m")


def agent_of(gated: Gated) -> Any:
    async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
        async for event in gated(input):
            yield event

    return agent


def ids(body: bytes) -> list[str]:
    """The ids of the frames."""
    return [line[4:].decode() for line in body.split(b"\n") if line.startswith(b"id: ")]


async def body_of(exchange: Exchange) -> bytes:
    async with exchange:
        return await exchange.body()


def events_in(some: list[bytes]) -> list[Event]:
    return [orjson.loads(frame.partition(b"data: ")[2]) for frame in some]


def frames(body: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in body.split(b"\n\n") if frame]


@pytest.mark.parametrize("single", [False, True])
async def test_a_thread_is_replayed_compacted_and_in_order(single: bool) -> None:
    async with serve({"agent": talk}, single=single) as served:
        await served.events(served.run(run="r1"))
        await served.events(served.run(run="r2"))
        replayed = await served.events(served.connect(run="c1"))
    assert [message["id"] for message in replayed[0]["input"]["messages"]] == ["r1-u"]

    def shown(run: str) -> list[Event]:
        return [
            ev.run_started("t1", run),
            ev.text_start(f"{run}-m"),
            ev.text_content(f"{run}-m", "Hello wörld 🌍"),
            ev.text_end(f"{run}-m"),
            ev.tool_call_start(f"{run}-c", "look", f"{run}-m"),
            ev.tool_call_args(f"{run}-c", '{"at":"me"}'),
            ev.tool_call_end(f"{run}-c"),
            ev.state_snapshot({"step": 2}),
            ev.run_finished("t1", run),
        ]

    assert without_input(replayed) == shown("r1") + shown("r2")


async def test_a_run_of_very_many_events_is_replayed_as_any_other() -> None:
    async def verbose(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.text_start("m")
        for _ in range(5_000):
            yield ev.text_content("m", "a")
        yield ev.text_end("m")

    async with serve({"agent": verbose}) as served:
        live = await served.events(served.run(run="r1"))
        replayed = await served.events(served.connect(run="c1"))
    assert replayed == [*live[:2], ev.text_content("m", "a" * 5_000), *live[-2:]]


async def test_an_unknown_thread_is_an_empty_stream() -> None:
    async with serve({"agent": talk}) as served:
        assert await served.events(served.connect(thread="never")) == []


async def test_a_reader_who_comes_during_a_run_sees_it_from_its_beginning_to_its_end() -> None:
    gated = Gated(3)
    async with serve({"agent": agent_of(gated)}) as served, served.run() as run:
        seen = run.events()
        gated.allow()
        first = [await anext(seen) for _ in range(3)]
        async with served.connect() as reader:
            followed = reader.events()
            assert [await anext(followed) for _ in range(3)] == first
            gated.allow()
            gated.allow()
            assert [event async for event in followed] == [event async for event in seen]


async def test_twenty_readers_who_join_at_any_event_see_the_same_bytes() -> None:
    gated = Gated(21)
    async with serve({"agent": agent_of(gated)}) as served, anyio.create_task_group() as tasks:
        bodies: list[bytes] = []

        async def read(exchange: Exchange, joined: anyio.Event) -> None:
            async with exchange:
                joined.set()
                bodies.append(await exchange.body())

        for exchange in [served.run(), *(served.connect() for _ in range(20))]:
            joined = anyio.Event()
            tasks.start_soon(read, exchange, joined)
            await joined.wait()
            gated.allow()
    assert len(bodies) == 21
    assert set(bodies) == {bodies[0]}
    assert len(ids(bodies[0])) == 1 + 1 + 21 + 1 + 1


async def test_a_reader_who_comes_back_at_any_event_of_a_run_misses_nothing_and_sees_nothing_twice() -> None:
    async with serve({"agent": talk}) as served:
        whole = frames(await body_of(served.run()))
        for seen in range(1, len(whole) + 1):
            (last,) = ids(whole[seen - 1])
            rest = await body_of(served.connect(headers={"last-event-id": last}))
            assert frames(rest) == whole[seen:]


async def test_a_reader_who_comes_back_at_any_event_of_a_replay_goes_on_with_it() -> None:
    async with serve({"agent": talk}) as served:
        for run in ("r1", "r2", "r3"):
            await body_of(served.run(run=run))
        whole = frames(await body_of(served.connect()))
        assert len(whole) == 27
        for seen in range(1, len(whole) + 1):
            (last,) = ids(whole[seen - 1])
            rest = await body_of(served.connect(lastSeenEventId=last))
            assert frames(rest) == whole[seen:]


async def test_a_reader_who_comes_back_while_the_run_goes_on_follows_it() -> None:
    gated = Gated(4)
    async with serve({"agent": agent_of(gated)}) as served:
        await body_of(served.connect())
        async with served.run() as run:
            seen = run.chunks()
            gated.allow()
            first = b""
            while b"w0" not in first:
                first += await anext(seen)
            (*_, last) = ids(first)
            async with served.connect(headers={"last-event-id": last}) as reader:
                for _ in range(3):
                    gated.allow()
                assert await reader.body() == b"".join([chunk async for chunk in seen])


async def test_a_reader_whose_run_ended_meanwhile_gets_its_rest_and_the_runs_after_it() -> None:
    gated = Gated(1)
    async with serve({"agent": talk, "slow": agent_of(gated)}) as served:
        first = frames(await body_of(served.run(run="r1")))
        async with served.run("slow", run="r2") as second:
            (last,) = ids(first[3])
            async with served.connect(headers={"last-event-id": last}) as reader:
                gated.allow()
                assert frames(await reader.body()) == first[4:] + frames(await second.body())


async def test_a_reader_who_comes_back_to_a_compacted_run_ends_up_with_what_the_others_have() -> None:
    def outcome(seen: list[Event]) -> AgentState:
        transcript = Transcript([], {})
        for event in seen:
            transcript.add(event)
        return transcript.result()

    async with serve({"agent": talk}) as served:
        whole = frames(await body_of(served.run(run="r1")))
        later = await body_of(served.run(run="r2"))
        everything = outcome(events_in([*whole, *frames(later)]))
        for seen in range(1, len(whole) + 1):
            (last,) = ids(whole[seen - 1])
            rest = await body_of(served.connect(headers={"last-event-id": last}))
            assert outcome(events_in([*whole[:seen], *frames(rest)])) == everything
            for frame in frames(rest):
                (place,) = ids(frame)
                again = await body_of(served.connect(headers={"last-event-id": place}))
                assert rest.endswith(again)


@pytest.mark.parametrize("last", ["", "junk", "7:0", "1:", "-1:2", "1:2\x00", "9" * 400 + ":1", "3/1"])
async def test_an_id_that_is_none_of_the_threads_means_from_the_beginning(last: str) -> None:
    async with serve({"agent": talk}) as served:
        await body_of(served.run())
        everything = await body_of(served.connect())
        assert await body_of(served.connect(lastSeenEventId=last)) == everything


async def test_the_thread_of_another_owner_is_an_empty_stream() -> None:
    runtime = CopilotRuntime({"agent": talk})
    served = owned(runtime)

    async def seen_by(user: str, verb: str) -> list[Event]:
        body = {"threadId": "t1", "runId": "r1", "messages": []}
        return await served.events(served.agent(verb, "agent", body, {"x-user": user}))

    mine = await seen_by("ada", "run")
    assert await seen_by("eve", "connect") == []
    assert len(await seen_by("ada", "connect")) == 9
    assert mine
    await runtime.aclose()


async def test_the_thread_of_another_owner_cannot_be_run_on() -> None:
    runtime = CopilotRuntime({"agent": talk})
    served = owned(runtime)
    body = {"threadId": "t1", "runId": "r1", "messages": []}
    await served.events(served.agent("run", "agent", body, {"x-user": "ada"}))
    status, answer = await served.json(served.agent("run", "agent", body, {"x-user": "eve"}))
    assert (status, answer["code"]) == (404, "THREAD_NOT_FOUND")
    await runtime.aclose()


async def test_a_historic_error_raises_no_alarm_and_the_next_run_may_follow_it() -> None:
    async def flaky(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.text_start(f"{input.run_id}-m")
        yield ev.text_content(f"{input.run_id}-m", "par")
        if input.run_id == "r1":
            yield ev.run_error("model exploded", "MODEL_ERR")

    async with serve({"agent": flaky}) as served:
        live = await served.events(served.run(run="r1"))
        await served.events(served.run(run="r2"))
        replayed = await served.events(served.connect())
    assert live[-1] == ev.run_error("model exploded", "MODEL_ERR")
    assert [event["type"] for event in replayed] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ] * 2


async def test_a_run_that_failed_at_once_keeps_the_users_message() -> None:
    async def broken(input: RunAgentInput) -> AsyncIterator[Event]:
        raise RuntimeError("no model")
        yield {}

    async with serve({"agent": broken}) as served:
        await served.events(served.run())
        started, finished = await served.events(served.connect())
    assert [message["content"] for message in started["input"]["messages"]] == ["hi"]
    assert finished == ev.run_finished("t1", "r1")


@pytest.mark.parametrize(
    ("patch", "folded"),
    [
        ([{"op": "replace", "path": "/count", "value": 2}], {"count": 2, "keep": "me"}),
        ([{"op": "add", "path": "/new", "value": 1}], {"count": 1, "keep": "me", "new": 1}),
        ([{"op": "replace", "path": "/no/such", "value": 1}], None),
    ],
)
async def test_state_is_folded_from_what_the_client_sent_and_bad_patches_are_harmless(
    patch: list[Event], folded: Event | None
) -> None:
    async def patching(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.state_delta(patch)

    async with serve({"agent": patching}) as served:
        live = await served.events(served.run(state={"count": 1, "keep": "me"}))
        replayed = await served.events(served.connect())
    assert live[1] == ev.state_delta(patch)
    assert replayed[1:-1] == ([] if folded is None else [ev.state_snapshot(folded)])


async def test_a_pending_interrupt_is_announced_again_until_a_run_answers_it() -> None:
    interrupt = {"id": "i1", "reason": "confirmation", "message": "Really?"}
    go_on = asyncio.Event()

    async def asking(input: RunAgentInput) -> AsyncIterator[Event]:
        if not input.resume:
            yield ev.run_finished(input.thread_id, input.run_id, [interrupt])
            return
        yield ev.text_start("m")
        await go_on.wait()
        yield ev.text_end("m")

    async with serve({"agent": asking}) as served:
        await served.events(served.run(run="r1"))
        before = await served.events(served.connect())
        resume = [{"interruptId": "i1", "status": "resolved", "payload": True}]
        async with served.run(run="r1", resume=resume) as resumed:
            events = resumed.events()
            await anext(events)
            async with served.connect() as reader:
                during = reader.events()
                assert "outcome" not in [await anext(during), await anext(during)][-1]
                go_on.set()
                assert (await anext(during))["type"] == "RUN_STARTED"
        after = await served.events(served.connect())
    assert before[-1]["outcome"] == {"type": "interrupt", "interrupts": [interrupt]}
    assert not [event for event in after if "outcome" in event]
    assert [event["runId"] for event in after if event["type"] == "RUN_STARTED"] == ["r1", "r1"]


async def test_an_agents_own_memory_stands_in_for_a_log_that_is_gone() -> None:
    class Remembering(Provider):
        async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
            yield ev.text_start(input.run_id)
            yield ev.text_end(input.run_id)

        async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
            message = {"id": "m0", "role": "user", "content": "long ago"}
            return AgentSnapshot(state={"n": 1}, messages=[message], interrupts=[{"id": "i", "reason": "x"}])

    store = MemoryStateStore(retention=Retention(max_runs_per_thread=1))
    async with serve({"agent": Remembering()}, state_store=store) as served:
        shown = await served.events(served.connect(run="c1"))
        assert shown[:3] == [
            ev.run_started("t1", "c1"),
            ev.state_snapshot({"n": 1}),
            ev.messages_snapshot([{"id": "m0", "role": "user", "content": "long ago"}]),
        ]
        assert shown[-1] == ev.run_finished("t1", "c1", [{"id": "i", "reason": "x"}])
        for run in ("r1", "r2"):
            await served.events(served.run(run=run))
        assert await served.events(served.connect(run="c1")) == shown


async def test_a_graphs_remembered_interrupt_is_told_as_its_run_tells_it_to_such_a_client() -> None:
    interrupt = {"id": "i", "reason": "x", "metadata": {"langgraph": {"raw": {"ask": "Really?"}}}}

    class Remembering(Provider):
        async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
            yield ev.run_started(input.thread_id, input.run_id)

        async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
            return AgentSnapshot(interrupts=[interrupt])

    async with serve({"agent": Remembering()}) as served:
        older = await served.events(served.connect(run="c1"))
        newer = await served.events(served.connect(run="c1", protocolVersion="1.0"))
    announced = ev.custom("on_interrupt", '{"ask":"Really?"}')
    assert older[-2:] == [announced, ev.run_finished("t1", "c1")]
    assert newer[-2:] == [announced, ev.run_finished("t1", "c1", [interrupt])]


async def test_a_reader_of_a_log_that_is_partly_gone_comes_back_to_the_rest() -> None:
    store = MemoryStateStore(retention=Retention(max_runs_per_thread=2))
    async with serve({"agent": talk}, state_store=store) as served:
        bodies = [frames(await body_of(served.run(run=f"r{number}"))) for number in (1, 2, 3)]
        (last,) = ids(bodies[2][5])
        rest = await body_of(served.connect(headers={"last-event-id": last}))
    assert frames(rest) == bodies[2][6:]


async def test_a_repeated_run_id_is_two_runs() -> None:
    async with serve({"agent": talk}) as served:
        for _ in range(2):
            await served.events(served.run(run="same"))
        replayed = await served.events(served.connect())
    assert [event["type"] for event in replayed].count("RUN_STARTED") == 2
