"""The threads of an owner: listed, renamed, archived and deleted."""

from __future__ import annotations

from dataclasses import replace

from ...errors import RunLostError, ThreadNotFoundError
from ...state_store.base import StateStore
from .steps import OpenStore, begin, end, ending, raises, record, thread_ids, whole_run


async def _pages(store: StateStore, size: int, agent: str | None = None) -> list[list[str]]:
    pages: list[list[str]] = []
    after: str | None = None
    while len(pages) < 10:
        page = [thread.id for thread in await store.list_threads("ann", agent, limit=size, after=after)]
        if not page:
            break
        pages.append(page)
        after = page[-1]
    return pages


async def the_thread_of_the_latest_run_is_listed_first(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    for thread_id in ("t1", "t2", "t3", "t4"):
        await whole_run(store, thread_id)
    assert await thread_ids(store) == ["t4", "t3", "t2", "t1"]
    run = await begin(store, "t1")
    assert await thread_ids(store) == ["t1", "t4", "t3", "t2"]
    await whole_run(store, "t2")
    assert await thread_ids(store) == ["t2", "t1", "t4", "t3"]
    await end(store, run)
    threads = await other.list_threads("ann")
    assert [thread.id for thread in threads] == ["t1", "t2", "t4", "t3"]
    times = [thread.last_run_at for thread in threads]
    assert times == sorted(times, reverse=True)


async def a_thread_stays_where_it_is_when_it_is_named_or_archived(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    for thread_id in ("t1", "t2", "t3"):
        await whole_run(store, thread_id)
    before = await store.list_threads("ann")
    await store.update_thread("ann", "t1", name="Plans")
    await store.update_thread("ann", "t2", archived=True)
    after = await other.list_threads("ann", include_archived=True)
    assert [(thread.id, thread.last_run_at) for thread in after] == [
        (thread.id, thread.last_run_at) for thread in before
    ]
    assert after[2].updated_at >= after[0].updated_at
    assert all(thread.updated_at >= thread.last_run_at for thread in after)
    pages = [await store.list_threads("ann", limit=1), await store.list_threads("ann", after="t3")]
    assert [[thread.id for thread in page] for page in pages] == [["t3"], ["t1"]]


async def a_run_names_a_thread_that_has_no_name(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()

    async def name() -> str | None:
        (thread,) = await other.list_threads("ann")
        return thread.name

    run = await begin(store)
    assert await name() is None
    await store.append(run, 0, (), ending=replace(ending(), title="Plans 🌍\x00"))
    assert await name() == "Plans 🌍\x00"
    run = await store.begin_run(replace(record(), title="Others"))
    await store.append(run, 0, (), ending=replace(ending(), title="Still others"))
    assert await name() == "Plans 🌍\x00"
    await store.update_thread("ann", "t1", name="")
    await store.begin_run(replace(record(), title="Others"))
    assert await name() == ""


async def a_thread_is_named_as_soon_as_its_run_begins(open_store: OpenStore) -> None:
    store = open_store()
    run = await store.begin_run(replace(record(), title="Plans"))
    (thread,) = await store.list_threads("ann")
    assert thread.name == "Plans"
    await store.update_thread("ann", "t1", name="Mine")
    await store.append(run, 0, (), ending=replace(ending(), title="Plans"))
    (thread,) = await store.list_threads("ann")
    assert thread.name == "Mine"


async def threads_are_listed_by_the_agent_that_ran_last(open_store: OpenStore) -> None:
    store = open_store()
    for thread_id, agent in (("t1", "a"), ("t2", "b"), ("t3", "a"), ("t4", "a"), ("t4", "b")):
        await whole_run(store, thread_id, agent=agent)
    assert [await thread_ids(store, "ann", agent) for agent in (None, "a", "b", "c")] == [
        ["t4", "t3", "t2", "t1"],
        ["t3", "t1"],
        ["t4", "t2"],
        [],
    ]


async def an_archived_thread_is_listed_on_demand_only(open_store: OpenStore) -> None:
    store = open_store()
    for thread_id in ("t1", "t2", "t3"):
        await whole_run(store, thread_id)
    archived = await store.update_thread("ann", "t2", archived=True)
    assert await thread_ids(store) == ["t3", "t1"]
    everything = await store.list_threads("ann", include_archived=True)
    assert [thread.id for thread in everything] == ["t3", "t2", "t1"]
    assert everything[1] == archived
    await store.update_thread("ann", "t2", archived=False)
    assert await thread_ids(store) == ["t3", "t2", "t1"]


async def pages_make_up_the_whole_list(open_store: OpenStore) -> None:
    store = open_store()
    for place in range(7):
        await whole_run(store, f"t{place}", agent="ab"[place % 2])
    assert await _pages(store, 3) == [["t6", "t5", "t4"], ["t3", "t2", "t1"], ["t0"]]
    assert await _pages(store, 2, "a") == [["t6", "t4"], ["t2", "t0"]]
    assert await _pages(store, 100) == [[f"t{place}" for place in reversed(range(7))]]
    await store.update_thread("ann", "t4", archived=True)
    assert [thread.id for thread in await store.list_threads("ann", limit=2, after="t5")] == ["t3", "t2"]


async def a_list_goes_on_after_a_thread_that_it_does_not_show(open_store: OpenStore) -> None:
    store = open_store()
    for thread_id, agent in (("t1", "a"), ("t2", "b"), ("t3", "a")):
        await whole_run(store, thread_id, agent=agent)
    assert [thread.id for thread in await store.list_threads("ann", "a", after="t2")] == ["t1"]
    await store.update_thread("ann", "t3", archived=True)
    assert [thread.id for thread in await store.list_threads("ann", after="t3")] == ["t2", "t1"]


async def nothing_follows_a_thread_that_the_owner_does_not_have(open_store: OpenStore) -> None:
    store = open_store()
    await whole_run(store, "t1")
    await whole_run(store, "t2", owner="bob")
    await whole_run(store, "t3")
    await whole_run(store, "gone")
    await store.delete_thread("ann", "gone")
    for after in ("gone", "t2", "t1"):
        assert await store.list_threads("ann", after=after) == []
    assert [thread.id for thread in await store.list_threads("ann", after="t3")] == ["t1"]


async def a_thread_is_named_and_archived(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    await whole_run(store)
    (before,) = await store.list_threads("ann")
    named = await store.update_thread("ann", "t1", name="Plans 🌍\x00")
    assert (named.id, named.agent_name, named.created_at) == ("t1", "a", before.created_at)
    assert (named.name, named.archived) == ("Plans 🌍\x00", False)
    assert named.updated_at >= before.updated_at
    assert await other.list_threads("ann") == [named]
    archived = await store.update_thread("ann", "t1", archived=True)
    assert (archived.name, archived.archived) == ("Plans 🌍\x00", True)
    back = await store.update_thread("ann", "t1", name="", archived=False)
    assert (back.name, back.archived) == ("", False)
    await whole_run(store)
    (after,) = await other.list_threads("ann")
    assert (after.name, after.archived) == ("", False)


async def a_deleted_thread_is_gone_with_all_that_was_kept_of_it(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    await whole_run(store, "t1", b"1", state="left")
    await whole_run(store, "t2", b"2", state="stays")
    await store.delete_thread("ann", "t1")
    for worker in (store, other):
        assert await thread_ids(worker) == ["t2"]
        assert await worker.read_runs("ann", "t1") == []
        assert await worker.load_state("ann", "t1", "a") is None
        assert await worker.request_stop("ann", "t1") is False
        with raises(ThreadNotFoundError):
            await worker.update_thread("ann", "t1", name="x")
        with raises(ThreadNotFoundError):
            await worker.delete_thread("ann", "t1")
    (log,) = await store.read_runs("ann", "t2")
    assert list(log.events) == [b"2"]


async def another_owners_thread_does_not_exist(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    before = await store.list_threads("ann")
    for owner in ("bob", "an", "ann ", "Ann", "%", "*", ""):
        for attempt in (
            store.load_state(owner, "t1", "a"),
            store.update_thread(owner, "t1", name="mine", archived=True),
            store.delete_thread(owner, "t1"),
            begin(store, owner=owner),
        ):
            with raises(ThreadNotFoundError):
                await attempt
        assert await store.list_threads(owner, include_archived=True) == []
        assert await store.list_threads(owner, after="t1") == []
        assert await store.read_runs(owner, "t1") == []
        assert await store.request_stop(owner, "t1") is False
    assert await store.list_threads("ann") == before
    assert (await store.append(run, 1, [b"2"], ending=ending())).stop_requested is False


async def a_thread_is_deleted_while_its_run_is_in_progress(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    await whole_run(store, "t1", b"1")
    run = await begin(store)
    await other.delete_thread("ann", "t1")
    assert await store.read_runs("ann", "t1") == []
    with raises(RunLostError):
        await store.append(run, 0, [])
    assert (await begin(store, owner="bob")).number == 1
