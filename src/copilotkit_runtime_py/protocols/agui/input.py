"""From a request's body to the input of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from ag_ui.core import RunAgentInput
from pydantic import ValidationError

from ...compat import received_input, translated_messages
from .answers import HTTPError
from .call import Call

_MAX_ID_LENGTH: Final = 1024
_SUGGESTION_TOOL: Final = "copilotkitSuggest"


@dataclasses.dataclass(frozen=True, slots=True)
class RunRequest:
    """What a client sends to run an agent, or to see a thread.

    Attributes:
        input: the input.
        last_seen: the last event that the client has, as it says in the body.
        as_sent: the messages, by id, that the input has in another form.
    """

    input: RunAgentInput
    last_seen: str | None
    as_sent: dict[str, dict[str, Any]]


def read_run(call: Call, server_properties: Mapping[str, Any], *, max_depth: int) -> RunRequest:
    """Reads the `RunAgentInput` of a request.

    Args:
        call: the request.
        server_properties: the server's own properties, which win over the frontend's.
        max_depth: how deep the body may be nested.

    Raises:
        HTTPError: the body is no `RunAgentInput`.
    """
    body = call.json()
    if not isinstance(body, dict):
        raise _invalid("Expected an object")
    if _is_deeper(body, max_depth):
        raise _invalid(f"Expected {max_depth} levels of nesting at most")
    known = received_input(body)
    for name in ("threadId", "runId"):
        _check_id(name, known.get(name))
    if server_properties and isinstance(known["forwardedProps"], dict):
        known["forwardedProps"] = {**known["forwardedProps"], **server_properties}
    try:
        input = RunAgentInput.model_validate(known, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _invalid(_details(error)) from None
    last_seen = body.get("lastSeenEventId")
    return RunRequest(input, last_seen if isinstance(last_seen, str) else None, translated_messages(body))


def is_suggestion(input: RunAgentInput) -> bool:
    """Whether this run makes suggestions for the user.

    Frontends on the single route have no other way to ask for them than a run on a thread of its own, which
    would fill the list of threads (`SuggestionEngine` of `@copilotkit/core`).
    """
    properties = input.forwarded_props if isinstance(input.forwarded_props, dict) else {}
    choice = properties.get("toolChoice")
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name == _SUGGESTION_TOOL and [tool.name for tool in input.tools or ()] == [_SUGGESTION_TOOL]


def _is_deeper(value: Any, limit: int) -> bool:
    """Whether JSON is nested deeper than `limit` levels: what copies or encodes it would run out of stack."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _check_id(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise _invalid(f"{name}: Expected a text")
    if len(value) > _MAX_ID_LENGTH or any(char < " " or "\ud800" <= char <= "\udfff" for char in value):
        raise _invalid(f"{name}: Expected {_MAX_ID_LENGTH} characters at most, and no control characters")


def _details(error: ValidationError) -> str:
    """Returns what is wrong, without the values, which may be long."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems[:5]]
    return "; ".join(lines)


def _invalid(details: str) -> HTTPError:
    return HTTPError(400, {"error": "Invalid request body", "details": details})
