"""What a compiled graph declares: its channels and its context."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from langgraph.channels import BinaryOperatorAggregate
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from pydantic import BaseModel

PLUMBING = frozenset({"messages", "tools", "copilotkit", "ag-ui"})
"""Channels that carry the conversation and the frontend's tools: never part of the state a client sees."""


Path: TypeAlias = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class GraphSchema:
    """The declarations of one graph that a run needs, read from its builder without making JSON schemas.

    Attributes:
        inputs: channels that an input may write, or None for a graph without declared channels.
        outputs: channels that a client may see, or None for a graph without declared channels.
        reduced: channels whose writes go through a reducer.
        context_keys: keys of the context schema, or None where the graph has none.
        context_required: those of them without a default.
        remembers: whether the graph goes on with what it returned before, because it declares channels, or is
            a function that takes `previous`.
        breakpoints: whether the graph, or one inside it, has an `interrupt_before` or `interrupt_after`.
        talking: subgraphs whose messages are the graph's own.
        silent: subgraphs that return no messages to a graph that has some.
        workers: nodes whose input has no messages, in graphs that have some.
        tool_nodes: names of the nodes that run tools and leave their results as they are.

    Subgraphs and workers are paths of node names, as in the namespaces of a run.
    """

    inputs: frozenset[str] | None
    outputs: frozenset[str] | None
    reduced: frozenset[str]
    context_keys: frozenset[str] | None
    context_required: frozenset[str]
    remembers: bool = True
    breakpoints: bool = False
    talking: frozenset[Path] = frozenset()
    silent: frozenset[Path] = frozenset()
    workers: frozenset[Path] = frozenset()
    tool_nodes: frozenset[str] = frozenset()

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
    nodes = list(_nodes(graph))
    graphs = [graph, *(node.graph for node in nodes if node.graph is not None)]
    schema = GraphSchema(
        inputs=None,
        outputs=None,
        reduced=frozenset(),
        context_keys=keys,
        context_required=required,
        breakpoints=any(each.interrupt_before_nodes or each.interrupt_after_nodes for each in graphs),
        talking=frozenset(node.path for node in nodes if node.is_subgraph and node.has_messages),
        silent=frozenset(
            node.path
            for node in nodes
            if node.is_subgraph and node.parent_has_messages and not node.has_messages
        ),
        workers=frozenset(
            node.path
            for node in nodes
            if not node.is_subgraph and node.parent_has_messages and not node.has_messages
        ),
        tool_nodes=frozenset(node.path[-1] for node in nodes if node.runs_tools)
        - {node.path[-1] for node in nodes if not node.runs_tools},
    )
    builder = getattr(graph, "builder", None)
    if builder is None:
        accepted = (getattr(node.bound, "func_accepts", ()) for node in graph.nodes.values())
        return dataclasses.replace(schema, remembers=any("previous" in names for names in accepted))
    schemas: Mapping[type, Mapping[str, Any]] = builder.schemas
    return dataclasses.replace(
        schema,
        inputs=frozenset(schemas[builder.input_schema]),
        outputs=frozenset(schemas[builder.output_schema]),
        reduced=frozenset(name for name, channel in builder.channels.items() if _has_reducer(channel)),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Node:
    """A node of the graph, or of one inside it.

    Attributes:
        path: the names of the nodes around it, and its own.
        graph: the graph inside it, if there is one.
        is_subgraph: that graph is the node itself, not called by it.
        has_messages: a subgraph returns messages; another node is given messages.
        parent_has_messages: the graph that it is a node of has messages.
        runs_tools: it runs tools, and leaves their results as they are.
    """

    path: Path
    graph: Pregel[Any, Any, Any, Any] | None
    is_subgraph: bool
    has_messages: bool
    parent_has_messages: bool
    runs_tools: bool


def _nodes(
    graph: Pregel[Any, Any, Any, Any], path: Path = (), around: tuple[Any, ...] = ()
) -> Iterator[_Node]:
    builder: Any = getattr(graph, "builder", None)
    specs = builder.nodes if builder is not None else {}
    for name, node in graph.nodes.items():
        is_subgraph = isinstance(node.bound, Pregel)
        inside: Any = node.bound if is_subgraph else next(iter(node.subgraphs or ()), None)
        inner = inside if isinstance(inside, Pregel) and inside not in (graph, *around) else None
        if is_subgraph:
            has_messages = "messages" in _names(inside.output_channels)
        else:
            spec = specs.get(name)
            has_messages = spec is None or "messages" in builder.schemas.get(spec.input_schema, ("messages",))
        yield _Node(
            (*path, name),
            inner,
            is_subgraph,
            has_messages,
            "messages" in graph.channels,
            isinstance(node.bound, ToolNode) and not _wraps_calls(node.bound),
        )
        if inner is not None:
            yield from _nodes(inner, (*path, name), (graph, *around))


def _names(channels: Any) -> tuple[str, ...]:
    return (channels,) if isinstance(channels, str) else tuple(channels)


def _wraps_calls(node: ToolNode) -> bool:
    """Whether something may change the results that the tools return."""
    return any(getattr(node, name, None) is not None for name in ("_wrap_tool_call", "_awrap_tool_call"))


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
