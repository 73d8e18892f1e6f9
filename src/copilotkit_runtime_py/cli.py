"""The command `copilotkit-runtime-py`."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import shlex
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click
import uvicorn
from uvicorn.supervisors import ChangeReload, Multiprocess

from .app.hosts import is_loopback
from .errors import ConfigurationError
from .settings import (
    DEFAULT_ENDPOINT,
    DEMO_AGENT,
    DRAIN_SECONDS,
    LOCALHOST,
    Settings,
    SettingsError,
    find_config,
    parse_agents,
)
from .state_store.from_url import MEMORY, scheme_of, sqlite_path
from .target import TargetError

DEFAULT_PORT = 8000
DEFAULT_STORE = "sqlite:///.copilotkit/threads.db"
SHUTDOWN_SECONDS = 3
RELOAD_SECONDS = 1.0

_CURL_QUERY = (
    "mutation ($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) { threadId "
    "messages @stream { __typename ... on TextMessageOutput { content @stream } } "
    "... on CopilotResponse @defer { status { ... on BaseResponseStatus { code } } } } }"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="copilotkit-runtime-py")
def cli() -> None:
    """The CopilotKit runtime as one Python process."""


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Tells the operator's mistakes in a line instead of a traceback."""
    try:
        yield
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except (TargetError, ConfigurationError) as error:
        raise click.ClickException(str(error)) from error


_host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_endpoint = click.option(
    "--endpoint", default=DEFAULT_ENDPOINT, show_default=True, metavar="PATH", help="Path of the one URL."
)
_cors = click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    help="Origin whose pages may call the server, with credentials; repeatable. '*': any origin, and "
    "'localhost': any port of this machine, both without credentials. On a loopback host the default is "
    "'localhost'.",
)

_allowed_host = click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Host name besides this machine's own under which requests may come in over loopback, as from a "
    "proxy or a tunnel; repeatable. '*': any.",
)


_store = click.option(
    "--store",
    metavar="URL",
    envvar="COPILOTKIT_STORE",
    show_envvar=True,
    help="Where threads are kept: memory, sqlite:///file.db, postgresql://… or redis://…  "
    f"[default: the file {DEFAULT_STORE}]",
)

_drain = click.option(
    "--drain-seconds",
    default=DRAIN_SECONDS,
    show_default=True,
    type=click.FloatRange(0),
    help="How long runs may go on when the server is told to end.",
)


@cli.command()
@_host
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@_endpoint
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="NAME=TARGET",
    help="An agent: package.module:attribute, path/file.py:attribute or a URL; repeatable.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A langgraph.json. Without --agent, the one in the working directory is taken.",
)
@click.option("--default-agent", metavar="NAME", help="The agent for requests that name none.")
@_cors
@_allowed_host
@_store
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
@_drain
@click.option("--reload", is_flag=True, help="Start again when a Python file changes.")
def serve(
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
    reload: bool,
) -> None:
    """Serve agents to CopilotKit frontends."""
    if config is None and not agents:
        config = find_config()
        if config is None:
            raise click.UsageError(
                "No agent to serve: pass --agent NAME=TARGET or --config, or start where a langgraph.json is."
            )
    with _plain_errors(), _listen(host, port) as listener:
        settings = Settings(
            agents=parse_agents(agents),
            config=config,
            default_agent=default_agent,
            endpoint=endpoint,
            cors=cors or _default_cors(host),
            allowed_hosts=allowed_hosts,
            store=_store_url(store),
            keep_days=keep_days,
            keep_threads=keep_threads,
            keep_megabytes=keep_megabytes,
            drain_seconds=drain_seconds,
        )
        _check_workers(settings.store, workers, reload=reload)
        _warn_if_exposed(host)
        url = _url(host, listener, endpoint)
        banner = [f"CopilotKit runtime: {url}", _kept(settings.store)]
        _run(settings, listener, banner, workers=workers, reload=reload)


@cli.command()
@_host
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port to listen on.  [default: {DEFAULT_PORT}, or the next free one]",
)
@_endpoint
@_cors
@_allowed_host
@_store
@_drain
def demo(
    host: str,
    port: int | None,
    endpoint: str,
    cors: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    store: str | None,
    drain_seconds: float,
) -> None:
    """Serve a demo LangGraph agent that needs no API key."""
    name, target = DEMO_AGENT
    with _plain_errors(), _listen_near(host) if port is None else _listen(host, port) as listener:
        settings = Settings(
            agents={name: target},
            default_agent=name,
            endpoint=endpoint,
            cors=cors or _default_cors(host),
            allowed_hosts=allowed_hosts,
            store=_store_url(store),
            drain_seconds=drain_seconds,
        )
        _warn_if_exposed(host)
        url = _url(host, listener, endpoint)
        banner = [
            f"CopilotKit runtime with the agent '{name}': {url}",
            "Give it to a frontend as runtimeUrl, open it in a browser for the playground, or try:",
            curl_line(url, name),
            _kept(settings.store),
        ]
        _run(settings, listener, banner)


def main() -> None:
    """The entry point of the command."""
    cli()


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


class _Server(uvicorn.Server):
    """Says where it is once it answers there."""

    def __init__(self, config: uvicorn.Config, banner: Sequence[str]) -> None:
        super().__init__(config)
        self.banner = banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _print_banner(self.banner)


def _run(
    settings: Settings,
    listener: socket.socket,
    banner: Sequence[str],
    *,
    workers: int = 1,
    reload: bool = False,
) -> None:
    from .app.application import create_app

    if reload:
        # Whoever changes a file does not want to wait for the runs of the old code.
        settings = dataclasses.replace(settings, drain_seconds=min(settings.drain_seconds, RELOAD_SECONDS))
    else:
        app = create_app(settings)
    grace = math.ceil(settings.drain_seconds) + SHUTDOWN_SECONDS
    if not reload and workers == 1:
        server = _Server(uvicorn.Config(app, timeout_graceful_shutdown=grace), banner)
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
        timeout_graceful_shutdown=grace,
    )
    _print_banner(banner)
    if reload:
        ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listener]).run()
    else:
        Multiprocess(config, sockets=[listener]).run()


def _store_url(given: str | None) -> str:
    """Returns where threads are kept: in the place named, else in a file in the working directory.

    Raises:
        ConfigurationError: the file's directory cannot be made.
    """
    if given:
        return given
    directory = sqlite_path(DEFAULT_STORE).parent
    try:
        directory.mkdir(exist_ok=True)
        (directory / ".gitignore").write_text("*\n")
    except OSError as error:
        raise ConfigurationError(
            f"Threads cannot be kept in {directory}: {error.strerror or error}. Say where with --store "
            "sqlite:////another/place.db, or keep them nowhere with --store memory."
        ) from error
    return DEFAULT_STORE


def _kept(store: str) -> str:
    """Says where threads are, without the password that the URL may hold."""
    if store == MEMORY:
        return "Threads are kept in memory: they end with the server."
    if scheme_of(store) == "sqlite":
        return f"Threads are kept in {sqlite_path(store)}; --store memory keeps none."
    parts = urlsplit(store)
    return f"Threads are kept at {scheme_of(store)}://{parts.netloc.rpartition('@')[2]}{parts.path}."


def _check_workers(store: str, workers: int, *, reload: bool) -> None:
    if workers > 1 and reload:
        raise SettingsError("--reload serves with one process: leave --workers away.")
    if workers > 1 and scheme_of(store) in (MEMORY, "sqlite"):
        raise SettingsError(
            "Several workers need a store that tells them of each other's runs: "
            "--store postgresql://… or --store redis://…"
        )


def _print_banner(lines: Sequence[str]) -> None:
    click.echo("\n" + "\n".join(lines) + "\n")


def _listen(host: str, port: int) -> socket.socket:
    try:
        return _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise click.ClickException(
                f"Port {port} on {host} is taken by another program. Choose another one with --port."
            ) from error
        raise click.ClickException(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}."
        ) from error


def _listen_near(host: str) -> socket.socket:
    """Listens on the default port, or where that is taken on the next free one."""
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 20):
        try:
            listener = _bind(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise click.ClickException(f"Cannot listen on {host}: {error.strerror or error}.") from error
        if port != DEFAULT_PORT:
            click.secho(f"Port {DEFAULT_PORT} is taken: using {port}.", fg="yellow", err=True)
        return listener
    raise click.ClickException(f"The ports from {DEFAULT_PORT} to {port} are taken. Choose one with --port.")


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.set_inheritable(True)
    except OSError:
        listener.close()
        raise
    return listener


def _url(host: str, listener: socket.socket, endpoint: str) -> str:
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{endpoint}"


def _default_cors(host: str) -> tuple[str, ...]:
    return (LOCALHOST,) if is_loopback(host) else ()


def _warn_if_exposed(host: str) -> None:
    if not is_loopback(host):
        click.secho(
            f"WARNING: {host} can be reached from other machines, and there is no authentication: "
            "whoever reaches it can use the agents and reads the threads of all, as one anonymous user.",
            fg="red",
            bold=True,
            err=True,
        )
