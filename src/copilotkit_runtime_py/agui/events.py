"""The internal vocabulary: AG-UI events in JSON form (camelCase dicts), and short ways to make them.

Events stay plain dicts between provider and socket; `ag_ui.core` models appear at the edges only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

Event: TypeAlias = dict[str, Any]

INTERRUPTED: Final = "RUN_INTERRUPTED"
"""The code of the RUN_ERROR that ends a run after its worker died."""

GRAPH_INTERRUPTS: Final = frozenset({"on_interrupt", "LangGraphInterruptEvent"})
"""The names of the CUSTOM events with which a LangGraph graph asks a question (`interrupt`)."""

COPILOTKIT_INTERRUPTS: Final = frozenset({"on_copilotkit_interrupt", "CopilotKitLangGraphInterruptEvent"})
"""The names of those with which CopilotKit's own `copilotkit_interrupt` does, which bring messages along."""

INTERRUPTS: Final = GRAPH_INTERRUPTS | COPILOTKIT_INTERRUPTS
"""The names of all CUSTOM events that wait for an answer."""

APPROVAL: Final = "approval"
"""The member of an interrupt's metadata that marks the question whether a server tool may be called."""

_LARGE: Final = 64 * 1024
_MAPPED: Final = 4 * 1024 * 1024


def event_from(value: BaseModel | Mapping[str, Any]) -> Event:
    """Returns an event in JSON form, from a model of `ag_ui.core` or from a mapping.

    Raises:
        TypeError: the value is neither.
    """
    if isinstance(value, dict):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"an agent yielded {type(value).__name__}, which is not an AG-UI event")


def encode(value: Any) -> bytes:
    """Encodes a JSON value as compact UTF-8.

    Half of a surrogate pair, which an agent sends when it splits a string inside an emoji, becomes an escape,
    as in JavaScript.

    Raises:
        TypeError: the value is not JSON.
    """
    try:
        data = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()
    # The encoder hands out its whole buffer, which may be twelve times as large. Of one that is so large that
    # it is mapped on its own, what was never written takes no memory, and a copy would.
    return data if not _LARGE <= len(data) < _MAPPED else bytes(memoryview(data))


def decode(data: bytes) -> Any:
    """Returns the value of JSON that `encode` made.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def as_text(value: Any) -> str:
    """Returns a string as it is, and anything else as JSON."""
    return value if isinstance(value, str) else encode(value).decode()


def arguments_text(arguments: Any) -> str:
    """Returns the arguments of a tool call as JSON text; what has no JSON form in them becomes its text."""
    return as_text(to_jsonable_python(arguments, inf_nan_mode="null", fallback=str))


def well_formed(text: str) -> str:
    """Returns a string with surrogate pairs as characters and lone halves as replacement characters.

    An agent that splits a string inside an emoji sends the halves separately.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def is_graph_interrupt(interrupt: Mapping[str, Any]) -> bool:
    """Whether an AG-UI interrupt is a LangGraph graph's, as AG-UI's LangGraph adapters mark it."""
    langgraph = (interrupt.get("metadata") or {}).get("langgraph")
    return isinstance(langgraph, dict) and "raw" in langgraph


def is_approval(interrupt: Mapping[str, Any]) -> bool:
    """Whether an AG-UI interrupt asks if a server tool may be called, of this runtime or of a remote one."""
    metadata = interrupt.get("metadata")
    approval = metadata.get(APPROVAL) if isinstance(metadata, dict) else None
    return isinstance(approval, dict) and isinstance(interrupt.get("toolCallId"), str)


def is_own_approval(interrupt: Mapping[str, Any]) -> bool:
    """Whether a stored interrupt asks if a tool of this runtime may be called; see `tools/approvals.py`.

    Only the store knows whether the user was asked already, so no remote runtime's question says it.
    """
    return is_approval(interrupt) and "asked" in interrupt["metadata"][APPROVAL]


def is_asked(interrupt: Mapping[str, Any]) -> bool:
    """Whether the user sees a stored interrupt. The question for an approval may wait for another one."""
    return not is_own_approval(interrupt) or interrupt["metadata"][APPROVAL]["asked"] is True


def as_asked(interrupt: Mapping[str, Any]) -> Event:
    """Returns a stored interrupt as clients get it."""
    if not is_own_approval(interrupt):
        return dict(interrupt)
    approval = {"toolName": interrupt["metadata"][APPROVAL]["toolName"]}
    return {**interrupt, "metadata": {APPROVAL: approval}}


def shown_approval(shown: Any) -> str | None:
    """Returns the id of the question for an approval with which a client shows what it answers.

    Args:
        shown: the interrupt that the client shows, decoded. None is returned for any other one.
    """
    if isinstance(shown, dict) and is_approval(shown) and isinstance(shown.get("id"), str):
        return str(shown["id"])
    return None


def interrupt_text(interrupt: Mapping[str, Any]) -> str:
    """Returns what a client that knows no AG-UI 1.0 interrupts shows of one.

    That is the value that a LangGraph graph gave, else the interrupt's message, else all of it. Of the
    question for an approval it is all: pages parse it, and distinguish it from other questions by its
    `reason`.
    """
    if is_graph_interrupt(interrupt):
        return as_text(interrupt["metadata"]["langgraph"]["raw"])
    message = None if is_approval(interrupt) else interrupt.get("message")
    # Clients before AG-UI 1.0 know no subagents.
    return message or as_text({name: each for name, each in interrupt.items() if name != "subagentRunId"})


def run_started(thread_id: str, run_id: str) -> Event:
    """A run begins."""
    return {"type": "RUN_STARTED", "threadId": thread_id, "runId": run_id}


def run_finished(thread_id: str, run_id: str, interrupts: list[dict[str, Any]] | None = None) -> Event:
    """A run ended well, or pauses for the answers to its interrupts."""
    event: Event = {"type": "RUN_FINISHED", "threadId": thread_id, "runId": run_id}
    if interrupts:
        event["outcome"] = {"type": "interrupt", "interrupts": interrupts}
    return event


def run_error(message: str, code: str | None = None) -> Event:
    """A run failed. The message reaches the client."""
    event: Event = {"type": "RUN_ERROR", "message": message}
    if code is not None:
        event["code"] = code
    return event


def text_start(message_id: str, role: str = "assistant") -> Event:
    """A text message begins."""
    return {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": role}


def text_content(message_id: str, delta: str) -> Event:
    """A text message grows by `delta`."""
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def text_end(message_id: str) -> Event:
    """A text message is complete."""
    return {"type": "TEXT_MESSAGE_END", "messageId": message_id}


def tool_call_start(tool_call_id: str, name: str, parent_message_id: str | None = None) -> Event:
    """A tool call begins."""
    event: Event = {"type": "TOOL_CALL_START", "toolCallId": tool_call_id, "toolCallName": name}
    if parent_message_id is not None:
        event["parentMessageId"] = parent_message_id
    return event


def tool_call_args(tool_call_id: str, delta: str) -> Event:
    """The JSON text of a tool call's arguments grows by `delta`."""
    return {"type": "TOOL_CALL_ARGS", "toolCallId": tool_call_id, "delta": delta}


def tool_call_end(tool_call_id: str) -> Event:
    """A tool call's arguments are complete."""
    return {"type": "TOOL_CALL_END", "toolCallId": tool_call_id}


def tool_call_result(message_id: str, tool_call_id: str, content: str) -> Event:
    """A tool call was answered."""
    return {
        "type": "TOOL_CALL_RESULT",
        "messageId": message_id,
        "toolCallId": tool_call_id,
        "content": content,
        "role": "tool",
    }


def state_snapshot(state: Any) -> Event:
    """The agent's state, whole."""
    return {"type": "STATE_SNAPSHOT", "snapshot": state}


def state_delta(patch: list[dict[str, Any]]) -> Event:
    """The agent's state changes by a JSON Patch."""
    return {"type": "STATE_DELTA", "delta": patch}


def messages_snapshot(messages: list[dict[str, Any]]) -> Event:
    """The conversation, whole."""
    return {"type": "MESSAGES_SNAPSHOT", "messages": messages}


def step_started(name: str) -> Event:
    """A step of the agent (a graph node, a flow method) begins."""
    return {"type": "STEP_STARTED", "stepName": name}


def step_finished(name: str) -> Event:
    """A step of the agent is over."""
    return {"type": "STEP_FINISHED", "stepName": name}


def activity_snapshot(message_id: str, activity_type: str, content: dict[str, Any]) -> Event:
    """An activity message appears, or its content is replaced."""
    return {
        "type": "ACTIVITY_SNAPSHOT",
        "messageId": message_id,
        "activityType": activity_type,
        "content": content,
        "replace": True,
    }


def activity_delta(message_id: str, activity_type: str, patch: list[dict[str, Any]]) -> Event:
    """An activity message's content changes by a JSON Patch."""
    return {
        "type": "ACTIVITY_DELTA",
        "messageId": message_id,
        "activityType": activity_type,
        "patch": patch,
    }


def custom(name: str, value: Any) -> Event:
    """An event outside AG-UI's own vocabulary."""
    return {"type": "CUSTOM", "name": name, "value": value}
