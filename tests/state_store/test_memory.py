"""The store for one process: what it keeps, for whom, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from copilotkit_runtime_py.errors import ThreadBusyError, ThreadNotFoundError
from copilotkit_runtime_py.state_store.base import AgentState, RunLog, RunRecord, ThreadRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)


def clock() -> Iterator[datetime]:
    time = START
    while True:
        yield time
        time += timedelta(seconds=1)


TIMES = clock()


def record(thread_id: str = "t1", id: str = "r1", owner: str = "ann", agent: str = "a") -> RunRecord:
    return RunRecord(id=id, thread_id=thread_id, agent_name=agent, owner=owner, started_at=next(TIMES))


async def run(
    store: MemoryStateStore, record: RunRecord, *events: bytes, state: AgentState | None = None
) -> None:
    await store.begin_run(record)
    await store.append(record, events)
    await store.end_run(record, state or AgentState())


async def test_a_state_is_what_the_agents_last_run_left() -> None:
    store = MemoryStateStore()
    left = AgentState(
        state={"a": None, "emoji": "\ud83e"},
        messages=[{"id": "m", "role": "user", "content": "x"}],
        interrupts=[{"id": "i", "reason": "x"}],
    )
    await run(store, record(), state=AgentState(state={"old": 1}))
    await run(store, record(), state=left)
    await run(store, record(agent="b"), state=AgentState(state=[1]))
    assert await store.load_state("ann", "t1", "a") == left
    assert await store.load_state("ann", "t1", "b") == AgentState(state=[1])
    assert await store.load_state("ann", "t1", "c") is None
    assert await store.load_state("ann", "t2", "a") is None


async def test_a_state_is_a_copy() -> None:
    store = MemoryStateStore()
    state = {"a": [1]}
    await run(store, record(), state=AgentState(state=state))
    state["a"].append(2)
    loaded = await store.load_state("ann", "t1", "a")
    assert loaded == AgentState(state={"a": [1]})
    loaded.state["a"].append(3)
    assert await store.load_state("ann", "t1", "a") == AgentState(state={"a": [1]})


async def test_another_owners_thread_is_not_there() -> None:
    store = MemoryStateStore()
    await run(store, record(), b"1")
    for attempt in (
        store.begin_run(record(owner="bob")),
        store.load_state("bob", "t1", "a"),
        store.update_thread("bob", "t1", name="mine"),
        store.delete_thread("bob", "t1"),
    ):
        with pytest.raises(ThreadNotFoundError, match="Thread 't1' was not found"):
            await attempt
    assert await store.read_runs("bob", "t1") == []
    assert await store.list_threads("bob") == []
    assert len(await store.read_runs("ann", "t1")) == 1
    assert [thread.name for thread in await store.list_threads("ann")] == [None]


async def test_a_thread_has_one_run_at_a_time() -> None:
    store = MemoryStateStore()
    first, second = record(), record()
    assert await store.begin_run(first) == 1
    with pytest.raises(ThreadBusyError):
        await store.begin_run(second)
    assert await store.begin_run(record("t2")) == 1
    await store.end_run(first, AgentState())
    assert await store.begin_run(second) == 2


async def test_logs_are_those_of_the_runs_that_are_over() -> None:
    store = MemoryStateStore()
    first, second, third = record(), record(), record()
    await run(store, first, b"1", b"2")
    await run(store, second)
    await store.begin_run(third)
    await store.append(third, [b"3"])
    assert await store.read_runs("ann", "t1") == [
        RunLog(number=1, run=first, events=[b"1", b"2"]),
        RunLog(number=2, run=second, events=[]),
    ]
    assert await store.read_runs("ann", "t2") == []


async def test_a_run_that_is_over_adds_nothing() -> None:
    store = MemoryStateStore()
    old, new = record(), record()
    await run(store, old, b"1", state=AgentState(state={"n": 1}))
    size = store.size
    await store.append(old, [b"late"])
    await store.end_run(old, AgentState(state={"late": True}))
    await store.begin_run(new)
    await store.append(old, [b"late"])
    await store.end_run(old, AgentState(state={"late": True}))
    assert store.size == size
    assert await store.load_state("ann", "t1", "a") == AgentState(state={"n": 1})
    with pytest.raises(ThreadBusyError):
        await store.begin_run(record())


async def test_the_list_shows_the_last_changed_first() -> None:
    store = MemoryStateStore()
    for thread_id, agent in (("t1", "a"), ("t2", "b"), ("t3", "a")):
        await store.begin_run(record(thread_id, agent=agent))
    threads = await store.list_threads("ann")
    assert [thread.id for thread in threads] == ["t3", "t2", "t1"]
    assert [thread.id for thread in await store.list_threads("ann", "a")] == ["t3", "t1"]
    assert threads[0] == ThreadRecord(
        id="t3",
        agent_name="a",
        name=None,
        archived=False,
        created_at=threads[0].created_at,
        updated_at=threads[0].created_at,
    )


async def test_a_thread_is_named_and_put_aside() -> None:
    store = MemoryStateStore()
    await store.begin_run(record())
    named = await store.update_thread("ann", "t1", name="Plans")
    assert (named.name, named.archived) == ("Plans", False)
    aside = await store.update_thread("ann", "t1", archived=True)
    assert (aside.name, aside.archived) == ("Plans", True)
    assert await store.list_threads("ann") == [aside]


async def test_a_deleted_thread_is_gone_with_its_bytes() -> None:
    store = MemoryStateStore()
    active = record("t2")
    await run(store, record("t1"), b"12345")
    await store.begin_run(active)
    await store.append(active, [b"1"])
    await store.delete_thread("ann", "t1")
    await store.delete_thread("ann", "t2")
    await store.append(active, [b"2"])
    await store.end_run(active, AgentState())
    assert (store.size, len(store)) == (0, 0)
    with pytest.raises(ThreadNotFoundError):
        await store.delete_thread("ann", "t1")


async def test_the_oldest_run_of_a_full_thread_goes() -> None:
    store = MemoryStateStore(max_runs_per_thread=2)
    for n in range(4):
        await run(store, record(), b"%d" % n)
    assert [(log.number, log.events) for log in await store.read_runs("ann", "t1")] == [
        (3, [b"2"]),
        (4, [b"3"]),
    ]


async def test_the_thread_used_longest_ago_goes() -> None:
    store = MemoryStateStore(max_threads=2)
    for thread_id in ("t1", "t2", "t1", "t3"):
        await run(store, record(thread_id), b"x")
    assert [thread.id for thread in await store.list_threads("ann")] == ["t3", "t1"]


async def test_bytes_are_bounded_over_all_threads() -> None:
    store = MemoryStateStore(max_bytes=1000)
    for n in range(10):
        await run(store, record(f"t{n}"), b"x" * 300)
        assert store.size <= 1000
    assert [thread.id for thread in await store.list_threads("ann")] == ["t9", "t8"]


async def test_a_thread_with_a_run_in_progress_stays() -> None:
    store = MemoryStateStore(max_threads=1, max_runs_per_thread=1, max_bytes=100)
    active = record("busy")
    await store.begin_run(active)
    await store.append(active, [b"x" * 300])
    for n in range(3):
        await run(store, record(f"t{n}"), b"x" * 300)
    assert [thread.id for thread in await store.list_threads("ann")] == ["busy"]
    assert store.size == 300
    await store.end_run(active, AgentState())
    assert (store.size, len(store)) == (0, 0)


async def test_the_id_of_an_evicted_thread_is_free_for_anybody() -> None:
    store = MemoryStateStore(max_threads=1)
    await run(store, record("t1", owner="ann"))
    await run(store, record("t2", owner="ann"))
    assert await store.begin_run(record("t1", owner="bob")) == 1


async def test_a_state_takes_the_place_of_the_one_before() -> None:
    store = MemoryStateStore()
    await run(store, record(), state=AgentState(state="x" * 100))
    size = store.size
    for _ in range(3):
        await run(store, record(), state=AgentState(state="y" * 100))
    assert store.size == size
    await run(store, record(agent="b"), state=AgentState(state="z" * 100))
    assert store.size == 2 * size


async def test_a_run_in_progress_stays_whatever_the_bound() -> None:
    store = MemoryStateStore(max_runs_per_thread=0)
    active = record()
    await store.begin_run(active)
    await store.append(active, [b"x"])
    assert store.size == 1
    await store.end_run(active, AgentState())
    await run(store, record("t2"))
    await store.delete_thread("ann", "t1")
    await store.delete_thread("ann", "t2")
    assert store.size == 0


@pytest.mark.parametrize("in_turn", [True, False])
async def test_two_hundred_threads_of_ninety_runs_stay_under_the_bound(in_turn: bool) -> None:
    store = MemoryStateStore(max_threads=100, max_runs_per_thread=10, max_bytes=200_000)
    places = [place for _ in range(90) for place in range(200)]
    for place in places if in_turn else sorted(places):
        await run(store, record(f"t{place}"), b"x" * 100, b"y" * 50)
        assert len(store) <= 100
        assert store.size <= 200_000
    for thread in await store.list_threads("ann"):
        assert len(await store.read_runs("ann", thread.id)) == (1 if in_turn else 10)
        await store.delete_thread("ann", thread.id)
    assert store.size == 0


async def test_a_closed_store_is_empty() -> None:
    store = MemoryStateStore()
    await run(store, record(), b"1")
    await store.aclose()
    assert (store.size, len(store)) == (0, 0)
