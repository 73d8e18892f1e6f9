"""Threads that are older than the store: their last change was when it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ...state_store.base import StateStore
from .steps import OpenStore, ending, record, thread_ids, whole_run

_LONG_AGO = datetime(2020, 1, 2, 3, 4, 5, 678000, UTC)


async def _imported(store: StateStore, thread_id: str, changed_at: datetime) -> None:
    started_at = changed_at - timedelta(days=1)
    run = await store.begin_run(replace(record(thread_id), started_at=started_at))
    await store.append(run, 0, (), ending=replace(ending(), changed_at=changed_at))


async def a_thread_whose_end_says_so_has_changed_then_and_not_now(open_store: OpenStore) -> None:
    store = open_store()
    await _imported(store, "t1", _LONG_AGO)
    (thread,) = await store.list_threads("ann")
    assert thread.updated_at == thread.last_run_at == _LONG_AGO
    assert thread.created_at == _LONG_AGO - timedelta(days=1)


async def threads_are_listed_by_the_times_of_their_last_runs_whenever_they_came(
    open_store: OpenStore,
) -> None:
    store = open_store()
    await whole_run(store, "new")
    for days in (3, 1, 2):
        await _imported(store, f"old {days}", _LONG_AGO - timedelta(days=days))
    assert await thread_ids(store) == ["new", "old 1", "old 2", "old 3"]
    pages = [await store.list_threads("ann", limit=2), await store.list_threads("ann", after="old 1")]
    assert [[thread.id for thread in page] for page in pages] == [["new", "old 1"], ["old 2", "old 3"]]
    await whole_run(store, "old 3")
    assert (await thread_ids(store))[0] == "old 3"


async def threads_that_changed_at_the_same_time_are_all_listed_once(open_store: OpenStore) -> None:
    store = open_store()
    ids = {f"t{number}" for number in range(5)}
    for id in ids:
        await _imported(store, id, _LONG_AGO)
    found: list[str] = []
    while len(found) < 5:
        page = await store.list_threads("ann", limit=2, after=found[-1] if found else None)
        assert page
        found += [thread.id for thread in page]
    assert set(found) == ids
