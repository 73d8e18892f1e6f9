"""What an agent's last run leaves on a thread."""

from __future__ import annotations

from typing import Any

from ...errors import ThreadNotFoundError
from ...state_store.base import AgentState, RunEnding
from .steps import OpenStore, begin, end, raises, whole_run


async def a_state_is_what_the_agents_last_run_left(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    assert await store.load_state("ann", "t1", "a") is None
    await whole_run(store, state="first")
    await whole_run(store, state="second")
    for worker in (store, other):
        assert await worker.load_state("ann", "t1", "a") == AgentState(state="second")


async def a_state_stays_while_the_next_run_is_in_progress(open_store: OpenStore) -> None:
    store = open_store()
    await whole_run(store, state="before")
    run = await begin(store)
    await store.append(run, 0, [b"1"])
    assert await store.load_state("ann", "t1", "a") == AgentState(state="before")


async def each_agent_has_a_state_of_its_own_on_each_thread(open_store: OpenStore) -> None:
    store = open_store()
    places = [(thread, agent) for thread in ("t1", "t2") for agent in ("a", "b")]
    for thread, agent in places:
        await whole_run(store, thread, agent=agent, state=[thread, agent])
    await whole_run(store, "t1", agent="a", state="again")
    assert [await store.load_state("ann", thread, agent) for thread, agent in places] == [
        AgentState(state="again"),
        *(AgentState(state=[thread, agent]) for thread, agent in places[1:]),
    ]
    assert await store.load_state("ann", "t1", "c") is None
    assert await store.load_state("ann", "t3", "a") is None


async def a_state_comes_back_as_it_was(open_store: OpenStore) -> None:
    store = open_store()
    values: list[Any] = [
        {},
        None,
        [],
        "",
        0,
        False,
        {"": {"deep": [[[{"a": None}]]]}, "\x00": "\x00", "wörld 🌍": "e\u0301 é \u2028"},
        {"big": 2**53, "float": 0.1, "half": "\ud83e", "quote": "'\"\\ %s $1 {0}"},
    ]
    message = {"id": "m\x00", "role": "user", "content": "🌍"}
    for value in values:
        left = AgentState(state=value, messages=[message], interrupts=[{"id": "i", "reason": "\x00"}])
        run = await begin(store)
        await store.append(run, 0, [], ending=RunEnding(state=left, compacted=[]))
        assert await store.load_state("ann", "t1", "a") == left


async def a_state_of_another_owners_thread_is_not_found(open_store: OpenStore) -> None:
    store = open_store()
    run = await begin(store)
    with raises(ThreadNotFoundError):
        await store.load_state("bob", "t1", "a")
    await end(store, run, state="ann's")
    with raises(ThreadNotFoundError):
        await store.load_state("bob", "t1", "a")
