"""`serve`: agents for CopilotKit frontends."""

from __future__ import annotations

from typing import Any

import click

from ..app.settings import SettingsError
from ..state_store.from_url import MEMORY, scheme_of
from . import options
from .banner import banner
from .listener import DEFAULT_PORT, listen
from .plain_errors import plain_errors
from .server import ServerOptions, run, warn_if_exposed

EXAMPLES = """\b
Examples:
  copilotkit-runtime-py serve my_agent.py:graph
  copilotkit-runtime-py serve chat=my_app.agent:graph research=https://agents.example.com/research
  copilotkit-runtime-py serve --store postgresql://… --workers 4 --cors https://app.example.com
"""


@click.command("serve", epilog=EXAMPLES)
@options.targets
@options.host
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@options.settings(
    "agents",
    "config",
    "default_agent",
    "endpoint",
    "cors",
    "allowed_hosts",
    "store",
    "keep_days",
    "keep_threads",
    "keep_megabytes",
    "max_body",
    "limits",
    "speed",
    "drain_delay",
    "drain_seconds",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Processes that serve. More than one need a store in PostgreSQL or Redis.",
)
@options.logging
@click.option("--reload", is_flag=True, help="Start again when a Python file changes.")
def command(host: str, port: int, workers: int, reload: bool, logging: options.Logging, **given: Any) -> None:
    """Serve agents to CopilotKit frontends.

    AGENT is what --agent takes. Without any, the langgraph.json of the working directory names them.
    """
    with plain_errors(), listen(host, port) as listener:
        settings = options.settings_from(given)
        _check_workers(settings.store, workers, reload=reload)
        warn_if_exposed(host)
        lines = banner("CopilotKit runtime", host, listener, settings)
        run(settings, listener, lines, ServerOptions(workers=workers, reload=reload, logging=logging))


def _check_workers(store: str, workers: int, *, reload: bool) -> None:
    if workers > 1 and reload:
        raise SettingsError("--reload serves with one process: omit --workers.")
    if workers > 1 and scheme_of(store) in (MEMORY, "sqlite"):
        raise SettingsError(
            "Several workers need a store that all of them follow: --store postgresql://… or "
            "--store redis://…"
        )
