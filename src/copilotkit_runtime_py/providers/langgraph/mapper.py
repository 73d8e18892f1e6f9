"""A graph's stream as AG-UI events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from ag_ui_a2ui_toolkit import RENDER_A2UI_TOOL_DEF
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langgraph.types import Interrupt, StreamMode

from ...agui import events
from ...agui.events import Event
from ...agui.reducer import Transcript
from ..langchain.call_ids import with_client_ids
from ..langchain.message_stream import MessageStream
from .callbacks import DispatchedEvent, ToolResult, emitted_message
from .conversation import ClientView, messages_in, visible
from .history import is_stand_in, open_calls
from .interrupts import announcement, to_agui_interrupt
from .repetition import Repetition
from .schema import PLUMBING, GraphSchema
from .state import to_json, visible_state
from .subagents import SubagentMode, Subagents
from .visibility import Visibility

STREAM_MODES: list[StreamMode] = ["messages", "values", "custom", "tasks"]
"""The stream modes that the mapper reads."""

WRITTEN: Final = "langgraph:custom"
"""The name of the CUSTOM events that hold what a node writes to its stream with `get_stream_writer()`."""

_INTERRUPTS = "__interrupt__"
_RENDER_TOOL: Final[str] = RENDER_A2UI_TOOL_DEF["function"]["name"]
_ONLY_DRAWN: Final = {"copilotkit:emit-messages": False, "copilotkit:emit-tool-calls": _RENDER_TOOL}

Namespace = tuple[str, ...]


class GraphMapper:
    """Turns what `graph.astream` yields in the modes above into events. One per run.

    A node is a step. Its state shows as a snapshot when its superstep ends, after the reducers, and before
    the step finishes. Inside a subgraph, the channels that it shares with the graph show as they change.
    What a tool call has foretold of the state stays visible until the graph changes that part itself, what
    a node emitted by hand until the superstep ends. The last snapshot is the graph's own state.

    Messages that no model streamed are shown at the end of their superstep. What was shown stays: the last
    snapshot of the conversation holds also what the graph does not store.

    Args:
        thread_id: the thread.
        run_id: the run.
        schema: the graph's schema.
        known: the messages that the client knows already.
        emit_outcome: the run's outcome lists its interrupts, too.
        view: the conversation as the client has it.
        repetition: what interrupted nodes say again.
        tool_tasks: the namespaces of tasks in which tools run; it may grow during the run.
        subagents: what the client sees of agents inside tools.
        unwritten: what the client has changed in the state and the graph cannot be given before its superstep
            is over. The client keeps it unless the graph changes that part itself, and sends it again.
    """

    def __init__(
        self,
        thread_id: str,
        run_id: str,
        schema: GraphSchema,
        known: Iterable[BaseMessage],
        *,
        emit_outcome: bool,
        view: ClientView | None = None,
        repetition: Repetition | None = None,
        tool_tasks: Collection[str] = (),
        subagents: SubagentMode = "inline",
        unwritten: Mapping[str, Any] | None = None,
    ) -> None:
        self._thread_id = thread_id
        self._run_id = run_id
        self._schema = schema
        self._emit_outcome = emit_outcome
        self._messages = MessageStream(known)
        self._visibility = Visibility(schema, tool_tasks)
        self._subagents = Subagents(subagents, schema, self._visibility, tool_tasks)
        self._tags: dict[str, str] = {}
        self._drawing: set[str | None] = set()
        self._shows: dict[str | None, bool] = {}
        self._view = view or ClientView()
        self._repetition = repetition or Repetition()
        self._transcript = Transcript((), None)
        self._stored: set[str | None] = set()
        self._begun: set[Namespace] = set()
        self._values: Any = None
        self._shown: dict[str, Any] | None = None
        self._preview: dict[str, Any] = {}
        self._predicted: dict[str, tuple[Any, Any]] = {}
        self._unwritten = dict(unwritten or {})
        self._before: dict[str, Any] | None = None
        self._tasks: dict[str, tuple[Namespace, str]] = {}
        self._steps: Counter[str] = Counter()
        self._ending: list[str] = []
        self._interrupts: dict[str, Interrupt] = {}

    def start(self) -> list[Event]:
        """Returns the events before the graph runs."""
        return [events.run_started(self._thread_id, self._run_id)]

    def feed(self, part: Any) -> list[Event]:
        """Returns the events of one item of the stream, with or without its namespace."""
        namespace, mode, data = part if len(part) == 3 else ((), *part)
        match mode:
            case "messages":
                found = self._message(*data)
            case "values":
                found = self._state(namespace, data)
            case "tasks":
                found = self._started(namespace, data) if "triggers" in data else self._ended(data)
            case "custom" if self._subagents.mode == "hidden" and self._subagents.around(namespace):
                found = []
            case "custom" if isinstance(data, DispatchedEvent):
                found = self._dispatched(data.name, data.data)
            case "custom" if isinstance(data, ToolResult):
                found = self._stream(data.message, {})
            case "custom":
                found = [events.custom(WRITTEN, to_json(data))]
            case _:
                found = []
        return self._shown_as(found)

    def _shown_as(self, found: list[Event]) -> list[Event]:
        """Returns events as the client gets them, and notes them."""
        named = [self._view.call_ids.event(event) for event in found]
        for event in named:
            self._transcript.add(event)
            if "subagentRunId" in event and (id := event.get("messageId") or event.get("parentMessageId")):
                self._tags[id] = event["subagentRunId"]
        return named

    def finish(self, pause: Interrupt | None = None) -> list[Event]:
        """Returns the events after the graph has run.

        Args:
            pause: announces the breakpoint at which the graph stands. Clients do not send the results of open
                tool calls while an interrupt of the outcome waits for an answer, so it is not part of the
                outcome where there are any: their results let the graph go on as well.
        """
        found = self._feed(self._repetition.end()) + self._messages.close()
        conversation = messages_in(self._values)
        for message in conversation or ():
            found += self._messages.feed(message, {})
        found = self._shown_as(found)
        if conversation is not None:
            conversation = with_client_ids(conversation, self._view.call_ids)
        found += self._finish_steps(list(self._tasks))
        found.append(events.state_snapshot(self._visible()))
        if conversation is not None:
            found.append(events.messages_snapshot(self._conversation(conversation)))
        pending = list(self._interrupts.values())
        announced = pending if pause is None else [*pending, pause]
        found += [events.custom("on_interrupt", announcement(interrupt)) for interrupt in announced]
        if not open_calls(conversation or ()):
            pending = announced
        outcome = [to_agui_interrupt(interrupt) for interrupt in pending] if self._emit_outcome else None
        finished = events.run_finished(self._thread_id, self._run_id, outcome)
        found.append(self._view.call_ids.event(finished))
        return found

    # Messages

    def _message(self, message: BaseMessage, metadata: Mapping[str, Any]) -> list[Event]:
        subagent = self._subagents.owner(message, metadata)
        shows = self._shows.get(message.id) if isinstance(message, AIMessageChunk) else None
        if shows is None:
            shows = self._subagents.shows(message, metadata) if subagent else self._visibility.shows(metadata)
            self._shows[message.id] = shows
        if not shows:
            if self._draws(message, metadata):
                return self._stream(message, {**metadata, **_ONLY_DRAWN})
            self._messages.hide(message)
            return []
        namespace = str(metadata.get("langgraph_checkpoint_ns"))
        if isinstance(message, AIMessageChunk) and self._repetition.concerns(namespace):
            return self._feed(self._repetition.feed(message, metadata))
        return self._stream(message, metadata)

    def _draws(self, message: BaseMessage, metadata: Mapping[str, Any]) -> bool:
        """Whether a message is one in which a tool lets a model draw a surface, which shows as it grows."""
        if message.id in self._drawing:
            return True
        calls = message.tool_call_chunks if isinstance(message, AIMessageChunk) else ()
        if any(call["name"] == _RENDER_TOOL for call in calls) and self._subagents.is_inside_tool(metadata):
            self._drawing.add(message.id)
            return True
        return False

    def _feed(self, streamed: Iterable[tuple[BaseMessage, Mapping[str, Any]]]) -> list[Event]:
        return [event for message, metadata in streamed for event in self._stream(message, metadata)]

    def _stream(self, message: BaseMessage, metadata: Mapping[str, Any]) -> list[Event]:
        found = self._messages.feed(message, metadata)
        if metadata:
            found = self._subagents.bracketed(self._subagents.owner(message, metadata), found)
        if isinstance(message, ToolMessage):
            found = self._subagents.with_ends(found, failed=message.status == "error")
        return found

    def _stores(self, namespace: Namespace, values: Any) -> list[Event]:
        """Returns the events of the messages that a superstep has added to a graph's conversation."""
        if not self._visibility.is_part(namespace) or not self._visibility.shows_inside(namespace):
            return []
        messages = messages_in(values) or []
        found: list[Event] = []
        if namespace not in self._begun:  # what the graph starts from is nothing new, but for missing results
            self._begun.add(namespace)
            found = self._feed((m, {}) for m in messages if isinstance(m, ToolMessage) and is_stand_in(m))
            self._messages.know(messages)
        found += self._feed((message, {}) for message in messages)
        if not namespace:
            self._stored.update(message.id for message in messages)
        return found

    def _conversation(self, messages: list[BaseMessage]) -> list[dict[str, Any]]:
        """Returns the conversation as the client has it after the run."""
        dropped = self._stored - {message.id for message in messages}
        # Clients keep activities that a snapshot does not have, unless it has others.
        streamed = [
            message
            for message in self._transcript.result().messages
            if message["role"] != "activity" and message["id"] not in dropped
        ]
        whole = self._view.after(visible(messages), streamed, replaced=self._repetition.replaced)
        if not self._tags:
            return whole
        tag = self._tags.get
        return [m | {"subagentRunId": tag(m["id"])} if m["id"] in self._tags else m for m in whole]

    # Steps

    def _started(self, namespace: Namespace, task: Mapping[str, Any]) -> list[Event]:
        found = self._flush()
        self._subagents.begin_task(namespace, task)
        name = task["name"]
        if not name.startswith("__") and self._visibility.shows_inside(namespace):
            self._tasks[task["id"]] = (namespace, name)
            self._steps[name] += 1
            if self._steps[name] == 1:
                found.append(events.step_started(name))
        return found

    def _ended(self, task: Mapping[str, Any]) -> list[Event]:
        for interrupt in task["interrupts"]:
            self._interrupts.setdefault(interrupt["id"], Interrupt(**interrupt))
        found = self._feed(self._repetition.end(task["id"])) + self._messages.close(task["id"])
        found += self._subagents.end_task(task)
        self._foresee()
        namespace, name = self._tasks.pop(task["id"], ((), None))
        if name is None:
            return found
        # A handover to another node ends the tasks inside this one without a word.
        around = f"{name}:{task['id']}"
        self._ending += [self._tasks.pop(id)[1] for id, (ns, _) in list(self._tasks.items()) if around in ns]
        self._ending.append(name)
        if any(other == namespace for other, _ in self._tasks.values()):
            found += self._flush()
        return found

    def _finish_steps(self, tasks: Iterable[str]) -> list[Event]:
        self._ending += [self._tasks.pop(task)[1] for task in tasks]
        return self._flush()

    def _flush(self) -> list[Event]:
        """Finishes the steps that waited for the snapshot of their superstep."""
        found: list[Event] = []
        for name in self._ending:
            self._steps[name] -= 1
            if not self._steps[name]:
                found.append(events.step_finished(name))
        self._ending.clear()
        return found

    # State

    def _state(self, namespace: Namespace, values: Any) -> list[Event]:
        if not namespace:
            self._values = values
        if isinstance(values, Mapping) and _INTERRUPTS in values:  # the superstep is not over
            return []
        found = self._stores(namespace, values)
        if not namespace:
            self._preview.clear()
        elif self._visibility.shows_inside(namespace):
            self._preview.update(visible_state(values, self._schema))
        found += self._show()
        return found + self._finish_steps([id for id, (ns, _) in self._tasks.items() if ns == namespace])

    def _show(self) -> list[Event]:
        """Returns a snapshot if the visible state has changed. What a run starts from is the client's own."""
        state = self._visible()
        for name, (foretold, before) in list(self._predicted.items()):
            if state.get(name) == before:
                state[name] = foretold
            else:
                del self._predicted[name]
        state.update(self._preview)
        changed = state != self._shown and bool(self._steps)
        self._shown = state
        return [events.state_snapshot(state)] if changed else []

    def _visible(self) -> dict[str, Any]:
        state = visible_state(self._values, self._schema)
        if self._before is None:
            self._before = dict(state)
        for name, value in self._unwritten.items():
            if state.get(name) == self._before.get(name):
                state[name] = to_json(value)
        return state

    def _foresee(self) -> None:
        """Takes over what the finished tool calls foretell."""
        if self._messages.predicted:
            state = visible_state(self._values, self._schema)
            for name, foretold in self._messages.predicted.items():
                self._predicted[name] = (foretold, state.get(name))
            self._messages.predicted.clear()

    # Events that nodes dispatch by hand, under the names of the upstream SDKs

    def _dispatched(self, name: str, data: Any) -> list[Event]:
        if (message := emitted_message(name, data)) is not None:
            id, text = message
            self._messages.know([AIMessage(text, id=id)])
            return [events.text_start(id), events.text_content(id, text), events.text_end(id)]
        match name.removeprefix("copilotkit_"):
            case "manually_emit_tool_call" if isinstance(data, Mapping):
                return _tool_call(str(data["id"]), str(data["name"]), data.get("args") or {})
            case "manually_emit_intermediate_state" | "manually_emit_state" if isinstance(data, Mapping):
                emitted = {key: to_json(value) for key, value in data.items() if key not in PLUMBING}
                self._preview.update(emitted)
                return self._show()
            case "exit":
                return [events.custom("Exit", True)]
            case _:
                return [events.custom(name, to_json(data))]


def _tool_call(id: str, name: str, args: Any) -> list[Event]:
    text = events.arguments_text(args)
    return [
        events.tool_call_start(id, name, id),
        events.tool_call_args(id, text),
        events.tool_call_end(id),
    ]
