"""The store for one process: how much it keeps, and whose threads go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from copilotkit_runtime_py.errors import RunLostError, ThreadNotFoundError
from copilotkit_runtime_py.state_store.attachments import AttachmentQuota, AttachmentRecord
from copilotkit_runtime_py.state_store.base import AgentState, Retention, RunEnding, RunRecord
from copilotkit_runtime_py.state_store.memory import MEMORY_RETENTION, MemoryStateStore

pytestmark = pytest.mark.anyio


def record(thread_id: str = "t1", id: str = "r1", owner: str = "ann", agent: str = "a") -> RunRecord:
    return RunRecord(id=id, thread_id=thread_id, agent_name=agent, owner=owner)


async def run(
    store: MemoryStateStore,
    record: RunRecord,
    *events: bytes,
    state: AgentState | None = None,
    compacted: Sequence[bytes] = (),
) -> None:
    await end(store, await store.begin_run(record), *events, state=state, compacted=compacted)


async def end(
    store: MemoryStateStore,
    begun: RunRecord,
    *events: bytes,
    state: AgentState | None = None,
    compacted: Sequence[bytes] = (),
) -> None:
    ending = RunEnding(state=state or AgentState(), compacted=compacted)
    await store.append(begun, 0, events, ending=ending)


async def ids(store: MemoryStateStore, owner: str = "ann") -> list[str]:
    return [thread.id for thread in await store.list_threads(owner)]


EMPTY = len(b'{"state":{},"messages":[],"interrupts":[]}')


async def test_it_ends_with_the_process_and_is_nowhere_else() -> None:
    store = MemoryStateStore()
    assert (store.lease_seconds, store.url) == (None, None)


async def test_nobody_takes_a_run_over() -> None:
    store = MemoryStateStore()
    await store.begin_run(record())
    (log,) = await store.read_runs("ann", "t1")
    assert log.lease == math.inf
    with pytest.raises(RunLostError):
        await store.append(record(), 0, [b"1"])


async def test_a_state_is_a_copy() -> None:
    store = MemoryStateStore()
    state = {"a": [1]}
    await run(store, record(), state=AgentState(state=state))
    state["a"].append(2)
    loaded = await store.load_state("ann", "t1", "a")
    assert loaded == AgentState(state={"a": [1]})
    loaded.state["a"].append(3)
    assert await store.load_state("ann", "t1", "a") == AgentState(state={"a": [1]})


async def test_a_log_that_was_read_does_not_grow() -> None:
    store = MemoryStateStore()
    begun = await store.begin_run(record())
    await store.append(begun, 0, [b"1"])
    (log,) = await store.read_runs("ann", "t1")
    await store.append(begun, 1, [b"2"])
    assert log.events == [b"1"]


async def test_a_run_whose_state_is_no_json_is_not_half_written() -> None:
    store = MemoryStateStore()
    begun = await store.begin_run(record())
    with pytest.raises(TypeError):
        await end(store, begun, b"1", state=AgentState(state=object()))
    (log,) = await store.read_runs("ann", "t1")
    assert (log.events, log.ended, store.size) == ([], False, 0)


async def test_every_byte_is_counted_until_it_goes() -> None:
    store = MemoryStateStore()
    begun = await store.begin_run(record())
    await store.append(begun, 0, [b"12", b"34"])
    assert store.size == 4
    await end(store, begun, b"12", b"34", b"56", compacted=[b"123"])
    assert store.size == 6 + 3 + EMPTY
    await run(store, record(), b"7")
    assert store.size == 3 + 1 + EMPTY
    await store.delete_thread("ann", "t1")
    assert (store.size, len(store)) == (0, 0)


async def test_a_run_that_goes_takes_its_bytes_along_compacted_or_not() -> None:
    store = MemoryStateStore(retention=Retention(max_runs_per_thread=2))
    for _ in range(4):
        await run(store, record(), b"12", b"345", compacted=[b"6"])
    assert store.size == (2 + 3 + 1) + 1 + EMPTY


async def test_a_full_store_may_hold_exactly_its_bound() -> None:
    store = MemoryStateStore(retention=Retention(max_bytes=2 * (3 + EMPTY)))
    for thread_id in ("t1", "t2"):
        await run(store, record(thread_id), b"123")
    assert await ids(store) == ["t2", "t1"]
    await run(store, record("t2"), b"")
    assert await ids(store) == ["t2", "t1"]
    await run(store, record("t2"), b"1234")
    assert await ids(store) == ["t2"]


async def test_an_owner_who_deletes_a_thread_has_so_much_less() -> None:
    store = MemoryStateStore(retention=Retention(max_bytes=4 * EMPTY + 500))
    await run(store, record("anns"), b"x" * 100)
    await run(store, record("anns large one"), b"x" * 240)
    await store.delete_thread("ann", "anns large one")
    for owner, size in (("bob", 200), ("cecil", 150), ("diana", 100)):
        await run(store, record(f"{owner}s", owner=owner), b"x" * size)
    left = [await ids(store, owner) for owner in ("ann", "bob", "cecil", "diana")]
    assert left == [["anns"], [], ["cecils"], ["dianas"]]


async def test_all_runs_are_those_from_any_number_up_to_the_first_on() -> None:
    store = MemoryStateStore()
    for _ in range(3):
        await run(store, record(), b"1")
    read = {since: await store.read_runs("ann", "t1", since=since) for since in (-2, -1, 0, 1, 3)}
    numbers = {since: [log.run.number for log in logs] for since, logs in read.items()}
    assert numbers == {-2: [2, 3], -1: [3], 0: [1, 2, 3], 1: [1, 2, 3], 3: [3]}


async def test_events_after_a_gap_are_refused_with_their_place() -> None:
    store = MemoryStateStore()
    begun = await store.begin_run(record())
    await store.append(begun, 0, [b"1"])
    with pytest.raises(ValueError, match="events for position 2 of a log of 1"):
        await store.append(begun, 2, [b"3"])


async def test_a_store_that_was_closed_bounds_files_as_before() -> None:
    store = MemoryStateStore(retention=Retention(max_bytes=400))
    await store.aclose()
    now = datetime.now(UTC)
    quota = AttachmentQuota(files=None, bytes=None)
    for id in ("first", "second"):
        file = AttachmentRecord(
            id=id, owner="ann", media_type="text/plain", filename=None, size=60, created_at=now
        )
        assert await store.begin_attachment(file, quota=quota, unsent_since=now)
        await store.write_attachment(id, 0, b"x" * 60)
        await store.finish_attachment(id)
    assert [found.id for found in await store.find_attachments(["first", "second"])] == ["second"]


async def test_an_upload_in_progress_is_not_evicted_by_another_one() -> None:
    store = MemoryStateStore(retention=Retention(max_bytes=400))
    now = datetime.now(UTC)
    quota = AttachmentQuota(files=None, bytes=None)

    async def begin(id: str) -> bool:
        file = AttachmentRecord(
            id=id, owner="ann", media_type="text/plain", filename=None, size=60, created_at=now
        )
        return await store.begin_attachment(file, quota=quota, unsent_since=now)

    assert await begin("first")
    assert not await begin("second")
    await store.write_attachment("first", 0, b"x" * 60)
    await store.finish_attachment("first")
    assert await begin("third")
    assert await store.find_attachments(["first"]) == []


async def test_a_state_takes_the_place_of_the_one_before() -> None:
    store = MemoryStateStore()
    await run(store, record(), state=AgentState(state="x" * 100))
    size = store.size
    for _ in range(3):
        await run(store, record(), state=AgentState(state="y" * 100))
    assert store.size == size
    await run(store, record(agent="b"), state=AgentState(state="z" * 100))
    assert store.size == 2 * size


async def test_a_run_in_progress_is_deleted_with_its_bytes() -> None:
    store = MemoryStateStore()
    begun = await store.begin_run(record())
    await store.append(begun, 0, [b"1"])
    await store.delete_thread("ann", "t1")
    with pytest.raises(RunLostError):
        await store.append(begun, 1, [b"2"])
    assert (store.size, len(store)) == (0, 0)


async def test_bytes_are_bounded_over_all_threads_while_runs_grow() -> None:
    store = MemoryStateStore(retention=Retention(max_bytes=1000))
    for n in range(10):
        begun = await store.begin_run(record(f"t{n}"))
        for position in range(3):
            await store.append(begun, position, [b"x" * 100])
            assert store.size <= 1000
        await end(store, begun, b"x" * 100, b"x" * 100, b"x" * 100)
    assert await ids(store) == ["t9", "t8"]


async def test_a_thread_with_a_run_in_progress_stays() -> None:
    store = MemoryStateStore(retention=Retention(max_threads=1, max_runs_per_thread=1, max_bytes=100))
    active = await store.begin_run(record("busy"))
    await store.append(active, 0, [b"x" * 300])
    for n in range(3):
        await run(store, record(f"t{n}"), b"x" * 300)
    assert await ids(store) == ["busy"]
    assert store.size == 300
    await end(store, active)
    assert (store.size, len(store)) == (0, 0)


async def test_a_run_in_progress_stays_whatever_the_bound() -> None:
    store = MemoryStateStore(retention=Retention(max_runs_per_thread=0))
    active = await store.begin_run(record())
    await store.append(active, 0, [b"x"])
    assert store.size == 1
    await end(store, active)
    assert store.size == EMPTY
    assert (await store.begin_run(record())).number == 2


async def test_the_id_of_an_evicted_thread_is_free_for_anybody() -> None:
    store = MemoryStateStore(retention=Retention(max_threads=1))
    await run(store, record("t1", owner="ann"))
    await run(store, record("t2", owner="ann"))
    assert (await store.begin_run(record("t1", owner="bob"))).number == 1


async def test_an_owner_with_many_threads_loses_their_own() -> None:
    store = MemoryStateStore(retention=Retention(max_threads=5))
    for owner in ("ann", "bob"):
        await run(store, record(f"{owner}s", owner=owner))
    for n in range(20):
        await run(store, record(f"t{n}", owner="eve"))
    assert [await ids(store, owner) for owner in ("ann", "bob", "eve")] == [
        ["anns"],
        ["bobs"],
        ["t19", "t18", "t17"],
    ]


async def test_an_owner_with_many_bytes_loses_their_own() -> None:
    store = MemoryStateStore(retention=Retention(max_bytes=1000))
    for n in range(3):
        await run(store, record(f"t{n}", owner="ann"), b"x" * 10)
    for n in range(3):
        await run(store, record(f"big{n}", owner="eve"), b"x" * 500)
    assert await ids(store, "ann") == ["t2", "t1", "t0"]
    assert await ids(store, "eve") == ["big2"]


async def test_of_owners_who_keep_as_much_the_thread_that_changed_longest_ago_goes() -> None:
    store = MemoryStateStore(retention=Retention(max_threads=2))
    for owner in ("ann", "bob", "ann", "eve"):
        await run(store, record(owner, owner=owner))
    assert [await ids(store, owner) for owner in ("ann", "bob", "eve")] == [["ann"], [], ["eve"]]


async def test_aged_threads_go_and_a_busy_one_does_not() -> None:
    store = MemoryStateStore(retention=Retention(max_age=timedelta(0)))
    await store.begin_run(record("busy"))
    for n in range(3):
        await run(store, record(f"t{n}"))
        assert set(await ids(store)) <= {f"t{n}", "busy"}
    assert "busy" in await ids(store)


async def test_an_owner_without_threads_leaves_nothing_behind() -> None:
    store = MemoryStateStore(retention=Retention(max_threads=1))
    await run(store, record("t1", owner="ann"))
    await run(store, record("t2", owner="bob"))
    assert await store.list_threads("ann") == []
    with pytest.raises(ThreadNotFoundError):
        await store.delete_thread("ann", "t1")
    await store.delete_thread("bob", "t2")
    assert (len(store), store.size) == (0, 0)


@pytest.mark.parametrize("in_turn", [True, False])
async def test_two_hundred_threads_of_ninety_runs_stay_under_the_bound(in_turn: bool) -> None:
    store = MemoryStateStore(retention=Retention(max_threads=100, max_runs_per_thread=10, max_bytes=200_000))
    places = [place for _ in range(90) for place in range(200)]
    for place in places if in_turn else sorted(places):
        await run(
            store, record(f"t{place}", owner=f"o{place % 7}"), b"x" * 100, b"y" * 50, compacted=[b"z" * 150]
        )
        assert len(store) <= 100
        assert store.size <= 200_000
    for owner in range(7):
        for thread in await store.list_threads(f"o{owner}"):
            assert len(await store.read_runs(f"o{owner}", thread.id)) == (1 if in_turn else 10)
            await store.delete_thread(f"o{owner}", thread.id)
    assert (store.size, len(store)) == (0, 0)


async def test_the_bounds_are_there_unless_others_are_given() -> None:
    store = MemoryStateStore()
    for n in range((MEMORY_RETENTION.max_threads or 0) + 1):
        await run(store, record(f"t{n}"))
    assert len(store) == MEMORY_RETENTION.max_threads == 1000


async def test_a_closed_store_is_empty() -> None:
    store = MemoryStateStore()
    await run(store, record(), b"1")
    await store.aclose()
    assert (store.size, len(store)) == (0, 0)
