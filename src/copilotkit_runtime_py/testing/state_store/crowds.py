"""Much at once, and big things."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ...state_store.base import AgentState, StateStore
from .steps import OpenStore, begin, end, ending, last_log, whole_run


async def ten_thousand_events_are_added_at_once(open_store: OpenStore) -> None:
    store = open_store()
    events = [b'{"place":%d}' % place for place in range(10_000)]
    run = await begin(store)
    await store.append(run, 0, events)
    await store.append(run, 9_990, events[9_990:], ending=ending(compacted=events))
    assert list((await last_log(store)).events) == events
    (log,) = await store.read_runs("ann", "t1", position=9_999)
    assert list(log.events) == events[9_999:]
    await whole_run(store)
    (log, _) = await store.read_runs("ann", "t1")
    assert (list(log.events), log.compacted) == (events, True)


async def an_event_and_a_state_may_have_five_megabytes(open_store: OpenStore) -> None:
    store = open_store()
    text = "ä" * 2_500_000
    event = f'"{text}"'.encode()
    run = await begin(store)
    await store.append(run, 0, [event])
    await store.append(run, 1, [b"2"], ending=ending(text, compacted=[event, b"2"]))
    assert list((await last_log(store)).events) == [event, b"2"]
    assert await store.load_state("ann", "t1", "a") == AgentState(state=text)


async def a_log_grows_by_many_small_batches(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    for place in range(300):
        await store.append(run, place, [b"%d" % place])
    assert list((await last_log(store)).events) == [b"%d" % place for place in range(300)]


async def fifty_threads_at_once_are_not_mixed_up(open_store: OpenStore) -> None:
    workers = [open_store(), open_store()]

    async def converse(store: StateStore, thread_id: str, owner: str) -> None:
        for number in (1, 2):
            run = await begin(store, thread_id, owner=owner)
            assert run.number == number
            for place in range(5):
                await store.append(run, place, [f'"{thread_id} {number} {place}"'.encode()])
            await store.append(run, 5, [], ending=ending(thread_id))
        log = await last_log(store, thread_id, owner)
        assert list(log.events) == [f'"{thread_id} 2 {place}"'.encode() for place in range(5)]
        assert await store.load_state(owner, thread_id, "a") == AgentState(state=thread_id)

    await asyncio.gather(*(converse(workers[place % 2], f"t{place}", f"o{place % 5}") for place in range(50)))
    for owner in range(5):
        threads = await workers[0].list_threads(f"o{owner}")
        assert {thread.id for thread in threads} == {f"t{place}" for place in range(owner, 50, 5)}


async def a_batch_that_is_said_by_many_at_once_is_kept_once(open_store: OpenStore) -> None:
    workers = [open_store(), open_store()]
    run = await begin(workers[0])
    events = [b"%d" % place for place in range(10)]
    await asyncio.gather(
        *(workers[place % 2].append(run, 0, events) for place in range(20)),
    )
    await asyncio.gather(*(workers[place % 2].append(run, place, events[place:]) for place in range(10)))
    assert list((await last_log(workers[0])).events) == events


async def runs_that_end_at_once_all_end(open_store: OpenStore) -> None:
    workers = [open_store(), open_store()]
    runs = [await begin(workers[0], f"t{place}") for place in range(20)]
    await asyncio.gather(*(end(workers[place % 2], run, b"1") for place, run in enumerate(runs)))
    for run in runs:
        log = await last_log(workers[0], run.thread_id)
        assert (list(log.events), log.ended) == ([b"1"], True)


async def what_was_cancelled_may_be_said_again(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    events = [b"%d" % place for place in range(30)]
    for place, event in enumerate(events):
        task = asyncio.create_task(store.append(run, place, [event]))
        for _ in range(place):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await store.append(run, place, [event])
    assert list((await last_log(store)).events) == events
