"""`demo`: an agent that needs no API key."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from ..app.settings import DEMO_AGENT
from . import options
from .listener import listen_near, url_of
from .plain_errors import plain_errors
from .server import run, warn_if_exposed
from .store import kept

_CURL_QUERY = (
    "mutation ($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) { threadId "
    "messages @stream { __typename ... on TextMessageOutput { content @stream } } "
    "... on CopilotResponse @defer { status { ... on BaseResponseStatus { code } } } } }"
)


@click.command("demo")
@options.host
@options.port_or_next
@options.settings("endpoint", "cors", "allowed_hosts", "store", "max_body", "limits", "drain_seconds")
def command(host: str, port: int | None, **given: Any) -> None:
    """Serve a demo LangGraph agent that needs no API key."""
    name, target = DEMO_AGENT
    with plain_errors(), listen_near(host, port) as listener:
        settings = options.settings_from(given, agents=(f"{name}={target}",), default_agent=name)
        warn_if_exposed(host)
        url = url_of(host, listener, settings.endpoint)
        banner = [
            f"CopilotKit runtime with the agent '{name}': {url}",
            "Give it to a frontend as runtimeUrl, open it in a browser for the playground, or try:",
            curl_line(url, name),
            kept(settings.store),
        ]
        run(settings, listener, banner)


def curl_line(url: str, agent: str) -> str:
    """A shell line that sends one message to an agent and shows the reply as it streams."""
    message = {
        "id": "1",
        "createdAt": "2025-01-01T00:00:00.000Z",
        "textMessage": {"role": "user", "content": "Hello, what can you do?"},
    }
    data = {
        "metadata": {"requestType": "Chat"},
        "frontend": {"actions": []},
        "messages": [message],
        "agentSession": {"agentName": agent},
    }
    body = json.dumps({"query": _CURL_QUERY, "variables": {"data": data}}, separators=(",", ":"))
    return f"curl -N {shlex.quote(url)} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
