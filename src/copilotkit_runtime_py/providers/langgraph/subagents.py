"""Agents that run inside an agent's tools, and what a client sees of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from langchain_core.messages import BaseMessage, ToolMessage

from ...agui.events import Event
from .schema import GraphSchema, Path
from .visibility import Visibility

SubagentMode: TypeAlias = Literal["inline", "attributed", "hidden"]
"""What a client sees of subagents: see `LangGraphProvider`."""

_NAME: Final = "lc_agent_name"
_FAILED: Final = "The subagent failed."


class Subagent(NamedTuple):
    """An agent that runs inside a tool.

    Attributes:
        id: the segment of the namespace that stands for the tool's task. It has the number that LangGraph
            gives to every further graph of one task.
        name: its name.
        call: the id of the tool call, if it is known.
        parent: the id of the subagent that made the call.
    """

    id: str
    name: str
    call: str | None
    parent: str | None


class Subagents:
    """Recognizes the subagents of a run, and brackets what they emit. One per run.

    A graph inside the task of a tool is a subagent if it has an `lc_agent_name` other than that of the graph
    around it: plain graphs inherit the name (LangChain 1.x, `create_agent(name=...)`).

    Args:
        mode: what a client sees.
        schema: the graph's declarations.
        visibility: what of the run is internal.
        tool_tasks: the namespaces of tasks in which tools run; it may grow during the run.
    """

    def __init__(
        self,
        mode: SubagentMode,
        schema: GraphSchema,
        visibility: Visibility,
        tool_tasks: Collection[str] = (),
    ) -> None:
        self.mode = mode
        self._declared = schema.talking | schema.silent
        self._visibility = visibility
        self._tool_tasks = tool_tasks
        self._names: dict[Path, str | None] = {}
        self._calls: dict[Path, str] = {}
        self._owners: dict[str | None, Subagent | None] = {}
        # The subagents that were started and have not ended, in the order of their start.
        self._running: dict[str, Subagent] = {}
        self._started: set[str] = set()

    def begin_task(self, namespace: Path, task: Mapping[str, Any]) -> None:
        """Takes what a task that begins says of the graph around it, and of the tool call that it runs."""
        if isinstance(metadata := task.get("metadata"), Mapping):
            self._names.setdefault(namespace, metadata.get(_NAME))
        if call := _tool_call(task.get("input")):
            self._calls[(*namespace, f"{task['name']}:{task['id']}")] = call

    def owner(self, message: BaseMessage, metadata: Mapping[str, Any]) -> Subagent | None:
        """Returns the subagent that a streamed message belongs to."""
        if message.id in self._owners:
            return self._owners[message.id]
        namespace = _task(metadata)[:-1]
        for end in (len(namespace), *(end for _, end in self._graphs(namespace))):
            self._names.setdefault(namespace[:end], metadata.get(_NAME))
        owner = self.around(namespace)
        if message.id is not None:
            self._owners[message.id] = owner
        return owner

    def around(self, namespace: Path) -> Subagent | None:
        """Returns the subagent that the graph of a namespace is, or is a part of.

        None where the innermost graph inside a tool is no subagent: it is internal to that tool.
        """
        found: Subagent | None = None
        is_subagent = False
        for tool, end in self._graphs(namespace):
            name = self._names.get(namespace[:end])
            is_subagent = name is not None and name != self._names.get(namespace[:tool])
            if is_subagent:
                id = "|".join(namespace[tool:end])
                call = self._calls.get(namespace[: tool + 1])
                found = Subagent(id, str(name), call, found.id if found is not None else None)
        return found if is_subagent else None

    def shows(self, message: BaseMessage, metadata: Mapping[str, Any]) -> bool:
        """Whether a client sees a message of a subagent. What its tools do for themselves is internal."""
        if self.mode == "hidden":
            return False
        if not isinstance(message, ToolMessage) and self.is_inside_tool(metadata):
            return self._visibility.is_chosen(metadata)
        return self._visibility.is_own(metadata)

    def is_inside_tool(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a tool calls the model itself, without a graph in between."""
        return self._runs_tools(_task(metadata))

    def bracketed(self, subagent: Subagent | None, found: list[Event]) -> list[Event]:
        """Returns the events of a subagent's message as a client sees them."""
        if subagent is None or self.mode != "attributed" or not found:
            return found
        for event in found:
            event["subagentRunId"] = subagent.id
        return [*self._start(subagent), *found]

    def with_ends(self, found: list[Event], *, failed: bool = False) -> list[Event]:
        """Returns events with the ends of the subagents in front of the results of their calls.

        Args:
            found: the events of one part of the stream.
            failed: the part is the result of a tool that failed.
        """
        if not self._running:
            return found
        ended: list[Event] = []
        for event in found:
            if event["type"] == "TOOL_CALL_RESULT":
                call = event["toolCallId"]
                ended += self._end([id for id, each in self._running.items() if each.call == call], failed)
            ended.append(event)
        return ended

    def end_task(self, task: Mapping[str, Any]) -> list[Event]:
        """Returns the ends of the subagents in a task that is over.

        Those that asked something are suspended, those of a failed task fail with the run: the end of the
        run says so.
        """
        if task["interrupts"] or task.get("error") is not None:
            return []
        around = f"{task['name']}:{task['id']}"
        return self._end([id for id in self._running if id.partition("|")[0] == around], failed=False)

    def _start(self, subagent: Subagent) -> list[Event]:
        if subagent.id in self._started:
            return []
        self._started.add(subagent.id)
        self._running[subagent.id] = subagent
        event = {"type": "SUBAGENT_STARTED", "subagentRunId": subagent.id, "name": subagent.name}
        if subagent.call is not None:
            event["parentToolCallId"] = subagent.call
        if subagent.parent is not None:
            event["parentSubagentRunId"] = subagent.parent
        return [event]

    def _end(self, ids: list[str], failed: bool) -> list[Event]:
        for id in ids:
            del self._running[id]
        if failed:
            return [{"type": "SUBAGENT_ERROR", "subagentRunId": id, "message": _FAILED} for id in ids]
        return [{"type": "SUBAGENT_FINISHED", "subagentRunId": id} for id in ids]

    def _graphs(self, namespace: Path) -> Iterator[tuple[int, int]]:
        """Yields the graphs inside tools: where the tool's task stands, and where the graph's name ends."""
        for place in range(len(namespace)):
            if self._runs_tools(namespace[: place + 1]):
                end = place + 1
                if end < len(namespace) and namespace[end].isdecimal():
                    end += 1
                yield place, end

    def _runs_tools(self, task: Path) -> bool:
        if tuple(part.partition(":")[0] for part in task) in self._declared:
            return False
        return task[-1].partition(":")[0] == "tools" or "|".join(task) in self._tool_tasks


def _task(metadata: Mapping[str, Any]) -> Path:
    return tuple(str(metadata.get("langgraph_checkpoint_ns", "")).split("|"))


def _tool_call(input: Any) -> str | None:
    """Returns the id of the one tool call in the input of a task, in the forms that `ToolNode` is given."""
    if isinstance(input, Mapping):
        last = (input.get("messages") or [None])[-1]
        calls = last.get("tool_calls") if isinstance(last, Mapping) else getattr(last, "tool_calls", None)
        input = [input["tool_call"]] if "tool_call" in input else calls
    if isinstance(input, list) and len(input) == 1 and isinstance(input[0], Mapping):
        id = input[0].get("id")
        return id if isinstance(id, str) and input[0].get("type") == "tool_call" else None
    return None
