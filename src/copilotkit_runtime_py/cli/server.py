"""Serves the application of some settings until a signal stops the process."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import uvicorn
from uvicorn.supervisors import ChangeReload

from ..app.hosts import is_loopback
from ..app.setting import read_files, unknown_variables
from ..app.settings import Settings
from ..logs.config import log_config
from ..logs.records import get_logger
from .header_deadline import HeaderDeadlineProtocol
from .options import Logging
from .workers import Supervisor

logger = get_logger(__name__)

# What a proxy keeps open to a server must not end on the server's side first; nginx and load balancers keep a
# connection for 60 seconds.
KEEP_ALIVE_SECONDS: Final = 75
SHUTDOWN_SECONDS: Final = 3
RELOAD_SECONDS: Final = 1.0
RELOADED_FILES: Final = ["*.py", "langgraph.json", ".env"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How an application is served.

    Attributes:
        workers: the number of processes.
        reload: start again when a file changes. What cannot be loaded then does not end the server: the error
            is printed, and the next change may mend it.
        logging: how the server logs.
    """

    workers: int = 1
    reload: bool = False
    logging: Logging = dataclasses.field(default_factory=Logging)


class _Server(uvicorn.Server):
    """Prints its address once it answers there, and ends when its time is over, whatever an agent does."""

    def __init__(
        self, config: uvicorn.Config, banner: Sequence[str], *, seconds: float, as_json: bool
    ) -> None:
        super().__init__(config)
        self.banner = banner
        self.seconds = seconds
        self.as_json = as_json

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _say(self.banner, as_json=self.as_json)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end_within(self.seconds)
        await super().shutdown(sockets)


def run(
    settings: Settings,
    listener: socket.socket,
    banner: Sequence[str],
    options: ServerOptions | None = None,
) -> None:
    """Serves until a signal stops the process.

    Args:
        settings: the settings.
        listener: where to listen.
        banner: the lines to print first.
        options: how to serve.

    Raises:
        SettingsError, TargetError, ConfigurationError: see `create_app`; not with `reload`.
    """
    options = options or ServerOptions()
    as_json = options.logging.format == "json"
    if not as_json:
        click.echo("Starting …", err=True)
    read_files(os.environ)
    _warn_of_unknown_variables()
    from ..app.application import create_app  # late: it imports everything that serves requests

    app: Any = "copilotkit_runtime_py.app.main:app"
    if options.reload:
        app = "copilotkit_runtime_py.app.reloaded:app"
        # A change should take effect at once, without waiting for runs of the old code.
        settings = dataclasses.replace(settings, drain_seconds=min(settings.drain_seconds, RELOAD_SECONDS))
    else:
        created = create_app(settings)
        app = created if options.workers == 1 else app
    grace = math.ceil(settings.drain_delay + settings.drain_seconds) + SHUTDOWN_SECONDS
    config = uvicorn.Config(
        app,
        http=HeaderDeadlineProtocol,
        headers=[("Keep-Alive", f"timeout={KEEP_ALIVE_SECONDS}")],
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace,
        access_log=False,  # the application's own names the request and its duration
        log_config=log_config(options.logging.format, options.logging.level, access=options.logging.access),
        workers=options.workers,
        reload=options.reload,
        reload_includes=RELOADED_FILES if options.reload else None,
        reload_dirs=watched_directories(settings) if options.reload else None,
    )
    if not options.reload and options.workers == 1:
        # Once it has shut down, uvicorn passes the signal on, to say how the process ended: well.
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, banner, seconds=grace + SHUTDOWN_SECONDS, as_json=as_json).run([listener])
        return
    # Each server is a new process, which reads its settings from the environment.
    os.environ.update(settings.to_environment())
    _say(banner, as_json=as_json)
    if options.reload:
        ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listener]).run()
    else:
        Supervisor(config, [listener]).run()


def watched_directories(settings: Settings) -> list[str]:
    """Returns the directories that start the server again: the working directory, and those of agents."""
    files = [Path(target.rpartition(":")[0]) for target in settings.agents.values() if ".py:" in target]
    files += [settings.config] if settings.config is not None else []
    return [str(Path.cwd()), *sorted({str(file.parent) for file in files if file.is_file()})]


def end_within(seconds: float) -> None:
    """Ends the process after so many seconds, if it has not ended by then.

    An agent that ignores its cancellation would keep the loop, and so the process, from ending.
    """

    def end() -> None:
        logger.error("The server did not stop within %g seconds: exiting.", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def warn_if_exposed(host: str) -> None:
    """Warns, in red, where other machines can reach the server."""
    if not is_loopback(host):
        click.secho(
            f"WARNING: {host} can be reached from other machines, and there is no authentication: "
            "anyone who reaches it can use the agents and read all threads, as one anonymous user.",
            fg="red",
            bold=True,
            err=True,
        )


def _warn_of_unknown_variables() -> None:
    for name in unknown_variables(os.environ):
        click.secho(f"WARNING: {name} is not a setting, and has no effect.", fg="yellow", err=True)


def _say(lines: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        for line in lines:
            logger.info(line)
    else:
        click.echo("\n" + "\n".join(lines) + "\n")
