"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..app.hosts import is_loopback
from ..app.settings import DEFAULT_ENDPOINT, DRAIN_SECONDS, LOCALHOST, find_config
from .listener import DEFAULT_PORT
from .store import DEFAULT_STORE

F = TypeVar("F", bound=Callable[..., Any])

host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")

port_or_next = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port to listen on; 0: any free one.  [default: {DEFAULT_PORT}, or the next free one]",
)

endpoint = click.option(
    "--endpoint", default=DEFAULT_ENDPOINT, show_default=True, metavar="PATH", help="Path of the one URL."
)

cors = click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    help="Origin whose pages may call the server, with credentials; repeatable. '*': any origin, and "
    "'localhost': any port of this machine, both without credentials. On a loopback host the default is "
    "'localhost'.",
)

allowed_host = click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Host name besides this machine's own under which requests may come in over loopback, as from a "
    "proxy or a tunnel; repeatable. '*': any.",
)

store = click.option(
    "--store",
    metavar="URL",
    envvar="COPILOTKIT_STORE",
    show_envvar=True,
    help="Where threads are kept: memory, sqlite:///file.db, postgresql://… or redis://…  "
    f"[default: the file {DEFAULT_STORE}]",
)

drain = click.option(
    "--drain-seconds",
    default=DRAIN_SECONDS,
    show_default=True,
    type=click.FloatRange(0),
    help="How long runs may go on when the server is told to end.",
)

log_format = click.option(
    "--log-format",
    default="text",
    show_default=True,
    envvar="COPILOTKIT_LOG_FORMAT",
    show_envvar=True,
    type=click.Choice(["text", "json"]),
    help="Logs for people, or for programs: an object a line, with the ids of request, thread and run.",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


default_agent = click.option("--default-agent", metavar="NAME", help="The agent for requests that name none.")


def agents(command: F) -> F:
    """Adds the options that name agents."""
    command = click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A langgraph.json. Without --agent, the one in the working directory is taken.",
    )(command)
    return click.option(
        "--agent",
        "agents",
        multiple=True,
        metavar="NAME=TARGET",
        help="An agent: package.module:attribute, path/file.py:attribute, vendor:model or a URL; repeatable.",
    )(command)


def config_for(agents: tuple[str, ...], config: Path | None) -> Path | None:
    """Returns the `langgraph.json` to serve: the one given, else, where no agent is, the one found.

    Raises:
        click.UsageError: there is no agent to serve.
    """
    if config is None and not agents:
        config = find_config()
        if config is None:
            raise click.UsageError(
                "No agent to serve: pass --agent NAME=TARGET or --config, or start where a langgraph.json "
                "is. 'copilotkit-runtime-py init' writes an agent to begin with."
            )
    return config


def origins_for(host: str, cors: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the origins whose pages may call the server: those given, else what suits the host."""
    return cors or ((LOCALHOST,) if is_loopback(host) else ())
