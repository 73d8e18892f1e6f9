"""State patches that make much of little."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.json_patch import MAX_STATE_BYTES, Patched
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
