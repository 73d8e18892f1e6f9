"""What CopilotKit 1.8 to 1.10 needs: the GraphQL contract, with answers in parts."""

from __future__ import annotations

import re
from typing import Any

import httpx

from .faults import json_of
from .findings import Check
from .probe import Failure, NotSpokenError, Probe, Skipped

OF_ANOTHER_CONTRACT = frozenset({400, 404, 405, 415, 422})
"""The statuses with which a runtime answers a request of a contract that it does not speak."""

_NO_GRAPHQL = "the server speaks no GraphQL ({})"

CLIENT_VERSION = "1.10.6"
_OLDER = "Pages of CopilotKit 1.8 to 1.10 cannot use it. Leave these checks out with --client."
_MUTATION = (
    "mutation generateCopilotResponse($data: GenerateCopilotResponseInput!, $run: Boolean!) { "
    "generateCopilotResponse(data: $data) @include(if: $run) { threadId runId "
    "... on CopilotResponse @defer { status { ... on BaseResponseStatus { code } } } "
    "messages @stream { ... on TextMessageOutput { content @stream } } } }"
)
_PART = re.compile(rb"\r?\n\r?\n(\{.*?\})\r?\n--", re.DOTALL)


def hello(probe: Probe) -> str:
    """A query is answered."""
    response = probe.post({"query": "{ hello }"})
    if response.status_code in OF_ANOTHER_CONTRACT and '"errors"' not in response.text:
        raise NotSpokenError(_NO_GRAPHQL.format(response.status_code), _OLDER)
    return f"'{_data(response)['hello']}'"


def available_agents(probe: Probe) -> str:
    """Agents are listed, the one asked for among them."""
    names = agent_names(probe)
    if not names:
        raise Skipped("none is listed; CopilotKit's own runtime lists none of its 'agents' either")
    return listed(names, probe)


def agent_names(probe: Probe) -> list[str]:
    """Returns the names of the agents."""
    query = "query availableAgents { availableAgents { agents { name id description } } }"
    agents = _data(probe.post({"query": query}))["availableAgents"]["agents"]
    return [agent["name"] for agent in agents]


def listed(names: list[str], probe: Probe) -> str:
    """Returns the agents' names as text.

    Raises:
        Failure: there is none, or not the one asked for.
    """
    if not names:
        raise Failure("there are no agents", "Register one, or check that this user may use any.")
    if probe.agent is not None and probe.agent not in names:
        raise Failure(
            f"there is no agent '{probe.agent}'", f"The page can ask for: {', '.join(map(str, names))}."
        )
    return ", ".join(map(str, names))


def message(probe: Probe) -> str:
    """What the chat sends would be understood; no agent is run."""
    # The document and its variables are checked, and the field is then left out.
    _data(probe.post(chat(probe, "Hello", run=False)))
    return "the chat's mutation is understood (no agent was run)"


def chat(probe: Probe, text: str, *, run: bool) -> dict[str, Any]:
    """Returns what the chat sends when its user says something."""
    said = {
        "id": "1",
        "createdAt": "2025-01-01T00:00:00.000Z",
        "textMessage": {"role": "user", "content": text},
    }
    data: dict[str, Any] = {
        "metadata": {"requestType": "Chat"},
        "frontend": {"actions": [], "url": "http://localhost/"},
        "messages": [said],
        "agentSession": {"agentName": probe.agent or next(iter(agent_names(probe)), "default")},
    }
    variables = {"run": run, "data": data}
    return {"query": _MUTATION, "operationName": "generateCopilotResponse", "variables": variables}


def multipart(probe: Probe) -> str:
    """An answer comes in parts where they are accepted."""
    response = probe.post({"query": "{ hello }"}, accept="multipart/mixed")
    kind = response.headers.get("content-type", "")
    if "multipart/mixed" not in kind:
        raise Failure(
            f"answers do not come in parts: {response.status_code}, {kind or 'no content type'}",
            "Let the proxy pass the Accept and Content-Type headers on as they are.",
        )
    part = _PART.search(response.content)
    if part is None or ('boundary="-"' not in kind and "boundary=-" not in kind):
        raise Failure(
            "the answer's parts cannot be separated: the client looks for CRLF and the boundary '-'",
            "Something between rewrites the body: switch that off for this path.",
        )
    return "answers come in parts"


def version_header(probe: Probe) -> str:
    """The client accepts the version that the runtime reports."""
    response = probe.post(
        {"query": "{ hello }"}, **{"x-copilotkit-runtime-client-gql-version": CLIENT_VERSION}
    )
    _data(response)
    version = response.headers.get("x-copilotkit-runtime-version")
    if version not in (None, CLIENT_VERSION):
        raise Failure(
            f"the runtime reports version {version}, and a client of {CLIENT_VERSION} shows a warning",
            "Use the same version of CopilotKit in the page and in the runtime.",
        )
    return "the client sees its own version" if version else "none, which clients accept"


CHECKS = (
    Check("hello", hello, necessary=True),
    Check("availableAgents", available_agents),
    Check("generateCopilotResponse", message),
    Check("multipart", multipart),
    Check("version header", version_header),
)


def _data(response: httpx.Response) -> dict[str, Any]:
    answer = json_of(response)
    if not isinstance(answer, dict) or not ("data" in answer or "errors" in answer):
        raise Failure(_NO_GRAPHQL.format(response.status_code), _OLDER)
    for error in answer.get("errors") or ():
        raise Failure(f"the runtime answers: {error.get('message')}", "See the server's log.")
    return dict(answer["data"])
