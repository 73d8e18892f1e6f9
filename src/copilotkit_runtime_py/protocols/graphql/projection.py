"""The GraphQL contract as a projection of AG-UI events: events in, message changes out.

The mapping is that of CopilotRuntime 1.10.6 (`convertToLegacyEvents` of its AG-UI client and the resolver of
`generateCopilotResponse`). It is pure: nothing here waits, and nothing knows GraphQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic_core import from_json

from ...agui.events import COPILOTKIT_INTERRUPTS, GRAPH_INTERRUPTS, Event, as_text, encode, interrupt_text
from ...agui.json_patch import PatchBudget, Patched
from ...runs.event_log import Entry
from .convert import flat_messages

# What the AG-UI contract calls a fault of the event stream itself; this contract has no name for it.
STREAM_FAULT: Final = "INCOMPLETE_STREAM"

TEXT_CUT: Final = "Error streaming message content"
ARGUMENTS_CUT: Final = "An unknown error has occurred in the action execution argument stream"


class StartText(NamedTuple):
    """A text message of the assistant begins."""

    id: str


class StartAction(NamedTuple):
    """An action execution begins."""

    id: str
    name: str
    parent_id: str | None


class Grow(NamedTuple):
    """The text or the arguments of the last message of that id grow."""

    kind: str
    id: str
    delta: str


class End(NamedTuple):
    """The last message of that id is complete, or was cut off for a reason."""

    kind: str
    id: str
    reason: str | None


class AddResult(NamedTuple):
    """An action was answered."""

    call_id: str
    action_name: str
    result: str


class AddState(NamedTuple):
    """The agent's state, as a message."""

    node_name: str
    state: str
    active: bool
    running: bool


class AddInterrupt(NamedTuple):
    """The agent waits for an answer."""

    value: str


class AddCopilotKitInterrupt(NamedTuple):
    """The agent waits for an answer, and shows messages (flat form) for it."""

    value: str
    messages: list[dict[str, Any]]


class Finish(NamedTuple):
    """The response is complete."""


class Fail(NamedTuple):
    """The response failed."""

    message: str
    code: str | None


MessageChange: TypeAlias = (
    StartText
    | StartAction
    | Grow
    | End
    | AddResult
    | AddState
    | AddInterrupt
    | AddCopilotKitInterrupt
    | Finish
    | Fail
)

# How many bytes the messages about changes of the state may have in one response.
_MAX_STATE_BYTES: Final = 16 * 1024 * 1024

TEXT: Final = "text"
ACTION: Final = "action"


class Projection:
    """Translates one run's events.

    Args:
        state: the state that the client sent along, which the agent's patches may refer to.
        messages: the conversation that the client sent along, as AG-UI messages in JSON form. A call in it
            may get its result in this run.
    """

    def __init__(self, state: Any = None, messages: Iterable[dict[str, Any]] = ()) -> None:
        budget = PatchBudget()
        # What the client sent is not sent back until the agent changes it.
        self._base = Patched(state, budget) if state is not None else None
        self._state = Patched({}, budget)
        self._state_bytes = 0
        self._running = True
        self._exited = False
        self._node = ""
        self._synced: list[dict[str, Any]] | None = None
        self._predicted: list[dict[str, Any]] = []
        self._names: dict[str, str] = {
            call["id"]: call["function"]["name"]
            for message in messages
            for call in message.get("toolCalls") or ()
        }
        self._arguments: dict[str, list[str]] = {}
        self._interrupted = False
        self._handlers: dict[str, Callable[[Event, bool], Iterable[MessageChange]]] = {
            "TEXT_MESSAGE_START": self._text_start,
            "TEXT_MESSAGE_END": self._text_end,
            "TOOL_CALL_START": self._call_start,
            "TOOL_CALL_END": self._call_end,
            "TOOL_CALL_RESULT": self._call_result,
            "STATE_SNAPSHOT": self._state_snapshot,
            "STATE_DELTA": self._state_delta,
            "MESSAGES_SNAPSHOT": self._messages_snapshot,
            "STEP_STARTED": self._step_started,
            "STEP_FINISHED": self._step_finished,
            "CUSTOM": self._custom,
            "RUN_FINISHED": self._run_finished,
            "RUN_ERROR": self._run_error,
        }

    def project(self, entries: Iterable[Entry]) -> list[MessageChange]:
        """Returns the message changes of a batch of events.

        Deltas of one message that follow each other are joined: a client sees no difference, and each item
        costs it a copy of the whole list.
        """
        changes: list[MessageChange] = []
        parts: list[str] = []
        growing: tuple[str, str] | None = None
        for entry in entries:
            event = entry.event
            kind = event["type"]
            if kind == "TEXT_MESSAGE_CONTENT":
                target = (TEXT, event["messageId"])
            elif kind == "TOOL_CALL_ARGS":
                target = (ACTION, event["toolCallId"])
            else:
                target = None
            if target != growing:
                if growing is not None:
                    changes.extend(self._grow(*growing, "".join(parts)))
                    parts.clear()
                growing = target
            if target is not None:
                parts.append(event["delta"])
                continue
            handler = self._handlers.get(kind)
            if handler is not None:
                changes.extend(handler(event, entry.cut))
        if growing is not None:
            changes.extend(self._grow(*growing, "".join(parts)))
        return changes

    def _grow(self, kind: str, id: str, delta: str) -> Iterable[MessageChange]:
        yield Grow(kind, id, delta)
        if kind == ACTION:
            parts = self._arguments.setdefault(id, [])
            parts.append(delta)
            if self._predicted:
                parts[:] = ["".join(parts)]
                if self._predict(self._names.get(id), parts[0]):
                    yield self._state_message(active=True)

    def _text_start(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        yield StartText(event["messageId"])

    def _text_end(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        yield End(TEXT, event["messageId"], TEXT_CUT if cut else None)

    def _call_start(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        id = event["toolCallId"]
        self._names[id] = event["toolCallName"]
        yield StartAction(id, event["toolCallName"], event.get("parentMessageId"))

    def _call_end(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        self._arguments.pop(event["toolCallId"], None)
        yield End(ACTION, event["toolCallId"], ARGUMENTS_CUT if cut else None)

    def _call_result(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        if cut:
            return
        id = event["toolCallId"]
        yield AddResult(id, self._names.get(id, "unknown"), as_text(event.get("content", "")))

    def _state_snapshot(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        snapshot = event.get("snapshot")
        if isinstance(snapshot, dict | list):
            self._base = None
            self._state.replace(snapshot)
            yield self._state_message(active=True)

    def _state_delta(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        state = self._state if self._base is None else self._base
        if state.apply(event["delta"]):
            self._state, self._base = state, None
            # Each message has the whole state. Beyond a bound, only the next step and the end carry it.
            if self._state_bytes <= _MAX_STATE_BYTES:
                yield self._state_message(active=True)

    def _messages_snapshot(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        self._synced = event["messages"]
        yield self._state_message(active=True, messages=self._synced)

    def _step_started(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        self._node = event["stepName"]
        self._predicted = []
        yield self._state_message(active=True)

    def _step_finished(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        self._predicted = []
        if not cut:
            yield self._state_message(active=False)

    def _custom(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        name, value = event["name"], event.get("value")
        if name in GRAPH_INTERRUPTS:
            self._interrupted = True
            yield AddInterrupt(as_text(value))
        elif name in COPILOTKIT_INTERRUPTS:
            self._interrupted = True
            data = value.get("data", value) if isinstance(value, dict) else value
            if not isinstance(data, dict):
                data = {"value": data}
            messages = data.get("messages")
            messages = messages if isinstance(messages, list) else []
            yield AddCopilotKitInterrupt(
                as_text(data.get("value")), [m for m in messages if isinstance(m, dict)]
            )
        elif name == "PredictState" and isinstance(value, list):
            self._predicted = [entry for entry in value if isinstance(entry, dict)]
        elif name == "Exit":
            self._running = False
            self._exited = True

    def _run_finished(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        outcome = event.get("outcome")
        if not self._interrupted and isinstance(outcome, dict):
            for interrupt in outcome.get("interrupts") or ():
                yield AddInterrupt(interrupt_text(interrupt))
        messages = flat_messages(self._synced) if self._synced is not None else None
        # A client learns from this message only that the agent gave up its session.
        if self._shown_state or messages is not None or self._exited:
            yield self._state_message(active=False, messages=messages)
        yield Finish()

    def _run_error(self, event: Event, cut: bool) -> Iterable[MessageChange]:
        code = event.get("code")
        yield Fail(event["message"], None if code == STREAM_FAULT else code)

    def _predict(self, name: str | None, arguments: str) -> bool:
        """Updates the state from a call's arguments so far, if the agent announced that they carry it."""
        entries = [entry for entry in self._predicted if entry.get("tool") == name]
        state = self._state.value
        if not entries or not isinstance(state, dict):
            return False
        try:
            values = from_json(arguments, allow_partial="trailing-strings")
        except ValueError:
            return False
        changed = False
        for entry in entries:
            argument, key = entry.get("tool_argument"), entry.get("state_key")
            if not isinstance(key, str):
                continue
            if not argument:
                state = {**state, key: values}
                changed = True
            elif isinstance(argument, str) and isinstance(values, dict) and argument in values:
                state = {**state, key: values[argument]}
                changed = True
        if changed:
            self._state.replace(state)
        return changed

    def _state_message(self, *, active: bool, messages: list[dict[str, Any]] | None = None) -> AddState:
        state = self._shown_state
        if messages is not None:
            state = {**(state if isinstance(state, dict) else {}), "messages": messages}
        text = encode(state).decode()
        self._state_bytes += len(text)
        return AddState(self._node, text, active, self._running)

    @property
    def _shown_state(self) -> Any:
        """The state without the conversation that a graph's state holds."""
        state = self._state.value
        if isinstance(state, dict) and "messages" in state:
            return {key: value for key, value in state.items() if key != "messages"}
        return state
