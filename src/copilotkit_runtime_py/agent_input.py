"""What an agent gets of what a client sent, and what of it is new."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ag_ui.core import RunAgentInput

from .state_store.base import AgentState


def for_agent(input: RunAgentInput, known: AgentState | None = None) -> RunAgentInput:
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


def told_of(
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


def unseen(messages: list[dict[str, Any]], known: AgentState | None) -> list[dict[str, Any]]:
    """Returns the messages that no earlier run of the agent on the thread has told of."""
    ids = ids_of(known.messages) if known is not None else set()
    return [message for message in messages if message["id"] not in ids]


def ids_of(messages: list[dict[str, Any]]) -> set[Any]:
    """Returns the ids of messages."""
    return {message.get("id") for message in messages}
