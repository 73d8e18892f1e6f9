"""The ids of tool calls in LangChain messages: those of the model, and those by which clients know them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ...agui.call_ids import CallIds, Json, original
from .messages import calls_of


def with_client_ids(messages: Sequence[BaseMessage], ids: CallIds) -> list[BaseMessage]:
    """Returns a conversation with the ids by which clients know its tool calls."""
    named = ids.named(map(_outline, messages))
    return [_renamed(message, each) for message, each in zip(messages, named, strict=True)]


def with_own_ids(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """Returns messages with the ids that models gave their tool calls."""
    return [_renamed(message, _original(_outline(message))) for message in messages]


def _outline(message: BaseMessage) -> Json:
    if isinstance(message, AIMessage):
        return {"id": message.id, "toolCalls": [{"id": call["id"]} for call in calls_of(message)]}
    if isinstance(message, ToolMessage):
        return {"id": message.id, "toolCallId": message.tool_call_id}
    return {"id": message.id}


def _original(ids: Json) -> Json:
    if "toolCallId" in ids:
        return {**ids, "toolCallId": original(ids["toolCallId"])}
    return {**ids, "toolCalls": [{"id": original(call["id"])} for call in ids.get("toolCalls", ())]}


def _renamed(message: BaseMessage, ids: Json) -> BaseMessage:
    """Returns a message with other ids; the message itself if it has them."""
    changed: dict[str, Any] = {}
    if isinstance(message, ToolMessage):
        if message.tool_call_id != ids["toolCallId"]:
            changed["tool_call_id"] = ids["toolCallId"]
    elif isinstance(message, AIMessage):
        new = iter(ids["toolCalls"])
        calls = [{**call, "id": next(new)["id"]} if call["name"] else call for call in message.tool_calls]
        if calls != message.tool_calls:
            changed["tool_calls"] = calls
    return message.model_copy(update=changed) if changed else message
