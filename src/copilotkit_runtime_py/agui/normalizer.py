"""The order of one run's events: what an agent yields goes in, a valid AG-UI stream comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import ProtocolViolationError
from ..logs.records import get_logger, hide
from . import events
from .attribution import ACTIVITY, Attribution
from .brackets import Brackets
from .chunks import CHUNKS, ChunkLanes, Key
from .event_checks import KNOWN, SUPPLIED, checked
from .events import Event
from .json_patch import MAX_OPERATIONS
from .message_events import BRACKETS, PARTS, REASONING, TEXT, TOOL
from .message_ids import MessageIds
from .usage import take_usage
from .versions import SentMessage, Thinking, restore_client_messages

logger = get_logger(__name__)

_TAG: Final = "subagentRunId"

# event type -> (kind, id field) of the most frequent events
_GROWTH: Final = {type: part[1:] for type, part in PARTS.items() if part[0] == "grow"}
_START_OF: Final = {kind: type for type, (action, kind, _) in PARTS.items() if action == "open"}
_GROW_OF: Final = {kind: type for type, (action, kind, _) in PARTS.items() if action == "grow"}
_END_OF: Final = {kind: type for type, (action, kind, _) in PARTS.items() if action == "close"}
_ID_OF: Final = {kind: field for _, kind, field in PARTS.values()}


class _Open:
    """A message or tool call that may grow.

    Attributes:
        id: the id by which clients know it.
        tag: the subagent that its first event names.
        chunked: it consists of chunk events, so nothing says where it ends.
        metadata: the metadata that its end carries.
    """

    __slots__ = ("chunked", "id", "metadata", "tag")

    def __init__(self, id: str, tag: str | None, *, chunked: bool) -> None:
        self.id = id
        self.tag = tag
        self.chunked = chunked
        self.metadata: dict[str, Any] | None = None


class EventSequence:
    """Checks and completes the events of one run.

    The first event out is RUN_STARTED, whatever can be opened is opened before it grows and closed before
    the end, chunk events are expanded to start, content and end, message ids are unique, `subagentRunId` is
    consistent, and one terminal event is the last. What comes out is the sequence's own, in plain JSON: an
    agent may change what it yielded, and put objects into it.

    Args:
        thread_id: the thread of the run.
        run_id: the run's id.
        strict_stream: the agent must send RUN_STARTED, message ends and the terminal event itself; a
            missing one is an error. Otherwise they are supplied.
        input: the input that RUN_STARTED carries, unless the agent supplies it.
        sent: the messages that the client sent in another form than the agent got; snapshots of the
            conversation show them as they were sent.
        known: the messages that clients have already, as AG-UI messages in JSON form.
        corrected: the conversation, where clients show another one; they get it after RUN_STARTED.
        announces: questions that the outcome alone tells are announced by `on_interrupt` events, too. Clients
            before AG-UI 1.0 may know nothing else.

    The texts of violations are those of AG-UI's own client, which frontends already show
    (`@ag-ui/client`, `verifyEvents`).

    Attributes:
        started: RUN_STARTED is out.
        terminal: the event that ends the run, once there is one. It is stored separately, so that
            the run can be recorded before anyone sees it. Where another turn of an agent follows within
            the run, it is set to None again.
        patch_operations: how many operations the patches of states and activities had so far.
    """

    def __init__(
        self,
        thread_id: str,
        run_id: str,
        *,
        strict_stream: bool,
        input: Event | None = None,
        sent: Mapping[str, SentMessage] | None = None,
        known: Iterable[Mapping[str, Any]] = (),
        corrected: list[Event] | None = None,
        announces: bool = False,
    ) -> None:
        self.thread_id = thread_id
        self.run_id = run_id
        self.started = False
        self.terminal: Event | None = None
        self.patch_operations = 0
        self._strict_stream = strict_stream
        self._input = input
        self._sent = sent
        self._announces = announces
        self._corrected = corrected
        self._begun = False
        # By kind and the agent's own id.
        self._open: dict[Key, _Open] = {}
        self._unanswered: dict[str, None] = {}
        self._lanes = ChunkLanes()
        self._ids = MessageIds()
        self._ids.keep(known)
        self._attribution = Attribution()
        self._brackets = Brackets(self._attribution)
        self._thinking = Thinking()

    def begin_turn(self, *, strict_stream: bool) -> None:
        """Starts a turn of an agent: the first of the run, or a later one of the same or another agent.

        The RUN_STARTED of a later turn is accepted and dropped.
        """
        self._strict_stream = strict_stream
        self._begun = False

    def push(self, event: Event, out: list[Event]) -> None:
        """Appends an agent's event to `out`, with the events that have to come before and after it.

        A terminal event goes to `terminal`; what comes after it is ignored.

        Raises:
            ProtocolViolationError: the event is malformed or out of order.
            TypeError: the event holds what has no JSON form.
        """
        kind = event.get("type")
        # Whatever the hot path leaves out, `_push` does with the same result: a mutant here only costs time.
        # pragma: no mutate start
        growth = _GROWTH.get(kind) if type(kind) is str else None
        if growth is not None and not self._lanes:
            # The hot path looks up only the message.
            part, field = growth
            id, delta = event.get(field), event.get("delta")
            if type(id) is str and type(delta) is str and delta and self.terminal is None:
                opened = self._open.get((part, id))
                if opened is not None:
                    if len(event) == 3:
                        out.append({"type": kind, field: opened.id, "delta": delta})
                        return
                    if len(event) == 4 and opened.tag is not None and event.get(_TAG) == opened.tag:
                        out.append({"type": kind, field: opened.id, "delta": delta, _TAG: opened.tag})
                        return
        # pragma: no mutate end
        self._push(kind, event, out)

    def finish(self, out: list[Event]) -> None:
        """Ends the stream after the agent's last event, if it is not over already.

        Raises:
            ProtocolViolationError: a strict stream ended without a terminal event.
        """
        if self.terminal is not None:
            return
        self.close_chunks(out)
        if self._strict_stream:
            raise ProtocolViolationError("Run ended without emitting a terminal event", "INCOMPLETE_STREAM")
        self.end(events.run_finished(self.thread_id, self.run_id), out)

    def end(self, terminal: Event, out: list[Event]) -> None:
        """Ends the stream with `terminal`, after closing what is open. Does nothing if it is over already."""
        if self.terminal is None:
            self._start(out)
            self.terminal = _redacted(terminal)
            self.close_open(out)
            outcome = terminal.get("outcome")
            if self._announces and isinstance(outcome, dict):
                asked = outcome.get("interrupts") or ()
                out.extend(events.custom("on_interrupt", events.interrupt_text(each)) for each in asked)

    def close_chunks(self, out: list[Event]) -> None:
        """Closes the messages and tool calls that consist of chunk events."""
        self._end_chunks(self._lanes.clear(), out)

    def begins_text(self, event: Event) -> bool:
        """Whether an event that was not pushed yet starts a text message."""
        kind, id = event.get("type"), event.get("messageId")
        if kind == "TEXT_MESSAGE_CHUNK":
            return isinstance(id, str) and (TEXT, id) not in self._open
        return kind == "TEXT_MESSAGE_START"

    def end_call_before(self, event: Event, out: list[Event]) -> None:
        """Closes the chunked tool call that the start of a text message ends, ahead of that event."""
        key = self._lanes.end_call(event)
        if key is not None:
            self._end_chunks([key], out)

    def close_open(self, out: list[Event]) -> None:
        """Closes what is open: messages and tool calls, then what they stand in, from the inside out."""
        self._lanes.clear()
        for key in list(self._open):
            self._close(key, out)
        out.extend(self._brackets.close_all(self.terminal or {}))

    def answer_calls(self, calls: Iterable[str], answer: Event, out: list[Event]) -> None:
        """Gives the tool calls that have no result one that says why.

        A model refuses a conversation in which a call has no result, and a frontend would still run the tool.
        """
        for id in calls:
            if id in self._unanswered:
                del self._unanswered[id]
                message_id = self._ids.of_result(f"{id}-result", id)
                out.append(events.tool_call_result(message_id, id, events.as_text(answer)))

    def expect_result(self, call_id: str) -> None:
        """Records that a call of an earlier run gets its result in this one."""
        if not self._ids.has_result(call_id):
            self._unanswered[call_id] = None

    @property
    def unanswered_calls(self) -> list[str]:
        """The tool calls to be answered in the run that have no result."""
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
        event = self._thinking.translate(event)
        if event["type"] not in KNOWN:
            logger.debug("skipped an event of unknown type %.80r in run %s", kind, self.run_id)
            return
        if kind in ("RUN_STARTED", "RUN_FINISHED"):
            ids = {"threadId": self.thread_id, "runId": self.run_id}
            event = {**event, **{name: id for name, id in ids.items() if event.get(name) is None}}
        self._count_operations(event)
        event = checked(take_usage(event))
        kind = event["type"]
        if not self._begun and kind != "RUN_STARTED":
            if self._strict_stream and kind != "RUN_ERROR":
                raise ProtocolViolationError("First event must be 'RUN_STARTED'", "INCOMPLETE_STREAM")
            self._begun = True
            self._start(out)
        if kind in CHUNKS:
            self._expand(event, out)
            return
        if self._lanes:
            self._end_chunks(self._lanes.ended_by(event), out)
        if kind in PARTS:
            self._push_part(event, out)
        elif kind in BRACKETS:
            if self._brackets.push(event):
                out.append(_redacted(event))
        else:
            self._push_other(kind, event, out)

    def _count_operations(self, event: Event) -> None:
        """Refuses a patch that takes long to check, before it is checked."""
        patch = event.get("delta" if event["type"] == "STATE_DELTA" else "patch")
        if isinstance(patch, list | tuple):
            if len(patch) > MAX_OPERATIONS:
                raise ProtocolViolationError(
                    f"A patch of the agent exceeded {MAX_OPERATIONS} operations.", "LIMIT_EXCEEDED"
                )
            self.patch_operations += len(patch)

    def _start(self, out: list[Event]) -> None:
        if not self.started:
            self._announce(events.run_started(self.thread_id, self.run_id), out)

    def _announce(self, event: Event, out: list[Event]) -> None:
        self.started = True
        if self._input is not None:
            shown = event.setdefault("input", self._input)
            if "forwardedProps" in shown and shown is not self._input:
                # The agent knows the server's own properties, too.
                shown["forwardedProps"] = self._input.get("forwardedProps", {})
            if self._sent and shown is not self._input and shown.get("messages"):
                shown["messages"] = restore_client_messages(shown["messages"], self._sent)
        messages = (event.get("input") or {}).get("messages") or ()
        self._ids.keep(messages)
        self._attribution.read(messages, authoritative=False)
        out.append(event)
        if self._corrected is not None:
            snapshot = events.messages_snapshot(self._corrected)
            self._push_snapshot(snapshot)
            out.append(snapshot)

    def _push_part(self, event: Event, out: list[Event]) -> None:
        action, kind, field = PARTS[event["type"]]
        key = (kind, event[field])
        if action == "open":
            self._open_part(key, event, out)
            return
        opened = self._open.get(key)
        if opened is None:
            raise _violation(event, f"No active {kind} found with ID '{key[1]}'", start=kind)
        event[field] = opened.id
        self._attribution.continue_(kind, opened.id, event)
        if action == "close":
            self._close(key, out, event)
        elif event["delta"]:
            out.append(event)
        else:
            # The clients of CopilotKit 1.50 refuse an empty delta.
            _add_metadata(opened, event)

    def _open_part(self, key: Key, event: Event, out: list[Event], *, chunked: bool = False) -> None:
        kind, id = key
        if key in self._open:
            raise _violation(event, f"A {kind} with ID '{id}' is already in progress", complete=kind)
        if kind == TOOL:
            parent = self._ids.of_parent(event.get("parentMessageId"), id)
            if parent is not None:
                event["parentMessageId"] = parent
            if not self._ids.has_result(id):
                self._unanswered[id] = None
            self._attribution.open_call(id, event)
        else:
            role = event["role"]
            id = event["messageId"] = self._ids.of(role, id)
            self._attribution.open(kind, id, event)
        self._open[key] = _Open(id, event.get(_TAG), chunked=chunked)
        out.append(event)

    def _close(self, key: Key, out: list[Event], event: Event | None = None) -> None:
        """Closes a message or a tool call with the agent's event, or with one that is made here."""
        kind, opened = key[0], self._open.pop(key)
        if self._lanes:
            self._lanes.forget(key)
        if event is None:
            event = {"type": _END_OF[kind], _ID_OF[kind]: opened.id}
            if opened.tag is not None:
                event[_TAG] = opened.tag
        if opened.metadata is not None:
            event["metadata"] = opened.metadata | event.get("metadata", {})
        out.append(event)

    def _push_other(self, kind: str, event: Event, out: list[Event]) -> None:
        if kind == "RUN_STARTED":
            self._push_start(event, out)
            return
        elif kind == "RUN_FINISHED":
            if self._strict_stream:
                self._check_nothing_open()
            self.end(event, out)
            return
        elif kind == "RUN_ERROR":
            # What is open stays so: the run closes it as cut off.
            self.terminal = _redacted(event)
            return
        elif kind == "TOOL_CALL_RESULT":
            call_id = event["toolCallId"]
            if self._ids.has_result(call_id):
                # A client would have two results, which model vendors refuse. A snapshot may still correct
                # the first.
                logger.debug("left out another result of call %.80r in run %s", call_id, self.run_id)
                return
            self._unanswered.pop(call_id, None)
            event["messageId"] = self._ids.of_result(event["messageId"], call_id)
            self._attribution.mint(TEXT, event["messageId"], event)
        elif kind == "MESSAGES_SNAPSHOT":
            self._push_snapshot(event)
        elif kind in ("ACTIVITY_SNAPSHOT", "ACTIVITY_DELTA"):
            id = event["messageId"] = self._ids.of("activity", event["messageId"])
            if kind == "ACTIVITY_DELTA":
                self._attribution.continue_(ACTIVITY, id, event)
            else:
                self._attribution.mint(ACTIVITY, id, event)
        elif kind == "REASONING_ENCRYPTED_VALUE":
            self._push_to_entity(event)
        elif kind == "CUSTOM" and event["name"] in events.INTERRUPTS:
            self._announces = False
        out.append(event)

    def _push_start(self, event: Event, out: list[Event]) -> None:
        if self._begun:
            raise ProtocolViolationError(
                "Cannot send 'RUN_STARTED' while a run is still active. The previous run must be "
                "finished with 'RUN_FINISHED' before starting a new run.",
                "INCOMPLETE_STREAM",
            )
        self._begun = True
        if not self.started:
            self._announce(event, out)

    def _push_snapshot(self, event: Event) -> None:
        event["messages"] = self._ids.read(event["messages"])
        self._attribution.read(event["messages"], authoritative=True)
        for (kind, _), opened in self._open.items():
            if not self._attribution.owns(opened.tag, kind, opened.id):
                opened.tag = None
        if self._sent:
            event["messages"] = restore_client_messages(event["messages"], self._sent)

    def _push_to_entity(self, event: Event) -> None:
        if event["subtype"] == "tool-call":
            self._attribution.continue_(TOOL, event["entityId"], event)
            return
        id = event["entityId"] = self._ids.of_entity(event["entityId"])
        self._attribution.continue_(TEXT, id, event)
        self._attribution.continue_(REASONING, id, event)

    def _check_nothing_open(self) -> None:
        self._brackets.check_steps()
        for kind in (TEXT, TOOL):
            ids = ", ".join(id for open_kind, id in self._open if open_kind == kind)
            if ids:
                raise ProtocolViolationError(
                    f"Cannot send 'RUN_FINISHED' while {kind}s are still active: {ids}", "INCOMPLETE_STREAM"
                )

    def _expand(self, event: Event, out: list[Event]) -> None:
        """Takes a chunk: the first one of a message opens it, and each one grows it."""
        kind, field, taken_over = CHUNKS[event["type"]]
        is_new = field in event and (kind, event[field]) not in self._open
        if is_new and kind == TOOL and "toolCallName" not in event:
            raise ProtocolViolationError(
                "First TOOL_CALL_CHUNK must have a toolCallName", "INCOMPLETE_STREAM"
            )
        key, ended = self._lanes.resolve(event)
        if ended is not None:
            self._end_chunks([ended], out)
        metadata = {"metadata": event["metadata"]} if "metadata" in event else {}
        if key not in self._open:
            start_type = _START_OF[kind]
            start: Event = {"type": start_type, field: key[1]} | SUPPLIED.get(start_type, {}) | metadata
            start |= {name: event[name] for name in (*taken_over, _TAG) if name in event}
            self._open_part(key, start, out, chunked=True)
        opened = self._open[key]
        if event.get("delta"):
            tag = {} if opened.tag is None else {_TAG: opened.tag}
            out.append({"type": _GROW_OF[kind], field: opened.id, "delta": event["delta"]} | tag | metadata)
        else:
            _add_metadata(opened, event)

    def _end_chunks(self, keys: Iterable[Key], out: list[Event]) -> None:
        for key in keys:
            if self._open[key].chunked:
                self._close(key, out)


def _add_metadata(opened: _Open, event: Event) -> None:
    """Keeps the metadata of an event without content for the end of its message."""
    if "metadata" in event:
        opened.metadata = (opened.metadata or {}) | event["metadata"]


def _redacted(event: Event) -> Event:
    """Returns an event without the credentials that the text of an error may hold."""
    if event["type"] in ("RUN_ERROR", "SUBAGENT_ERROR"):
        event["message"] = hide(event["message"])
        if "code" in event:
            event["code"] = hide(event["code"])
    return event


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
