"""Hearing of what another worker does to a thread."""

from __future__ import annotations

import asyncio

from ...state_store.base import Signal
from .steps import OpenStore, begin, end, hearing, last_log


async def who_watches_hears_that_a_log_has_grown_elsewhere(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    async with hearing(other) as heard:
        for position in range(20):
            heard.forget()
            await store.append(run, position, [b"1"])
            await heard.wait(Signal.EVENTS)
            assert len((await last_log(other)).events) == position + 1
        heard.forget()
        await store.append(run, 20, [])
        await end(store, run)
        await heard.wait(Signal.EVENTS)
        assert heard.loops == {asyncio.get_running_loop()}


async def who_watches_hears_that_a_run_is_gone_with_its_thread_elsewhere(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    await begin(store)
    async with hearing(other) as heard:
        await store.delete_thread("ann", "t1")
        await heard.wait(Signal.EVENTS)


async def a_producer_hears_that_it_is_asked_to_stop_elsewhere(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    async with hearing(store) as heard:
        assert await other.request_stop("ann", "t1", run.id) is True
        await heard.wait(Signal.STOP)
    assert (await store.append(run, 0, [])).stop_requested is True


async def nothing_is_missed_of_what_happens_elsewhere_once_the_watch_has_begun(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    for position in range(20):
        async with hearing(other) as heard:
            await store.append(run, position, [b"1"])
            await heard.wait(Signal.EVENTS)


async def a_thread_may_be_followed_live_from_elsewhere(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    expected = [b"%d" % place for place in range(200)]

    async def follow() -> list[bytes]:
        seen: list[bytes] = []
        async with hearing(other) as heard:
            following.set()
            while True:
                heard.forget()
                (log,) = await other.read_runs("ann", "t1", since=run.number, position=len(seen))
                seen.extend(log.events)
                if log.ended:
                    return seen
                await heard.wait(Signal.EVENTS)

    following = asyncio.Event()
    task = asyncio.create_task(follow())
    await following.wait()
    for place in range(0, 200, 5):
        await store.append(run, place, expected[place : place + 5])
    await end(store, run)
    assert await task == expected
