"""Serves the application of some settings until the process is told to end."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import signal
import socket
from collections.abc import Sequence

import click
import uvicorn
from uvicorn.supervisors import ChangeReload, Multiprocess

from ..app.hosts import is_loopback
from ..app.settings import Settings
from ..logs.config import LogFormat, log_config

SHUTDOWN_SECONDS = 3
RELOAD_SECONDS = 1.0
RELOADED_FILES = ["*.py", "langgraph.json", ".env"]


class _Server(uvicorn.Server):
    """Says where it is once it answers there."""

    def __init__(self, config: uvicorn.Config, banner: Sequence[str]) -> None:
        super().__init__(config)
        self.banner = banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _print_banner(self.banner)


def run(
    settings: Settings,
    listener: socket.socket,
    banner: Sequence[str],
    *,
    workers: int = 1,
    reload: bool = False,
    log_format: LogFormat = "text",
) -> None:
    """Serves until the process is told to end.

    Args:
        settings: the settings.
        listener: where to listen.
        banner: the lines to print first.
        workers: the number of processes.
        reload: start again when a file changes. What cannot be loaded then ends nothing: it is told, and the
            next change may mend it.
        log_format: for whom the logs are.

    Raises:
        SettingsError, TargetError, ConfigurationError: see `create_app`; not with `reload`.
    """
    click.echo("Starting …", err=True)
    from ..app.application import create_app  # late: it imports everything that serves requests

    if reload:
        # Whoever changes a file does not want to wait for the runs of the old code.
        settings = dataclasses.replace(settings, drain_seconds=min(settings.drain_seconds, RELOAD_SECONDS))
    else:
        app = create_app(settings)
    grace = math.ceil(settings.drain_seconds) + SHUTDOWN_SECONDS
    if not reload and workers == 1:
        server = _Server(
            uvicorn.Config(app, timeout_graceful_shutdown=grace, log_config=log_config(log_format)), banner
        )
        # Once it has shut down, uvicorn passes the signal on, to say how the process ended: well.
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        with contextlib.suppress(KeyboardInterrupt):
            server.run([listener])
        return
    # Each server is a new process, which reads its settings from the environment.
    os.environ.update(settings.to_environment())
    config = uvicorn.Config(
        "copilotkit_runtime_py.app.main:app",
        workers=workers,
        reload=reload,
        reload_includes=RELOADED_FILES if reload else None,
        timeout_graceful_shutdown=grace,
        log_config=log_config(log_format),
    )
    _print_banner(banner)
    if reload:
        ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listener]).run()
    else:
        Multiprocess(config, sockets=[listener]).run()


def warn_if_exposed(host: str) -> None:
    """Warns, in red, where other machines can reach the server."""
    if not is_loopback(host):
        click.secho(
            f"WARNING: {host} can be reached from other machines, and there is no authentication: "
            "whoever reaches it can use the agents and reads the threads of all, as one anonymous user.",
            fg="red",
            bold=True,
            err=True,
        )


def _print_banner(lines: Sequence[str]) -> None:
    click.echo("\n" + "\n".join(lines) + "\n")
