"""The differences between AG-UI 0.1 and 1.0, in both directions.

Inside, everything is AG-UI 1.0. Frontends of CopilotKit 1.50 to 1.75 and many agents speak 0.1 (`@ag-ui/core`
0.0.x, `ag-ui-protocol` 0.1.x).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

import orjson
from ag_ui.core import RunAgentInput

from ..logs.records import get_logger
from .events import Event, as_text, decode, encode

logger = get_logger(__name__)

# All that AG-UI 0.1 knows of a RunAgentInput. Peers of that version refuse other members.
_INPUT_OF_0_1: Final = {
    "thread_id",
    "run_id",
    "tools",
    "context",
    "forwarded_props",
    "state",
    "messages",
    "resume",
}
_INPUT: Final = (
    "threadId",
    "runId",
    "parentRunId",
    "protocolVersion",
    "state",
    "messages",
    "tools",
    "context",
    "forwardedProps",
    "resume",
)
_ROLES: Final = {"developer", "system", "assistant", "user", "tool", "activity", "reasoning"}
_PARTS: Final = {"text", "image", "audio", "video", "document"}

# event type of 0.1 -> (event type of 1.0, what its id names)
_THINKING: Final = {
    "THINKING_START": ("REASONING_START", "phase"),
    "THINKING_TEXT_MESSAGE_START": ("REASONING_MESSAGE_START", "message"),
    "THINKING_TEXT_MESSAGE_CONTENT": ("REASONING_MESSAGE_CONTENT", "message"),
    "THINKING_TEXT_MESSAGE_END": ("REASONING_MESSAGE_END", "message"),
    "THINKING_END": ("REASONING_END", "phase"),
}


def received_input(body: dict[str, Any]) -> dict[str, Any]:
    """Returns the `RunAgentInput` of a client of either version as AG-UI 1.0 has it, not yet validated.

    Null members are absent ones, but for those inside values of any form, such as the state. Members,
    message roles and content parts that a newer version may have are left out, and `binary` parts become
    images, audio, video or documents.
    """
    known = {name: body[name] for name in _INPUT if body.get(name) is not None}
    known.setdefault("forwardedProps", {})
    for name in ("tools", "context", "resume"):
        if isinstance(known.get(name), list):
            known[name] = [_without_nulls(item) for item in known[name]]
    if isinstance(known.get("messages"), list):
        known["messages"] = received_messages(known["messages"])
    return known


def received_messages(messages: list[Any]) -> list[Any]:
    """Returns messages of either version as AG-UI 1.0 has them; see `received_input`."""
    return [_message(message) for message in messages if not _is_unknown(message)]


class SentMessage(NamedTuple):
    """A message that a client sent in another form than the runtime and agents have it.

    Attributes:
        outline: what it says, in the runtime's form.
        original: the message as the client sent it.
    """

    outline: Any
    original: dict[str, Any]

    @classmethod
    def of(cls, message: dict[str, Any]) -> Self:
        """Returns a message that the runtime has as it was sent, and the agent gets in another form."""
        return cls(_outline(message), message)


def sent_messages(body: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, SentMessage]:
    """Returns the messages, by id, that `received_input` gives other content parts, as the client sent them.

    Readers see these: the clients of CopilotKit 1.50 know `binary` parts and no others.

    Args:
        body: what the client sent.
        messages: the same messages as the runtime has them.
    """
    sent = {message["id"]: message for message in body["messages"] if _has_binary_part(message)}
    if not sent:
        return {}
    return {
        message["id"]: SentMessage(_outline(message), _as_sent(sent[message["id"]]))
        for message in messages
        if message["id"] in sent
    }


def restore_client_messages(
    messages: list[dict[str, Any]], sent: Mapping[str, SentMessage]
) -> list[dict[str, Any]]:
    """Returns messages of an agent's snapshot, those of the client in the form in which it sent them.

    A message that says something else, such as a shortened one, is the agent's own.
    """
    return [
        sent[message["id"]].original
        if message["id"] in sent and sent[message["id"]].outline == _outline(message)
        else message
        for message in messages
    ]


def _as_sent(message: dict[str, Any]) -> dict[str, Any]:
    return _without_nulls(message) | {"content": [*map(_without_nulls, message["content"])]}  # type: ignore[no-any-return]


def _outline(message: dict[str, Any]) -> Any:
    """Returns what a message says, without the data in it: each framework writes that in its own form."""
    content = message.get("content")
    if isinstance(content, list):
        content = [(part.get("type"), part.get("text")) for part in content if isinstance(part, dict)]
    return message.get("role"), content


def remote_input(input: RunAgentInput) -> bytes:
    """Returns an input as agents of both versions take it, as JSON.

    The optional members of 1.0 are required by some 0.1 servers, and activity messages unknown to them.
    """
    messages = [message for message in input.messages if message.role != "activity"]
    if len(messages) < len(input.messages):
        input = input.model_copy(update={"messages": messages})
    body = input.model_dump(mode="json", by_alias=True, exclude_none=True, include=_INPUT_OF_0_1)
    return orjson.dumps({"state": {}, "tools": [], "context": [], "forwardedProps": {}} | body)


def without_subagents(data: bytes) -> bytes:
    """Returns an event as clients before AG-UI 1.0 accept it, or nothing if it has no meaning for them.

    Those up to `@ag-ui/client` 0.0.57 refuse a stream with `SUBAGENT_*` events, and keep steps by their names
    alone, which subagents may share. Everything else that subagents emit looks like their agent's own.

    Args:
        data: the event as JSON, as `events.encode` writes it.
    """
    if b'"subagentRunId":' not in data:
        return data
    event = decode(data)
    kind = event["type"]
    if "subagentRunId" in event and kind.startswith(("SUBAGENT_", "STEP_")):
        return b""
    event.pop("subagentRunId", None)
    tagged: list[dict[str, Any]] = []
    if kind == "MESSAGES_SNAPSHOT":
        tagged = event["messages"]
    elif kind == "RUN_STARTED":
        tagged = (event.get("input") or {}).get("messages") or []
    elif kind == "RUN_FINISHED":
        tagged = (event.get("outcome") or {}).get("interrupts") or []
    for each in tagged:
        each.pop("subagentRunId", None)
    return encode(event)


class Thinking:
    """Translates the reasoning of AG-UI 0.1 within one run to that of 1.0."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def translate(self, event: Event) -> Event:
        """Returns the event as AG-UI 1.0 has it: `THINKING_*` of 0.1 is `REASONING_*` with ids."""
        kind = event.get("type")
        known = _THINKING.get(kind) if isinstance(kind, str) else None
        if known is None:
            return event
        kind, named = known
        if kind in ("REASONING_START", "REASONING_MESSAGE_START"):
            self._ids[named] = str(uuid.uuid4())
        translated = {name: value for name, value in event.items() if name != "title"}
        translated |= {"type": kind, "messageId": self._ids.get(named, "")}
        if kind == "REASONING_MESSAGE_START":
            translated["role"] = "reasoning"
        return translated


def portable(event: Event) -> Event:
    """Returns an event, in plain JSON without nulls, as clients of both versions accept it.

    Clients of 0.1 know no cancelled outcome, no members of a successful one, and tool results as text only.
    """
    kind = event["type"]
    if kind == "TOOL_CALL_RESULT" and not isinstance(event["content"], str):
        return event | {"content": _text_of(event["content"])}
    if kind == "RUN_FINISHED" and isinstance(event.get("outcome"), dict):
        outcome = event["outcome"].get("type")
        if outcome == "success":
            return event | {"outcome": {"type": "success"}}
        if outcome == "cancelled":
            return {name: value for name, value in event.items() if name != "outcome"}
    return event


def _text_of(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    texts = [
        part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts
    ]
    known = [text for text in texts if isinstance(text, str)]
    return "".join(known) if len(known) == len(parts) else as_text(content)


def _is_unknown(message: Any) -> bool:
    """Whether a message is of a kind that AG-UI 1.0 does not have."""
    role = message.get("role") if isinstance(message, dict) else None
    if isinstance(role, str) and role not in _ROLES:
        logger.debug("left out a message of the unknown role %.80r", role)
        return True
    return False


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    known = _without_nulls(message)
    content, calls = known.get("content"), known.get("toolCalls")
    if isinstance(content, list):
        known["content"] = [part for part in map(_part, content) if part is not None]
    if isinstance(calls, list):
        known["toolCalls"] = [_tool_call(call) for call in calls]
    return known


def _tool_call(call: Any) -> Any:
    if not isinstance(call, dict):
        return call
    known = {"type": "function", **_without_nulls(call)}
    if "function" in known:
        known["function"] = _without_nulls(known["function"])
    return known


def _has_binary_part(message: dict[str, Any]) -> bool:
    content = message.get("content")
    parts = content if isinstance(content, list) else ()
    return any(isinstance(part, dict) and part.get("type") == "binary" for part in parts)


def _without_nulls(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def _part(part: Any) -> Any:
    """Returns a content part as AG-UI 1.0 has it, or None for one of an unknown type."""
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind == "binary" and isinstance(part.get("mimeType"), str):
        return _from_binary(part, part["mimeType"])
    if isinstance(kind, str) and kind not in _PARTS:
        logger.debug("left out a content part of the unknown type %.80r", kind)
        return None
    known = _without_nulls(part)
    if "source" in known:
        known["source"] = _without_nulls(known["source"])
    return known


def _from_binary(part: dict[str, Any], mime_type: str) -> dict[str, Any]:
    kind = mime_type.partition("/")[0]
    source: dict[str, Any] | None = None
    for field, source_type in (("data", "data"), ("url", "url"), ("id", "file")):
        if source is None and part.get(field):
            source = {"type": source_type, "value": part[field], "mimeType": mime_type}
    converted: dict[str, Any] = {
        "type": kind if kind in ("image", "audio", "video") else "document",
        "source": source,
    }
    if part.get("filename"):
        converted["metadata"] = {"filename": part["filename"]}
    return converted
