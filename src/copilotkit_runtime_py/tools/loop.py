"""Agents with backend actions: their calls are run here, and the agents go on with the results."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Any, Protocol

from ag_ui.core import RunAgentInput

from ..agui import events
from ..agui.events import Event
from ..context import RequestContext
from ..errors import AgentError
from ..limits import Limits
from ..providers.base import AgentSnapshot, Provider, close_stream
from .actions import Action, AgentTool, Tool, call_action
from .turn import ActionCall, AgentTurn, Json, input_of, json_of


class ActionSource(Protocol):
    """Where actions come from that are not known before a run, such as the tools of an MCP server.

    Attributes:
        name: what tells the source's actions from others of the same name.
        properties: the forwarded properties that are for the source, and not for agents.
    """

    name: str
    properties: Collection[str]

    def offer(self, context: RequestContext) -> AbstractAsyncContextManager[Sequence[Action]]:
        """Returns the actions for one run, which stay callable while the context is open."""

    async def aclose(self) -> None:
        """Releases what the source holds for all runs."""


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
        actions: Iterable[Tool] = (),
        sources: Iterable[ActionSource] = (),
        agents: Mapping[str, Provider] | None = None,
        limits: Limits | None = None,
        development: bool = False,
    ) -> None:
        self.description = provider.description
        self.capabilities = provider.capabilities
        self._name = name
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
            context = dataclasses.replace(context, agent_tools=context.agent_tools - tools.keys())
            turn = AgentTurn(self._provider, self._offer(input, tools), tools, run_id=input.run_id)
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

    def use_store(self, url: str | None, agent_name: str) -> None:
        """Tells the agent's provider where the runtime keeps threads."""
        self._provider.use_store(url, agent_name)

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        """Deletes what the agent itself remembers of a thread."""
        await self._provider.forget(thread_id, context)

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what the agent itself remembers of a thread."""
        return await self._provider.snapshot(thread_id, context)

    async def aclose(self) -> None:
        """Releases what the agent's provider holds."""
        await self._provider.aclose()

    async def _collect(self, stack: AsyncExitStack, context: RequestContext) -> dict[str, Tool]:
        tools: dict[str, Tool] = {}
        for tool in self._actions:
            tools.setdefault(tool.name, tool)
        for source in self._sources:
            for action in await stack.enter_async_context(source.offer(context)):
                if not _is_for(action, self._name):
                    continue
                if action.name in tools:
                    # Model vendors take no longer names.
                    action = dataclasses.replace(action, name=f"{source.name}_{action.name}"[:64])
                tools.setdefault(action.name, action)
        return tools

    def _offer(self, input: RunAgentInput, tools: Mapping[str, Tool]) -> RunAgentInput:
        """Returns the input with the server's tools first, and without the frontend's of the same names."""
        body = json_of(input)
        offered = [self._told(tool) for tool in tools.values()]
        body["tools"] = offered + [tool for tool in body.get("tools") or () if tool["name"] not in tools]
        properties = body.get("forwardedProps")
        if isinstance(properties, dict):
            for source in self._sources:
                for name in source.properties:
                    properties.pop(name, None)
        return input_of(body)

    def _told(self, tool: Tool) -> Json:
        parameters: Mapping[str, Any] = {"type": "object", "properties": {}, "required": []}
        description = tool.description
        if isinstance(tool, Action):
            parameters = tool.parameters
        elif description is None:
            description = self._agents[tool.name].description
        return {"name": tool.name, "description": description, "parameters": dict(parameters)}

    async def _play(self, turn: AgentTurn, context: RequestContext) -> AsyncGenerator[Event]:
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

    async def _answer(self, turn: AgentTurn, context: RequestContext) -> AsyncGenerator[Event]:
        """Runs the actions that wait to be run. Results come as they are there."""

        async def answer(id: str, call: ActionCall) -> Event:
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
        self, turn: AgentTurn, input: RunAgentInput, context: RequestContext
    ) -> AsyncGenerator[Event]:
        """Ends the run, with the agents that take over from this one if there are any."""
        terminal = turn.terminal
        for id, name in turn.hand_overs():
            started = _result(id, f"{name} agent started")
            turn.answer(started)
            yield started
            known = {message["id"]: message for message in turn.messages()}
            successor = AgentTurn(self._agents[name], turn.handed_over(), {}, run_id=input.run_id)
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
        yield terminal


def _is_for(action: Tool, agent_name: str) -> bool:
    if action.agents is not None:
        return agent_name in action.agents
    return not (isinstance(action, AgentTool) and action.name == agent_name)


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
