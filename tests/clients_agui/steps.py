"""Steps of agent scripts."""

from __future__ import annotations

from typing import Any

from tests.scripted_agent import Step


def event(type: str, **fields: Any) -> Step:
    return {"event": {"type": type, **fields}}


def tool_call(id: str, name: str, *deltas: str, parent: str | None = None) -> list[Step]:
    """A tool call, its arguments in pieces."""
    belongs = {"parentMessageId": parent} if parent else {}
    return [
        event("TOOL_CALL_START", toolCallId=id, toolCallName=name, **belongs),
        *(event("TOOL_CALL_ARGS", toolCallId=id, delta=delta) for delta in deltas),
        event("TOOL_CALL_END", toolCallId=id),
    ]


def started(id: str, *deltas: str) -> list[Step]:
    """A text message that does not end."""
    return [
        event("TEXT_MESSAGE_START", messageId=id, role="assistant"),
        *(event("TEXT_MESSAGE_CONTENT", messageId=id, delta=delta) for delta in deltas),
    ]
