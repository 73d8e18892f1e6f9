"""The agent's part in one run: what the run opens once its thread is claimed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any, TypeAlias

from ..agui.events import Event
from ..agui.message_ids import ids_of
from ..agui.normalizer import EventSequence
from ..agui.run_input import RunInput
from ..generative_ui.features import RunFeatures
from ..guardrails.guard import Guard
from ..guardrails.policy import Guardrails
from ..providers.unique_calls import UniqueCalls
from ..state_store.base import AgentState
from ..tools.registry import ToolRegistry
from .request import RunRequest

Json: TypeAlias = dict[str, Any]


class AgentRun:
    """An agent with its input. Nothing of the agent runs before `open`.

    Args:
        request: what was asked.
        known: what the agent's last run left on the thread, if there was one.
        guardrails: the server's, if it has any.
        features: what generative UI adds to the run.
        tools: the server's tools, for a run that may use them.
        hidden: the properties that readers must not see: the server's own, and keys.
        shows_input: RUN_STARTED shows the input to readers. Those who sent it need no copy.

    Attributes:
        guard: judges the input.
        sequence: normalises the agent's events.
        transforms: what normalised events go through, in order.
        normalizes: the stream puts the events through the sequence itself. A second pass over every event of
            an agent with tools would cost as much as the first.
    """

    def __init__(
        self,
        request: RunRequest,
        known: AgentState | None,
        guardrails: Guardrails | None,
        features: RunFeatures,
        *,
        tools: ToolRegistry | None = None,
        hidden: Collection[str] = (),
        shows_input: bool = True,
    ) -> None:
        self._known = known.messages if known is not None else []
        self.guard = Guard(guardrails, request.context, agent_input(features.input, known), known)
        self.sequence = EventSequence(
            request.thread_id,
            request.input.run_id,
            strict_stream=request.agent.provider.strict_stream,
            input=recorded_input(request, known, hidden) if shows_input else None,
            sent=request.sent,
            # Clients have these messages, also where RUN_STARTED does not repeat them.
            known=[*self._known, *request.input.messages] if shows_input else (),
        )
        self.transforms = features.transforms
        self.normalizes = False
        self._request = request
        self._tools = tools
        self._further_tools = features.tools

    async def open(self, out: list[Event]) -> AsyncIterator[Any]:
        """Returns the stream of the agent, once the input is admitted.

        It yields the agent's events as they are. If it `normalizes`, it yields None each time normalised
        events are ready in `out`.

        Raises:
            GuardrailsDeniedError: what the user says is denied.
            GuardrailsUnavailableError: no verdict can be had.
        """
        request = self._request
        # The verdict comes first: an agent that has run has spent money, called tools and remembered.
        input = await self.guard.admit()
        loop = None
        if self._tools is not None:
            loop = await self._tools.with_tools(request.agent, self._further_tools)
        if loop is None:
            return UniqueCalls(request.agent.provider, self._known).run(input.model, request.context)
        self.normalizes = True
        return loop.run(input, request.context, self.sequence, out, self._known)


def agent_input(input: RunInput, known: AgentState | None) -> RunInput:
    """Returns the input without activity messages, and with the tool results that the thread's log has.

    Activity messages are for frontends only. And since a client sends the whole conversation with every
    request, it could show an agent other results of backend actions than they had; the results of its own
    tools are its own.

    Args:
        input: what the client sent.
        known: what the agent's last run left on the thread, if there was one.
    """
    messages = [message for message in input.messages if message["role"] != "activity"]
    changed = len(messages) != len(input.messages)
    if known is not None and any(message["role"] == "tool" for message in messages):
        results = _results(known, {tool["name"] for tool in input.json.get("tools", ())})
        for place, message in enumerate(messages):
            result = results.get(message["toolCallId"]) if message["role"] == "tool" else None
            if result is not None and result != message.get("content"):
                messages[place] = {**message, "content": result}
                changed = True
    return input.replace(messages=messages) if changed else input


def recorded_input(request: RunRequest, known: AgentState | None, hidden: Collection[str]) -> Json:
    """Returns the input that RUN_STARTED shows to readers.

    Messages that an earlier run of the agent on the thread has shown are left out.

    Args:
        request: the request.
        known: what the agent's last run left on the thread, if there was one.
        hidden: the properties that readers must not see: the server's own, and keys.
    """
    # A shallow copy will do: nothing changes an input once it was received.
    recorded = dict(request.input.json)
    messages = new_messages(request.input.messages, known)
    if request.sent:
        messages = [request.sent[m["id"]].original if m["id"] in request.sent else m for m in messages]
    recorded["messages"] = messages
    properties = recorded.get("forwardedProps")
    if hidden and isinstance(properties, dict):
        recorded["forwardedProps"] = {k: v for k, v in properties.items() if k not in hidden}
    return recorded


def new_messages(messages: list[Json], known: AgentState | None) -> list[Json]:
    """Returns the messages that no earlier run of the agent on the thread has shown."""
    if known is None:
        return messages
    ids = ids_of(known.messages)
    return [message for message in messages if message["id"] not in ids]


def _results(known: AgentState, own: set[str]) -> dict[str, Any]:
    """Returns the known results, by the ids of their calls, but for those of the client's own tools."""
    calls = [call for message in known.messages for call in message.get("toolCalls") or ()]
    foreign = {call["id"] for call in calls if call["function"]["name"] not in own}
    return {
        message["toolCallId"]: message["content"]
        for message in known.messages
        if message.get("role") == "tool" and message.get("toolCallId") in foreign and "content" in message
    }
