"""What a compiled graph declares: its channels and its context."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from langgraph.channels import BinaryOperatorAggregate
from langgraph.pregel import Pregel
from pydantic import BaseModel

PLUMBING = frozenset({"messages", "tools", "copilotkit", "ag-ui"})
"""Channels that carry the conversation and the frontend's tools: never part of the state a client sees."""


@dataclasses.dataclass(frozen=True, slots=True)
class GraphSchema:
    """The declarations of one graph that a run needs, read from its builder without making JSON schemas.

    Attributes:
        inputs: channels that an input may write, or None for a graph without declared channels.
        outputs: channels that a client may see, or None for a graph without declared channels.
        reduced: channels whose writes go through a reducer.
        context_keys: keys of the context schema, or None where the graph has none.
        context_required: those of them without a default.
        breakpoints: whether the graph, or one inside it, has an `interrupt_before` or `interrupt_after`.
    """

    inputs: frozenset[str] | None
    outputs: frozenset[str] | None
    reduced: frozenset[str]
    context_keys: frozenset[str] | None
    context_required: frozenset[str]
    breakpoints: bool = False

    def accepts(self, channel: str) -> bool:
        """Whether an input may write `channel`."""
        return self.inputs is None or channel in self.inputs

    def shows(self, channel: str) -> bool:
        """Whether a client may see `channel`."""
        if channel in PLUMBING or channel.startswith("__"):
            return False
        return self.outputs is None or channel in self.outputs


def read_schema(graph: Pregel[Any, Any, Any, Any]) -> GraphSchema:
    """Reads the declarations of a compiled graph."""
    keys, required = _context_keys(graph.context_schema)
    inside = [inner for _, inner in graph.get_subgraphs(recurse=True) if isinstance(inner, Pregel)]
    graphs = [graph, *inside]
    breakpoints = any(each.interrupt_before_nodes or each.interrupt_after_nodes for each in graphs)
    builder = getattr(graph, "builder", None)
    if builder is None:
        return GraphSchema(None, None, frozenset(), keys, required, breakpoints)
    schemas: Mapping[type, Mapping[str, Any]] = builder.schemas
    return GraphSchema(
        inputs=frozenset(schemas[builder.input_schema]),
        outputs=frozenset(schemas[builder.output_schema]),
        reduced=frozenset(name for name, channel in builder.channels.items() if _has_reducer(channel)),
        context_keys=keys,
        context_required=required,
        breakpoints=breakpoints,
    )


def _has_reducer(channel: Any) -> bool:
    # Newer versions have a second kind of channel with a reducer, and name it in an attribute.
    return isinstance(channel, BinaryOperatorAggregate) or hasattr(channel, "reducer")


def _context_keys(schema: type | None) -> tuple[frozenset[str] | None, frozenset[str]]:
    if schema is None:
        return None, frozenset()
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        fields = schema.model_fields
        return frozenset(fields), frozenset(n for n, field in fields.items() if field.is_required())
    if dataclasses.is_dataclass(schema):
        members = [field for field in dataclasses.fields(schema) if field.init]
        missing = dataclasses.MISSING
        required = (m.name for m in members if m.default is missing and m.default_factory is missing)
        return frozenset(m.name for m in members), frozenset(required)
    return frozenset(getattr(schema, "__annotations__", {})), frozenset()
