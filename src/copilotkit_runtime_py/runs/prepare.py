"""What an agent gets of what a client sent, what readers are told of it, and what of it is new."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from ag_ui.core import RunAgentInput

from ..agui.events import Event
from ..providers.base import close_stream
from ..state_store.base import AgentState

Json: TypeAlias = dict[str, Any]


def agent_input(input: RunAgentInput, known: AgentState | None = None) -> RunAgentInput:
    """Returns the input without activity messages, and with the tool results that the thread's log has.

    Activity messages are for frontends only. And since a client sends the whole conversation with every
    request, it could tell an agent other results of backend actions than they had; the results of its own
    tools are its own.

    Args:
        input: what the client sent.
        known: what the thread's log amounts to, if there is one.
    """
    messages = [message for message in input.messages if message.role != "activity"]
    if known is not None and any(message.role == "tool" for message in messages):
        results = _results(known, {tool.name for tool in input.tools or ()})
        messages = [
            message.model_copy(update={"content": results[message.tool_call_id]})
            if message.role == "tool" and message.tool_call_id in results
            else message
            for message in messages
        ]
    elif len(messages) == len(input.messages):
        return input
    return input.model_copy(update={"messages": messages})


def _results(known: AgentState, own: set[str]) -> dict[str, Any]:
    """Returns the known results, by the ids of their calls, but for those of the client's own tools."""
    calls = [call for message in known.messages for call in message.get("toolCalls") or ()]
    foreign = {call["id"] for call in calls if call["function"]["name"] not in own}
    return {
        message["toolCallId"]: message["content"]
        for message in known.messages
        if message.get("role") == "tool" and message.get("toolCallId") in foreign and "content" in message
    }


def recorded_input(
    body: dict[str, Any], as_sent: Mapping[str, dict[str, Any]], hidden: Collection[str]
) -> dict[str, Any]:
    """Returns what readers are told of an input.

    Args:
        body: the input in JSON form.
        as_sent: messages, by id, as readers are to be told of them.
        hidden: the properties that they are not told of: the server's own, and keys.
    """
    told = dict(body)
    if as_sent:
        told["messages"] = [as_sent.get(message["id"], message) for message in body["messages"]]
    properties = body.get("forwardedProps")
    if hidden and isinstance(properties, dict):
        told["forwardedProps"] = {k: v for k, v in properties.items() if k not in hidden}
    return told


def restore_client_messages(
    stream: AsyncIterator[Event], messages: Sequence[Json], told: Sequence[Json]
) -> AsyncIterator[Event]:
    """Returns an agent's events, with the input's messages in its snapshots as readers are told of them.

    The clients of CopilotKit 1.50 fail at content parts of AG-UI 1.0, which their own become on the way.

    Args:
        stream: the agent's events.
        messages: those of the input in JSON form.
        told: the same messages, as `recorded_input` has them.
    """
    others = {
        m["id"]: (_outline(m), other) for m, other in zip(messages, told, strict=True) if m is not other
    }
    return _with_messages(stream, others) if others else stream


async def _with_messages(
    stream: AsyncIterator[Event], others: Mapping[Any, tuple[Any, Json]]
) -> AsyncIterator[Event]:
    def told(message: Any) -> Any:
        known = others.get(message.get("id")) if isinstance(message, dict) else None
        # What says something else, such as one with words left out, is the agent's own.
        return message if known is None or known[0] != _outline(message) else known[1]

    try:
        async for event in stream:
            if event["type"] == "MESSAGES_SNAPSHOT" and isinstance(event.get("messages"), list):
                yield {**event, "messages": [told(message) for message in event["messages"]]}
            else:
                yield event
    finally:
        await close_stream(stream)


def _outline(message: Json) -> Any:
    """Returns what a message says, without the data in it: frameworks write that in forms of their own."""
    content = message.get("content")
    if isinstance(content, list):
        content = [(part.get("type"), part.get("text")) for part in content if isinstance(part, dict)]
    return message.get("role"), content


def new_messages(messages: list[dict[str, Any]], known: AgentState | None) -> list[dict[str, Any]]:
    """Returns the messages that no earlier run of the agent on the thread has told of."""
    ids = ids_of(known.messages) if known is not None else set()
    return [message for message in messages if message["id"] not in ids]


def ids_of(messages: list[dict[str, Any]]) -> set[Any]:
    """Returns the ids of messages."""
    return {message.get("id") for message in messages}
