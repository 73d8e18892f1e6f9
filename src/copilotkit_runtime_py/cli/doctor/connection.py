"""What every client needs: an address where a runtime answers, and lets them in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from ...providers.langgraph_platform.recognition import find_langgraph_server
from .faults import check_refusals, json_of
from .findings import Check
from .probe import Failure, Probe, Skipped

CLOCK_SECONDS = 30
HELLO = {"query": "{ hello }"}
# Where runtimes use to be.
_USUAL_PATHS = ("/api/copilotkit", "/copilotkit", "/api/copilotkit/v2", "/")


def reachable(probe: Probe) -> str:
    """Something answers in HTTP."""
    response = probe.first = probe.post(HELLO)
    server = response.headers.get("server")
    milliseconds = response.elapsed.total_seconds() * 1000
    return f"an answer in {milliseconds:.0f} ms" + (f" from {server}" if server else "")


def http_version(probe: Probe) -> str:
    """Answers can be streamed over this version of HTTP."""
    version = _first(probe).http_version
    if version == "HTTP/1.0":
        raise Failure(
            "the server speaks HTTP/1.0, which has no streams",
            "nginx: proxy_http_version 1.1; other proxies: the like.",
        )
    return version


def access(probe: Probe) -> str:
    """The caller may come in."""
    check_refusals(_first(probe), credentials=bool(probe.headers))
    return "the headers given are accepted" if probe.headers else "no credentials are asked for"


def is_runtime(probe: Probe) -> str:
    """A runtime is at the URL, and not something else."""
    response = _first(probe)
    graphql, agui = _speaks_graphql(response), _tells_info(probe)
    if graphql or agui:
        return f"a runtime answers {' and '.join(['GraphQL'] * graphql + ['AG-UI'] * agui)}"
    raise _something_else(probe, response)


def clock(probe: Probe) -> str:
    """The clocks agree, or else tokens are refused that are valid."""
    date = _first(probe).headers.get("date")
    if not date:
        raise Skipped("the server sends no date")
    try:
        seconds = (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        raise Skipped(f"'{date}' is not a date") from None
    if abs(seconds) > CLOCK_SECONDS:
        raise Failure(
            f"the server's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this one",
            "Set both by NTP: tokens with an expiry (JWT) may be refused otherwise.",
        )
    return "the server's agrees with this one"


CHECKS = (
    Check("reachable", reachable, necessary=True),
    Check("access", access, necessary=True),
    Check("runtime", is_runtime, necessary=True),
    Check("HTTP version", http_version),
    Check("clock", clock),
)


def _first(probe: Probe) -> httpx.Response:
    assert probe.first is not None
    return probe.first


def _speaks_graphql(response: httpx.Response) -> bool:
    with suppress(ValueError):
        answer = response.json()
        return isinstance(answer, dict) and isinstance(answer.get("data"), dict)
    return False


def _something_else(probe: Probe, response: httpx.Response) -> Failure:
    status = response.status_code
    parts = urlsplit(probe.url)
    root = f"{parts.scheme}://{parts.netloc}"
    found_graphs = asyncio.run(find_langgraph_server(probe.url, dict(probe.headers), seconds=probe.seconds))
    if found_graphs is not None:
        target = found_graphs.targets[0]
        return Failure(
            "this is a LangGraph server, not a CopilotKit runtime",
            f"Start 'copilotkit-runtime-py serve --agent NAME={target}' and give its URL to the page.",
        )
    if status == 422 and "threadId" in response.text:
        return Failure(
            "this is an AG-UI agent, not a CopilotKit runtime",
            f"Start 'copilotkit-runtime-py serve --agent NAME={probe.url}' and give its URL to the page.",
        )
    found = next((url for path in _USUAL_PATHS if _answers(probe, url := root + path)), None)
    if found is not None and found.rstrip("/") != probe.url.rstrip("/"):
        return Failure(f"no runtime is at this path ({status})", f"There is one at {found}.")
    if "html" in response.headers.get("content-type", ""):
        json_of(response)  # raises the failure
    return Failure(
        f"no runtime is at this path ({status})",
        "Compare it with the server's --endpoint, or the path of create_router and what it is mounted under. "
        "A proxy may have taken a prefix off.",
    )


def _answers(probe: Probe, url: str) -> bool:
    return "agents" in (_json(probe, url.rstrip("/") + "/info") or {})


def _tells_info(probe: Probe) -> bool:
    with suppress(httpx.HTTPError, ValueError):
        answer = probe.post({"method": "info"}).json()
        if isinstance(answer, dict) and "agents" in answer:
            return True
    return _answers(probe, probe.url)


def _json(probe: Probe, url: str) -> dict[str, Any] | None:
    with suppress(httpx.HTTPError, ValueError):
        response = probe.elsewhere(url)
        value = response.json() if response.is_success else None
        return value if isinstance(value, dict) else None
    return None
