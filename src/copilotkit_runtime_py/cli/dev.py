"""`dev`: a server for whoever writes the agents or the page."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.hosts import is_loopback
from ..app.settings import Settings, parse_agents
from . import options
from .listener import listen_near, url_of
from .plain_errors import plain_errors
from .server import run, warn_if_exposed
from .store import kept, store_url


@click.command("dev")
@options.host
@options.port_or_next
@options.endpoint
@options.agents
@options.default_agent
@options.cors
@options.allowed_host
@options.store
@click.option(
    "--reload/--no-reload", default=True, show_default=True, help="Start again when a file changes."
)
def command(
    host: str,
    port: int | None,
    endpoint: str,
    agents: tuple[str, ...],
    config: Path | None,
    default_agent: str | None,
    cors: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    store: str | None,
    reload: bool,
) -> None:
    """Serve agents while you write them, with reload, error texts and a playground.

    The text of exceptions reaches the page, and the page can watch the events of all runs.
    """
    config = options.config_for(agents, config)
    with plain_errors(), listen_near(host, port) as listener:
        settings = Settings(
            agents=parse_agents(agents),
            config=config,
            default_agent=default_agent,
            endpoint=endpoint,
            cors=options.origins_for(host, cors),
            allowed_hosts=allowed_hosts,
            store=store_url(store),
            development=True,
        )
        warn_if_exposed(host)
        _warn_of_texts(host)
        url = url_of(host, listener, endpoint)
        banner = [
            f"CopilotKit runtime for development: {url}",
            f"Playground: {url_of(host, listener, '/')}",
            kept(settings.store),
        ]
        if config is not None and not agents:
            banner.insert(1, f"Agents: those of {config}")
        run(settings, listener, banner, reload=reload)


def _warn_of_texts(host: str) -> None:
    if not is_loopback(host):
        click.secho(
            "WARNING: in development they also read the text of exceptions and the events of all runs. "
            "Use 'serve' where others come.",
            fg="red",
            bold=True,
            err=True,
        )
