"""`demo`: an agent that needs no API key."""

from __future__ import annotations

from typing import Any

import click

from ..app.settings import demo_agent
from ..app.welcome import curl_line
from . import options
from .banner import banner
from .listener import listen_near, url_of
from .plain_errors import plain_errors
from .server import run, warn_if_exposed

EXAMPLES = """\b
Examples:
  copilotkit-runtime-py demo
  copilotkit-runtime-py demo --port 8080 --store memory
"""


@click.command("demo", epilog=EXAMPLES)
@options.host
@options.port_or_next
@options.settings("endpoint", "cors", "allowed_hosts", "store", "max_body", "limits", "drain_seconds")
def command(host: str, port: int | None, **given: Any) -> None:
    """Serve a demo agent that needs no API key.

    It is a LangGraph graph, or a Python function where LangGraph is not installed.
    """
    ((name, target),) = demo_agent().items()
    with plain_errors(), listen_near(host, port) as listener:
        settings = options.settings_from(given, agents=(f"{name}={target}",), default_agent=name)
        warn_if_exposed(host)
        lines = banner("CopilotKit runtime", host, listener, settings)
        lines += ["Try:", curl_line(url_of(host, listener, settings.endpoint), name)]
        run(settings, listener, lines)
