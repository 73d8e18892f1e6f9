"""Large events are copied without their strings."""

from __future__ import annotations

from typing import Any

import pytest

from copilotkit_runtime_py.agui.event_checks import checked

TEXT = "x" * 300_000


@pytest.mark.parametrize("many", [0, 5_000], ids=["few values", "many values"])
def test_what_an_agent_changes_afterwards_does_not_change_a_large_event(many: int) -> None:
    state: dict[str, Any] = {"text": TEXT, "list": [*range(many), {"a": [1.5, None, True]}]}
    event = checked({"type": "STATE_SNAPSHOT", "snapshot": state})
    expected = {"text": TEXT, "list": [*range(many), {"a": [1.5, None, True]}]}
    state["list"][-1]["a"].append("later")
    state["more"] = 1
    assert event == {"type": "STATE_SNAPSHOT", "snapshot": expected}


@pytest.mark.parametrize(
    ("value", "expected"),
    [((1, 2), [1, 2]), ({1: "a"}, {"1": "a"}), (float("nan"), None), ({"\ud83d": 1}, {"\ud83d": 1})],
    ids=["a tuple", "a key that is a number", "not a number", "half of a surrogate pair"],
)
def test_values_without_a_form_of_their_own_in_json_get_the_one_that_small_events_have(
    value: object, expected: object
) -> None:
    event = checked({"type": "CUSTOM", "name": "n", "value": [TEXT, value]})
    assert event["value"] == [TEXT, expected]
