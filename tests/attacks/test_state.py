"""State patches that make much of little."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py.agui import events, json_patch
from copilotkit_runtime_py.agui.json_patch import MAX_STATE_BYTES, Patched
from copilotkit_runtime_py.limits import Limits
from tests.attacks.graphql import RUN, answer, ask, data
from tests.protocols.agui.served import serve

BOMB = [{"op": "copy", "from": "/a", "path": f"/a/{n}"} for n in range(60)]
JSON = st.recursive(
    st.none() | st.integers(-2, 2) | st.sampled_from(["", "a", "0", "\ud83d"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["", "a", "0", "-"]), children, max_size=3)
    ),
    max_leaves=8,
)
POINTER = st.just("a") | st.lists(
    st.sampled_from(["", "a", "b", "0", "1", "-", "~", "~1", "01", "-1"]), max_size=3
).map(lambda parts: "".join(f"/{part}" for part in parts))
PATCH = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": POINTER},
        optional={"from": POINTER, "value": JSON},
    ),
    max_size=4,
)


@pytest.mark.attack(24)
def test_copies_of_copies_are_stopped_before_they_fill_the_memory() -> None:
    tracemalloc.start()
    try:
        state = Patched({"a": {"x": "y" * 1000}})
        assert not state.apply(BOMB)
        assert state.value == {"a": {"x": "y" * 1000}}
        assert tracemalloc.get_traced_memory()[1] < MAX_STATE_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.attack(24)
def test_copies_of_copies_are_stopped_before_they_nest_too_deeply() -> None:
    nesting = [{"op": "copy", "from": "/a", "path": "/a" + "/a" * 2**n} for n in range(12)]

    state = Patched({"a": {}})
    assert not state.apply(nesting)
    assert state.value == {"a": {}}


@pytest.mark.attack(24)
def test_a_state_does_not_grow_beyond_its_bound_patch_by_patch() -> None:
    state = Patched({"a": ["x" * 900_000]})
    for _ in range(30):
        state.apply([{"op": "copy", "from": "/a/0", "path": "/a/-"}])

    assert len(state.value["a"]) == MAX_STATE_BYTES // 900_003


def test_a_patch_may_copy() -> None:
    state = Patched({"a": 1})
    assert state.apply([{"op": "copy", "from": "/a", "path": "/b"}])
    assert state.value == {"a": 1, "b": 1}


@pytest.mark.attack(24)
@given(JSON, PATCH)
def test_no_patch_raises_or_changes_the_state_that_was_or_is_half_applied(state: Any, patch: Any) -> None:
    before, asked = repr(state), repr(patch)
    patched = Patched(state)

    if not patched.apply(patch):
        assert patched.value == state

    assert (repr(state), repr(patch)) == (before, asked)


@pytest.mark.attack(24)
@pytest.mark.anyio
async def test_a_patch_that_is_stopped_leaves_the_run_and_its_readers_alone() -> None:
    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.state_snapshot({"a": {"x": 1}})
        yield events.state_delta(BOMB)
        yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "delta": "hello"}

    async with serve({"a": agent}) as served:
        _, told = await answer(ask(served, RUN, {"data": data()}))
        assert {"content": ["hello"]} in told["data"]["generateCopilotResponse"]["messages"]
        _, kept = await served.json(served.request("GET", "/threads/t1/state"))
    assert kept == {"state": {"a": {"x": 1}}}


class Measured:
    """What patches encode, in bytes: the work that grows with a state."""

    def __init__(self) -> None:
        self.bytes = 0

    def encode(self, value: Any) -> bytes:
        data = events.encode(value)
        self.bytes += len(data)
        return data


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    work = Measured()
    monkeypatch.setattr(json_patch, "encode", work.encode)
    return work


async def state_after(agent: Any) -> tuple[list[dict[str, Any]], Any]:
    """The events of a run, and the state that two readers who come later get."""
    async with serve({"agent": agent}) as served:
        told = await served.events(served.run())
        first = await served.events(served.connect())
        assert await served.events(served.connect()) == first
        _, kept = await served.json(served.request("GET", "/threads/t1/state"))
    snapshots = [event["snapshot"] for event in first if event["type"] == "STATE_SNAPSHOT"]
    assert snapshots == [kept["state"]]
    return told, kept["state"]


@pytest.mark.attack(24)
@pytest.mark.anyio
async def test_what_a_patch_costs_does_not_depend_on_the_size_of_the_state(measured: Measured) -> None:
    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.state_snapshot({"a": list(range(20_000))})
        for value in range(3_000):
            yield events.state_delta([{"op": "replace", "path": "/a/0", "value": value}])

    told, state = await state_after(agent)
    assert told[-1]["type"] == "RUN_FINISHED"
    assert state == {"a": [2_999, *range(1, 20_000)]}
    # The state is copied before its first patch, once at the run's end and once for its readers.
    assert measured.bytes < 2.1 * len(events.encode(state))


@pytest.mark.attack(24)
@pytest.mark.anyio
async def test_copies_that_double_a_state_patch_by_patch_are_stopped(measured: Measured) -> None:
    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.state_snapshot({"a": ["xxxxxxxxxx"]})
        for _ in range(60):
            yield events.state_delta([{"op": "copy", "from": "/a", "path": "/a/-"}])

    told, state = await state_after(agent)
    assert (len(told), told[-1]["type"]) == (63, "RUN_FINISHED")
    assert len(events.encode(state)) < 4 * 1024 * 1024
    assert measured.bytes < 2 * 40 * 1024 * 1024


@pytest.mark.attack(24)
@pytest.mark.anyio
async def test_a_patch_of_too_many_operations_ends_its_run() -> None:
    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.state_snapshot({"a": []})
        yield events.state_delta([{"op": "add", "path": "/a/0", "value": 1}] * 200_000)

    told, state = await state_after(agent)
    assert told[-1] == events.run_error("A patch of the agent exceeded 10000 operations.", "LIMIT_EXCEEDED")
    assert state == {"a": []}


@pytest.mark.attack(24)
@pytest.mark.anyio
async def test_patches_of_too_many_operations_together_end_their_run() -> None:
    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.state_snapshot({"a": 0})
        for value in range(100):
            yield events.state_delta([{"op": "replace", "path": "/a", "value": value}] * 2)

    limits = Limits(patch_operations_per_run=20)
    async with serve({"agent": agent}, limits=limits) as served:
        told = await served.events(served.run())
    assert told[-1] == events.run_error("The run exceeded 20 operations of patches.", "LIMIT_EXCEEDED")
    assert len(told) == 2 + 11 + 1


@pytest.mark.attack(24)
def test_inserts_that_shift_a_long_list_again_and_again_are_stopped() -> None:
    state = Patched({"a": [0] * 1_000_000})
    patches = (state.apply([{"op": "add", "path": "/a/0", "value": 1}]) for _ in range(1_000))
    assert 0 < sum(patches) <= 200
    assert state.apply([{"op": "add", "path": "/a/-", "value": 1}])


@pytest.mark.attack(24)
def test_a_state_that_is_too_deep_is_copied_in_vain_once(measured: Measured) -> None:
    deep: Any = "x" * 1_000
    for _ in range(200):
        deep = [deep]
    state = Patched({"a": deep})
    assert not any(state.apply([{"op": "add", "path": "/b", "value": 1}]) for _ in range(100))
    assert measured.bytes < 2_000
