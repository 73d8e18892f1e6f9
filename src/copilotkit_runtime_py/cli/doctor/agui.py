"""What CopilotKit 1.50 and newer need: AG-UI over a single route, or over paths below the URL."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from .faults import check_refusals, json_of
from .findings import Check
from .graphql import OF_ANOTHER_CONTRACT, listed
from .probe import Failure, NotSpokenError, Probe

NO_AGENTS_LISTED = "the runtime does not list its agents here"

_SINGLE_ROUTE_CURE = (
    "Pages with useSingleEndpoint, and <CopilotKit> of 1.50 to 1.68, cannot use it. Is yours another? Leave "
    "this out with --client."
)
_PATHS_CURE = (
    "Route the URL's path and all below it to the runtime (nginx: location /api/copilotkit; Next.js: "
    "[[...path]]), or have the page use the single route (useSingleEndpoint). A runtime of CopilotKit up to "
    "1.10 has no such paths."
)


def single_route_info(probe: Probe) -> str:
    """The single route lists the agents."""
    response = probe.post({"method": "info"})
    if response.status_code in OF_ANOTHER_CONTRACT:
        raise NotSpokenError(NO_AGENTS_LISTED, _SINGLE_ROUTE_CURE)
    return _listed(json_of(response), probe, _SINGLE_ROUTE_CURE)


def rest_info(probe: Probe) -> str:
    """The path `/info` lists the agents."""
    response = probe.get("/info")
    if response.status_code in OF_ANOTHER_CONTRACT:
        raise NotSpokenError(f"there is no {probe.url}/info ({response.status_code})", _PATHS_CURE)
    return _listed(json_of(response), probe, _PATHS_CURE)


def threads(probe: Probe) -> str:
    """Threads can be listed."""
    response = probe.get(f"/threads?agentId={quote(agent_of(probe), safe='')}&limit=1")
    answer = json_of(response)
    if not isinstance(answer, dict) or "threads" not in answer:
        message = answer.get("message") or answer.get("error") if isinstance(answer, dict) else None
        raise Failure(
            f"threads are not listed ({response.status_code}{f': {message}' if message else ''})",
            "The page's list of threads stays empty. CopilotKit's own runtime has one on its paid platform.",
        )
    return f"{'some' if answer['threads'] else 'none'} for this user"


def connect(probe: Probe) -> str:
    """A page that is loaded again is answered with a stream of events."""
    with probe.stream("POST", connect_path(probe), run_input()) as response:
        check_refusals(response, credentials=bool(probe.headers))
        kind = response.headers.get("content-type", "")
        if response.status_code != 200 or not kind.startswith("text/event-stream"):
            raise Failure(
                f"no stream of events comes ({response.status_code}, {kind or 'no content type'})",
                _PATHS_CURE,
            )
    return "a stream of events"


SINGLE_ROUTE_CHECKS = (Check("info", single_route_info),)
REST_CHECKS = (
    Check("/info", rest_info, necessary=True),
    Check("/threads", threads),
    Check("/connect", connect),
)


def agent_of(probe: Probe) -> str:
    """The agent to ask for: the one given, else the default one, else the first."""
    if probe.agent is not None:
        return probe.agent
    names: list[str] = []
    with suppress(ValueError, TypeError, KeyError):
        names = list(probe.get("/info").json()["agents"])
    return "default" if "default" in names or not names else names[0]


def connect_path(probe: Probe) -> str:
    """The path at which a page that is loaded again asks for its thread."""
    return f"/agent/{quote(agent_of(probe), safe='')}/connect"


def run_input(text: str | None = None) -> dict[str, Any]:
    """A `RunAgentInput` on a new thread."""
    messages = [{"id": str(uuid4()), "role": "user", "content": text}] if text is not None else []
    return {
        "threadId": f"doctor-{uuid4()}",
        "runId": str(uuid4()),
        "messages": messages,
        "tools": [],
        "context": [],
        "state": {},
        "forwardedProps": {},
    }


def _listed(answer: Any, probe: Probe, cure: str) -> str:
    agents = answer.get("agents") if isinstance(answer, dict) else None
    if not isinstance(agents, dict):
        raise Failure(NO_AGENTS_LISTED, cure)
    version = f" ({answer['version']})" if answer.get("version") else ""
    return listed(list(agents), probe) + version
