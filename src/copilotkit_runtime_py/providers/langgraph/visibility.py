"""Which model calls of a run belong to the conversation, and which are internal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from .schema import GraphSchema, Path

INTERNAL: Final = "copilotkit:internal"
"""The metadata key of what `RunCallbacks` knows to be internal; the value says why."""

INSIDE_TOOL: Final = "tool"
"""The value of `INTERNAL` for what runs inside a tool, which may be a subagent."""

_MARKS: Final = ("lc_source", "lc_internal_call")
"""How LangChain's middlewares mark their own calls."""

_CHOSEN: Final = (
    "copilotkit:emit-messages",
    "copilotkit:emit-tool-calls",
    "copilotkit:emit-intermediate-state",
    "emit-messages",
    "emit-tool-calls",
    "predict_state",
)
"""The metadata keys by which a graph itself says what of a call a client gets."""

_TOOLS: Final = "tools"
"""The name that nodes with tools have everywhere, so that a stream from elsewhere can be judged."""


class Visibility:
    """Judges what a run streams before it is known whether the graph stores it. One per run.

    Internal are the calls that LangChain's middlewares mark as their own, structured output, everything
    inside a tool, subgraphs that return no messages, and nodes that `Send` starts without messages. A message
    that was taken for internal and is stored all the same is shown when it is.

    Args:
        schema: the graph's declarations.
        tool_tasks: the namespaces of tasks in which tools run; it may grow.
    """

    def __init__(self, schema: GraphSchema, tool_tasks: Collection[str] = ()) -> None:
        self._schema = schema
        self._tool_tasks = tool_tasks

    def shows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a client gets the messages of a model call or a node, given its metadata."""
        if self.is_chosen(metadata):
            return True
        if INTERNAL in metadata or not self.is_own(metadata):
            return False
        namespace = tuple(str(metadata.get("langgraph_checkpoint_ns", "")).split("|"))
        if not self.shows_inside(namespace[:-1]):
            return False
        path: Sequence[Any] = metadata.get("langgraph_path") or ()
        sent = len(path) > 1 and path[0] == "__pregel_push" and path[-1] is not True
        return not (sent and _path(namespace) in self._schema.workers)

    def is_chosen(self, metadata: Mapping[str, Any]) -> bool:
        """Whether the graph itself says what of a call a client gets."""
        return any(key in metadata for key in _CHOSEN)

    def is_own(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a call is an agent's own, wherever it runs: no middleware's, and not structured output."""
        if self.is_chosen(metadata):
            return True
        marked = any(key in metadata for key in _MARKS)
        return not marked and metadata.get(INTERNAL, INSIDE_TOOL) == INSIDE_TOOL

    def shows_inside(self, namespace: Path) -> bool:
        """Whether a client gets what a graph inside the graph does."""
        if not namespace:
            return True
        path = _path(namespace)
        if _TOOLS in path:
            return False
        for end in range(1, len(namespace) + 1):
            if path[:end] in self._schema.silent or "|".join(namespace[:end]) in self._tool_tasks:
                return False
        return True

    def is_part(self, namespace: Path) -> bool:
        """Whether the messages of a graph inside the graph are the graph's own."""
        path = _path(namespace)
        return all(path[:end] in self._schema.talking for end in range(1, len(path) + 1))


def _path(namespace: Path) -> Path:
    return tuple(part.partition(":")[0] for part in namespace)
