"""`dev`: a server for developing agents and pages."""

from __future__ import annotations

from typing import Any

import click

from ..app.hosts import is_loopback
from . import options
from .banner import banner
from .listener import listen_near
from .plain_errors import plain_errors
from .server import ServerOptions, run, warn_if_exposed

EXAMPLES = """\b
Examples:
  copilotkit-runtime-py dev
  copilotkit-runtime-py dev my_agent.py:graph
"""


@click.command("dev", epilog=EXAMPLES)
@options.targets
@options.host
@options.port_or_next
@options.settings(
    "agents",
    "config",
    "default_agent",
    "endpoint",
    "cors",
    "allowed_hosts",
    "store",
    "max_body",
    "limits",
    "speed",
)
@click.option(
    "--reload/--no-reload", default=True, show_default=True, help="Start again when a file changes."
)
def command(host: str, port: int | None, reload: bool, **given: Any) -> None:
    """Serve agents while you write them, with reload, error texts and a playground.

    AGENT is what --agent takes. Without any, the langgraph.json of the working directory names them. While a
    file cannot be loaded, the server answers with the error. The text of exceptions reaches the page, and the
    page can watch the events of all runs.
    """
    with plain_errors(), listen_near(host, port) as listener:
        settings = options.settings_from(given, development=True)
        warn_if_exposed(host)
        _warn_of_texts(host)
        lines = banner("CopilotKit runtime for development", host, listener, settings)
        run(settings, listener, lines, ServerOptions(reload=reload))


def _warn_of_texts(host: str) -> None:
    if not is_loopback(host):
        click.secho(
            "WARNING: in development they also read the text of exceptions and the events of all runs. "
            "Use 'serve' where others come.",
            fg="red",
            bold=True,
            err=True,
        )
