"""From a request's body to the input of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from ag_ui.core import RunAgentInput
from pydantic import ValidationError

from ...agui.input_checks import check_input
from ...agui.versions import received_input, translated_messages
from ...errors import InvalidRequestError
from ...limits import Limits
from ..responses import HTTPError
from .call import Call

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


def read_run(call: Call, server_properties: Mapping[str, Any], limits: Limits) -> RunRequest:
    """Reads the `RunAgentInput` of a request.

    Args:
        call: the request.
        server_properties: the server's own properties, which win over the frontend's.
        limits: bounds of the body.

    Raises:
        HTTPError: the body is no `RunAgentInput`.
    """
    body = call.json()
    if not isinstance(body, dict):
        raise _invalid("Expected an object")
    try:
        check_input(body, limits)
    except InvalidRequestError as error:
        raise _invalid(error.message) from None
    known = received_input(body)
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


def _details(error: ValidationError) -> str:
    """Returns what is wrong, without the values, which may be long."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems[:5]]
    return "; ".join(lines)


def _invalid(details: str) -> HTTPError:
    return HTTPError(400, {"error": "Invalid request body", "details": details})
