"""The end of a run."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ...errors import RunLostError, ThreadNotFoundError
from ...state_store.base import AgentState, StateStore
from .steps import OpenStore, begin, end, ending, last_log, raises, whole_run


async def _kept(store: StateStore) -> tuple[list[list[bytes]], AgentState | None]:
    logs = await store.read_runs("ann", "t1")
    return [list(log.events) for log in logs], await store.load_state("ann", "t1", "a")


async def a_run_ends_with_its_last_events_and_its_state(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    assert (await store.append(run, 1, [b"2", b"3"], ending=ending("left"))).stop_requested is False
    for worker in (store, other):
        log = await last_log(worker)
        assert (list(log.events), log.lease, log.ended) == ([b"1", b"2", b"3"], None, True)
        assert await worker.load_state("ann", "t1", "a") == AgentState(state="left")
    assert (await begin(other)).number == 2


async def a_run_ends_in_one_step(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    reading, done = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            log = await last_log(other)
            state = await other.load_state("ann", "t1", "a")
            assert list(log.events) == ([b"1", b"2"] if log.ended else [])
            assert state is not None or not log.ended
            reading.set()
            await asyncio.sleep(0)

    run = await begin(store)
    reader = asyncio.create_task(read())
    await reading.wait()
    try:
        await store.append(run, 0, [b"1", b"2"], ending=ending("left"))
    finally:
        done.set()
        await reader


async def an_end_that_is_said_again_changes_nothing(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    for worker in (store, store, other):
        await worker.append(run, 0, [b"1", b"2"], ending=ending("left"))
    assert await _kept(store) == ([[b"1", b"2"]], AgentState(state="left"))
    following = await begin(store)
    await store.append(run, 0, [b"1", b"2"], ending=ending("left"))
    log = await last_log(store)
    assert (log.run, log.ended) == (following, False)
    await end(store, following, b"3", state="after")
    await store.append(run, 0, [b"1", b"2"], ending=ending("left"))
    kept, state = await _kept(store)
    assert (kept[1:], state) == ([[b"3"]], AgentState(state="after"))


async def a_run_that_is_over_is_left_as_it_is(open_store: OpenStore) -> None:
    store = open_store()
    run = await whole_run(store, "t1", b"1", state="left")
    await store.append(run, 1, [b"late"])
    await store.append(run, 1, [b"late"], ending=ending("late"))
    assert await _kept(store) == ([[b"1"]], AgentState(state="left"))


async def a_run_that_is_over_is_lost_to_another_producer(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await whole_run(store, "t1", b"1", state="left")
    rival = replace(run, producer="rival")
    for worker in (store, other):
        with raises(RunLostError):
            await worker.append(rival, 1, [b"late"])
        with raises(RunLostError):
            await worker.append(rival, 1, [b"late"], ending=ending("late"))
    assert await _kept(store) == ([[b"1"]], AgentState(state="left"))


async def a_run_is_lost_with_its_thread(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    await other.delete_thread("ann", "t1")
    with raises(RunLostError):
        await store.append(run, 1, [b"2"])
    with raises(RunLostError):
        await store.append(run, 1, [b"2"], ending=ending("late"))
    assert await _kept(store) == ([], None)
    assert await store.list_threads("ann") == []
    with raises(ThreadNotFoundError):
        await store.delete_thread("ann", "t1")


async def a_lost_run_does_not_reach_the_thread_that_took_its_id(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    await store.delete_thread("ann", "t1")
    successor = await begin(other)
    assert successor.number == run.number
    for events in ([b"1"], []):
        with raises(RunLostError):
            await store.append(run, 0, events, ending=ending("late"))
    log = await last_log(store)
    assert (log.run, list(log.events), log.ended) == (successor, [], False)
