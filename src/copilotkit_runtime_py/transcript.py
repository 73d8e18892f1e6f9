"""What a run's events amount to: the conversation and the state that they leave."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import jsonpatch

from .events import Event
from .state_store.base import AgentState

logger = logging.getLogger(__name__)


class Transcript:
    """Folds events into messages and state.

    Args:
        messages: the conversation before the run, as AG-UI messages in JSON form. Neither the list nor a
            message in it is changed.
        state: the state before the run.
    """

    def __init__(self, messages: Iterable[dict[str, Any]], state: Any) -> None:
        self.state = {} if state is None else state
        self.interrupts: list[dict[str, Any]] = []
        self._messages = list(messages)
        self._places = {m["id"]: i for i, m in enumerate(self._messages) if "id" in m}
        self._calls: dict[str, dict[str, Any]] = {}
        self._parts: dict[tuple[str, str], list[str]] = {}

    def add(self, event: Event) -> None:
        """Applies one event."""
        kind = event["type"]
        if kind in ("TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT"):
            self._parts.setdefault(("message", event["messageId"]), []).append(event["delta"])
        elif kind == "TOOL_CALL_ARGS":
            self._parts.setdefault(("call", event["toolCallId"]), []).append(event["delta"])
        else:
            handler = getattr(self, f"_on_{kind.lower()}", None)
            if handler is not None:
                handler(event)

    def result(self) -> AgentState:
        """Returns what the events so far leave."""
        self._join()
        return AgentState(state=self.state, messages=list(self._messages), interrupts=self.interrupts)

    def _on_text_message_start(self, event: Event) -> None:
        message = self._own(event["messageId"], {"role": event.get("role", "assistant")})
        message.setdefault("content", "")

    def _on_reasoning_message_start(self, event: Event) -> None:
        self._own(event["messageId"], {"role": "reasoning", "content": ""})

    def _on_tool_call_start(self, event: Event) -> None:
        id = event["toolCallId"]
        parent = self._own(event.get("parentMessageId") or id, {"role": "assistant"})
        call = {"id": id, "type": "function", "function": {"name": event["toolCallName"], "arguments": ""}}
        self._calls[id] = call
        parent["toolCalls"] = [*parent.get("toolCalls", ()), call]

    def _on_tool_call_result(self, event: Event) -> None:
        result = {"role": "tool", "content": event.get("content", ""), "toolCallId": event["toolCallId"]}
        self._own(event["messageId"], result).update(result)

    def _on_messages_snapshot(self, event: Event) -> None:
        self._parts.clear()
        self._calls.clear()
        self._messages = list(event["messages"])
        self._places = {m["id"]: i for i, m in enumerate(self._messages) if "id" in m}

    def _on_state_snapshot(self, event: Event) -> None:
        self.state = event.get("snapshot")

    def _on_state_delta(self, event: Event) -> None:
        try:
            self.state = jsonpatch.apply_patch(self.state, event["delta"])
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
            logger.warning("skipped a state patch that does not apply")

    def _on_run_finished(self, event: Event) -> None:
        outcome = event.get("outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "interrupt":
            self.interrupts = list(outcome.get("interrupts", ()))

    def _own(self, id: str, new: dict[str, Any]) -> dict[str, Any]:
        """Returns the message of that id for changing, adding it if there is none."""
        place = self._places.get(id)
        if place is None:
            place = self._places[id] = len(self._messages)
            self._messages.append({"id": id, **new})
        else:
            self._messages[place] = dict(self._messages[place])
        return self._messages[place]

    def _join(self) -> None:
        for (kind, id), parts in self._parts.items():
            text = "".join(parts)
            if kind == "call":
                call = self._calls.get(id)
                if call is not None:
                    call["function"]["arguments"] += text
            elif id in self._places:
                message = self._messages[self._places[id]]
                message["content"] = message.get("content", "") + text
        self._parts.clear()
