"""Names that clients choose: whatever they hold, each stands for itself only."""

from __future__ import annotations

from typing import Final

from ...state_store.base import AgentState, Signal
from .steps import OpenStore, begin, end, ending, hearing, whole_run

NAMES: Final = (
    "a",
    "A",
    "a ",
    " a",
    "\N{CYRILLIC SMALL LETTER A}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{FULLWIDTH LATIN SMALL LETTER A}",
    "../a",
    "..",
    "/",
    "a/b",
    "a:b",
    "a::b",
    "a\x00",
    "\x00",
    "a\x00b",
    "a\n",
    "{a}",
    "{}",
    "%",
    "*",
    "a?",
    "[a]",
    "a_",
    "\\",
    "\\x00",
    "\\u0000",
    "'; DROP TABLE threads; --",
    "$1",
    "🌍",
    "\ud83c",
    "x" * 10_000,
    "x" * 9_999 + "y",
    "🌍" * 3_000,
)


async def no_two_threads_are_mixed_up(open_store: OpenStore) -> None:
    store = open_store()
    runs = [await begin(store, name) for name in NAMES]
    assert [run.number for run in runs] == [1] * len(NAMES)
    for place, run in enumerate(runs):
        await store.append(run, 0, [b"%d" % place], ending=ending(place))
    assert [thread.id for thread in await store.list_threads("ann")] == list(reversed(NAMES))
    for place, run in enumerate(runs):
        (log,) = await store.read_runs("ann", run.thread_id)
        assert (log.run, list(log.events)) == (run, [b"%d" % place])
        assert await store.load_state("ann", run.thread_id, "a") == AgentState(state=place)
    for place, name in enumerate(NAMES):
        await store.delete_thread("ann", name)
        assert len(await store.list_threads("ann")) == len(NAMES) - place - 1


async def no_two_owners_are_mixed_up(open_store: OpenStore) -> None:
    store = open_store()
    names = ["", *NAMES]
    for place, name in enumerate(names):
        await whole_run(store, f"t{place}", owner=name)
    for place, name in enumerate(names):
        assert [thread.id for thread in await store.list_threads(name)] == [f"t{place}"]
        assert [log.run.owner for log in await store.read_runs(name, f"t{place}")] == [name]


async def no_two_agents_are_mixed_up(open_store: OpenStore) -> None:
    store = open_store()
    for place, name in enumerate(NAMES):
        await whole_run(store, f"t{place}", agent=name, state="own")
        await whole_run(store, "shared", agent=name, state=place)
    for place, name in enumerate(NAMES[:-1]):
        assert [thread.id for thread in await store.list_threads("ann", name)] == [f"t{place}"]
    assert [await store.load_state("ann", "shared", name) for name in NAMES] == [
        AgentState(state=place) for place in range(len(NAMES))
    ]


async def no_two_runs_are_mixed_up(open_store: OpenStore) -> None:
    store = open_store()
    for place, name in enumerate(NAMES):
        run = await begin(store, id=name)
        for other in NAMES:
            if other != name and place % 8 == 0:
                assert await store.request_stop("ann", "t1", other) is False
        assert await store.request_stop("ann", "t1", name) is True
        await end(store, run)
    assert [log.run.id for log in await store.read_runs("ann", "t1")] == list(NAMES)


async def a_thread_of_any_name_may_be_watched(open_store: OpenStore) -> None:
    store = open_store()
    for name in NAMES:
        async with hearing(store, name) as heard:
            run = await begin(store, name)
            await store.append(run, 0, [b"1"])
            await heard.wait(Signal.EVENTS)
            assert await store.request_stop("ann", name) is True
            await heard.wait(Signal.STOP)
