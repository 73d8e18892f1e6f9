"""What an agent yields, as a checked AG-UI 1.0 event in plain JSON."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import orjson
from ag_ui.core import Event as AGUIEvent
from ag_ui.core import EventType, RunAgentInput, ToolCall
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from ..errors import ProtocolViolationError
from . import events
from .events import Event
from .versions import portable

KNOWN: Final = frozenset(type.value for type in EventType)
"""The event types of AG-UI 1.0."""

_MODEL: Final[TypeAdapter[Any]] = TypeAdapter(AGUIEvent)


class _Loose(BaseModel):
    metadata: dict[str, Any] | None = None
    subagentRunId: str | None = None


class _RunStarted(_Loose):
    threadId: str
    runId: str
    parentRunId: str | None = None
    protocolVersion: str | None = None


class _Message(_Loose):
    id: str
    role: str
    toolCalls: list[ToolCall] | None = None
    toolCallId: str | None = None


class _MessagesSnapshot(_Loose):
    messages: list[_Message]


class _StateDelta(_Loose):
    delta: list[dict[str, Any]]


class _ActivityDelta(_Loose):
    messageId: str
    activityType: str
    patch: list[dict[str, Any]]


# Conversations are checked no further than the runtime reads them: their messages may be of any version. The
# operations of patches are many, and checked here: the models take ten times as long.
_LOOSE: Final[dict[str, TypeAdapter[Any]]] = {
    "RUN_STARTED": TypeAdapter(_RunStarted),
    "MESSAGES_SNAPSHOT": TypeAdapter(_MessagesSnapshot),
    "STATE_DELTA": TypeAdapter(_StateDelta),
    "ACTIVITY_DELTA": TypeAdapter(_ActivityDelta),
}

# The operations of JSON Patch, with their members that are JSON Pointers, and those that may have any value.
_OPERATIONS: Final[dict[Any, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "add": (("path",), ("value",)),
    "replace": (("path",), ("value",)),
    "test": (("path",), ("value",)),
    "remove": (("path",), ()),
    "move": (("path", "from"), ()),
    "copy": (("path", "from"), ()),
}
_UNESCAPED: Final = re.compile(r"~(?![01])")

# The strings of an event of so many bytes are shared with the agent, if it has few values.
_LARGE: Final = 256 * 1024
_MOST_VALUES: Final = 2_000

SUPPLIED: Final[dict[str, dict[str, Any]]] = {
    "TEXT_MESSAGE_START": {"role": "assistant"},
    "REASONING_MESSAGE_START": {"role": "reasoning"},
    "TOOL_CALL_RESULT": {"content": "", "role": "tool"},
    "STATE_SNAPSHOT": {"snapshot": None},
    "CUSTOM": {"value": None},
    "RAW": {"event": None},
    "ACTIVITY_SNAPSHOT": {"replace": True},
}
"""Members that AG-UI requires and that a client reads the same when they are supplied."""

# Payloads in which null is a value.
_NULLABLE: Final = ("snapshot", "value", "event", "result")


def checked(event: Event) -> Event:
    """Returns an agent's event as AG-UI 1.0 has it: a deep copy in plain JSON, complete and valid.

    Null members are dropped, except where null is a value: no AG-UI schema accepts all of them.

    Raises:
        ProtocolViolationError: the event is malformed.
        TypeError: the event holds what has no JSON form.
    """
    event = _in_json_form(event)
    kind = event["type"]
    try:
        _LOOSE.get(kind, _MODEL).validate_python(event, by_alias=True, by_name=False)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"] if part != kind)
        raise _malformed(kind, f"{where}: {problem['msg']}") from None
    if kind == "STATE_DELTA":
        _check_patch(kind, "delta", event["delta"])
    elif kind == "ACTIVITY_DELTA":
        _check_patch(kind, "patch", event["patch"])
    elif kind == "MESSAGES_SNAPSHOT":
        event["messages"] = [_message(message) for message in event["messages"]]
    elif kind in ("RUN_FINISHED", "RUN_ERROR"):
        _drop_nested_nulls(event)
    elif kind == "RUN_STARTED" and "input" in event:
        _check_input(event)
    return event


def _in_json_form(event: Event) -> Event:
    try:
        data = orjson.dumps(event, default=to_jsonable_python, option=orjson.OPT_NON_STR_KEYS)
        copy = _copy_of_large(event) if len(data) >= _LARGE else None
        if copy is None:
            copy = orjson.loads(data)
        del data
    except orjson.JSONEncodeError:  # half of a surrogate pair, perhaps: see `events.encode`
        copy = json.loads(json.dumps(event, default=to_jsonable_python))
    kept = {name: value for name, value in copy.items() if value is not None or name in _NULLABLE}
    if type(kept.get("timestamp", 0)) is not int:
        del kept["timestamp"]
    for name, value in SUPPLIED.get(kept["type"], {}).items():
        kept.setdefault(name, value)
    if kept["type"] in ("RUN_ERROR", "SUBAGENT_ERROR") and "code" in kept:
        kept["code"] = events.as_text(kept["code"])
    return portable(kept)


def _copy_of_large(event: Event) -> Event | None:
    """Returns a copy of a large event that shares its strings.

    Returns None for an event with many values, or with objects that are not JSON.
    """
    left = _MOST_VALUES

    def copy(value: Any) -> Any:
        nonlocal left
        left -= 1
        kind = type(value)
        if left < 0:
            raise _NotCopiedError
        if kind in (str, int, bool, type(None)) or (kind is float and math.isfinite(value)):
            return value
        if kind is list:
            return [copy(each) for each in value]
        if kind is dict and all(type(name) is str for name in value):
            return {name: copy(member) for name, member in value.items()}
        raise _NotCopiedError

    try:
        copied: Event = copy(event)
    except _NotCopiedError:
        return None
    return copied


class _NotCopiedError(Exception):
    """The value is not copied one by one."""


def _check_patch(kind: str, field: str, patch: list[dict[str, Any]]) -> None:
    for place, operation in enumerate(patch):
        pointers, values = _OPERATIONS.get(operation.get("op"), ((), ("",)))
        if not all(_is_pointer(operation.get(name)) for name in pointers) or any(
            name not in operation for name in values
        ):
            raise _malformed(kind, f"{field}.{place}: Input should be an operation of JSON Patch")
        if operation["op"] == "move" and operation["path"].startswith(operation["from"] + "/"):
            # A client that obeys ends up with a circle, and then without memory.
            raise _malformed(kind, f"{field}.{place}: A value cannot be moved into itself")


def _is_pointer(value: Any) -> bool:
    if not isinstance(value, str) or not (value.startswith("/") or not value):
        return False
    return "~" not in value or _UNESCAPED.search(value) is None


def _malformed(kind: str, problem: str) -> ProtocolViolationError:
    return ProtocolViolationError(f"The agent sent a malformed {kind} event: {problem}", "INCOMPLETE_STREAM")


def _message(message: dict[str, Any]) -> dict[str, Any]:
    message = _without_nulls(message)
    if "toolCalls" in message:
        message["toolCalls"] = [*map(_without_nulls, message["toolCalls"])]
    return message


def _drop_nested_nulls(event: Event) -> None:
    if "usage" in event:
        event["usage"] = [*map(_without_nulls, event["usage"])]
    outcome = event.get("outcome") if event["type"] == "RUN_FINISHED" else None
    if outcome is not None and outcome["type"] == "interrupt":
        event["outcome"] = {**outcome, "interrupts": [*map(_without_nulls, outcome["interrupts"])]}


def _check_input(event: Event) -> None:
    """Leaves out an input that clients would refuse together with the event."""
    known = _without_nulls(event["input"]) if isinstance(event["input"], dict) else None
    try:
        RunAgentInput.model_validate(known, by_alias=True, by_name=False)
    except ValidationError:
        del event["input"]
        return
    assert known is not None
    event["input"] = known | {"messages": [_message(message) for message in known["messages"]]}


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if member is not None}
