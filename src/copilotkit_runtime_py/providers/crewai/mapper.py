"""What CrewAI emits in one run as AG-UI events."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ag_ui.core import BaseEvent as AGUIEvent
from ag_ui.core import RunAgentInput
from crewai.flow.async_feedback import PendingFeedbackContext
from pydantic_core import to_json

from ...agui import events
from ...agui.events import Event
from .answers import Answers
from .conversation import with_said
from .current import tool_names
from .internal import InternalWork
from .interrupts import to_agui_interrupt
from .message_stream import MessageStream
from .messages import as_dict, label, text_of, to_agui
from .state import conversation_of, visible_state

# What CrewAI asks models for its own purposes; the answers are not for the user.
_INTERNAL = frozenset(
    {
        "memory_save_started",
        "memory_query_started",
        "memory_retrieval_started",
        "knowledge_query_started",
        "knowledge_search_query_started",
        "llm_guardrail_started",
        "agent_reasoning_started",
        "agent_evaluation_started",
    }
)
_FAILED = "The tool failed."


class RunMapper:
    """Turns the events of CrewAI's bus into AG-UI events. One per run.

    A flow's method is a step, and so is an agent at work, by its role. The flow's state shows as a snapshot
    when it has changed by the end of a method. What a flow adds to its messages without a model that streamed
    it shows whole at the end of the method.

    Args:
        input: the request.
        flow: the flow that runs, None for a crew.
        sent: the conversation that the run starts from, in OpenAI's format.
        internal: notes what CrewAI does for its own purposes.
        resumed: the method whose feedback the run starts with.
    """

    def __init__(
        self,
        input: RunAgentInput,
        flow: Any,
        sent: Iterable[Mapping[str, Any]],
        internal: InternalWork,
        resumed: str | None = None,
    ) -> None:
        self._input = input
        self._flow = flow
        self._sent = list(sent)
        self._resumed = resumed
        self._messages = MessageStream(tool_names(input))
        self._known = {message.get("id") for message in self._sent}
        self._answered = {message.get("tool_call_id") for message in self._sent}
        self._internal = internal.events
        self._steps: Counter[str] = Counter()
        self._shown: Any = {}
        self._by_hand: dict[str, list[str]] = {}

    def start(self) -> list[Event]:
        """Returns the events before anything runs."""
        return [events.run_started(self._input.thread_id, self._input.run_id)]

    def feed(self, source: Any, event: Any) -> list[Event]:
        """Returns the AG-UI events of one event of the bus, or of one that was emitted by hand."""
        if isinstance(event, dict):
            return self._emitted(event)
        if isinstance(event, AGUIEvent):
            return self._emitted(_plain(event))
        kind: str = event.type
        if kind.endswith("_started"):
            self._note_scope(event)
        if self._is_internal(event):
            return []
        if kind.startswith("llm_"):
            return self._llm(event)
        if kind.startswith("tool_usage_"):
            return self._tool(event)
        if kind.startswith("method_execution_"):
            return self._method(source, event)
        if kind.startswith(("agent_execution_", "lite_agent_execution_")):
            return self._step(_role(event), begins=kind.endswith("_started"))
        return []

    def finish(
        self, result: Any, answers: Answers, pending: PendingFeedbackContext | None, *, handed_over: bool
    ) -> list[Event]:
        """Returns the events after everything has run.

        Args:
            result: what the flow or crew returned.
            answers: what the models answered.
            pending: the feedback that the flow waits for.
            handed_over: the run ended because an agent called a tool of the frontend.
        """
        found = self._messages.close()
        kept = conversation_of(self._flow.state) if self._flow is not None else None
        if kept is not None:
            label(kept, answers.so_far(), tool_names(self._input))
            found += self._added(kept)
        if pending is None and not handed_over and not self._messages.conversation:
            found += self._say(result)
        for name in list(self._steps.elements()):
            found += self._step(name, begins=False)
        if self._flow is not None:
            found.append(events.state_snapshot(visible_state(self._flow.state)))
        conversation = with_said(kept or (), self._sent, self._messages.conversation)
        found.append(events.messages_snapshot(to_agui(conversation)))
        interrupts = [to_agui_interrupt(pending)] if pending is not None else []
        found += [events.custom("on_interrupt", events.interrupt_text(asked)) for asked in interrupts]
        found.append(events.run_finished(self._input.thread_id, self._input.run_id, interrupts))
        return found

    def _say(self, result: Any) -> list[Event]:
        """Returns the result as a message, which is the answer of a run without other text."""
        text = getattr(result, "raw", result)
        return self._messages.say(str(uuid.uuid4()), text) if isinstance(text, str) and text.strip() else []

    def _emitted(self, event: Event) -> list[Event]:
        """Applies an event that the flow emitted by hand."""
        match event.get("type"):
            case "STATE_SNAPSHOT":
                self._shown = event.get("snapshot")
            case "TEXT_MESSAGE_START":
                self._by_hand[str(event.get("messageId"))] = []
            case "TEXT_MESSAGE_CONTENT":
                self._by_hand.get(str(event.get("messageId")), []).append(str(event.get("delta")))
            case "TEXT_MESSAGE_END":
                id = str(event.get("messageId"))
                self._messages.say(id, "".join(self._by_hand.pop(id, [])))
        return [event]

    # Chat models and tools

    def _note_scope(self, event: Any) -> None:
        inner = event.parent_event_id in self._internal
        # The first that a resumed method does is to ask a model what the feedback means.
        resumed = event.type == "method_execution_started" and event.method_name == self._resumed
        if resumed:
            self._resumed = None
        if inner or resumed or event.type in _INTERNAL:
            self._internal.add(event.event_id)

    def _is_internal(self, event: Any) -> bool:
        """Whether an agent, a tool or a model works for CrewAI itself."""
        if not event.type.startswith(("llm_call_started", "tool_", "agent_", "lite_agent_")):
            return False
        started = event.event_id if event.type.endswith("_started") else event.started_event_id
        return started in self._internal or event.parent_event_id in self._internal

    def _llm(self, event: Any) -> list[Event]:
        match event.type:
            case "llm_call_started":
                self._messages.start(event.call_id, by_agent=event.agent_role is not None)
                return self._told(event.messages)
            case "llm_stream_chunk":
                return self._messages.chunk(event)
            case "llm_thinking_chunk":
                return self._messages.thought(event)
            case "llm_call_completed":
                return self._messages.complete(event)
            case "llm_call_failed":
                return self._messages.end(event.call_id)
            case _:
                return []

    def _tool(self, event: Any) -> list[Event]:
        match event.type:
            case "tool_usage_started":
                return self._messages.tool_started(event)
            case "tool_usage_finished":
                return self._messages.tool_finished(event, _result(event.output))
            case "tool_usage_error":
                return self._messages.tool_finished(event, _FAILED)
            case _:
                return []

    # Steps and state

    def _method(self, source: Any, event: Any) -> list[Event]:
        if event.type == "method_execution_started":
            return self._step(event.method_name, begins=True)
        found: list[Event] = []
        # The event of the method that a flow resumes in has the state itself and no copy: by now, the methods
        # after it may have changed it.
        resumed = event.started_event_id in self._internal
        if source is self._flow and event.type != "method_execution_failed" and not resumed:
            found += self._added(conversation_of(event.state) or [])
            state = visible_state(event.state)
            if state != self._shown:
                self._shown = state
                found.append(events.state_snapshot(state))
        return found + self._step(event.method_name, begins=False)

    def _step(self, name: str, *, begins: bool) -> list[Event]:
        """A step that happens several times at the same time is one for the client."""
        if begins:
            self._steps[name] += 1
            return [events.step_started(name)] if self._steps[name] == 1 else []
        if not self._steps[name]:
            return []
        self._steps[name] -= 1
        return [] if self._steps[name] else [events.step_finished(name)]

    # Messages that a flow adds itself

    def _added(self, messages: list[Any]) -> list[Event]:
        """Returns the events of the messages in a flow's state that the client has not seen."""
        seen = self._known | {message["id"] for message in self._messages.conversation}
        found: list[Event] = []
        for message in map(as_dict, messages):
            if message is None:
                continue
            if message.get("role") == "tool":
                found += self._answer(message)
            elif message.get("role") == "assistant" and message.get("id") and message["id"] not in seen:
                found += self._whole(message)
        return found

    def _whole(self, message: dict[str, Any]) -> list[Event]:
        self._known.add(message["id"])
        text, calls = text_of(message), message.get("tool_calls") or ()
        found = self._messages.say(message["id"], text) if text else []
        if calls:
            for call in to_agui([message])[0]["toolCalls"]:
                called = call["function"]
                found.append(events.tool_call_start(call["id"], called["name"], message["id"]))
                found.append(events.tool_call_args(call["id"], called["arguments"]))
                found.append(events.tool_call_end(call["id"]))
        return found

    def _told(self, messages: Any) -> list[Event]:
        """Returns the results of tools that a flow has run, as soon as it sends them to a model.

        Only those of the last calls are new; earlier calls may have the same ids.
        """
        results: list[Mapping[str, Any]] = []
        for message in messages if isinstance(messages, list) else ():
            if not isinstance(message, Mapping):
                continue
            if message.get("tool_calls"):
                results.clear()
            elif message.get("role") == "tool":
                results.append(message)
        return [
            event
            for message in results
            for event in self._messages.tool_answered(str(message.get("tool_call_id")), text_of(message))
        ]

    def _answer(self, message: dict[str, Any]) -> list[Event]:
        call_id, id = message.get("tool_call_id"), message.get("id")
        if call_id is None or id in self._known:
            return []
        self._known.add(id)
        if found := self._messages.tool_answered(str(call_id), text_of(message)):
            return found
        answered = {m.get("tool_call_id") for m in self._messages.conversation} | self._answered
        if call_id in answered:
            return []
        self._answered.add(call_id)
        return [events.tool_call_result(str(id), str(call_id), text_of(message))]


def _role(event: Any) -> str:
    agent = getattr(event, "agent", None)
    return str(agent.role if agent is not None else event.agent_info.get("role", "agent")).strip()


def _result(output: Any) -> str:
    return output if isinstance(output, str) else to_json(output, serialize_unknown=True).decode()


def _plain(event: AGUIEvent) -> Event:
    """Returns an AG-UI event that is an event of CrewAI's bus as well, without what the bus needs."""
    fields: set[str] = set()
    for kind in type(event).__mro__:
        if kind.__module__.startswith("ag_ui."):
            fields |= set(getattr(kind, "model_fields", {}))
    dumped = event.model_dump(mode="json", by_alias=True, include=fields - {"timestamp"}, exclude_none=True)
    return dict(dumped)
