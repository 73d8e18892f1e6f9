"""A run before it starts: what the agent gets of the client's input, and what readers see of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

from ..agui.normalizer import EventSequence
from ..agui.run_input import RunInput
from ..agui.versions import originals
from ..generative_ui.features import RunFeatures
from ..guardrails.guard import Guard
from ..state_store.base import AgentState
from ..tools.loop import ToolLoop
from .agent_run import AgentRun
from .request import RunRequest

Json: TypeAlias = dict[str, Any]


def prepare(
    request: RunRequest,
    known: AgentState | None,
    guard: Guard,
    *,
    features: RunFeatures,
    loop: ToolLoop | None = None,
    hidden: Collection[str] = (),
) -> AgentRun:
    """Returns the agent's part in a run that is recorded. Nothing of it runs yet.

    Args:
        request: the request.
        known: what the agent's last run left on the thread, if there was one.
        guard: judges what is new in the input.
        features: what generative UI adds.
        loop: runs the agent with the server's tools.
        hidden: the properties that readers must not see: the server's own, and keys.
    """
    input = agent_input(features.input, known)
    guard.expect(input, known)
    messages = known.messages if known is not None else []
    sequence = EventSequence(
        input.thread_id,
        input.run_id,
        strict_stream=request.agent.provider.strict_stream,
        input=recorded_input(request, known, hidden),
        sent=originals(request.input.messages, request.as_sent) if request.as_sent else None,
        known=[*messages, *request.input.messages],
    )
    return AgentRun(
        request.agent.provider,
        input,
        request.context,
        guard,
        sequence,
        loop,
        known=messages,
        transforms=features.transforms,
    )


def prepare_ephemeral(request: RunRequest, known: AgentState | None, guard: Guard) -> AgentRun:
    """Returns the agent's part in a run that leaves nothing behind; see `prepare`.

    Its readers have what they sent, so RUN_STARTED does not repeat it.
    """
    input = agent_input(request.input, known)
    guard.expect(input, known)
    strict_stream = request.agent.provider.strict_stream
    sequence = EventSequence(input.thread_id, input.run_id, strict_stream=strict_stream)
    messages = known.messages if known is not None else ()
    return AgentRun(request.agent.provider, input, request.context, guard, sequence, known=messages)


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
    recorded = dict(request.input.json)
    messages = new_messages(request.input.messages, known)
    if request.as_sent:
        messages = [request.as_sent.get(message["id"], message) for message in messages]
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


def ids_of(messages: list[Json]) -> set[Any]:
    """Returns the ids of messages."""
    return {message.get("id") for message in messages}


def _results(known: AgentState, own: set[str]) -> dict[str, Any]:
    """Returns the known results, by the ids of their calls, but for those of the client's own tools."""
    calls = [call for message in known.messages for call in message.get("toolCalls") or ()]
    foreign = {call["id"] for call in calls if call["function"]["name"] not in own}
    return {
        message["toolCallId"]: message["content"]
        for message in known.messages
        if message.get("role") == "tool" and message.get("toolCallId") in foreign and "content" in message
    }
