"""The graph's state: as JSON for a client, and from a client into the graph's input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.types import Overwrite
from pydantic_core import to_jsonable_python

from .schema import PLUMBING, GraphSchema


def to_json(value: Any) -> Any:
    """Returns any Python value as plain JSON data; what has no JSON form becomes its text."""
    return to_jsonable_python(value, bytes_mode="base64", inf_nan_mode="null", serialize_unknown=True)


def visible_state(values: Any, schema: GraphSchema) -> dict[str, Any]:
    """Returns the channels that a client may see, as JSON data."""
    if not isinstance(values, Mapping):
        return {}
    return {name: to_json(value) for name, value in values.items() if schema.shows(name)}


def state_update(state: Any, current: Mapping[str, Any], schema: GraphSchema) -> dict[str, Any]:
    """Returns the writes that bring the graph's state to what a client sent.

    A client echoes the whole state in every request. Only declared input channels count, and only values
    that differ from the current ones are written: objects that went out as JSON keep their types, and a
    value behind a reducer is replaced, not added to itself.

    Args:
        state: the client's state.
        current: the values of the graph's channels now; empty where nothing is remembered.
        schema: the graph's declarations.
    """
    if not isinstance(state, Mapping):
        return {}
    update: dict[str, Any] = {}
    for name, value in state.items():
        if name in PLUMBING or not schema.accepts(name):
            continue
        if name not in current:
            update[name] = value
        elif to_json(current[name]) != value:
            update[name] = Overwrite(value) if name in schema.reduced else value
    return update
