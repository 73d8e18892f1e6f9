"""Hearing of what happens to a thread."""

from __future__ import annotations

import asyncio

from ...state_store.base import Signal
from .steps import OpenStore, begin, end, hearing, last_log


async def who_watches_hears_that_a_log_has_grown(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    async with hearing(store) as heard:
        for position in range(20):
            heard.forget()
            await store.append(run, position, [b"1"])
            await heard.wait(Signal.EVENTS)
            assert len((await last_log(store)).events) == position + 1
        assert heard.loops == {asyncio.get_running_loop()}


async def who_watches_hears_that_a_run_is_over(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    async with hearing(store) as heard:
        await end(store, run)
        await heard.wait(Signal.EVENTS)


async def who_watches_hears_that_a_run_is_gone_with_its_thread(open_store: OpenStore) -> None:
    store = open_store()
    await begin(store)
    async with hearing(store) as heard:
        await store.delete_thread("ann", "t1")
        await heard.wait(Signal.EVENTS)


async def who_watches_hears_that_a_run_is_to_stop(open_store: OpenStore) -> None:
    store = open_store()
    await begin(store)
    async with hearing(store) as heard:
        assert await store.request_stop("ann", "t1") is True
        await heard.wait(Signal.STOP)


async def nothing_is_missed_once_the_watch_has_begun(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    for position in range(20):
        async with hearing(store) as heard:
            await store.append(run, position, [b"1"])
            await heard.wait(Signal.EVENTS)


async def a_thread_may_be_watched_before_it_is_there(open_store: OpenStore) -> None:
    store = open_store()
    async with hearing(store) as heard:
        await store.append(await begin(store), 0, [b"1"])
        await heard.wait(Signal.EVENTS)


async def many_may_watch_many_threads(open_store: OpenStore) -> None:
    store = open_store()

    async def watch(thread_id: str) -> None:
        async with hearing(store, thread_id) as first, hearing(store, thread_id) as second:
            run = await begin(store, thread_id)
            await store.append(run, 0, [b"1"])
            await first.wait(Signal.EVENTS)
            await second.wait(Signal.EVENTS)

    await asyncio.gather(*(watch(f"t{place}") for place in range(50)))


async def who_has_stopped_watching_hears_nothing_more(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    async with hearing(store) as staying:
        async with hearing(store) as leaving:
            await store.append(run, 0, [b"1"])
            await leaving.wait(Signal.EVENTS)
        await staying.wait(Signal.EVENTS)
        leaving.forget()
        staying.forget()
        await store.append(run, 1, [b"2"])
        await staying.wait(Signal.EVENTS)
        assert not leaving.anything
