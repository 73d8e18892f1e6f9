"""One turn of an agent within a run: its input, its events, and the results that it still needs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, TypeAlias

from ..agui import events
from ..agui.events import Event
from ..agui.reducer import Transcript
from ..agui.run_input import RunInput
from ..providers.base import Provider
from .actions import Action, Tool
from .approvals import GrantedCall

Json: TypeAlias = dict[str, Any]


class ActionCall:
    """A call of an action, while its arguments arrive."""

    __slots__ = ("action", "arguments", "complete", "edited")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.arguments: list[str] = []
        self.complete = False
        self.edited = False


class AgentTurn:
    """The input of one call of an agent, its events, and the results that it still needs.

    It observes normalised events, and normalises none itself.

    Args:
        provider: runs the agent.
        input: what the agent is asked.
        tools: the server's tools, by name.
        run_id: the id of the run. Each turn but the first has an id of its own for the agent.
        answered: the calls that earlier turns of the run have answered.

    Attributes:
        provider: runs the agent.
        input: what the agent was asked.
        run_id: the id of the run.
        terminal: the event with which the agent ended the turn, once there is one.
        outdated_snapshot: the conversation that the agent sent lacks results that followed.
        answered: the calls to which the agent itself gave results.
    """

    def __init__(
        self,
        provider: Provider,
        input: RunInput,
        tools: Mapping[str, Tool],
        *,
        run_id: str,
        answered: frozenset[str] = frozenset(),
    ) -> None:
        self.provider = provider
        self.input = input
        self.terminal: Event | None = None
        self.outdated_snapshot = False
        self.answered: set[str] = set()
        self._tools = tools
        self.run_id = run_id
        self._answered = answered
        self._calls: dict[str, ActionCall] = {}
        # Calls that the user has to approve.
        self._unapproved: dict[str, ActionCall] = {}
        self._hand_overs: dict[str, str] = {}
        # The calls of the agent's own and the frontend's tools, and the messages that they belong to.
        self._others: dict[str, str | None] = {}
        self._frontend_calls: set[str] = set()
        self._results: set[str] = set()
        self._interrupted = False
        self._has_snapshot = False
        self._events: list[Event] = []

    @property
    def calls_actions(self) -> bool:
        """Whether the agent calls actions that were not run yet."""
        return bool(self._calls)

    @property
    def paused(self) -> bool:
        """Whether the agent waits for the answer to an interrupt."""
        outcome = (self.terminal or {}).get("outcome")
        return self._interrupted or (isinstance(outcome, dict) and outcome.get("type") == "interrupt")

    @property
    def settled(self) -> bool:
        """Whether the end of the turn is the end of the run: the agent failed, or called no tool here."""
        if self.terminal is None:
            return False
        calls = self._calls or self._unapproved or self._results or self._hand_overs
        return self.failed or not calls

    @property
    def failed(self) -> bool:
        """Whether the turn ended with an error."""
        return self.terminal is not None and self.terminal["type"] == "RUN_ERROR"

    @property
    def goes_on(self) -> bool:
        """Whether the agent gets the results of its calls now."""
        waits = self._others or self._unapproved or self._hand_overs or self.paused
        return bool(self._results) and not waits

    @property
    def unapproved(self) -> list[tuple[str, Action]]:
        """The calls that the user has to approve, by their ids."""
        return [(id, call.action) for id, call in self._unapproved.items() if call.complete]

    @property
    def can_ask(self) -> bool:
        """Whether the user may be asked for approvals: the page answers nothing else first.

        Clients refuse every run that does not answer all open interrupts, also one with the result of a
        frontend's tool.
        """
        return not (self.paused or self.failed or self._frontend_calls & self._others.keys())

    def end(self, terminal: Event) -> None:
        """Takes note of the event with which the agent ended the turn."""
        if terminal.get("runId") == self.input.run_id:
            terminal = {**terminal, "runId": self.run_id}
        self.terminal = terminal

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

    def grant(self, granted: GrantedCall) -> None:
        """Lets a call of an earlier run wait to be run."""
        call = self._calls[granted.id] = ActionCall(granted.action)
        call.arguments.append(granted.arguments)
        call.complete, call.edited = True, granted.edited

    def answer(self, event: Event) -> None:
        """Takes note of a result that the runtime gives."""
        self._events.append(event)
        self.outdated_snapshot = self._has_snapshot

    def observe(self, event: Event) -> bool:
        """Takes note of an event of the agent. Returns whether it belongs to the run."""
        kind = event["type"]
        if kind == "TOOL_CALL_START":
            self._start_call(event["toolCallId"], event["toolCallName"], event.get("parentMessageId"))
        elif kind == "TOOL_CALL_ARGS":
            if (call := self._call(event["toolCallId"])) is not None:
                call.arguments.append(event["delta"])
        elif kind == "TOOL_CALL_END":
            if (call := self._call(event["toolCallId"])) is not None:
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
        """Returns the conversation so far. Activity messages are for frontends only."""
        return [each for each in self._transcript().result().messages if each["role"] != "activity"]

    def next(self) -> AgentTurn:
        """Returns the turn in which the agent goes on with the results."""
        answered = self._answered | self._results
        return AgentTurn(self.provider, self._go_on(), self._tools, run_id=self.run_id, answered=answered)

    def handed_over(self) -> RunInput:
        """Returns what an agent that takes over is asked. State and the server's tools are not its own."""
        input = self._go_on()
        tools = [tool for tool in input.json.get("tools", ()) if tool["name"] not in self._tools]
        return input.replace(state={}, tools=tools)

    def _start_call(self, id: str, name: str, message_id: str | None) -> None:
        if id in self._answered or id in self._results:
            return
        tool = self._tools.get(name)
        if isinstance(tool, Action):
            # Calls of one message are made side by side, others while a tool of the agent runs inside it.
            inside = any(other is None or other != message_id for other in self._others.values())
            if tool.inside_tools or not inside:
                (self._unapproved if tool.approval else self._calls)[id] = ActionCall(tool)
        elif tool is not None:
            self._hand_overs[id] = name
        else:
            self._others[id] = message_id
            if any(tool["name"] == name for tool in self.input.json.get("tools", ())):
                self._frontend_calls.add(id)

    def _call(self, id: str) -> ActionCall | None:
        return self._calls.get(id) or self._unapproved.get(id)

    def _settle(self, id: str | None) -> None:
        if id is not None:
            self.answered.add(id)
            self._calls.pop(id, None)
            self._unapproved.pop(id, None)
            self._others.pop(id, None)
            self._hand_overs.pop(id, None)

    def _go_on(self) -> RunInput:
        left = self._transcript().result()
        # The interrupts that the client answered are over.
        properties = self.input.json.get("forwardedProps")
        if isinstance(properties, dict):
            properties = {name: value for name, value in properties.items() if name != "command"}
        return self.input.replace(
            messages=[each for each in left.messages if each["role"] != "activity"],
            state=left.state,
            runId=str(uuid.uuid4()),
            forwardedProps=properties,
            resume=None,
        )

    def _transcript(self) -> Transcript:
        transcript = Transcript(self.input.messages, self.input.state)
        for event in self._events:
            transcript.add(event)
        return transcript
