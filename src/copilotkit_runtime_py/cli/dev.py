"""`dev`: a server for developing agents and pages."""

from __future__ import annotations

from typing import Any

import click

from ..app.hosts import is_loopback
from . import options
from .listener import listen_near, url_of
from .plain_errors import plain_errors
from .server import ServerOptions, run, warn_if_exposed
from .store import kept


@click.command("dev")
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

    The text of exceptions reaches the page, and the page can watch the events of all runs.
    """
    with plain_errors(), listen_near(host, port) as listener:
        settings = options.settings_from(given, development=True)
        warn_if_exposed(host)
        _warn_of_texts(host)
        banner = [
            f"CopilotKit runtime for development: {url_of(host, listener, settings.endpoint)}",
            f"Playground: {url_of(host, listener, '/')}",
            kept(settings.store),
        ]
        if settings.config is not None and not settings.agents:
            banner.insert(1, f"Agents: those of {settings.config}")
        run(settings, listener, banner, ServerOptions(reload=reload))


def _warn_of_texts(host: str) -> None:
    if not is_loopback(host):
        click.secho(
            "WARNING: in development they also read the text of exceptions and the events of all runs. "
            "Use 'serve' where others come.",
            fg="red",
            bold=True,
            err=True,
        )
