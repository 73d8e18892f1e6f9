"""`serve`: agents for CopilotKit frontends."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.settings import Settings, SettingsError, parse_agents
from ..logs.config import LogFormat
from ..state_store.from_url import MEMORY, scheme_of
from . import options
from .listener import DEFAULT_PORT, listen, url_of
from .plain_errors import plain_errors
from .server import run, warn_if_exposed
from .store import kept, store_url


@click.command("serve")
@options.host
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@options.endpoint
@options.agents
@options.default_agent
@options.cors
@options.allowed_host
@options.store
@click.option("--keep-days", type=click.FloatRange(0), help="Days for which an unused thread is kept.")
@click.option("--keep-threads", type=click.IntRange(1), help="Most threads that are kept.")
@click.option("--keep-megabytes", type=click.FloatRange(0), help="Most megabytes of threads that are kept.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Processes that serve. More than one need a store in PostgreSQL or Redis.",
)
@options.drain
@options.log_format
@click.option("--reload", is_flag=True, help="Start again when a Python file changes.")
def command(
    host: str,
    port: int,
    endpoint: str,
    agents: tuple[str, ...],
    config: Path | None,
    default_agent: str | None,
    cors: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    store: str | None,
    keep_days: float | None,
    keep_threads: int | None,
    keep_megabytes: float | None,
    workers: int,
    drain_seconds: float,
    log_format: LogFormat,
    reload: bool,
) -> None:
    """Serve agents to CopilotKit frontends."""
    config = options.config_for(agents, config)
    with plain_errors(), listen(host, port) as listener:
        settings = Settings(
            agents=parse_agents(agents),
            config=config,
            default_agent=default_agent,
            endpoint=endpoint,
            cors=options.origins_for(host, cors),
            allowed_hosts=allowed_hosts,
            store=store_url(store),
            keep_days=keep_days,
            keep_threads=keep_threads,
            keep_megabytes=keep_megabytes,
            drain_seconds=drain_seconds,
        )
        _check_workers(settings.store, workers, reload=reload)
        warn_if_exposed(host)
        url = url_of(host, listener, endpoint)
        banner = [f"CopilotKit runtime: {url}", kept(settings.store)]
        run(settings, listener, banner, workers=workers, reload=reload, log_format=log_format)


def _check_workers(store: str, workers: int, *, reload: bool) -> None:
    if workers > 1 and reload:
        raise SettingsError("--reload serves with one process: leave --workers away.")
    if workers > 1 and scheme_of(store) in (MEMORY, "sqlite"):
        raise SettingsError(
            "Several workers need a store that tells them of each other's runs: "
            "--store postgresql://… or --store redis://…"
        )
