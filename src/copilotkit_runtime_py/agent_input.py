"""What an agent gets of what a client sent."""

from __future__ import annotations

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
