"""What a request may bring, whichever contract it speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import InvalidRequestError
from ..limits import Limits
from .run_input import RunInput

_REQUIRED: Final = ("threadId", "runId")


def check_input(body: Mapping[str, Any], limits: Limits) -> None:
    """Refuses the JSON of a `RunAgentInput` that is nested too deeply, or whose ids cannot be used.

    Raises:
        InvalidRequestError: it is, or they cannot.
    """
    check_depth(body, limits)
    for name in _REQUIRED:
        if not isinstance(body.get(name), str) or not body[name]:
            raise InvalidRequestError(f"{name}: Expected a text")
        check_id(name, body[name], limits)
    for name, id in _ids(body):
        check_id(name, id, limits)


def check_size(input: RunInput, limits: Limits) -> None:
    """Refuses a request that brings too much.

    Raises:
        InvalidRequestError: it does.
    """
    if len(input.messages) > limits.messages_per_request:
        raise InvalidRequestError(f"A request may bring {limits.messages_per_request} messages at most.")
    if len(input.json.get("tools", ())) > limits.tools_per_request:
        raise InvalidRequestError(f"A request may bring {limits.tools_per_request} tools at most.")


def check_id(name: str, id: Any, limits: Limits) -> None:
    """Refuses an id or a name that a database, a log or a header could not hold. All others are distinct.

    Args:
        name: what it is called in the error.
        id: the id. Anything but a text is let through: it is not the business of this check.
        limits: bounds its length.

    Raises:
        InvalidRequestError: it is too long, or has control characters or half a character.
    """
    if not isinstance(id, str):
        return
    if len(id) > limits.id_characters or any(char < " " or "\ud800" <= char <= "\udfff" for char in id):
        raise InvalidRequestError(
            f"{name}: Expected {limits.id_characters} characters at most, and no control characters"
        )


def check_depth(value: Any, limits: Limits) -> None:
    """Refuses JSON that is nested too deeply: what copies or encodes it would run out of stack.

    Raises:
        InvalidRequestError: it is.
    """
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limits.json_depth):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidRequestError(f"Expected {limits.json_depth} levels of nesting at most")


def _ids(body: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Returns the ids and names that a client chose, with what they are called. The body may be malformed."""
    yield "parentRunId", body.get("parentRunId")
    for message in _objects(body.get("messages")):
        yield "message id", message.get("id")
        yield "toolCallId", message.get("toolCallId")
        for call in _objects(message.get("toolCalls")):
            yield "toolCallId", call.get("id")
    for tool in _objects(body.get("tools")):
        yield "tool name", tool.get("name")
    for answer in _objects(body.get("resume")):
        yield "interruptId", answer.get("interruptId")


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
