"""The events of which a message or a tool call is made: it opens, grows and closes, under one id."""

from __future__ import annotations

from typing import Final

TEXT: Final = "text message"
TOOL: Final = "tool call"
REASONING: Final = "reasoning message"

# event type -> (what it does, to what kind of part, the field with the id)
PARTS: Final[dict[str, tuple[str, str, str]]] = {
    "TEXT_MESSAGE_START": ("open", TEXT, "messageId"),
    "TEXT_MESSAGE_CONTENT": ("grow", TEXT, "messageId"),
    "TEXT_MESSAGE_END": ("close", TEXT, "messageId"),
    "TOOL_CALL_START": ("open", TOOL, "toolCallId"),
    "TOOL_CALL_ARGS": ("grow", TOOL, "toolCallId"),
    "TOOL_CALL_END": ("close", TOOL, "toolCallId"),
    "REASONING_MESSAGE_START": ("open", REASONING, "messageId"),
    "REASONING_MESSAGE_CONTENT": ("grow", REASONING, "messageId"),
    "REASONING_MESSAGE_END": ("close", REASONING, "messageId"),
}
