"""What a run's events amount to: the conversation and the state that they leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from .agent_state import AgentState
from .events import Event, well_formed
from .json_patch import PatchBudget, Patched
from .message_events import PARTS, REASONING, TEXT, TOOL

_TAG: Final = "subagentRunId"


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
    """Folds events into messages and state, as clients do (`defaultApplyEvents` of `@ag-ui/client` 1.0).

    The order may differ: a snapshot of the conversation decides it here.

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
        self._activities: dict[str, Patched] = {}
        self._set_messages(messages)

    def add(self, event: Event) -> None:
        """Applies one event."""
        kind = event["type"]
        action, part, field = PARTS.get(kind, ("", "", ""))
        if action == "grow":
            growing = self._growing[part, event[field]]
            growing.parts.append(event["delta"])
            if "metadata" in event:
                _add_metadata(growing.holder, event)
        elif action == "close":
            growing = self._growing.pop((part, event[field]))
            growing.join()
            _add_metadata(growing.holder, event)
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
        self._grow_text(TEXT, event, event.get("role", "assistant"))

    def _on_reasoning_message_start(self, event: Event) -> None:
        self._grow_text(REASONING, event, "reasoning")

    def _on_tool_call_start(self, event: Event) -> None:
        id = event["toolCallId"]
        message = self._message(event.get("parentMessageId") or id, "assistant", event, otherwise=id)
        function = {"name": event["toolCallName"], "arguments": ""}
        call: dict[str, Any] = {"id": id, "type": "function", "function": function}
        message.setdefault("toolCalls", []).append(call)
        _add_metadata(call, event)
        self._growing[TOOL, id] = _Growing(message, call, function, "arguments")

    def _on_tool_call_result(self, event: Event) -> None:
        # A call has one result. A second one is a correction.
        call_id = event["toolCallId"]
        message = self._results.get(call_id)
        if message is None:
            message = {"id": event["messageId"], "role": "tool", "toolCallId": call_id}
            message |= {name: event[name] for name in (_TAG,) if name in event}
            self._results[call_id] = message
            self._add_result(message, call_id)
        message["content"] = event.get("content", "")
        _add_metadata(message, event)

    def _on_reasoning_encrypted_value(self, event: Event) -> None:
        """Keeps what a model's vendor wants back with the message or the call that it reasoned about."""
        id = event.get("entityId", "")
        holder = self._by_id.get(id) if event.get("subtype") == "message" else self._call(id)
        if holder is not None:
            holder["encryptedValue"] = event.get("encryptedValue")

    def _on_messages_snapshot(self, event: Event) -> None:
        for growing in self._growing.values():
            growing.join()
        self._set_messages(self._with_preserved(event["messages"]))
        for (part, id), growing in self._growing.items():
            self._move(growing, part, id)

    def _on_activity_snapshot(self, event: Event) -> None:
        id = event["messageId"]
        message = self._by_id.get(id)
        if message is None:
            message = {"id": id, "role": "activity"}
            self._add(message)
        elif not event.get("replace", True):
            _add_metadata(message, event)
            return
        self._activities[id] = Patched(event["content"], self._budget)
        message.pop(_TAG, None)
        message |= {name: event[name] for name in ("activityType", "content", _TAG) if name in event}
        _add_metadata(message, event)

    def _on_activity_delta(self, event: Event) -> None:
        message = self._by_id.get(event["messageId"])
        if message is None or message["role"] != "activity":
            return
        _add_metadata(message, event)
        content = self._activities.setdefault(message["id"], Patched(message.get("content"), self._budget))
        if content.apply(event["patch"]):
            message |= {"content": content.value, "activityType": event["activityType"]}

    def _on_state_snapshot(self, event: Event) -> None:
        self.state.add(event)

    def _on_state_delta(self, event: Event) -> None:
        self.state.add(event)

    def _on_run_finished(self, event: Event) -> None:
        outcome = event.get("outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "interrupt":
            self.interrupts = list(outcome.get("interrupts", ()))

    def _grow_text(self, part: str, event: Event, role: str) -> None:
        id = event["messageId"]
        message = self._message(id, role, event, otherwise=id)
        if "name" in event:
            message.setdefault("name", event["name"])
        _add_metadata(message, event)
        self._growing[part, id] = _Growing.text(message)

    def _move(self, growing: _Growing, part: str, id: str) -> None:
        """Lets what still grows go on in a conversation that was replaced."""
        message = self._by_id.get(growing.message["id"])
        if message is None or message["role"] != growing.message["role"]:
            self._add(growing.message)
        elif part != TOOL:
            self._growing[part, id] = _Growing.text(message)
        else:
            calls = message.setdefault("toolCalls", [])
            call = next((call for call in calls if call["id"] == id), None)
            if call is None:
                calls.append(growing.holder)
            else:
                growing.holder = call
                growing.target = call["function"] = dict(call["function"])
            growing.message = message

    def _with_preserved(self, snapshot: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns a snapshot with the messages that clients keep although it does not have them.

        These are activities, and reasoning, if it has none at all: then its agent does not remember them.
        """
        ids, roles = {message["id"] for message in snapshot}, {message["role"] for message in snapshot}
        preserved: dict[str | None, list[dict[str, Any]]] = {}
        before: str | None = None
        for message in self._messages:
            if message["id"] in ids:
                before = message["id"]
            elif message["role"] in {"activity", "reasoning"} - roles:
                preserved.setdefault(before, []).append(message)
        messages = preserved.get(None, [])
        for message in snapshot:
            messages += [message, *preserved.get(message["id"], ())]
        return messages

    def _set_messages(self, messages: Iterable[dict[str, Any]]) -> None:
        self._messages = [_copied(message) for message in messages]
        self._by_id = {message["id"]: message for message in self._messages}
        self._results = {m["toolCallId"]: m for m in self._messages if "toolCallId" in m}
        self._activities.clear()

    def _add(self, message: dict[str, Any]) -> None:
        self._by_id[message["id"]] = message
        self._messages.append(message)

    def _add_result(self, message: dict[str, Any], call_id: str) -> None:
        """Adds a result after its call and earlier results, or at the end if there is no such call."""
        messages = self._messages
        place = len(messages)
        if messages and messages[-1]["role"] == "user":  # who went on without the result
            calls = (index for index in reversed(range(place)) if _has_call(messages[index], call_id))
            place = next(calls, place - 1) + 1
            while place < len(messages) and messages[place]["role"] == "tool":
                place += 1
        self._by_id[message["id"]] = message
        messages.insert(place, message)

    def _message(self, id: str, role: str, event: Event, *, otherwise: str) -> dict[str, Any]:
        """Returns the message of that id and role.

        If there is none, `event` brings it; if the id belongs to a message of another role, one with the id
        `otherwise` is taken.
        """
        for candidate in (id, otherwise):
            message = self._by_id.get(candidate)
            if message is None:
                break
            if message["role"] == role:
                return message
        message = {"id": candidate, "role": role}
        if event["type"] != "TOOL_CALL_START":
            message["content"] = ""
        if _TAG in event:
            message[_TAG] = event[_TAG]
        self._add(message)
        return message

    def _call(self, id: str) -> dict[str, Any] | None:
        calls = (call for message in self._messages for call in message.get("toolCalls") or ())
        return next((call for call in calls if call["id"] == id), None)


class _Growing:
    """A text that grows: the `member` of `target`, in `message`.

    The metadata that comes with it goes to `holder`, which is the message or a call in it.
    """

    __slots__ = ("holder", "member", "message", "parts", "target")

    def __init__(
        self, message: dict[str, Any], holder: dict[str, Any], target: dict[str, Any], member: str
    ) -> None:
        self.message = message
        self.holder = holder
        self.target = target
        self.member = member
        self.parts: list[str] = []

    @classmethod
    def text(cls, message: dict[str, Any]) -> _Growing:
        """Returns the content of a message."""
        if not isinstance(message.get("content", ""), str):
            message["content"] = _text_of(message["content"])
        return cls(message, message, message, "content")

    def join(self) -> None:
        if self.parts:
            # One part stays the string that it is.
            before = self.target.get(self.member, "")
            text = "".join((before, *self.parts)) if before or len(self.parts) > 1 else self.parts[0]
            self.target[self.member] = well_formed(text)
            self.parts.clear()


def _has_call(message: dict[str, Any], call_id: str) -> bool:
    return any(call["id"] == call_id for call in message.get("toolCalls") or ())


def _add_metadata(holder: dict[str, Any], event: Event) -> None:
    if "metadata" in event:
        holder["metadata"] = {**holder.get("metadata", {}), **event["metadata"]}


def _copied(message: dict[str, Any]) -> dict[str, Any]:
    copied = dict(message)
    if copied.get("toolCalls"):
        copied["toolCalls"] = [dict(call) for call in copied["toolCalls"]]
    return copied


def _text_of(content: Any) -> str:
    """Returns the text of a message's content, which is a string, content parts or None."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
