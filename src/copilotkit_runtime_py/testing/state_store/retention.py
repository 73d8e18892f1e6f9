"""How much is stored. All threads here belong to one owner."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from ...state_store.base import AgentState, Retention, StateStore
from .steps import OpenStore, begin, end, ending, last_log, thread_ids, whole_run


async def _numbers(store: StateStore) -> list[int]:
    return [log.run.number for log in await store.read_runs("ann", "t1")]


async def without_a_bound_everything_stays(open_store: OpenStore) -> None:
    store = open_store(retention=Retention())
    for place in range(30):
        await whole_run(store, "t1", b"1")
        await whole_run(store, f"u{place}", b"1")
    assert await _numbers(store) == list(range(1, 31))
    assert len(await thread_ids(store)) == 31


async def the_oldest_runs_of_a_full_thread_go(open_store: OpenStore) -> None:
    store = open_store(retention=Retention(max_runs_per_thread=2))
    for place in range(4):
        await whole_run(store, "t1", b"%d" % place, agent="ab"[place % 2], state=place)
        await whole_run(store, "t2", b"0")
    assert await _numbers(store) == [3, 4]
    assert list((await last_log(store)).events) == [b"3"]
    assert await store.load_state("ann", "t1", "a") == AgentState(state=2)
    assert (await begin(store)).number == 5
    assert await _numbers(store) == [3, 4, 5]
    logs = await store.read_runs("ann", "t1", since=1, position=1)
    assert [len(log.events) for log in logs[1:]] == [1, 0], "the position is that of a run that is gone"


async def the_threads_that_changed_longest_ago_go(open_store: OpenStore) -> None:
    store = open_store(retention=Retention(max_threads=2))
    for thread_id in ("t1", "t2", "t1", "t3"):
        await whole_run(store, thread_id, b"1", state=thread_id)
    assert await thread_ids(store) == ["t3", "t1"]
    assert await store.read_runs("ann", "t2") == []
    assert await store.load_state("ann", "t2", "a") is None
    await store.update_thread("ann", "t1", name="Plans")
    await whole_run(store, "t4")
    assert await thread_ids(store) == ["t4", "t1"]
    assert (await begin(store, "t2", owner="bob")).number == 1


async def bytes_are_bounded_over_all_threads(open_store: OpenStore) -> None:
    store = open_store(retention=Retention(max_bytes=100_000))
    event = b'"%s"' % (b"x" * 10_000)
    for place in range(20):
        run = await begin(store, f"t{place:02}")
        await store.append(run, 0, [event], ending=ending(compacted=[event]))
    kept = await thread_ids(store)
    assert 2 <= len(kept) <= 9
    assert kept == [f"t{place:02}" for place in reversed(range(20))][: len(kept)]


async def threads_that_have_not_changed_for_long_go(open_store: OpenStore) -> None:
    age = 0.3
    store = open_store(retention=Retention(max_age=timedelta(seconds=age)))
    await begin(store, "busy")
    await whole_run(store, "t1")
    await asyncio.sleep(1.5 * age)
    await whole_run(store, "t2")
    assert await thread_ids(store) == ["t2", "busy"]
    assert await store.read_runs("ann", "t1") == []


async def a_thread_with_a_run_in_progress_stays(open_store: OpenStore) -> None:
    store = open_store(retention=Retention(max_threads=1, max_runs_per_thread=1, max_bytes=10_000))
    busy = await begin(store, "busy")
    event = b'"%s"' % (b"x" * 9_000)
    await store.append(busy, 0, [event])
    for place in range(3):
        await whole_run(store, f"t{place}", event)
    assert "busy" in await thread_ids(store)
    assert (await store.append(busy, 1, [b"2"])).stop_requested is False
    assert list((await last_log(store, "busy")).events) == [event, b"2"]


async def a_run_that_is_said_to_be_over_again_takes_nothing_with_it(open_store: OpenStore) -> None:
    store = open_store(retention=Retention(max_runs_per_thread=2))
    run = await begin(store)
    for _ in range(3):
        await end(store, run, b"1")
    await whole_run(store, "t1", b"2")
    await end(store, run, b"1")
    assert await _numbers(store) == [1, 2]
