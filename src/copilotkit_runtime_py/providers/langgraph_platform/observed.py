"""What a server's stream tells of where models are called, as `RunCallbacks` does in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson

_GENERATED: Final = ("lc_run--", "run-")
"""What the ids begin with that LangChain gives to messages: the id of the model call follows."""

_FIRST: Final = b'{"event":"'
_TOOL_ENDS: Final = ("on_tool_end", "on_tool_error")
_READ: Final = frozenset(
    {b"on_custom_event", b"on_tool_start", b"on_chat_model_start", b"on_tool_end", b"on_tool_error"}
)


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

    def event(self, data: bytes) -> Mapping[str, Any] | None:
        """Takes an event of LangChain, and returns it if a node has dispatched it.

        Most events say nothing here, and hold a whole state: they are not decoded.
        """
        if data.startswith(_FIRST) and data[len(_FIRST) : data.find(b'"', len(_FIRST))] not in _READ:
            return None
        event = orjson.loads(data)
        metadata, id = event.get("metadata") or {}, str(event.get("run_id"))
        namespace = str(metadata.get("langgraph_checkpoint_ns"))
        inside = not self._tools.isdisjoint(event.get("parent_ids") or ())
        match event.get("event"):
            case "on_custom_event":
                found: Mapping[str, Any] = event
                return found
            case "on_tool_start":
                self._tools.add(id)
                self._running[namespace] += 1
                if not inside:
                    self.tool_tasks.add(namespace)
            case "on_chat_model_start" if inside:
                self._calls.add(id)
            case name if name in _TOOL_ENDS:
                self._running[namespace] -= 1
        return None

    def task(self, task: Mapping[str, Any]) -> None:
        """Takes a task that begins. A worker that `Send` starts without messages has its own input."""
        given = task.get("input")
        if (
            "__pregel_push" in task.get("triggers", ())
            and isinstance(given, dict)
            and "messages" not in given
        ):
            self._workers.add(str(task.get("id")))

    def is_internal(self, message_id: str, metadata: Mapping[str, Any]) -> bool:
        """Whether a message belongs to a model call that is internal."""
        namespace = str(metadata.get("langgraph_checkpoint_ns"))
        path = metadata.get("langgraph_path") or (None,)
        if (
            path[-1] is not True and namespace.rpartition(":")[2] in self._workers
        ):  # True: a task of a function
            return True
        for prefix in _GENERATED:
            if message_id.startswith(prefix):
                return message_id.removeprefix(prefix) in self._calls
        return self._running[namespace] > 0
