"""One turn of an agent within a run: what it was asked, what it emitted, what it still has to be told."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, TypeAlias

from ag_ui.core import RunAgentInput

from ..agui import events
from ..agui.events import Event
from ..agui.normalizer import EventSequence
from ..agui.reducer import Transcript
from ..agui.versions import received_input
from ..providers.base import Provider
from .actions import Action, Tool

Json: TypeAlias = dict[str, Any]


class ActionCall:
    """A call of an action, on its way."""

    __slots__ = ("action", "arguments", "complete")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.arguments: list[str] = []
        self.complete = False


class AgentTurn:
    """What the agent was asked once, what it emitted, and what it still has to be told.

    Attributes:
        provider: who runs the agent.
        input: what it was asked.
        over: the end of the run was passed on.
        outdated_snapshot: the conversation that the agent told lacks results that followed.
    """

    def __init__(
        self,
        provider: Provider,
        input: RunAgentInput,
        tools: Mapping[str, Tool],
        *,
        run_id: str,
        answered: frozenset[str] = frozenset(),
    ) -> None:
        self.provider = provider
        self.input = input
        self._sequence = EventSequence(input.thread_id, input.run_id, strict_stream=provider.strict_stream)
        self.over = False
        self.outdated_snapshot = False
        self._tools = tools
        self._run_id = run_id
        self._answered = answered
        self._calls: dict[str, ActionCall] = {}
        self._hand_overs: dict[str, str] = {}
        self._others: set[str] = set()
        self._results: set[str] = set()
        self._interrupted = False
        self._has_snapshot = False
        self._events: list[Event] = []

    @property
    def waiting(self) -> bool:
        """Whether a call of an action is complete and not answered."""
        return any(call.complete for call in self._calls.values())

    @property
    def paused(self) -> bool:
        """Whether the agent waits for the answer to an interrupt."""
        outcome = (self._sequence.terminal or {}).get("outcome")
        return self._interrupted or (isinstance(outcome, dict) and outcome.get("type") == "interrupt")

    @property
    def settled(self) -> bool:
        """Whether the agent came to its end, and that is the end of the run, with nothing left to do."""
        if self.over or self._sequence.terminal is None:
            return False
        if self._sequence.terminal["type"] == "RUN_ERROR":
            return True
        return not (self._calls or self._results or self._hand_overs)

    @property
    def goes_on(self) -> bool:
        """Whether the agent is to be told the results of its calls now."""
        return bool(self._results) and not (self._others or self._hand_overs or self.paused)

    @property
    def terminal(self) -> Event:
        """The event that ends the run."""
        terminal = self._sequence.terminal
        assert terminal is not None
        if terminal.get("runId") == self.input.run_id:
            return {**terminal, "runId": self._run_id}
        return terminal

    def push(self, event: Event) -> list[Event]:
        """Returns the events that follow from one of the agent's; none after the end of its run.

        Raises:
            ProtocolViolationError: the event is malformed or out of order.
        """
        out: list[Event] = []
        self._sequence.push(events.event_from(event), out)
        return out

    def finish(self) -> list[Event]:
        """Returns the events that are missing at the end of the agent's stream.

        Raises:
            ProtocolViolationError: it is the agent's fault that they are.
        """
        out: list[Event] = []
        self._sequence.finish(out)
        return out

    def hand_overs(self) -> list[tuple[str, str]]:
        """Returns the calls that hand over to other agents: their ids, and the agents' names."""
        return [] if self.paused else list(self._hand_overs.items())

    def take_waiting(self) -> list[tuple[str, ActionCall]]:
        """Returns the calls to run now, by their ids; each is returned once."""
        ready = [(id, call) for id, call in self._calls.items() if call.complete]
        for id, _ in ready:
            del self._calls[id]
            self._results.add(id)
        return ready

    def answer(self, event: Event) -> None:
        """Takes note of a result that the runtime gives."""
        self._events.append(event)
        self.outdated_snapshot = self._has_snapshot

    def add(self, event: Event) -> bool:
        """Takes note of an event of the agent. Returns whether it is to be passed on."""
        kind = event["type"]
        if kind == "TOOL_CALL_START":
            self._start_call(event["toolCallId"], event["toolCallName"])
        elif kind == "TOOL_CALL_ARGS":
            if (call := self._calls.get(event["toolCallId"])) is not None:
                call.arguments.append(event["delta"])
        elif kind == "TOOL_CALL_END":
            if (call := self._calls.get(event["toolCallId"])) is not None:
                call.complete = True
        elif kind == "TOOL_CALL_RESULT":
            if event["toolCallId"] in self._results or event["toolCallId"] in self._answered:
                return False  # a call has one result
            self._settle(event["toolCallId"])
        elif kind == "MESSAGES_SNAPSHOT":
            self._has_snapshot, self.outdated_snapshot = True, False
            for message in event["messages"]:
                if message["role"] == "tool":
                    self._settle(message.get("toolCallId"))
        elif kind == "CUSTOM":
            self._interrupted = self._interrupted or event["name"] in events.INTERRUPTS
        self._events.append(event)
        return True

    def messages(self) -> list[Json]:
        """Returns the conversation so far."""
        return self._fold()["messages"]  # type: ignore[no-any-return]

    def next(self) -> AgentTurn:
        """Returns the turn in which the agent goes on with the results."""
        answered = self._answered | self._results
        return AgentTurn(
            self.provider, input_of(self._fold()), self._tools, run_id=self._run_id, answered=answered
        )

    def handed_over(self) -> RunAgentInput:
        """Returns what an agent is asked that takes over. State and the server's tools are not its own."""
        body = self._fold()
        body["state"] = {}
        body["tools"] = [tool for tool in body.get("tools", ()) if tool["name"] not in self._tools]
        return input_of(body)

    def _start_call(self, id: str, name: str) -> None:
        if id in self._answered or id in self._results:
            return
        tool = self._tools.get(name)
        if isinstance(tool, Action):
            self._calls[id] = ActionCall(tool)
        elif tool is not None:
            self._hand_overs[id] = name
        else:
            self._others.add(id)

    def _settle(self, id: str | None) -> None:
        if id is not None:
            self._calls.pop(id, None)
            self._others.discard(id)
            self._hand_overs.pop(id, None)

    def _fold(self) -> Json:
        body = json_of(self.input)
        transcript = Transcript(body["messages"], body.get("state"))
        for event in self._events:
            transcript.add(event)
        result = transcript.result()
        properties = body.get("forwardedProps")
        if isinstance(properties, dict):
            # What answered an interrupt has done so.
            properties.pop("command", None)
        body.pop("resume", None)
        return {**body, "messages": result.messages, "state": result.state, "runId": str(uuid.uuid4())}


def json_of(input: RunAgentInput) -> Json:
    """Returns an input in JSON form."""
    return input.model_dump(mode="json", by_alias=True, exclude_none=True)


def input_of(body: Json) -> RunAgentInput:
    """Returns the input of that JSON form."""
    return RunAgentInput.model_validate(received_input(body))
