"""Messages: AG-UI to LangChain and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ag_ui.core import (
    AssistantMessage,
    DeveloperMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages import SystemMessage as LangChainSystemMessage
from langchain_core.messages import ToolMessage as LangChainToolMessage
from langchain_core.messages.tool import ToolCall as LangChainToolCall
from langchain_core.messages.tool import tool_call

from ...agui.events import arguments_text
from ...agui.json_input import parse_json
from ..call_order import in_call_order
from .content import reasoning_of, text_of, to_blocks, to_parts, tool_text


def to_langchain(messages: Sequence[Message]) -> list[BaseMessage]:
    """Returns AG-UI messages as LangChain messages with the same ids.

    Results of parallel calls come in the order of the calls. Reasoning and activity messages are left out:
    they are a frontend's view of what the graph's own messages hold.
    """
    converted = (_to_langchain(message) for message in in_call_order(messages))
    return [message for message in converted if message is not None]


def _to_langchain(message: Message) -> BaseMessage | None:
    match message:
        case UserMessage():
            return HumanMessage(to_blocks(message.content), id=message.id, name=message.name)
        case AssistantMessage():
            calls = [_call(call) for call in message.tool_calls or []]
            return AIMessage(message.content or "", id=message.id, name=message.name, tool_calls=calls)
        case ToolMessage():
            return LangChainToolMessage(
                to_blocks(message.content or message.error or ""),
                id=message.id,
                tool_call_id=message.tool_call_id,
                status="error" if message.error else "success",
            )
        case SystemMessage() | DeveloperMessage():
            return LangChainSystemMessage(message.content, id=message.id, name=message.name)
        case _:
            return None


def _call(call: ToolCall) -> LangChainToolCall:
    try:
        args = parse_json(call.function.arguments or "{}")
    except ValueError:
        args = {}
    return tool_call(name=call.function.name, args=args if isinstance(args, dict) else {}, id=call.id)


def to_agui(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """Returns LangChain messages as AG-UI messages in JSON form, reasoning as a message of its own.

    There is one result for a tool call: the last one stands where the first stood.
    """
    result: dict[str, dict[str, Any]] = {}
    places: dict[str, list[str]] = {}
    for message in messages:
        key = f"message {message.id}"
        if isinstance(message, AIMessage):
            if reasoning := reasoning_of(message.content, message.additional_kwargs):
                id = reasoning_id(str(message.id))
                result[id] = {"id": id, "role": "reasoning", "content": reasoning}
            result[key] = _assistant(message)
            ids = [call["id"] for call in calls_of(message)]
            places |= {id: [f"result {id} {key} {n}" for n in range(ids.count(id))] for id in ids}
        elif isinstance(message, LangChainToolMessage):
            # Several calls may have one id, since some models count them anew in each answer: this result
            # is the last such message's.
            id = message.tool_call_id
            keys = places.get(id, [f"result {id}"])
            result[next((key for key in keys if key not in result), keys[-1])] = _tool_result(message)
        elif isinstance(message, HumanMessage):
            result[key] = _base(message, "user", to_parts(message.content))
        elif isinstance(message, LangChainSystemMessage):
            result[key] = _base(message, "system", text_of(message.content))
    return list(result.values())


def calls_of(message: AIMessage) -> list[dict[str, str]]:
    """Returns the tool calls of a message: each with `id`, `name`, and `args` as text.

    A call without an id gets one that follows from its place. Calls with arguments that are not JSON are
    included: they were streamed.
    """
    named = [call for call in (*message.tool_calls, *message.invalid_tool_calls) if call["name"]]
    return [
        {
            "id": call["id"] or call_id(str(message.id), index),
            "name": str(call["name"]),
            "args": arguments_text("" if call["args"] is None else call["args"]),
        }
        for index, call in enumerate(named)
    ]


def call_id(message_id: str, index: int) -> str:
    """The id of a tool call that has none from its model."""
    return f"{message_id}-call-{index}"


def reasoning_id(message_id: str) -> str:
    """The id of the reasoning that belongs to a message."""
    return f"{message_id}-reasoning"


def _base(message: BaseMessage, role: str, content: Any) -> dict[str, Any]:
    result = {"id": str(message.id), "role": role, "content": content}
    if message.name is not None:
        result["name"] = message.name
    return result


def _assistant(message: AIMessage) -> dict[str, Any]:
    result = _base(message, "assistant", text_of(message.content))
    if calls := calls_of(message):
        result["toolCalls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["args"]},
            }
            for call in calls
        ]
    return result


def _tool_result(message: LangChainToolMessage) -> dict[str, Any]:
    result: dict[str, Any] = {
        "id": str(message.id),
        "role": "tool",
        "content": tool_text(message.content),
        "toolCallId": message.tool_call_id,
    }
    if message.status == "error":
        result["error"] = result["content"]
    return result
