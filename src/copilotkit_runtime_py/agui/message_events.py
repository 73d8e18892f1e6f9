"""What AG-UI's events open, grow and close: messages and tool calls by id, and the brackets around them."""

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

SPAN: Final = "reasoning span"
STEP: Final = "step"
SUBAGENT: Final = "subagent"

# event type -> (what it does, to what kind of bracket, the field with the id)
BRACKETS: Final[dict[str, tuple[str, str, str]]] = {
    "REASONING_START": ("open", SPAN, "messageId"),
    "REASONING_END": ("close", SPAN, "messageId"),
    "STEP_STARTED": ("open", STEP, "stepName"),
    "STEP_FINISHED": ("close", STEP, "stepName"),
    "SUBAGENT_STARTED": ("open", SUBAGENT, "subagentRunId"),
    "SUBAGENT_FINISHED": ("close", SUBAGENT, "subagentRunId"),
    "SUBAGENT_ERROR": ("close", SUBAGENT, "subagentRunId"),
}
