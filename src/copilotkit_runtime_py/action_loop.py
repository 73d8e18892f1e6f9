"""Agents with backend actions: their calls are run here, and the agents go on with the results."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Any, Final, Protocol, TypeAlias

from ag_ui.core import RunAgentInput

from . import events
from .actions import Action, AgentTool, call_action
from .compat import received_input
from .context import RequestContext
from .errors import AgentError
from .events import Event
from .limits import Limits
from .providers.base import AgentSnapshot, Provider
from .providers.function import close_stream
from .sequence import EventSequence
from .transcript import Transcript

Json: TypeAlias = dict[str, Any]

_INTERRUPTS: Final = {
    "on_interrupt",
    "LangGraphInterruptEvent",
    "on_copilotkit_interrupt",
    "CopilotKitLangGraphInterruptEvent",
}


class ActionSource(Protocol):
    """Where actions come from that are not known before a run, such as the tools of an MCP server.

    Attributes:
        name: what tells the source's actions from others of the same name.
    """

    @property
    def name(self) -> str:
        """See above."""

    def offer(self, context: RequestContext) -> AbstractAsyncContextManager[Sequence[Action]]:
        """Returns the actions for one run, which stay callable while the context is open."""


class ActionProvider(Provider):
    """Runs another provider's agent and answers its calls of backend actions, all within one run.

    The agent is offered the actions as tools before the frontend's; a tool of the frontend with the name of
    an action is left out. What the agent emits passes through. A call of an action that the agent does not
    answer itself is run when the agent goes on to a text or ends, calls of the same time side by side, and
    its result follows as an event. The agent is then run again with the conversation so far, until it calls
    no more action. It is not when it also called a tool of the frontend, which answers with its next
    request, or waits for the answer to an interrupt; a call that waits with an interrupt is not run.

    Only what the agent itself calls in this run is run: a call in the client's messages never is.

    Args:
        provider: the agent's provider.
        name: the agent's registered name.
        actions: what the agent may call; those that are not for this agent are left out.
        sources: where more actions come from. Of two actions with one name, the later one is offered as
            `<source>_<name>`.
        agents: the agents that `AgentTool`s name.
        limits: the bounds of calls and rounds.
        development: the text of an unexpected exception reaches model and client.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        name: str,
        actions: Iterable[Action | AgentTool] = (),
        sources: Iterable[ActionSource] = (),
        agents: Mapping[str, Provider] | None = None,
        limits: Limits | None = None,
        development: bool = False,
    ) -> None:
        self.description = provider.description
        self.capabilities = provider.capabilities
        self._provider = provider
        self._actions = [action for action in actions if _is_for(action, name)]
        self._sources = tuple(sources)
        self._agents = agents or {}
        self._limits = limits or Limits()
        self._development = development

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the run, however often the agent is run for it.

        Raises:
            AgentError: the agent calls actions without end.
        """
        async with AsyncExitStack() as stack:
            tools = await self._collect(stack, context)
            turn = _Turn(self._provider, _offer(input, tools, self._agents), tools)
            rounds = self._limits.action_rounds
            for number in range(rounds + 1):
                async with aclosing(self._play(turn, context)) as stream:
                    async for event in stream:
                        if number == 0 or event["type"] != "RUN_STARTED":
                            yield event
                if turn.over:
                    return
                if turn.goes_on:
                    turn = turn.next()
                    continue
                async with aclosing(self._conclude(turn, input, context)) as stream:
                    async for event in stream:
                        yield event
                return
            raise AgentError(f"The agent called actions in more than {rounds} rounds.", "LIMIT_EXCEEDED")

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what the agent itself remembers of a thread."""
        return await self._provider.snapshot(thread_id, context)

    async def aclose(self) -> None:
        """Releases what the agent's provider holds."""
        await self._provider.aclose()

    async def _collect(self, stack: AsyncExitStack, context: RequestContext) -> dict[str, Action | AgentTool]:
        tools: dict[str, Action | AgentTool] = {}
        for tool in self._actions:
            tools.setdefault(tool.name, tool)
        for source in self._sources:
            for action in await stack.enter_async_context(source.offer(context)):
                if action.name in tools:
                    action = dataclasses.replace(action, name=f"{source.name}_{action.name}")
                tools.setdefault(action.name, action)
        return tools

    async def _play(self, turn: _Turn, context: RequestContext) -> AsyncGenerator[Event]:
        """Runs the agent once, and the actions that it calls. The end of the run is the turn's to keep."""
        stream = turn.provider.run(turn.input, context)
        try:
            async for event in stream:
                for each in turn.push(event):
                    if each["type"] == "TEXT_MESSAGE_START" and turn.waiting:
                        async with aclosing(self._answer(turn, context)) as results:
                            async for result in results:
                                yield result
                    if turn.add(each):
                        yield each
                if turn.settled:
                    turn.over = True
                    yield turn.terminal
            for each in turn.finish():
                if turn.add(each):
                    yield each
        finally:
            await close_stream(stream)
        if turn.settled:
            turn.over = True
            yield turn.terminal
        elif not turn.paused:
            async with aclosing(self._answer(turn, context)) as results:
                async for result in results:
                    yield result

    async def _answer(self, turn: _Turn, context: RequestContext) -> AsyncGenerator[Event]:
        """Runs the actions that wait to be run. Results come as they are there."""

        async def answer(id: str, call: _Call) -> Event:
            text = await call_action(
                call.action,
                "".join(call.arguments),
                context,
                default_timeout=self._limits.action_seconds,
                development=self._development,
            )
            return _result(id, text)

        tasks = [asyncio.create_task(answer(id, call)) for id, call in turn.take_waiting()]
        try:
            for done in asyncio.as_completed(tasks):
                result = await done
                turn.answer(result)
                yield result
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _conclude(
        self, turn: _Turn, input: RunAgentInput, context: RequestContext
    ) -> AsyncGenerator[Event]:
        """Ends the run, with the agents that take over from this one if there are any."""
        terminal = turn.terminal
        for id, name in turn.hand_overs():
            started = _result(id, f"{name} agent started")
            turn.answer(started)
            yield started
            known = {message["id"]: message for message in turn.messages()}
            successor = _Turn(self._agents[name], turn.handed_over(), {})
            async with aclosing(self._play(successor, context)) as stream:
                async for event in stream:
                    if (joined := _joined(event, known)) is not None:
                        turn.add(joined)
                        yield joined
            terminal = successor.terminal
            if terminal["type"] == "RUN_ERROR":
                break
        if turn.outdated_snapshot:
            yield events.messages_snapshot(turn.messages())
        if "runId" in terminal:
            terminal = {**terminal, "threadId": input.thread_id, "runId": input.run_id}
        yield terminal


class _Call:
    """A call of an action, on its way."""

    __slots__ = ("action", "arguments", "complete")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.arguments: list[str] = []
        self.complete = False


class _Turn:
    """What the agent was asked once, what it emitted, and what it still has to be told.

    Attributes:
        over: the end of the run was passed on.
        outdated_snapshot: the conversation that the agent told lacks results that followed.
    """

    def __init__(
        self,
        provider: Provider,
        input: RunAgentInput,
        tools: Mapping[str, Action | AgentTool],
        answered: frozenset[str] = frozenset(),
    ) -> None:
        self.provider = provider
        self.input = input
        self._sequence = EventSequence(input.thread_id, input.run_id, framed=provider.framed)
        self.over = False
        self.outdated_snapshot = False
        self._tools = tools
        self._answered = answered
        self._calls: dict[str, _Call] = {}
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
        assert self._sequence.terminal is not None
        return self._sequence.terminal

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

    def take_waiting(self) -> list[tuple[str, _Call]]:
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
            self._interrupted = self._interrupted or event["name"] in _INTERRUPTS
        self._events.append(event)
        return True

    def messages(self) -> list[Json]:
        """Returns the conversation so far."""
        return self._fold()["messages"]  # type: ignore[no-any-return]

    def next(self) -> _Turn:
        """Returns the turn in which the agent goes on with the results."""
        answered = self._answered | self._results
        return _Turn(self.provider, _input(self._fold()), self._tools, answered)

    def handed_over(self) -> RunAgentInput:
        """Returns what an agent is asked that takes over. State and the server's tools are not its own."""
        body = self._fold()
        body["state"] = {}
        body["tools"] = [tool for tool in body.get("tools", ()) if tool["name"] not in self._tools]
        return _input(body)

    def _start_call(self, id: str, name: str) -> None:
        if id in self._answered or id in self._results:
            return
        tool = self._tools.get(name)
        if isinstance(tool, Action):
            self._calls[id] = _Call(tool)
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
        body = _body(self.input)
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


def _is_for(action: Action | AgentTool, agent_name: str) -> bool:
    if action.agents is not None:
        return agent_name in action.agents
    return not (isinstance(action, AgentTool) and action.name == agent_name)


def _offer(
    input: RunAgentInput, tools: Mapping[str, Action | AgentTool], agents: Mapping[str, Provider]
) -> RunAgentInput:
    """Returns the input with the server's tools first, and without the frontend's of the same names."""
    body = _body(input)
    offered = [_tool(tool, agents) for tool in tools.values()]
    body["tools"] = offered + [tool for tool in body.get("tools") or () if tool["name"] not in tools]
    return _input(body)


def _tool(tool: Action | AgentTool, agents: Mapping[str, Provider]) -> Json:
    if isinstance(tool, Action):
        return {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    description = agents[tool.name].description if tool.description is None else tool.description
    parameters: Json = {"type": "object", "properties": {}, "required": []}
    return {"name": tool.name, "description": description, "parameters": parameters}


def _joined(event: Event, known: Mapping[str, Json]) -> Event | None:
    """Returns an event of an agent that takes over as part of the run, or None if it is no part of it.

    The state is the first agent's, and the conversation has its messages, too.
    """
    kind = event["type"]
    if kind in ("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "STATE_SNAPSHOT", "STATE_DELTA"):
        return None
    if kind == "MESSAGES_SNAPSHOT":
        new = [message for message in event["messages"] if message["id"] not in known]
        return events.messages_snapshot([*known.values(), *new])
    return event


def _result(call_id: str, text: str) -> Event:
    return events.tool_call_result(f"result-{call_id}", call_id, text)


def _body(input: RunAgentInput) -> Json:
    return input.model_dump(mode="json", by_alias=True, exclude_none=True)


def _input(body: Json) -> RunAgentInput:
    return RunAgentInput.model_validate(received_input(body))
