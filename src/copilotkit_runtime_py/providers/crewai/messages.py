"""Messages: AG-UI to what chat models take (OpenAI's format, which CrewAI speaks) and back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ag_ui.core import (
    AssistantMessage,
    ContentPart,
    DataSource,
    DeveloperMessage,
    Message,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UrlSource,
    UserMessage,
)
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ...agui.events import arguments_text
from ..call_order import in_call_order
from .answers import Answer, CalledTool, called_tools


def to_openai(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Returns AG-UI messages as dicts in OpenAI's format with the same ids.

    Leading system messages are left out: they are the frontend's own instructions, made anew for every
    request. So are reasoning and activity messages, which are for frontends.
    """
    converted = [dict for dict in map(_to_openai, in_call_order(messages)) if dict is not None]
    start = next((i for i, message in enumerate(converted) if message["role"] != "system"), len(converted))
    return converted[start:]


def _to_openai(message: Message) -> dict[str, Any] | None:
    result: dict[str, Any] = {"id": message.id, "role": message.role}
    match message:
        case UserMessage():
            result["content"] = _to_blocks(message.content)
        case AssistantMessage():
            result["content"] = message.content or ""
            if message.tool_calls:
                result["tool_calls"] = [_to_call(call) for call in message.tool_calls]
        case ToolMessage():
            result["content"] = _to_text(message.content) or message.error or ""
            result["tool_call_id"] = message.tool_call_id
        case SystemMessage() | DeveloperMessage():
            result["role"] = "system"
            result["content"] = message.content
        case _:
            return None
    return result


def _to_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _to_blocks(content: str | list[ContentPart]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [block for block in map(_block, content) if block is not None]


def _block(part: ContentPart) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    source = part.source
    if isinstance(source, UrlSource):
        return {"type": "image_url", "image_url": {"url": source.value}}
    if isinstance(source, DataSource):
        return {"type": "image_url", "image_url": {"url": f"data:{source.mime_type};base64,{source.value}"}}
    return None


def _to_text(content: str | list[ContentPart]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content if isinstance(part, TextPart))


def to_agui(messages: Iterable[Any]) -> list[dict[str, Any]]:
    """Returns messages in OpenAI's format as AG-UI messages in JSON form.

    One without an id gets one. There is one result for a tool call, the last; what is not a message is left
    out.
    """
    result: dict[str, dict[str, Any]] = {}
    places: dict[str, list[str]] = {}
    for message in map(as_dict, messages):
        converted = _to_agui(message) if message is not None else None
        if converted is None:
            continue
        key = f"message {converted['id']}"
        if (call_id := converted.get("toolCallId")) is not None:
            # Several calls may have one id, since some models count them anew in each answer: this result
            # is the last such message's.
            keys = places.get(call_id, [f"result {call_id}"])
            key = next((key for key in keys if key not in result), keys[-1])
        ids = [call["id"] for call in converted.get("toolCalls", ())]
        places |= {id: [f"result {id} {key} {n}" for n in range(ids.count(id))] for id in ids}
        result[key] = converted
    return list(result.values())


def _to_agui(message: Mapping[str, Any]) -> dict[str, Any] | None:
    role = message.get("role")
    result = {"id": str(message.get("id") or uuid.uuid4()), "role": role}
    if role == "assistant":
        result["content"] = text_of(message)
        if calls := message.get("tool_calls"):
            result["toolCalls"] = [_call(call, f"{result['id']}-call-{n}") for n, call in enumerate(calls)]
    elif role == "user":
        result["content"] = _to_parts(message.get("content"))
    elif role == "tool" and message.get("tool_call_id"):
        result["content"] = text_of(message)
        result["toolCallId"] = message["tool_call_id"]
    elif role in ("system", "developer"):
        result["content"] = text_of(message)
    else:
        return None
    return result


def _call(call: Mapping[str, Any], own_id: str) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments") or "{}"
    if not isinstance(arguments, str):
        arguments = arguments_text(arguments)
    called = {"name": str(function.get("name") or ""), "arguments": arguments}
    return {"id": str(call.get("id") or own_id), "type": "function", "function": called}


def _to_parts(content: Any) -> Any:
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return [part for part in map(_part, content) if part is not None]


def _part(block: Any) -> dict[str, Any] | None:
    if not isinstance(block, Mapping):
        return None
    if block.get("type") == "text":
        return {"type": "text", "text": str(block.get("text") or "")}
    image = block.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        return None
    header, comma, data = url.partition(",")
    if comma and header.startswith("data:"):
        mime_type = header.removeprefix("data:").partition(";")[0] or "application/octet-stream"
        kind = mime_type.partition("/")[0]
        kind = kind if kind in ("image", "audio", "video") else "document"
        return {"type": kind, "source": {"type": "data", "value": data, "mimeType": mime_type}}
    return {"type": "image", "source": {"type": "url", "value": url}}


def as_dict(message: Any) -> dict[str, Any] | None:
    """Returns a message as plain data, from a dict or from a library's model; None for anything else."""
    if isinstance(message, BaseModel | Mapping):
        plain = to_jsonable_python(message, serialize_unknown=True)
        return plain if isinstance(plain, dict) else None
    return None


def text_of(message: Mapping[str, Any]) -> str:
    """Returns the text of a message in OpenAI's format."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(block.get("text") or "") for block in content if isinstance(block, Mapping))
    return content if isinstance(content, str) else ""


def calls_of(message: Mapping[str, Any]) -> frozenset[str]:
    """Returns the ids of the tool calls in a message in OpenAI's format."""
    return frozenset(str(call.get("id")) for call in message.get("tool_calls") or () if call.get("id"))


def label(messages: list[Any], answers: Iterable[Answer], names: Mapping[str, str]) -> None:
    """Gives an id to every message that a flow has added without one, and frontend tools their own names.

    Tool calls, which models return in their vendors' forms, all get OpenAI's. What a chat model answered
    has the id that it was streamed with, and the text that was streamed beside its calls; models' answers are
    matched by their tool calls and texts, in order, each used once.

    Args:
        messages: the flow's messages.
        answers: what the models have answered.
        names: the names of the frontend's tools by those that models know them by.
    """
    taken = {message.get("id") for message in messages if isinstance(message, dict)}
    free = [answer for answer in answers if answer.id not in taken]
    for index, message in enumerate(messages):
        plain = message if isinstance(message, dict) else as_dict(message)
        if plain is None or (plain.get("id") and isinstance(message, dict)):
            continue
        if calls := called_tools(plain.get("tool_calls")):
            plain["tool_calls"] = [_to_openai_call(call, names) for call in calls]
        answer = _answer_of(plain, free) if plain.get("role") == "assistant" else None
        if answer is not None:
            free.remove(answer)
            plain["content"] = plain.get("content") or answer.text
        messages[index] = plain
        plain["id"] = answer.id if answer is not None else plain.get("id") or _new_id(plain)


def _to_openai_call(call: CalledTool, names: Mapping[str, str]) -> dict[str, Any]:
    function = {"name": names.get(call.name, call.name), "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _new_id(message: Mapping[str, Any]) -> str:
    call = message.get("tool_call_id")
    return f"{call}-result" if call else str(uuid.uuid4())


def _answer_of(message: Mapping[str, Any], answers: Iterable[Answer]) -> Answer | None:
    calls, text = calls_of(message), text_of(message).strip()
    for answer in answers:
        if answer.calls == calls and (calls or answer.text.strip() == text):
            return answer
    return None


def joined(sent: Sequence[dict[str, Any]], remembered: Sequence[Any]) -> list[dict[str, Any]]:
    """Returns the conversation that a request continues.

    A client usually sends the conversation from its beginning: then it is the truth, with what the user
    edited or took back. One that sends only what is new continues what the flow remembers.
    """
    kept = [message for message in map(as_dict, remembered) if message is not None]
    first = next((message.get("id") for message in kept if message.get("role") != "system"), None)
    if any(message["id"] == first for message in sent) or not kept:
        return list(sent)
    known = {message.get("id") for message in kept}
    return [*kept, *(message for message in sent if message["id"] not in known)]


def transcript(messages: Iterable[Mapping[str, Any]]) -> str:
    """Returns a conversation as text for a task's description."""
    return "\n".join(line for message in messages for line in _lines(message))


def _lines(message: Mapping[str, Any]) -> list[str]:
    text = text_of(message)
    role = {"user": "User", "assistant": "Assistant", "tool": "Result of the tool"}.get(message["role"])
    lines = [f"{role}: {text}"] if role and text else []
    for call in message.get("tool_calls") or ():
        function = call["function"]
        lines.append(f"Assistant calls the tool {function['name']} with {function['arguments']}")
    return lines
