"""What a run's events amount to: the conversation and the state that they leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..state_store.base import AgentState
from .events import Event, well_formed
from .json_patch import PatchBudget, Patched
from .message_events import PARTS, REASONING, TEXT, TOOL


class StateFold:
    """A state as events change it.

    Args:
        state: the state before the run, which stays as it is.
        budget: what patches may cost, if others share it.

    Attributes:
        changed: an event has changed the state, or said that it is as it was.
    """

    def __init__(self, state: Any, budget: PatchBudget | None = None) -> None:
        self._state = Patched(state, budget)
        self.changed = False

    def add(self, event: Event) -> None:
        """Applies a STATE_SNAPSHOT or a STATE_DELTA. A patch that does not apply is skipped."""
        if event["type"] == "STATE_SNAPSHOT":
            self._state.replace(event.get("snapshot"))
            self.changed = True
        elif self._state.apply(event["delta"]):
            self.changed = True

    @property
    def value(self) -> Any:
        """The state now. The next event may change it."""
        return self._state.value


class Transcript:
    """Folds events into messages and state.

    Args:
        messages: the conversation before the run, as AG-UI messages in JSON form. Neither the list nor a
            message in it is changed.
        state: the state before the run.

    Attributes:
        state: what the events so far make of the state.
    """

    def __init__(self, messages: Iterable[dict[str, Any]], state: Any) -> None:
        self._budget = PatchBudget()
        self.state = StateFold({} if state is None else state, self._budget)
        self.interrupts: list[dict[str, Any]] = []
        self._growing: dict[tuple[str, str], _Growing] = {}
        self._set_messages(messages)

    def add(self, event: Event) -> None:
        """Applies one event."""
        kind = event["type"]
        action, part, field = PARTS.get(kind, ("", "", ""))
        if action == "grow":
            self._growing[part, event[field]].parts.append(event["delta"])
        elif action == "close":
            self._growing.pop((part, event[field])).join()
        else:
            handler = getattr(self, f"_on_{kind.lower()}", None)
            if handler is not None:
                handler(event)

    def result(self) -> AgentState:
        """Returns what the events so far leave."""
        for growing in self._growing.values():
            growing.join()
        return AgentState(state=self.state.value, messages=list(self._messages), interrupts=self.interrupts)

    def _on_text_message_start(self, event: Event) -> None:
        self._grow_text(TEXT, event["messageId"], event.get("role", "assistant"))

    def _on_reasoning_message_start(self, event: Event) -> None:
        self._grow_text(REASONING, event["messageId"], "reasoning")

    def _on_tool_call_start(self, event: Event) -> None:
        id = event["toolCallId"]
        parent_id = event.get("parentMessageId") or id
        message = self._own(parent_id, "assistant", otherwise=id)
        call = {"id": id, "type": "function", "function": {"name": event["toolCallName"], "arguments": ""}}
        message.setdefault("toolCalls", []).append(call)
        self._growing[TOOL, id] = _Growing(message, call["function"], "arguments")

    def _on_tool_call_result(self, event: Event) -> None:
        # A call has one result. A second one is a correction.
        place = self._results.get(event["toolCallId"])
        if place is None:
            place = self._results[event["toolCallId"]] = len(self._messages)
            self._add({"id": event["messageId"], "role": "tool", "toolCallId": event["toolCallId"]})
        self._owned(place)["content"] = event.get("content", "")

    def _on_reasoning_encrypted_value(self, event: Event) -> None:
        """Keeps what a model's vendor wants back with the message or the call that it reasoned about."""
        id, value = event.get("entityId"), event.get("encryptedValue")
        if event.get("subtype") == "message":
            if (place := self._places.get(id)) is not None:
                self._owned(place)["encryptedValue"] = value
            return
        for place, message in enumerate(self._messages):
            for index, call in enumerate(message.get("toolCalls") or ()):
                if call["id"] == id:
                    self._owned(place)["toolCalls"][index] = {**call, "encryptedValue": value}
                    return

    def _on_messages_snapshot(self, event: Event) -> None:
        for growing in self._growing.values():
            growing.join()
        self._set_messages(event["messages"])
        for (part, id), growing in self._growing.items():
            self._move(growing, part, id)

    def _on_state_snapshot(self, event: Event) -> None:
        self.state.add(event)

    def _on_state_delta(self, event: Event) -> None:
        self.state.add(event)

    def _on_run_finished(self, event: Event) -> None:
        outcome = event.get("outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "interrupt":
            self.interrupts = list(outcome.get("interrupts", ()))

    def _grow_text(self, part: str, id: str, role: str) -> None:
        message = self._own(id, role, otherwise=id)
        if not isinstance(message.setdefault("content", ""), str):
            message["content"] = _text_of(message["content"])
        self._growing[part, id] = _Growing(message, message, "content")

    def _move(self, growing: _Growing, part: str, id: str) -> None:
        """Lets what still grows go on in a conversation that was replaced."""
        place = self._places.get(growing.message["id"])
        if place is None or self._messages[place]["role"] != growing.message["role"]:
            self._add(growing.message)
        elif part != TOOL:
            growing.message = growing.target = self._owned(place)
            if not isinstance(growing.target.get("content"), str):
                growing.target["content"] = _text_of(growing.target.get("content"))
        else:
            message = self._owned(place)
            calls = message.setdefault("toolCalls", [])
            known = next((i for i, call in enumerate(calls) if call["id"] == id), None)
            if known is None:
                calls.extend(call for call in growing.message["toolCalls"] if call["id"] == id)
            else:
                calls[known] = {**calls[known], "function": dict(calls[known]["function"])}
                growing.target = calls[known]["function"]
            growing.message = message

    def _set_messages(self, messages: Iterable[dict[str, Any]]) -> None:
        self._messages = list(messages)
        self._places = {message["id"]: place for place, message in enumerate(self._messages)}
        self._results = {
            m["toolCallId"]: place for place, m in enumerate(self._messages) if "toolCallId" in m
        }
        self._changeable: set[int] = set()

    def _add(self, message: dict[str, Any]) -> None:
        self._changeable.add(len(self._messages))
        self._places[message["id"]] = len(self._messages)
        self._messages.append(message)

    def _own(self, id: str, role: str, *, otherwise: str) -> dict[str, Any]:
        """Returns the message of that id and role for changing.

        If there is none, one is added; if the id belongs to a message of another role, one with the id
        `otherwise` is.
        """
        for candidate in (id, otherwise):
            place = self._places.get(candidate)
            if place is None:
                break
            if self._messages[place]["role"] == role:
                return self._owned(place)
        self._add({"id": candidate, "role": role})
        return self._messages[-1]

    def _owned(self, place: int) -> dict[str, Any]:
        if place not in self._changeable:
            self._changeable.add(place)
            message = self._messages[place] = dict(self._messages[place])
            if "toolCalls" in message:
                message["toolCalls"] = list(message["toolCalls"] or ())
        return self._messages[place]


class _Growing:
    """A text that grows: the `member` of `target`, which is `message` or a part of it."""

    __slots__ = ("member", "message", "parts", "target")

    def __init__(self, message: dict[str, Any], target: dict[str, Any], member: str) -> None:
        self.message = message
        self.target = target
        self.member = member
        self.parts: list[str] = []

    def join(self) -> None:
        if self.parts:
            self.target[self.member] = well_formed(self.target[self.member] + "".join(self.parts))
            self.parts.clear()


def _text_of(content: Any) -> str:
    """Returns the text of a message's content: a text, content parts, or nothing."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
