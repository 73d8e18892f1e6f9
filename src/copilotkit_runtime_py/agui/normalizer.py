"""The order of one run's events: what an agent yields goes in, a valid AG-UI stream comes out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import orjson
from ag_ui.core import Event as AGUIEvent
from ag_ui.core import EventType, ToolCall
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from ..errors import ProtocolViolationError
from ..logs.records import get_logger, hide
from . import events
from .events import Event
from .message_events import PARTS, REASONING, TEXT, TOOL
from .versions import portable

logger = get_logger(__name__)


# AG-UI 1.0 knows these. Other types come from a newer peer, or an older one (THINKING_*), and are skipped.
_KNOWN: Final = frozenset(type.value for type in EventType)
_MODEL: Final[TypeAdapter[Any]] = TypeAdapter(AGUIEvent)


class _Loose(BaseModel):
    metadata: dict[str, Any] | None = None
    subagentRunId: str | None = None


class _RunStarted(_Loose):
    threadId: str
    runId: str
    parentRunId: str | None = None
    protocolVersion: str | None = None


class _Message(BaseModel):
    id: str
    role: str
    toolCalls: list[ToolCall] | None = None
    toolCallId: str | None = None


class _MessagesSnapshot(_Loose):
    messages: list[_Message]


# Conversations are checked no further than the runtime reads them: their messages may be of any version.
_LOOSE: Final[dict[str, TypeAdapter[Any]]] = {
    "RUN_STARTED": TypeAdapter(_RunStarted),
    "MESSAGES_SNAPSHOT": TypeAdapter(_MessagesSnapshot),
}

# Members that AG-UI requires and that a client reads the same when they are supplied.
_SUPPLIED: Final[dict[str, dict[str, Any]]] = {
    "TEXT_MESSAGE_START": {"role": "assistant"},
    "REASONING_MESSAGE_START": {"role": "reasoning"},
    "TOOL_CALL_RESULT": {"content": "", "role": "tool"},
    "STATE_SNAPSHOT": {"snapshot": None},
    "CUSTOM": {"value": None},
    "RAW": {"event": None},
    "ACTIVITY_SNAPSHOT": {"replace": True},
}

# An event of these types may stand between two chunks of one message.
_CHUNK_NEUTRAL: Final = {"RAW", "ACTIVITY_SNAPSHOT", "ACTIVITY_DELTA", "REASONING_ENCRYPTED_VALUE"}

# chunk type -> (kind, START, CONTENT, END, id field, fields that START takes over)
_CHUNKS: Final[dict[str, tuple[str, str, str, str, str, tuple[str, ...]]]] = {
    "TEXT_MESSAGE_CHUNK": (
        TEXT,
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "messageId",
        ("role", "name"),
    ),
    "TOOL_CALL_CHUNK": (
        TOOL,
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "toolCallId",
        ("toolCallName", "parentMessageId"),
    ),
    "REASONING_MESSAGE_CHUNK": (
        REASONING,
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
        "messageId",
        (),
    ),
}

# event type -> (kind, id field) of the events that come by the thousand
_GROWTH: Final = {type: part[1:] for type, part in PARTS.items() if part[0] == "grow"}
_START_OF: Final = {kind: type for type, (action, kind, _) in PARTS.items() if action == "open"}
_END_OF: Final = {kind: type for type, (action, kind, _) in PARTS.items() if action == "close"}
_ID_OF: Final = {kind: field for _, kind, field in PARTS.values()}


class EventSequence:
    """Checks and completes the events of one run.

    The first event out is RUN_STARTED, every message and tool call is opened before it grows and closed
    before the end, chunk events are expanded to start, content and end, and one terminal event is the last.
    What comes out is the sequence's own, in plain JSON: an agent may change what it yielded, and put objects
    into it. Null members are dropped, since no AG-UI schema accepts all of them.

    Args:
        thread_id: the thread of the run.
        run_id: the run's id.
        strict_stream: the agent must send RUN_STARTED, message ends and the terminal event itself; a
            missing one is an error. Otherwise they are supplied.
        input: what RUN_STARTED tells of the run's input, unless the agent tells it itself.

    The texts of violations are those of AG-UI's own client, which frontends already show
    (`@ag-ui/client`, `verifyEvents`).

    Attributes:
        started: RUN_STARTED is out.
        terminal: the event that ends the run, once there is one. It is kept apart from the others, so that
            the run can settle its affairs before anyone sees it.
    """

    def __init__(
        self, thread_id: str, run_id: str, *, strict_stream: bool, input: Event | None = None
    ) -> None:
        self.thread_id = thread_id
        self.run_id = run_id
        self.started = False
        self.terminal: Event | None = None
        self._strict_stream = strict_stream
        self._input = input
        self._open: dict[tuple[str, str], None] = {}
        self._unanswered: dict[str, None] = {}
        self._steps: dict[str, None] = {}
        self._chunk: tuple[str, str] | None = None

    def push(self, event: Event, out: list[Event]) -> None:
        """Takes an agent's event and appends the events that follow from it to `out`.

        A terminal event is kept in `terminal`; what comes after it is ignored.

        Raises:
            ProtocolViolationError: the event is malformed or out of order.
            TypeError: the event holds what has no JSON form.
        """
        kind = event.get("type")
        if type(kind) is str and kind in _GROWTH and len(event) == 3 and self._chunk is None:
            # The hot path: nothing to look up but the message.
            part, field = _GROWTH[kind]
            id, delta = event.get(field), event.get("delta")
            if type(id) is str and type(delta) is str and (part, id) in self._open and self.terminal is None:
                if delta:
                    out.append({"type": kind, field: id, "delta": delta})
                return
        self._push(kind, event, out)

    def finish(self, out: list[Event]) -> None:
        """Ends the stream after the agent's last event, if it is not over already.

        Raises:
            ProtocolViolationError: a strict_stream agent ended without a terminal event.
        """
        if self.terminal is not None:
            return
        self._close_chunk(out)
        if self._strict_stream:
            raise ProtocolViolationError("Run ended without emitting a terminal event", "INCOMPLETE_STREAM")
        self.end(events.run_finished(self.thread_id, self.run_id), out)

    def end(self, terminal: Event, out: list[Event]) -> None:
        """Ends the stream with `terminal`, after closing what is open. Does nothing if it is over already."""
        if self.terminal is None:
            self._start(out)
            self.close_open(out)
            self.terminal = terminal

    def close_open(self, out: list[Event]) -> None:
        """Closes what is open: messages and tool calls, then steps."""
        self._chunk = None
        for kind, id in self._open:
            out.append({"type": _END_OF[kind], _ID_OF[kind]: id})
        self._open.clear()
        out.extend(events.step_finished(name) for name in self._steps)
        self._steps.clear()

    def answer_calls(self, calls: Iterable[str], answer: Event, out: list[Event]) -> None:
        """Gives the tool calls that have no result one that says why.

        A model refuses a conversation in which a call has no result, and a frontend would still run the tool.
        """
        for id in calls:
            if id in self._unanswered:
                del self._unanswered[id]
                out.append(events.tool_call_result(f"{id}-result", id, events.as_text(answer)))

    @property
    def unanswered_calls(self) -> list[str]:
        """The tool calls of the run that have no result."""
        return list(self._unanswered)

    @property
    def open_calls(self) -> list[str]:
        """The tool calls whose arguments are not complete."""
        return [id for kind, id in self._open if kind == TOOL]

    def _push(self, kind: Any, event: Event, out: list[Event]) -> None:
        if self.terminal is not None:
            logger.debug("ignored %s after the end of run %s", kind, self.run_id)
            return
        if not isinstance(kind, str):
            raise ProtocolViolationError("The agent sent an event without a type", "INCOMPLETE_STREAM")
        if kind not in _KNOWN:
            logger.debug("skipped an event of unknown type %.80r in run %s", kind, self.run_id)
            return
        event = _in_json_form(event)
        kind = event["type"]
        if kind in ("RUN_STARTED", "RUN_FINISHED"):
            event.setdefault("threadId", self.thread_id)
            event.setdefault("runId", self.run_id)
        _check(event)
        if not self.started and kind != "RUN_STARTED":
            if self._strict_stream and kind != "RUN_ERROR":
                raise ProtocolViolationError("First event must be 'RUN_STARTED'", "INCOMPLETE_STREAM")
            self._start(out)
        chunk = _CHUNKS.get(kind)
        if chunk is not None:
            self._expand(event, chunk, out)
            return
        if self._chunk is not None and kind not in _CHUNK_NEUTRAL:
            self._close_chunk(out)
        part = PARTS.get(kind)
        if part is not None:
            self._push_part(event, part, out)
        else:
            self._push_other(kind, event, out)

    def _start(self, out: list[Event]) -> None:
        if not self.started:
            self._announce(events.run_started(self.thread_id, self.run_id), out)

    def _announce(self, event: Event, out: list[Event]) -> None:
        self.started = True
        if self._input is not None:
            told = event.setdefault("input", self._input)
            if "forwardedProps" in told and told is not self._input:
                # The agent knows the server's own properties, too.
                told["forwardedProps"] = self._input.get("forwardedProps", {})
        out.append(event)

    def _push_part(self, event: Event, part: tuple[str, str, str], out: list[Event]) -> None:
        action, kind, field = part
        key = (kind, event[field])
        if action == "open":
            if key in self._open:
                raise _violation(event, f"A {kind} with ID '{key[1]}' is already in progress", complete=kind)
            self._open[key] = None
            if kind == TOOL:
                self._unanswered[key[1]] = None
        elif key not in self._open:
            raise _violation(event, f"No active {kind} found with ID '{key[1]}'", start=kind)
        elif action == "close":
            del self._open[key]
        elif not event["delta"]:
            return
        out.append(event)

    def _push_other(self, kind: str, event: Event, out: list[Event]) -> None:
        if kind == "RUN_STARTED":
            if self.started:
                raise ProtocolViolationError(
                    "Cannot send 'RUN_STARTED' while a run is still active. The previous run must be "
                    "finished with 'RUN_FINISHED' before starting a new run.",
                    "INCOMPLETE_STREAM",
                )
            self._announce(event, out)
            return
        elif kind == "RUN_FINISHED":
            if self._strict_stream:
                self._check_nothing_open()
            self.end(event, out)
            return
        elif kind == "RUN_ERROR":
            # What is open stays so: the run closes it as cut off.
            event["message"] = hide(event["message"])
            self.terminal = event
            return
        elif kind == "TOOL_CALL_RESULT":
            self._unanswered.pop(event["toolCallId"], None)
        elif kind == "STEP_STARTED":
            name = event["stepName"]
            if name in self._steps:
                raise ProtocolViolationError(
                    f"Step \"{name}\" is already active for 'STEP_STARTED'", "INCOMPLETE_STREAM"
                )
            self._steps[name] = None
        elif kind == "STEP_FINISHED":
            name = event["stepName"]
            if name not in self._steps:
                raise ProtocolViolationError(
                    f"Cannot send 'STEP_FINISHED' for step \"{name}\" that was not started",
                    "INCOMPLETE_STREAM",
                )
            del self._steps[name]
        out.append(event)

    def _check_nothing_open(self) -> None:
        if self._steps:
            names = ", ".join(self._steps)
            raise ProtocolViolationError(
                f"Cannot send 'RUN_FINISHED' while steps are still active: {names}", "INCOMPLETE_STREAM"
            )
        for kind in (TEXT, TOOL):
            ids = ", ".join(id for open_kind, id in self._open if open_kind == kind)
            if ids:
                raise ProtocolViolationError(
                    f"Cannot send 'RUN_FINISHED' while {kind}s are still active: {ids}", "INCOMPLETE_STREAM"
                )

    def _expand(
        self, event: Event, chunk: tuple[str, str, str, str, str, tuple[str, ...]], out: list[Event]
    ) -> None:
        kind, start_type, content_type, _, field, taken_over = chunk
        id = event.get(field)
        metadata = {"metadata": event["metadata"]} if "metadata" in event else {}
        if self._chunk is not None and (self._chunk[0] != kind or id not in (None, self._chunk[1])):
            self._close_chunk(out)
        if self._chunk is None:
            if not isinstance(id, str):
                raise ProtocolViolationError(
                    f"First {event['type']} must have a {field}", "INCOMPLETE_STREAM"
                )
            if kind == TOOL and not isinstance(event.get("toolCallName"), str):
                raise ProtocolViolationError(
                    "First TOOL_CALL_CHUNK must have a toolCallName", "INCOMPLETE_STREAM"
                )
            start: Event = {"type": start_type, field: id} | _SUPPLIED.get(start_type, {}) | metadata
            start |= {name: event[name] for name in taken_over if name in event}
            self._push_part(start, ("open", kind, field), out)
            self._chunk = (kind, id)
        delta = event.get("delta")
        if isinstance(delta, str) and delta:
            out.append({"type": content_type, field: self._chunk[1], "delta": delta} | metadata)

    def _close_chunk(self, out: list[Event]) -> None:
        if self._chunk is not None:
            kind, id = self._chunk
            self._chunk = None
            self._open.pop((kind, id), None)
            out.append({"type": _END_OF[kind], _ID_OF[kind]: id})


def _in_json_form(event: Event) -> Event:
    """Returns a deep copy in plain JSON, without null members but for payloads in which null is a value."""
    try:
        copy = orjson.loads(orjson.dumps(event, default=to_jsonable_python, option=orjson.OPT_NON_STR_KEYS))
    except orjson.JSONEncodeError:  # half of a surrogate pair, perhaps: see `events.encode`
        copy = json.loads(json.dumps(event, default=to_jsonable_python))
    kept = {k: v for k, v in copy.items() if v is not None or k in ("snapshot", "value", "event", "result")}
    if type(kept.get("timestamp", 0)) is not int:
        del kept["timestamp"]
    for name, value in _SUPPLIED.get(kept["type"], {}).items():
        kept.setdefault(name, value)
    if kept["type"] == "RUN_ERROR" and "code" in kept:
        kept["code"] = events.as_text(kept["code"])
    return portable(kept)


def _check(event: Event) -> None:
    kind = event["type"]
    model = _LOOSE.get(kind, _MODEL)
    try:
        model.validate_python(event, by_alias=True, by_name=False)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"] if part != kind)
        raise _malformed(kind, f"{where}: {problem['msg']}") from None
    if kind == "MESSAGES_SNAPSHOT":
        event["messages"] = [{k: v for k, v in m.items() if v is not None} for m in event["messages"]]


def _malformed(kind: str, problem: str) -> ProtocolViolationError:
    return ProtocolViolationError(f"The agent sent a malformed {kind} event: {problem}", "INCOMPLETE_STREAM")


def _violation(
    event: Event, problem: str, *, start: str | None = None, complete: str | None = None
) -> ProtocolViolationError:
    if start is not None:
        remedy = f"Start a {start} with '{_START_OF[start]}' first."
    else:
        remedy = f"Complete it with '{_END_OF[complete or TEXT]}' first."
    return ProtocolViolationError(
        f"Cannot send '{event['type']}' event: {problem}. {remedy}", "INCOMPLETE_STREAM"
    )
