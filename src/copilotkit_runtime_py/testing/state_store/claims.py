"""Claiming a thread for a run."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ...errors import ThreadBusyError, ThreadNotFoundError
from ...state_store.base import RunRecord
from .steps import OpenStore, begin, end, last_log, raises, record, thread_ids, whole_run


async def the_first_run_of_a_thread_creates_it(open_store: OpenStore) -> None:
    store = open_store()
    asked = record()
    run = await store.begin_run(asked)
    assert run == replace(asked, number=1)
    (thread,) = await store.list_threads("ann")
    assert (thread.id, thread.agent_name, thread.name, thread.archived) == ("t1", "a", None, False)
    assert thread.created_at == asked.started_at
    assert thread.updated_at >= thread.created_at
    (log,) = await store.read_runs("ann", "t1")
    assert (log.run, list(log.events), log.compacted, log.ended) == (run, [], False, False)


async def runs_are_numbered_in_order_though_they_share_an_id(open_store: OpenStore) -> None:
    store = open_store()
    runs = [await whole_run(store, agent=agent) for agent in ("a", "b", "a")]
    assert [run.number for run in runs] == [1, 2, 3]
    logs = await store.read_runs("ann", "t1")
    assert [log.run for log in logs] == runs
    assert [log.ended for log in logs] == [True] * 3


async def a_thread_has_one_run_at_a_time_on_all_workers(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    for worker in (store, other):
        with raises(ThreadBusyError):
            await begin(worker, id="r2")
    assert (await begin(other, "t2")).number == 1
    await end(store, run)
    assert (await begin(other)).number == 2


async def a_refused_claim_leaves_the_thread_as_it_was(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    before = await store.list_threads("ann")
    with raises(ThreadBusyError):
        await begin(store, agent="b")
    with raises(ThreadNotFoundError):
        await begin(store, owner="bob", agent="b")
    assert await store.list_threads("ann") == before
    assert [log.run for log in await store.read_runs("ann", "t1")] == [run]
    await end(store, run)
    assert (await last_log(store)).ended


async def a_claim_that_is_said_again_changes_nothing(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    asked = record()
    run = await store.begin_run(asked)
    await store.append(run, 0, [b"1"])
    before = await store.list_threads("ann")
    assert await store.begin_run(asked) == run
    assert await other.begin_run(asked) == run
    assert await store.list_threads("ann") == before
    (log,) = await store.read_runs("ann", "t1")
    assert (log.run, list(log.events)) == (run, [b"1"])


async def another_owners_thread_cannot_be_claimed(open_store: OpenStore) -> None:
    store = open_store()
    await whole_run(store)
    with raises(ThreadNotFoundError):
        await begin(store, owner="bob")
    assert await thread_ids(store, "bob") == []
    assert (await begin(store)).number == 2


async def of_twenty_claims_at_once_exactly_one_wins(open_store: OpenStore) -> None:
    workers = [open_store(), open_store()]
    for number in (1, 2, 3):
        answers = await asyncio.gather(
            *(begin(workers[place % 2], id=f"r{place}") for place in range(20)), return_exceptions=True
        )
        won = [answer for answer in answers if isinstance(answer, RunRecord)]
        assert len(won) == 1, answers
        assert sum(isinstance(answer, ThreadBusyError) for answer in answers) == 19, answers
        assert won[0].number == number
        assert [log.run for log in await workers[0].read_runs("ann", "t1", since=number)] == won
        await end(workers[0], won[0])


async def of_the_claims_of_many_owners_at_once_exactly_one_wins(open_store: OpenStore) -> None:
    workers = [open_store(), open_store()]
    answers = await asyncio.gather(
        *(begin(workers[place % 2], owner=f"o{place}") for place in range(10)), return_exceptions=True
    )
    (won,) = [answer for answer in answers if isinstance(answer, RunRecord)]
    assert sum(isinstance(answer, ThreadNotFoundError) for answer in answers) == 9, answers
    owners = [place for place in range(10) if await thread_ids(workers[0], f"o{place}")]
    assert [f"o{place}" for place in owners] == [won.owner]


async def the_id_of_a_deleted_thread_is_free_for_anybody(open_store: OpenStore) -> None:
    store = open_store()
    await whole_run(store, "t1", b"1", state="ann's")
    await store.update_thread("ann", "t1", name="ann's", archived=True)
    await store.delete_thread("ann", "t1")
    run = await begin(store, owner="bob")
    assert run.number == 1
    assert await store.load_state("bob", "t1", "a") is None
    (thread,) = await store.list_threads("bob")
    assert (thread.name, thread.archived, thread.created_at) == (None, False, run.started_at)
    (log,) = await store.read_runs("bob", "t1")
    assert (log.run, list(log.events)) == (run, [])
