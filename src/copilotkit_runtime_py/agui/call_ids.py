"""Ids of tool calls that are unique within a thread.

Some models count their calls anew in each answer: every first call is `confirm:0`. Clients, stores and the
runtime identify calls by their ids. So the first call of an id keeps it, and a later one gets a suffix that
follows from the message that it is in. The suffix is removed where an id goes back to the agent.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from .chunks import lanes_ended_by
from .events import Event

Json: TypeAlias = dict[str, Any]

# Vendors take letters, digits, `_` and `-` only.
_SUFFIX: Final = re.compile(r"__again_[0-9a-f]{8}\Z")


def original(id: str) -> str:
    """Returns the id that a call has from its model."""
    return _SUFFIX.sub("", id)


def _suffixed(id: str, place: Any, number: int) -> str:
    digest = hashlib.sha256(f"{place}\0{id}\0{number}".encode()).hexdigest()
    return f"{id}__again_{digest[:8]}"


def repeats(messages: Iterable[Json]) -> bool:
    """Whether several calls of a conversation have one id."""
    ids = [id for message in messages for id in _ids(message)]
    return len(set(ids)) < len(ids)


class CallIds:
    """The ids of a thread's tool calls, as its agent has them and as clients know them.

    Args:
        run_id: the run, for calls that are in no message.
        recorded: the events are a thread's log, in which ids may have a suffix already.
    """

    def __init__(self, run_id: str = "", *, recorded: bool = False) -> None:
        self._run_id = run_id
        self._recorded = recorded
        self._taken: set[str] = set()
        # The calls of results, by the ids of these messages.
        self._results: dict[Any, str] = {}
        # Clients' ids by the agent's ids: of all calls, of those that this run has streamed, of those
        # without a result in the last message that has such a call, and of the one that grows.
        self._all: defaultdict[str, list[str]] = defaultdict(list)
        self._live: defaultdict[str, list[str]] = defaultdict(list)
        self._unanswered: dict[str, list[str]] = {}
        self._open: dict[str, str] = {}
        # Clients' ids by the message and the agent's id.
        self._placed: dict[tuple[Any, str], list[str]] = {}
        self._parents: dict[str, Any] = {}
        # Subagent -> the call that its chunks grow.
        self._chunks: dict[str | None, str] = {}

    def begin(self, run_id: str) -> None:
        """Goes on with the events of another run."""
        self._run_id = run_id
        self._live.clear()
        self._open.clear()
        self._parents.clear()
        self._chunks.clear()

    def learn(self, messages: Iterable[Json]) -> list[Json]:
        """Records messages as clients know them. Returns them, with unique call ids."""
        met: set[str] = set()
        repeated: set[str] = set()
        result: list[Json] = []
        for message in messages:
            if ids := _ids(message):
                wires: list[str] = []
                for id in ids:
                    repeated |= {id} & met
                    wires.append(self._derived(original(id), message.get("id"), met) if id in met else id)
                    met.add(wires[-1])
                self._place(message, [original(id) for id in ids], wires)
                message = _with_ids(message, wires)
            elif isinstance(call := message.get("toolCallId"), str):
                wire = self._settle(original(call), None if call in repeated else call)
                self._results.setdefault(message.get("id"), wire)
                message = _renamed(message, "toolCallId", wire)
            result.append(message)
        return result

    def named(self, messages: Iterable[Json]) -> list[Json]:
        """Returns an agent's conversation with the ids by which clients know its calls."""
        messages = list(messages)
        used = {wire for m in messages for id in _ids(m) for wire in self._placed.get((m.get("id"), id), ())}
        spare = self._spare(messages, used)
        answered: set[str] = set()
        result: list[Json] = []
        for message in messages:
            if ids := _ids(message):
                placed = {id: list(self._placed.get((message.get("id"), id), ())) for id in ids}
                wires: list[str] = []
                for id in ids:
                    wire = placed[id].pop(0) if placed[id] else ""
                    wire = wire or self._known(id, message.get("id"), used)
                    wire = wire or (spare[id].pop(0) if spare[id] else "")
                    wire = wire or (id if id in self._taken and id not in used else "")
                    wire = wire or self._fresh(id, message.get("id"))
                    wires.append(wire)
                    used.add(wire)
                    self._taken.add(wire)
                self._place(message, ids, wires)
                message = _with_ids(message, wires)
            elif isinstance(call := message.get("toolCallId"), str):
                known = self._results.get(message.get("id"), "")
                is_its = original(known) == call and known not in answered
                wire = self._settle(call, known if is_its else None)
                answered.add(wire)
                self._results.setdefault(message.get("id"), wire)
                message = _renamed(message, "toolCallId", wire)
            result.append(message)
        return result

    def event(self, event: Event) -> Event:
        """Returns an agent's event with the ids by which clients know its calls."""
        kind = event.get("type", "")
        handler = _HANDLERS.get(kind)
        if self._chunks and kind != "TOOL_CALL_CHUNK":
            for lane in lanes_ended_by(event, self._chunks):
                del self._chunks[lane]
        return event if handler is None else handler(self, event)

    def latest(self, id: str) -> str:
        """Returns the id by which clients know the agent's last call of an id."""
        known = self._all.get(id)
        return self._open.get(id) or (known[-1] if known else id)

    def _known(self, id: str, place: Any, used: set[str]) -> str:
        """Returns the call of a message as clients know it, if they know it by another id."""
        for number in range(len(self._all.get(id, ())) - 1):
            if (wire := _suffixed(id, place, number)) in self._taken and wire not in used:
                return wire
        return ""

    def _spare(self, messages: Sequence[Json], used: set[str]) -> dict[str, list[str]]:
        """Returns, by id, the calls that this run has streamed in no message of the conversation.

        Of several with one id, the last are the last of the conversation; those that were not streamed stand
        before them as `""`.
        """
        missing: Counter[str] = Counter()
        for message in messages:
            for id, count in Counter(_ids(message)).items():
                missing[id] += max(0, count - len(self._placed.get((message.get("id"), id), ())))
        spare: defaultdict[str, list[str]] = defaultdict(list)
        for id, count in missing.items():
            streamed = [wire for wire in self._live.get(id, ()) if wire not in used]
            spare[id] = [""] * (count - len(streamed)) + streamed[max(0, len(streamed) - count) :]
        return spare

    def _place(self, message: Json, ids: Sequence[str], wires: Sequence[str]) -> None:
        for id in ids:
            self._placed[message.get("id"), id] = []
            self._unanswered[id] = []
        for id, wire in zip(ids, wires, strict=True):
            self._placed[message.get("id"), id].append(wire)
            self._unanswered[id].append(wire)
            self._taken.add(wire)
            if wire not in self._all[id]:
                self._all[id].append(wire)

    def _settle(self, id: str, wire: str | None = None) -> str:
        """Notes the result of a call, and returns the client's id of the call."""
        unanswered = self._unanswered.get(id)
        if not unanswered:
            return wire or self.latest(id)
        if wire is None:
            return unanswered.pop(0)
        if wire in unanswered:
            unanswered.remove(wire)
        return wire

    def _fresh(self, id: str, place: Any) -> str:
        """Returns an id for a call that clients do not know."""
        if id in self._taken or (original(id) != id and not self._recorded):
            return self._derived(id, place, self._taken)
        return id

    def _derived(self, id: str, place: Any, taken: Collection[str] = ()) -> str:
        number = 0
        while (wire := _suffixed(id, place, number)) in taken:
            number += 1
        return wire

    def _start(self, event: Event) -> Event:
        id, parent = event.get("toolCallId"), event.get("parentMessageId")
        if not isinstance(id, str):
            return event
        wire = self._fresh(id, parent or self._run_id)
        self._taken.add(wire)
        self._all[id].append(wire)
        self._live[id].append(wire)
        if parent:
            self._placed.setdefault((parent, id), []).append(wire)
        if self._parents.get(id, "") != parent:
            self._parents[id] = parent
            self._unanswered[id] = []
        self._unanswered.setdefault(id, []).append(wire)
        self._open[id] = wire
        return _renamed(event, "toolCallId", wire)

    def _grow(self, event: Event) -> Event:
        wire = self._open.get(event.get("toolCallId", ""))
        return event if wire is None else _renamed(event, "toolCallId", wire)

    def _end(self, event: Event) -> Event:
        wire = self._open.pop(event.get("toolCallId", ""), None)
        return event if wire is None else _renamed(event, "toolCallId", wire)

    def _grow_by_chunk(self, event: Event) -> Event:
        id = event.get("toolCallId")
        lane = event.get("subagentRunId")
        if not isinstance(id, str) or not isinstance(lane, str | None):
            return event
        if id in self._chunks.values() or not isinstance(event.get("toolCallName"), str):
            return self._grow(event)
        self._chunks[lane] = id
        return self._start(event)

    def _result(self, event: Event) -> Event:
        id = event.get("toolCallId")
        if not isinstance(id, str):
            return event
        wire = self._settle(id)
        self._results.setdefault(event.get("messageId"), wire)
        return _renamed(event, "toolCallId", wire)

    def _snapshot(self, event: Event) -> Event:
        messages = event.get("messages")
        if not isinstance(messages, list) or not all(isinstance(m, dict | BaseModel) for m in messages):
            return event
        return {**event, "messages": self.named(map(_json, messages))}

    def _run_started(self, event: Event) -> Event:
        input = _json(event.get("input"))
        return {**event, "input": self._snapshot(input)} if isinstance(input, dict) else event

    def _run_finished(self, event: Event) -> Event:
        outcome = _json(event.get("outcome"))
        interrupts = outcome.get("interrupts") if isinstance(outcome, dict) else None
        if not isinstance(outcome, dict) or not isinstance(interrupts, list):
            return event
        named = [self.interrupt(_json(each)) for each in interrupts]
        return {**event, "outcome": {**outcome, "interrupts": named}}

    def interrupt(self, interrupt: Any) -> Any:
        """Returns an interrupt with the id by which clients know the call that it asks about."""
        if not isinstance(interrupt, dict):
            return interrupt
        ids = {name: interrupt.get(name) for name in ("id", "toolCallId")}
        return interrupt | {name: self.latest(id) for name, id in ids.items() if isinstance(id, str)}

    def _reference(self, event: Event) -> Event:
        field = "entityId" if event.get("type") == "REASONING_ENCRYPTED_VALUE" else "parentToolCallId"
        id = event.get(field)
        return _renamed(event, field, self.latest(id)) if isinstance(id, str) else event


_HANDLERS: Final[dict[str, Callable[[CallIds, Event], Event]]] = {
    "TOOL_CALL_START": CallIds._start,
    "TOOL_CALL_ARGS": CallIds._grow,
    "TOOL_CALL_END": CallIds._end,
    "TOOL_CALL_CHUNK": CallIds._grow_by_chunk,
    "TOOL_CALL_RESULT": CallIds._result,
    "MESSAGES_SNAPSHOT": CallIds._snapshot,
    "RUN_STARTED": CallIds._run_started,
    "RUN_FINISHED": CallIds._run_finished,
    "REASONING_ENCRYPTED_VALUE": CallIds._reference,
    "SUBAGENT_STARTED": CallIds._reference,
}


def _renamed(value: Json, field: str, id: str) -> Json:
    return value if value[field] == id else {**value, field: id}


def _json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return value


def _ids(message: Json) -> list[str]:
    """Returns the ids of the calls in a message; of one that is malformed, none."""
    calls = message.get("toolCalls")
    if not isinstance(calls, list):
        return []
    ids = [call.get("id") if isinstance(call, dict) else None for call in calls]
    return [id for id in ids if isinstance(id, str)] if all(isinstance(id, str) for id in ids) else []


def _with_ids(message: Json, ids: Sequence[str]) -> Json:
    calls = message["toolCalls"]
    if all(call["id"] == id for call, id in zip(calls, ids, strict=True)):
        return message
    return {**message, "toolCalls": [{**call, "id": id} for call, id in zip(calls, ids, strict=True)]}
