"""The input of a run, read from a request's body."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from pydantic import ValidationError

from ...agui.input_checks import check_input
from ...agui.run_input import RunInput, weight_of
from ...agui.versions import received_input, sent_messages
from ...errors import InvalidRequestError
from ...providers.directory import ResolvedAgent
from ...runs.request import RunRequest
from ...runtime import CopilotRuntime
from ..off_loop import off_loop_if_long
from ..responses import HTTPError
from .call import Call

_SUGGESTION_TOOL: Final = "copilotkitSuggest"


@dataclasses.dataclass(frozen=True, slots=True)
class ConnectRequest:
    """A request to see a thread.

    Attributes:
        input: the thread, the id under which an agent's own memory is shown, and the version of AG-UI that
            the client declares.
        last_seen: the last event that the client has, as the body says.
    """

    input: RunInput
    last_seen: str | None


async def read_run(call: Call, agent: ResolvedAgent, runtime: CopilotRuntime) -> RunRequest:
    """Reads the request to run an agent.

    The frontend's properties are its `forwardedProps`. The server's own properties win over them.

    Raises:
        HTTPError: the body is not a valid `RunAgentInput`.
    """
    body = await _body(call, runtime)
    input = await _input(body, runtime)
    properties = input.json["forwardedProps"]
    context = dataclasses.replace(call.context, properties=properties if isinstance(properties, dict) else {})
    return RunRequest(agent=agent, input=input, context=context, sent=sent_messages(body, input.messages))


async def read_connect(call: Call, runtime: CopilotRuntime) -> ConnectRequest:
    """Reads the request to see a thread, which has the form of one to run an agent.

    Raises:
        HTTPError: the body is not a valid `RunAgentInput`.
    """
    body = await _body(call, runtime)
    last_seen = body.get("lastSeenEventId")
    return ConnectRequest(await _input(body, runtime), last_seen if isinstance(last_seen, str) else None)


def is_suggestion(input: RunInput) -> bool:
    """Whether this run makes suggestions for the user.

    Frontends on the single route have no other way to ask for them than a run on a thread of its own, which
    would fill the list of threads (`SuggestionEngine` of `@copilotkit/core`).
    """
    properties = input.json.get("forwardedProps")
    choice = properties.get("toolChoice") if isinstance(properties, dict) else None
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    tools = [tool["name"] for tool in input.json.get("tools", ())]
    return name == _SUGGESTION_TOOL and tools == [_SUGGESTION_TOOL]


async def _body(call: Call, runtime: CopilotRuntime) -> dict[str, Any]:
    body = call.json()
    if not isinstance(body, dict):
        raise _invalid("Expected an object")
    try:
        await check_input(body, runtime.limits)
    except InvalidRequestError as error:
        raise _invalid(error.message) from None
    return body


async def _input(body: dict[str, Any], runtime: CopilotRuntime) -> RunInput:
    messages = body.get("messages")
    weight = weight_of(messages) if isinstance(messages, list) else 0
    return await off_loop_if_long(weight, _parsed, body, runtime)


def _parsed(body: dict[str, Any], runtime: CopilotRuntime) -> RunInput:
    received = received_input(body)
    if runtime.properties and isinstance(received["forwardedProps"], dict):
        received["forwardedProps"] = {**received["forwardedProps"], **runtime.properties}
    try:
        return RunInput.parse(received)
    except ValidationError as error:
        raise _invalid(_details(error)) from None


def _details(error: ValidationError) -> str:
    """Returns what is wrong, without the values, which may be long."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems[:5]]
    return "; ".join(lines)


def _invalid(details: str) -> HTTPError:
    return HTTPError(400, {"error": "Invalid request body", "details": details})
