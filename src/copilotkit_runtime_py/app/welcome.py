"""The response to a plain GET of the endpoint, such as `curl URL`: what it is and how to use it."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import version
from typing import Final
from urllib.parse import quote

_RUN: Final = {
    "threadId": "curl",
    "runId": "1",
    "messages": [{"id": "1", "role": "user", "content": "Hello, what can you do?"}],
}


def curl_line(url: str, agent: str) -> str:
    """Returns a shell line that sends one message to an agent and shows the answer as it streams.

    Args:
        url: the endpoint.
        agent: the agent's name.
    """
    body = json.dumps(_RUN, separators=(",", ":"))
    run = f"{url.rstrip('/')}/agent/{quote(agent, safe='')}/run"
    return f"curl -N {shlex.quote(run)} -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def welcome(url: str, agents: list[str]) -> str:
    """Returns the answer, as plain text.

    Args:
        url: the endpoint.
        agents: the names of the agents that the caller may use.
    """
    lines = [
        f"This is a CopilotKit runtime (copilotkit-runtime-py {version('copilotkit-runtime-py')}).",
        f"Agents: {', '.join(agents) or 'none is registered'}",
        "",
        f'In a React page, give it to the provider: <CopilotKitProvider runtimeUrl="{url}">',
        "In a browser, open this URL for the playground.",
    ]
    if agents:
        lines += ["From a terminal, run an agent:", "", f"  {curl_line(url, agents[0])}"]
    return "\n".join(lines) + "\n"
