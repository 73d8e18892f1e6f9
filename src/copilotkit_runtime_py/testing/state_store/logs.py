"""Adding events to the log of a run, and reading logs."""

from __future__ import annotations

from dataclasses import replace

from ...agui.events import encode
from ...errors import RunLostError
from ...state_store.base import StateStore
from .steps import OpenStore, begin, ending, last_log, raises, whole_run


async def _events(store: StateStore) -> list[bytes]:
    return list((await last_log(store)).events)


async def _read(store: StateStore, **where: int) -> list[tuple[int, list[bytes], bool]]:
    logs = await store.read_runs("ann", "t1", **where)
    return [(log.run.number, list(log.events), log.compacted) for log in logs]


async def events_are_read_in_the_order_in_which_they_were_added(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    await store.append(run, 1, [b"2", b"3", b"4"])
    await store.append(run, 4, [b"5"])
    for worker in (store, other):
        (log,) = await worker.read_runs("ann", "t1")
        assert (list(log.events), log.compacted, log.ended) == ([b"1", b"2", b"3", b"4", b"5"], False, False)


async def an_event_is_kept_byte_for_byte(open_store: OpenStore) -> None:
    store = open_store()
    events = [
        b'{"b":1,"a":1.0,"a":1e400,"n":123456789012345678901234567890}',
        '{"text":"wörld 🌍 \u2028 e\u0301 é"}'.encode(),
        b'{"nul":"\\u0000","half":"\\ud83e","line":"\\r\\n\\t"}',
        encode({"text": "\\n '\"; DROP TABLE runs; -- %s $1 {0} \x7f"}),
        b" { } ",
        b"null",
        b'""',
    ]
    run = await begin(store)
    await store.append(run, 0, events[:4])
    await store.append(run, 4, events[4:], ending=ending(compacted=events))
    assert await _events(store) == events
    await whole_run(store)
    assert (await _read(store))[0] == (1, events, True)


async def a_batch_that_is_said_again_is_kept_once(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    for worker in (store, store, other):
        assert (await worker.append(run, 0, [b"1", b"2"])).stop_requested is False
    assert await _events(store) == [b"1", b"2"]


async def of_a_batch_that_overlaps_only_the_new_events_are_kept(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1", b"2", b"3"])
    await store.append(run, 1, [b"2", b"3", b"4", b"5"])
    await store.append(run, 0, [b"1", b"2"])
    await store.append(run, 3, [b"4", b"5", b"6"])
    assert await _events(store) == [b"1", b"2", b"3", b"4", b"5", b"6"]


async def a_gap_is_refused_and_nothing_of_it_is_kept(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    with raises(ValueError):
        await store.append(run, 2, [b"3"])
    with raises(ValueError):
        await store.append(run, 2, [b"3"], ending=ending("late"))
    log = await last_log(store)
    assert (list(log.events), log.ended) == ([b"1"], False)
    assert await store.load_state("ann", "t1", "a") is None
    await store.append(run, 1, [b"2"])
    assert await _events(store) == [b"1", b"2"]


async def a_batch_of_none_adds_nothing(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    for position, events in ((0, []), (0, [b"1"]), (1, []), (0, [])):
        assert (await store.append(run, position, events)).stop_requested is False
    assert await _events(store) == [b"1"]


async def another_producer_cannot_write_a_run_that_is_held(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    rival = replace(run, producer="rival")
    for worker in (store, other):
        with raises(RunLostError):
            await worker.append(rival, 1, [b"rival"])
        with raises(RunLostError):
            await worker.append(rival, 1, [], ending=ending("rival"))
    log = await last_log(store)
    assert (log.run, list(log.events), log.ended) == (run, [b"1"], False)
    assert await store.load_state("ann", "t1", "a") is None


async def a_run_is_lost_where_owner_or_number_are_not_its_own(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    for stranger in (
        replace(run, owner="bob"),
        replace(run, number=2),
        replace(run, thread_id="t2"),
    ):
        with raises(RunLostError):
            await store.append(stranger, 0, [b"1"], ending=ending("stranger"))
    log = await last_log(store)
    assert (list(log.events), log.ended) == ([], False)


async def a_thread_that_is_not_there_has_no_runs(open_store: OpenStore) -> None:
    store = open_store()
    assert await store.read_runs("ann", "t1") == []
    assert await store.read_runs("ann", "t1", since=-1, position=5) == []


async def a_reader_goes_on_where_it_left_off(open_store: OpenStore) -> None:
    store = open_store()
    await whole_run(store, "t1", b"1", b"2")
    run = await begin(store)
    await store.append(run, 0, [b"3", b"4", b"5"])
    running = (2, [b"3", b"4", b"5"], False)
    assert await _read(store, since=1, position=1) == [(1, [b"2"], False), running]
    assert await _read(store, since=2) == [running]
    assert await _read(store, since=2, position=1) == [(2, [b"4", b"5"], False)]
    assert await _read(store, since=2, position=3) == [(2, [], False)]
    assert await _read(store, since=2, position=9) == [(2, [], False)]
    assert await _read(store, since=3) == []


async def a_reader_may_count_from_the_last_run(open_store: OpenStore) -> None:
    store = open_store()
    for event in (b"1", b"2", b"3"):
        await whole_run(store, "t1", event, b"0")
    everything = await _read(store)
    assert len(everything) == 3
    assert await _read(store, since=-1) == everything[-1:]
    assert await _read(store, since=-2) == everything[-2:]
    assert await _read(store, since=-3) == await _read(store, since=-7) == everything
    assert await _read(store, since=-1, position=1) == [(3, [b"0"], False)]


async def a_reader_may_ask_for_some_events_of_one_run(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    await store.append(run, 0, [b"1", b"2", b"3"])
    await store.append(run, 3, [b"4", b"5"])
    running = await _read(store, since=1, position=1, limit=3)
    assert running == [(1, [b"2", b"3", b"4"], False)]
    await store.append(run, 5, [], ending=ending(compacted=[b"null"]))
    await begin(store)
    for position, limit, events in ((0, 1, [b"1"]), (2, 1, [b"3"]), (3, 9, [b"4", b"5"]), (5, 2, [])):
        assert await _read(store, since=1, position=position, limit=limit) == [(1, events, False)]
    assert await _read(store, since=-1, position=0, limit=2) == [(2, [], False)]


async def a_log_is_whole_until_the_next_run_is_over(open_store: OpenStore) -> None:
    store = open_store()
    first = await begin(store)
    compacted = [b"0-1 12", b"null", b"", b'{"no": json']
    await store.append(first, 0, [b"1", b"2", b"3", b"4"], ending=ending(compacted=compacted))
    whole = (1, [b"1", b"2", b"3", b"4"], False)
    assert await _read(store) == [whole]
    second = await begin(store)
    assert await _read(store) == [whole, (2, [], False)]
    await store.append(second, 0, [b"5"])
    assert await _read(store) == [whole, (2, [b"5"], False)]
    await store.append(second, 1, [], ending=ending(compacted=[]))
    assert await _read(store) == [(1, compacted, True), (2, [b"5"], False)]
    await whole_run(store, "t1", b"6")
    assert await _read(store) == [(1, compacted, True), (2, [], True), (3, [b"6"], False)]


async def of_a_compacted_log_nothing_is_left_out(open_store: OpenStore) -> None:
    store = open_store()
    first = await begin(store)
    await store.append(first, 0, [b"1", b"2", b"3"], ending=ending(compacted=[b"null", b"3"]))
    await whole_run(store, "t1", b"4", b"5")
    assert await _read(store, since=1, position=2) == [
        (1, [b"null", b"3"], True),
        (2, [b"4", b"5"], False),
    ]
