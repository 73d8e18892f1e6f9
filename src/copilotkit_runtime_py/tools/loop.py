"""Agents with server tools: their calls are run here, and the agents go on with the results."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Any, Protocol

from ..agui import events
from ..agui.events import Event
from ..agui.normalizer import EventSequence
from ..agui.run_input import RunInput
from ..context import RequestContext
from ..errors import AgentError
from ..limits import Limits
from ..providers.base import Provider, close_stream
from ..providers.unique_calls import UniqueCalls
from .actions import Action, AgentTool, Offer, Tool, WithActivity, call_action
from .approvals import Approvals, Settlement, with_edits
from .turn import ActionCall, AgentTurn, Json


class ActionSource(Protocol):
    """Where actions come from that are not known before a run, such as the tools of an MCP server.

    Attributes:
        name: distinguishes the source's actions from others of the same name.
        properties: the forwarded properties that are for the source, and not for agents.
    """

    name: str
    properties: Collection[str]

    def offer(self, context: RequestContext) -> AbstractAsyncContextManager[Offer]:
        """Returns the actions for one run, which stay callable while the context is open."""

    async def aclose(self) -> None:
        """Releases what the source holds for all runs."""


class ToolLoop:
    """Runs an agent and answers its calls of server tools, all within one run.

    The agent is offered the server's tools before the frontend's; a tool of the frontend with the name of a
    server tool is left out. A call of an action that the agent does not answer itself is run when the agent
    goes on to a text message or ends. Calls of the same turn run concurrently, and its result follows as an
    event. The agent is then run again with the conversation so far, until it calls no more actions. It is not
    when it also called a tool of the frontend, which answers with its next request, or waits for the answer
    to an interrupt; a call that waits with an interrupt is not run.

    Only what the agent itself calls in this run is run: a call in the client's messages never is. A call that
    the user has to approve ends the run with an interrupt, and is run by the run that brings the answer.

    Args:
        provider: runs the agent.
        name: the agent's registered name.
        tools: what the agent may call; those that are not for this agent are left out.
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
        tools: Iterable[Tool] = (),
        sources: Iterable[ActionSource] = (),
        agents: Mapping[str, Provider] | None = None,
        limits: Limits | None = None,
        development: bool = False,
    ) -> None:
        self._name = name
        self._provider = provider
        self._tools = [tool for tool in tools if _is_for(tool, name)]
        self._sources = tuple(sources)
        self._agents = agents or {}
        self._limits = limits or Limits()
        self._development = development

    async def run(
        self,
        input: RunInput,
        context: RequestContext,
        sequence: EventSequence,
        out: list[Event],
        known: Sequence[Json] = (),
        approvals: Approvals | None = None,
    ) -> AsyncGenerator[None]:
        """Runs the agent as often as it takes.

        Its events go through the run's own sequence, once, and are appended to `out`. The generator yields
        whenever the run is to take them from there. When it is over, the sequence has the terminal event.

        Args:
            input: what the agent gets.
            context: who asks.
            sequence: normalises the events.
            out: where they go.
            known: the thread's messages before the run.
            approvals: the calls that wait for the user's approval. It has those that do so afterwards.

        Raises:
            AgentError: the agent calls actions without end, or the request answers a question that is not
                open, and says nothing else.
            ProtocolViolationError: an event of the agent is malformed or out of order.
        """
        async with AsyncExitStack() as stack:
            tools, unreachable = await self._collect(stack, context)
            # A server tool is for plain models, too, whatever the frontend declares for its tool of that
            # name.
            context = dataclasses.replace(context, agent_tools=context.agent_tools - tools.keys())
            approvals = approvals or Approvals()
            settlement = approvals.settle(
                input, tools, seconds=self._limits.approval_seconds, unreachable=unreachable
            )
            if settlement.settles:
                async with aclosing(self._settle(settlement, context, sequence, out)) as settled:
                    async for _ in settled:
                        yield
            elif settlement.stale and not settlement.answers_agent:
                raise AgentError(
                    "There is no open question on this thread to answer.", "NO_PENDING_INTERRUPT"
                )
            if approvals.waiting and not settlement.answers_agent:
                _ask(approvals, sequence, out)
                yield
                return
            turn = AgentTurn(
                UniqueCalls(self._provider, known),
                self._offer(settlement.input, tools),
                tools,
                run_id=input.run_id,
                answered=settlement.answered,
            )
            async with aclosing(self._take_turns(turn, approvals, context, sequence, out)) as turns:
                async for _ in turns:
                    yield

    async def _take_turns(
        self,
        turn: AgentTurn,
        approvals: Approvals,
        context: RequestContext,
        sequence: EventSequence,
        out: list[Event],
    ) -> AsyncGenerator[None]:
        """Runs the agent until it calls no more actions, or somebody else has to answer first."""
        rounds = self._limits.action_rounds
        for _ in range(rounds + 1):
            asks = bool(approvals.waiting)
            async with aclosing(self._play(turn, context, sequence, out, joins=asks)) as played:
                async for _ in played:
                    yield
            approvals.drop(turn.answered)
            if turn.failed or (turn.settled and not asks):
                sequence.terminal = turn.terminal
                yield
                return
            approvals.add(turn.unapproved)
            if asks or not turn.goes_on:
                async with aclosing(self._conclude(turn, approvals, context, sequence, out)) as concluded:
                    async for _ in concluded:
                        yield
                return
            turn = turn.next()
        raise AgentError(f"The agent called actions in more than {rounds} rounds.", "LIMIT_EXCEEDED")

    async def _settle(
        self, settlement: Settlement, context: RequestContext, sequence: EventSequence, out: list[Event]
    ) -> AsyncGenerator[None]:
        """Gives the calls that a request settles their results, and the agent a conversation with them."""
        sequence.begin_turn(strict_stream=False)
        turn = AgentTurn(self._provider, settlement.input, {}, run_id=settlement.input.run_id)
        for id, text in settlement.refused.items():
            result = _result(id, text)
            turn.answer(result)
            sequence.push(result, out)
        for call in settlement.granted:
            sequence.expect_result(call.id)
            turn.grant(call)
        yield
        async with aclosing(self._answer(turn, context, sequence, out)) as answered:
            async for _ in answered:
                yield
        settlement.input = settlement.input.replace(messages=turn.messages())

    async def _collect(
        self, stack: AsyncExitStack, context: RequestContext
    ) -> tuple[dict[str, Tool], set[str]]:
        """Returns the tools by name, and the names of the sources that could not be reached."""
        tools: dict[str, Tool] = {}
        unreachable: set[str] = set()
        for tool in self._tools:
            tools.setdefault(tool.name, tool)
        for source in self._sources:
            offer = await stack.enter_async_context(source.offer(context))
            if offer.unreachable:
                unreachable.add(source.name)
            for action in offer.actions:
                if not _is_for(action, self._name):
                    continue
                if action.name in tools:
                    # Model vendors accept no longer names.
                    action = dataclasses.replace(action, name=f"{source.name}_{action.name}"[:64])
                tools.setdefault(action.name, action)
        return tools, unreachable

    def _offer(self, input: RunInput, tools: Mapping[str, Tool]) -> RunInput:
        """Returns the input with the server's tools first, and without the frontend's of the same names."""
        described = [self._described(tool) for tool in tools.values()]
        own = [tool for tool in input.json.get("tools", ()) if tool["name"] not in tools]
        properties = input.json.get("forwardedProps")
        if isinstance(properties, dict):
            hidden = {name for source in self._sources for name in source.properties}
            properties = {name: value for name, value in properties.items() if name not in hidden}
        return input.replace(tools=described + own, forwardedProps=properties)

    def _described(self, tool: Tool) -> Json:
        parameters: Mapping[str, Any] = {"type": "object", "properties": {}, "required": []}
        description = tool.description
        if isinstance(tool, Action):
            parameters = tool.parameters
        elif description is None:
            description = self._agents[tool.name].description
        return {"name": tool.name, "description": description, "parameters": dict(parameters)}

    async def _play(
        self,
        turn: AgentTurn,
        context: RequestContext,
        sequence: EventSequence,
        out: list[Event],
        *,
        joins: bool = False,
    ) -> AsyncGenerator[None]:
        """Runs the agent once, and the actions that it calls.

        Unless the end of the turn is the end of the run, the sequence is left without a terminal event, so
        that the run can go on.

        Args:
            turn: what the agent is asked. It observes the events.
            context: who asks.
            sequence: the run's.
            out: where the events go.
            joins: the end of the turn is not the end of the run in any case: the agent takes over from
                another one, or the user is asked something.
        """
        # The run's own sequence: an agent's second turn goes on where the first one stopped.
        sequence.begin_turn(strict_stream=turn.provider.strict_stream)
        stream = turn.provider.run(turn.input.model, context)
        try:
            async for raw in stream:
                if turn.terminal is not None:
                    continue  # the agent may finish what it does after its last event
                event = events.event_from(raw)
                if turn.calls_actions and sequence.begins_text(event):
                    # The text may be about the results, so they stand before it.
                    start = len(out)
                    sequence.end_call_before(event, out)
                    _observe(turn, out, start)
                    yield
                    async with aclosing(self._answer(turn, context, sequence, out)) as answered:
                        async for _ in answered:
                            yield
                # The turn sees each event once, also what precedes a malformed one.
                start = len(out)
                try:
                    sequence.push(event, out)
                finally:
                    _observe(turn, out, start)
                _end(turn, sequence, joins=joins)
                yield
            if turn.terminal is None:
                start = len(out)
                sequence.finish(out)
                _observe(turn, out, start)
                _end(turn, sequence, joins=joins)
                yield
        finally:
            await close_stream(stream)
        if not (turn.settled or turn.paused):
            async with aclosing(self._answer(turn, context, sequence, out)) as answered:
                async for _ in answered:
                    yield

    async def _answer(
        self, turn: AgentTurn, context: RequestContext, sequence: EventSequence, out: list[Event]
    ) -> AsyncGenerator[None]:
        """Runs the actions that wait to be run. Each result follows as soon as it is there."""
        tasks = [asyncio.create_task(self._call(id, call, context)) for id, call in turn.take_waiting()]
        try:
            for done in asyncio.as_completed(tasks):
                result, activity = await done
                turn.answer(result)
                sequence.push(result, out)
                if activity is not None:
                    sequence.push(activity, out)
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(self, id: str, call: ActionCall, context: RequestContext) -> tuple[Event, Event | None]:
        """Returns the result of a call, and the activity that shows it."""
        activity: Event | None = None
        arguments = "".join(call.arguments)

        def show(shown: WithActivity) -> None:
            nonlocal activity
            activity = events.activity_snapshot(f"activity-{id}", shown.activity_type, shown.content)

        text = await call_action(
            call.action,
            arguments,
            context,
            call_id=id,
            default_timeout=self._limits.action_seconds,
            development=self._development,
            on_activity=show,
        )
        return _result(id, with_edits(arguments, text) if call.edited else text), activity

    async def _conclude(
        self,
        turn: AgentTurn,
        approvals: Approvals,
        context: RequestContext,
        sequence: EventSequence,
        out: list[Event],
    ) -> AsyncGenerator[None]:
        """Ends the run, with the agents that take over from this one and the questions if there are any."""
        terminal = turn.terminal
        for id, name in turn.hand_overs():
            started = _result(id, f"{name} agent started")
            turn.answer(started)
            sequence.push(started, out)
            yield
            known = {message["id"]: message for message in turn.messages()}
            agent = UniqueCalls(self._agents[name], turn.input.messages)
            successor = AgentTurn(agent, turn.handed_over(), {}, run_id=turn.run_id)
            async with aclosing(self._play(successor, context, sequence, out, joins=True)) as played:
                async for _ in played:
                    _join(turn, out, known)
                    yield
            terminal = successor.terminal
            if terminal is not None and terminal["type"] == "RUN_ERROR":
                break
        if turn.outdated_snapshot:
            sequence.push(events.messages_snapshot(turn.messages()), out)
        if approvals.waiting and turn.can_ask and terminal is not None and terminal["type"] != "RUN_ERROR":
            _ask(approvals, sequence, out, terminal)
        else:
            sequence.terminal = terminal
        yield


def _ask(
    approvals: Approvals, sequence: EventSequence, out: list[Event], terminal: Event | None = None
) -> None:
    """Ends the run with the questions that are open, in the form of AG-UI 1.0 and in that of before."""
    if terminal is None:
        sequence.begin_turn(strict_stream=False)  # no agent has begun one
    interrupts = approvals.ask()
    for interrupt in interrupts:
        sequence.push(events.custom("on_interrupt", events.interrupt_text(interrupt)), out)
    finished = events.run_finished(sequence.thread_id, sequence.run_id, interrupts)
    sequence.push({**(terminal or {}), **finished}, out)


def _is_for(tool: Tool, agent_name: str) -> bool:
    if tool.agents is not None:
        return agent_name in tool.agents
    return not (isinstance(tool, AgentTool) and tool.name == agent_name)


def _observe(turn: AgentTurn, out: list[Event], start: int) -> None:
    """Shows the turn the events from `start` on, and drops those that it rejects."""
    out[start:] = [event for event in out[start:] if turn.observe(event)]


def _end(turn: AgentTurn, sequence: EventSequence, *, joins: bool) -> None:
    if sequence.terminal is not None:
        turn.end(sequence.terminal)
        sequence.terminal = turn.terminal if turn.settled and not joins else None


def _join(turn: AgentTurn, out: list[Event], known: Mapping[str, Json]) -> None:
    """Keeps of an agent that takes over what is part of the run.

    The state is the first agent's, and the conversation has the first agent's messages, too.
    """
    joined: list[Event] = []
    for event in out:
        kind = event["type"]
        if kind in ("STATE_SNAPSHOT", "STATE_DELTA"):
            continue
        if kind == "MESSAGES_SNAPSHOT":
            new = [message for message in event["messages"] if message["id"] not in known]
            event = events.messages_snapshot([*known.values(), *new])
        turn.observe(event)
        joined.append(event)
    out[:] = joined


def _result(call_id: str, text: str) -> Event:
    return events.tool_call_result(f"result-{call_id}", call_id, text)
