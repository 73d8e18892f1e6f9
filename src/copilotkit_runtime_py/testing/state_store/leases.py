"""Which producer holds a run, and what happens when it dies."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ...errors import RunLostError, ThreadBusyError
from ...state_store.base import AgentState, AppendResult
from .steps import LONG_LEASE, SHORT_LEASE, OpenStore, begin, end, ending, expire, last_log, raises, whole_run


async def a_producer_holds_its_run_for_as_long_as_the_store_says(open_store: OpenStore) -> None:
    store, other = open_store(lease_seconds=LONG_LEASE), open_store(lease_seconds=LONG_LEASE)
    assert store.lease_seconds == LONG_LEASE
    run = await begin(store)
    for worker in (store, other):
        lease = (await last_log(worker)).lease
        assert lease is not None
        assert 0 < lease < LONG_LEASE + 1
    await end(store, run)
    assert (await last_log(other)).lease is None


async def a_store_has_a_lease_of_its_own_choice(open_store: OpenStore) -> None:
    store = open_store()
    assert store.lease_seconds is not None
    assert store.lease_seconds > 0


async def writing_renews_a_lease_though_nothing_is_written(open_store: OpenStore) -> None:
    short, long = open_store(lease_seconds=SHORT_LEASE), open_store(lease_seconds=LONG_LEASE)
    run = await begin(short)
    await expire(short)
    await long.append(run, 0, [])
    lease = (await last_log(short)).lease
    assert lease is not None
    assert lease > 1
    with raises(RunLostError):
        await short.append(replace(run, producer="rival"), 0, [b"rival"])


async def reading_renews_nothing(open_store: OpenStore) -> None:
    store = open_store(lease_seconds=SHORT_LEASE)
    await begin(store)
    await expire(store)
    await store.load_state("ann", "t1", "a")
    await store.list_threads("ann")
    await store.update_thread("ann", "t1", name="Plans")
    lease = (await last_log(store)).lease
    assert lease is not None
    assert lease <= 0


async def a_thread_stays_busy_though_the_lease_has_run_out(open_store: OpenStore) -> None:
    store = open_store(lease_seconds=SHORT_LEASE)
    await begin(store)
    await expire(store)
    with raises(ThreadBusyError):
        await begin(store)
    log = await last_log(store)
    assert (log.run.number, log.ended) == (1, False)


async def nobody_is_asked_to_stop_once_the_lease_has_run_out(open_store: OpenStore) -> None:
    store = open_store(lease_seconds=SHORT_LEASE)
    run = await begin(store)
    await expire(store)
    assert await store.request_stop("ann", "t1") is False
    assert await store.request_stop("ann", "t1", run.id) is False


async def a_producer_that_is_late_goes_on_if_nobody_took_over(open_store: OpenStore) -> None:
    store = open_store(lease_seconds=SHORT_LEASE)
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    await expire(store)
    await store.append(run, 1, [b"2"])
    await expire(store)
    await store.append(run, 2, [b"3"], ending=ending("left"))
    assert list((await last_log(store)).events) == [b"1", b"2", b"3"]
    assert await store.load_state("ann", "t1", "a") == AgentState(state="left")


async def who_takes_over_ends_the_run_after_all_that_was_kept(open_store: OpenStore) -> None:
    store, other = open_store(lease_seconds=SHORT_LEASE), open_store(lease_seconds=SHORT_LEASE)
    run = await begin(store)
    await store.append(run, 0, [b"1", b"2"])
    await expire(other)
    log = await last_log(other)
    rival = replace(log.run, producer="rival")
    await other.append(rival, len(log.events), [b'"gone"'], ending=ending("closed"))
    with raises(RunLostError):
        await store.append(run, 2, [b"late"])
    with raises(RunLostError):
        await store.append(run, 2, [b"late"], ending=ending("late"))
    log = await last_log(store)
    assert (log.run, list(log.events), log.ended) == (rival, [b"1", b"2", b'"gone"'], True)
    assert await store.load_state("ann", "t1", "a") == AgentState(state="closed")
    assert (await begin(store)).number == 2


async def who_takes_over_holds_the_run(open_store: OpenStore) -> None:
    short, long = open_store(lease_seconds=SHORT_LEASE), open_store(lease_seconds=LONG_LEASE)
    run = await begin(short)
    await short.append(run, 0, [b"1"])
    await expire(short)
    rival = replace(run, producer="rival")
    await long.append(rival, 1, [b"2"])
    for producer in ("third", run.producer):
        with raises(RunLostError):
            await short.append(replace(run, producer=producer), 1, [b"late"], ending=ending("late"))
    log = await last_log(short)
    assert (log.run, list(log.events), log.ended) == (rival, [b"1", b"2"], False)
    await long.append(rival, 2, [], ending=ending("closed"))
    await long.append(rival, 2, [], ending=ending("closed"))
    assert (await last_log(short)).ended


async def of_many_who_take_over_at_once_exactly_one_wins(open_store: OpenStore) -> None:
    short = open_store(lease_seconds=SHORT_LEASE)
    workers = [open_store(lease_seconds=LONG_LEASE), open_store(lease_seconds=LONG_LEASE)]
    run = await begin(short)
    await short.append(run, 0, [b"1"])
    await expire(short)
    answers = await asyncio.gather(
        *(
            workers[place % 2].append(
                replace(run, producer=f"p{place}"), 1, [b"%d" % place], ending=ending(place)
            )
            for place in range(10)
        ),
        return_exceptions=True,
    )
    (winner,) = [place for place, answer in enumerate(answers) if isinstance(answer, AppendResult)]
    assert sum(isinstance(answer, RunLostError) for answer in answers) == 9, answers
    log = await last_log(short)
    assert (log.run.producer, list(log.events), log.ended) == (f"p{winner}", [b"1", b"%d" % winner], True)
    assert await short.load_state("ann", "t1", "a") == AgentState(state=winner)


async def a_producer_and_who_takes_over_do_not_both_write(open_store: OpenStore) -> None:
    store, other = open_store(lease_seconds=SHORT_LEASE), open_store(lease_seconds=LONG_LEASE)
    for number in range(1, 6):
        run = await begin(store)
        assert run.number == number
        await expire(store)
        rival = replace(run, producer=f"rival {number}")
        answers = await asyncio.gather(
            store.append(run, 0, [b'"own"'], ending=ending("own")),
            other.append(rival, 0, [b'"rival"'], ending=ending("rival")),
            return_exceptions=True,
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["AppendResult", "RunLostError"], (
            answers
        )
        winner = "own" if isinstance(answers[0], AppendResult) else "rival"
        assert list((await last_log(store)).events) == [f'"{winner}"'.encode()]
        assert await store.load_state("ann", "t1", "a") == AgentState(state=winner)


async def a_thread_whose_producer_is_gone_may_be_deleted(open_store: OpenStore) -> None:
    store = open_store(lease_seconds=SHORT_LEASE)
    run = await begin(store)
    await expire(store)
    await store.delete_thread("ann", "t1")
    for late in (run, replace(run, producer="rival")):
        with raises(RunLostError):
            await store.append(late, 0, [b"1"])
    await whole_run(store, owner="bob")
