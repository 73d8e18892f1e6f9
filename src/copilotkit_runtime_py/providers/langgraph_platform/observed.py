"""Finds where models are called from a server's stream, as `RunCallbacks` does in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from ..langgraph.visibility import INSIDE_TOOL
from .message_ids import GENERATED

_CALL_PREFIXES: Final = (f"{GENERATED}-", "run-")
"""What stands before the id of a model call in the ids that LangChain gives to messages, now and formerly."""

_TOOL_ENDS: Final = ("on_tool_end", "on_tool_error")

_WORKER: Final = "worker"


class Observed:
    """Knows which model calls of a run are inside a tool, or in a worker that gets no messages.

    Attributes:
        tool_tasks: the namespaces of tasks in which tools run.
    """

    def __init__(self) -> None:
        self.tool_tasks: set[str] = set()
        self._tools: set[str] = set()
        self._running: Counter[str] = Counter()
        self._calls: set[str] = set()
        self._workers: set[str] = set()

    def event(self, event: Mapping[str, Any]) -> None:
        """Takes an event of LangChain."""
        metadata, id = event.get("metadata") or {}, str(event.get("run_id"))
        namespace = str(metadata.get("langgraph_checkpoint_ns"))
        inside = not self._tools.isdisjoint(event.get("parent_ids") or ())
        match event.get("event"):
            case "on_tool_start":
                self._tools.add(id)
                self._running[namespace] += 1
                if not inside:
                    self.tool_tasks.add(namespace)
            case "on_chat_model_start" if inside:
                self._calls.add(id)
            case name if name in _TOOL_ENDS:
                self._running[namespace] -= 1

    def task(self, task: Mapping[str, Any]) -> None:
        """Takes a task that begins. A worker that `Send` starts without messages has its own input."""
        given = task.get("input")
        if (
            "__pregel_push" in task.get("triggers", ())
            and isinstance(given, dict)
            and "messages" not in given
        ):
            self._workers.add(str(task.get("id")))

    def internal(self, message_id: str, metadata: Mapping[str, Any]) -> str | None:
        """Returns why a message's model call is internal, as a value of `INTERNAL`; None if it is not."""
        namespace = str(metadata.get("langgraph_checkpoint_ns"))
        path = metadata.get("langgraph_path") or (None,)
        is_function = path[-1] is True
        if not is_function and namespace.rpartition(":")[2] in self._workers:
            return _WORKER
        return INSIDE_TOOL if self._is_inside_tool(message_id, namespace) else None

    def _is_inside_tool(self, message_id: str, namespace: str) -> bool:
        for prefix in _CALL_PREFIXES:
            if message_id.startswith(prefix):
                return message_id.removeprefix(prefix) in self._calls
        return self._running[namespace] > 0
