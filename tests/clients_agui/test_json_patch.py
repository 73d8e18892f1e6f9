"""A patch does to a state what it does on the page, or is refused as it is there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.agui.json_patch import Patched
from tests.clients_agui.oracles import Oracles
from tests.examples import examples

pytestmark = pytest.mark.clients

# Names that every JavaScript object inherits are left out.
KEY = st.sampled_from(["", "a", "b", "0", "1", "a/b", "m~n", "é"])
SCALAR = st.sampled_from([None, True, False, 0, 1, -1, 1.5, "", "0", "text", "😀"])
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3),
    max_leaves=8,
)
TOKEN = st.sampled_from(["", "a", "b", "0", "1", "2", "01", "-", "-1", "x", "a~1b", "m~0n", "é", "__proto__"])
SOURCE = st.lists(TOKEN, max_size=3).map(lambda tokens: "".join(f"/{token}" for token in tokens))
POINTER = SOURCE | st.just("a")
OPERATION = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "replace", "test"]), "path": POINTER}, optional={"value": JSON}
    ),
    st.fixed_dictionaries({"op": st.just("remove"), "path": POINTER}),
    st.fixed_dictionaries(
        {"op": st.sampled_from(["move", "copy"]), "path": POINTER}, optional={"from": SOURCE}
    ),
    st.fixed_dictionaries({"op": st.sampled_from(["fly", ""]), "path": POINTER}),
)


def moves_into_itself(operation: dict[str, Any]) -> bool:
    """Whether RFC 6902 forbids a move: a client may lose the value, or end up with a circle."""
    source = operation.get("from")
    return (
        operation["op"] == "move" and isinstance(source, str) and operation["path"].startswith(f"{source}/")
    )


def patches() -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(OPERATION.filter(lambda each: not moves_into_itself(each)), max_size=4)


@pytest.mark.timeout(0)
@settings(
    max_examples=examples(200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    cases=st.lists(st.tuples(st.dictionaries(KEY, JSON) | st.lists(JSON), patches()), min_size=5, max_size=30)
)
def test_a_patch_applies_as_in_the_client_or_is_refused_as_there(
    oracles: Oracles, cases: list[tuple[Any, list[dict[str, Any]]]]
) -> None:
    for (document, patch), answer in zip(cases, oracles.patch(cases), strict=True):
        state = Patched(document)
        applied = state.apply(patch)
        assert ({"document": state.value} if applied else {}) == answer, (document, patch)
