"""Bounds on a request's input, whichever contract it speaks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import InvalidRequestError
from ..limits import Limits
from .json_input import RequestJSON

_REQUIRED: Final = ("threadId", "runId")
# Messages that are checked before the event loop goes on.
_AT_ONCE: Final = 1_000
# Characters that a header or a line of a log cannot hold, and lone surrogates.
_UNFIT: Final = re.compile("[\x00-\x1f\ud800-\udfff]")


async def check_input(body: Mapping[str, Any], limits: Limits) -> None:
    """Refuses the JSON of a `RunAgentInput` whose ids are not valid, or whose tool calls hold too much JSON.

    Raises:
        InvalidRequestError: they are not, or do.
    """
    for name in _REQUIRED:
        if not isinstance(body.get(name), str) or not body[name]:
            raise InvalidRequestError(f"{name}: Expected a string")
        check_id(name, body[name], limits)
    check_id("parentRunId", body.get("parentRunId"), limits)
    for tool in _objects(body.get("tools")):
        check_id("tool name", tool.get("name"), limits)
    for answer in _objects(body.get("resume")):
        _check_message_id("interruptId", answer.get("interruptId"), limits)
    arguments = RequestJSON(limits)
    for number, message in enumerate(_objects(body.get("messages"))):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        _check_message_id("message id", message.get("id"), limits)
        _check_message_id("toolCallId", message.get("toolCallId"), limits)
        content = message.get("content")
        if isinstance(content, list) and len(content) > limits.parts_per_message:
            raise InvalidRequestError(f"content: Expected {limits.parts_per_message} parts at most")
        for call in _objects(message.get("toolCalls")):
            _check_message_id("toolCallId", call.get("id"), limits)
            function = call.get("function")
            if isinstance(function, dict) and isinstance(function.get("arguments"), str):
                # Providers parse them.
                await arguments.measure(function["arguments"].encode())


def check_id(name: str, id: Any, limits: Limits) -> None:
    """Refuses an id or a name that a database, a log or a header could not hold. All others are distinct.

    Args:
        name: what it is called in the error.
        id: the id. Anything but a string passes: other checks refuse it.
        limits: bounds its length.

    Raises:
        InvalidRequestError: it is too long, or has control characters or lone surrogates.
    """
    if isinstance(id, str) and (len(id) > limits.id_characters or _UNFIT.search(id)):
        raise InvalidRequestError(
            f"{name}: Expected {limits.id_characters} characters at most, and no control characters"
        )


def _check_message_id(name: str, id: Any, limits: Limits) -> None:
    if isinstance(id, str) and len(id) > limits.message_id_characters:
        raise InvalidRequestError(f"{name}: Expected {limits.message_id_characters} characters at most")


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
