"""Asking a run to stop."""

from __future__ import annotations

from .steps import OpenStore, begin, end, ending, whole_run


async def a_producer_learns_that_its_run_is_to_stop(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    assert (await store.append(run, 0, [b"1"])).stop_requested is False
    assert await other.request_stop("ann", "t1") is True
    assert (await store.append(run, 1, [b"2"])).stop_requested is True
    assert (await store.append(run, 2, [])).stop_requested is True
    assert await store.request_stop("ann", "t1") is True
    assert (await store.append(run, 2, [b"3"], ending=ending())).stop_requested is True


async def a_run_is_asked_by_its_id(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store, id="r1")
    assert await store.request_stop("ann", "t1", "r2") is False
    assert (await store.append(run, 0, [])).stop_requested is False
    assert await store.request_stop("ann", "t1", "r1") is True
    assert (await store.append(run, 0, [])).stop_requested is True


async def another_owner_stops_nothing(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    assert await store.request_stop("bob", "t1") is False
    assert await store.request_stop("bob", "t1", run.id) is False
    assert (await store.append(run, 0, [b"1"])).stop_requested is False


async def where_no_run_is_in_progress_nobody_is_asked(open_store: OpenStore) -> None:
    store = open_store()
    assert await store.request_stop("ann", "t1") is False
    run = await whole_run(store)
    assert await store.request_stop("ann", "t1") is False
    assert await store.request_stop("ann", "t1", run.id) is False


async def the_next_run_is_not_asked(open_store: OpenStore) -> None:
    store = open_store()
    stopped = await begin(store)
    assert await store.request_stop("ann", "t1") is True
    await end(store, stopped)
    following = await begin(store)
    assert (await store.append(following, 0, [b"1"])).stop_requested is False


async def the_run_of_another_thread_is_not_asked(open_store: OpenStore) -> None:
    store = open_store()
    first, second = await begin(store, "t1"), await begin(store, "t2")
    assert await store.request_stop("ann", "t1") is True
    assert (await store.append(first, 0, [])).stop_requested is True
    assert (await store.append(second, 0, [])).stop_requested is False
