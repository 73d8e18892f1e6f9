"""What the command line and the environment say about the server."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload
from urllib.parse import urlsplit

DEFAULT_ENDPOINT = "/api/copilotkit"
DEMO_AGENT = ("demo", "copilotkit_runtime_py.demo.agent:agent")
LOCALHOST = "localhost"
ANY_ORIGIN = "*"
DRAIN_SECONDS = 10.0


class SettingsError(Exception):
    """A setting is malformed or contradicts another. The message is one line for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server.

    Attributes:
        agents: the target of each agent by the agent's name; see `copilotkit_runtime_py.providers.target`.
        config: a `langgraph.json`, whose graphs are agents too.
        default_agent: the agent that answers a request that names none.
        endpoint: the path of the one URL.
        cors: the origins whose pages may call the server. `localhost` stands for every port of this machine
            and `*` for any origin; both go without credentials and stand alone.
        allowed_hosts: the names besides this machine's own under which requests may come in over loopback;
            see `copilotkit_runtime_py.app.hosts`.
        store: where threads are kept; see `copilotkit_runtime_py.state_store.from_url`.
        keep_days: how many days a thread is kept after it last changed; None: for ever.
        keep_threads: how many threads are kept; None: all.
        keep_megabytes: how many megabytes (10⁶ bytes) of threads are kept; None: all.
        drain_seconds: how long runs may go on when the server is told to end.
        development: the text of exceptions reaches clients; see `CopilotRuntime`.
    """

    agents: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    default_agent: str | None = None
    endpoint: str = DEFAULT_ENDPOINT
    cors: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    store: str = "memory"
    keep_days: float | None = None
    keep_threads: int | None = None
    keep_megabytes: float | None = None
    drain_seconds: float = DRAIN_SECONDS
    development: bool = False

    def __post_init__(self) -> None:
        path = self.endpoint
        if not path.startswith("/") or any(mark in path for mark in "?#{} ") or "//" in path:
            raise SettingsError(f"'{path}' is no endpoint: write a path such as {DEFAULT_ENDPOINT}.")
        for origin in self.cors:
            check_origin(origin)
        for name in self.allowed_hosts:
            if not re.fullmatch(r"\*|[A-Za-z0-9._-]+", name):
                raise SettingsError(f"'{name}' is no host name: write one such as app.example.com, or '*'.")
        for keyword in (ANY_ORIGIN, LOCALHOST):
            if keyword in self.cors and len(self.cors) > 1:
                raise SettingsError(f"The CORS origin '{keyword}' stands alone, without further origins.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Reads `COPILOTKIT_AGENTS`, `_CONFIG` and so on: the names of the attributes, in capitals.

        Several agents (`NAME=TARGET`), origins or hosts are separated by spaces and quoted as in a shell.
        Without `COPILOTKIT_CORS`, pages from this machine may call the server; an empty value forbids that.

        Raises:
            SettingsError: a value is malformed.
        """
        config = environ.get("COPILOTKIT_CONFIG")
        return cls(
            agents=parse_agents(_words(environ, "COPILOTKIT_AGENTS", "")),
            config=Path(config) if config else None,
            default_agent=environ.get("COPILOTKIT_DEFAULT_AGENT") or None,
            endpoint=environ.get("COPILOTKIT_ENDPOINT") or DEFAULT_ENDPOINT,
            cors=tuple(_words(environ, "COPILOTKIT_CORS", LOCALHOST)),
            allowed_hosts=tuple(_words(environ, "COPILOTKIT_ALLOWED_HOSTS", "")),
            store=environ.get("COPILOTKIT_STORE") or "memory",
            keep_days=_number(environ, "COPILOTKIT_KEEP_DAYS", None),
            keep_threads=_count(environ, "COPILOTKIT_KEEP_THREADS"),
            keep_megabytes=_number(environ, "COPILOTKIT_KEEP_MEGABYTES", None),
            drain_seconds=_number(environ, "COPILOTKIT_DRAIN_SECONDS", DRAIN_SECONDS),
            development=_flag(environ, "COPILOTKIT_DEVELOPMENT"),
        )

    def to_environment(self) -> dict[str, str]:
        """The environment from which `from_environment` reads these settings."""
        return {
            "COPILOTKIT_AGENTS": shlex.join(f"{name}={target}" for name, target in self.agents.items()),
            "COPILOTKIT_CONFIG": str(self.config or ""),
            "COPILOTKIT_DEFAULT_AGENT": self.default_agent or "",
            "COPILOTKIT_ENDPOINT": self.endpoint,
            "COPILOTKIT_CORS": shlex.join(self.cors),
            "COPILOTKIT_ALLOWED_HOSTS": shlex.join(self.allowed_hosts),
            "COPILOTKIT_STORE": self.store,
            "COPILOTKIT_KEEP_DAYS": _text(self.keep_days),
            "COPILOTKIT_KEEP_THREADS": _text(self.keep_threads),
            "COPILOTKIT_KEEP_MEGABYTES": _text(self.keep_megabytes),
            "COPILOTKIT_DRAIN_SECONDS": _text(self.drain_seconds),
            "COPILOTKIT_DEVELOPMENT": "1" if self.development else "",
        }


def parse_agents(pairs: Iterable[str]) -> dict[str, str]:
    """Reads `NAME=TARGET` pairs.

    Raises:
        SettingsError: a pair has no name or no target, or a name is given twice.
    """
    agents: dict[str, str] = {}
    for pair in pairs:
        name, equals, target = pair.partition("=")
        if not equals or not name or not target:
            raise SettingsError(
                f"'{pair}' names no agent: write NAME=TARGET, such as chat=my_app.agent:graph."
            )
        if name in agents:
            raise SettingsError(f"The agent '{name}' is given twice.")
        agents[name] = target
    return agents


def check_origin(origin: str) -> None:
    """Accepts an origin, `localhost` or `*`.

    Raises:
        SettingsError: a browser would never send this as a page's origin.
    """
    if origin in (ANY_ORIGIN, LOCALHOST):
        return
    parts = urlsplit(origin)
    if not parts.scheme or not parts.netloc:
        raise SettingsError(f"'{origin}' is no origin: write one such as https://app.example.com.")
    plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
    if origin != plain:
        raise SettingsError(f"An origin is a scheme, a host and a port, in lower case: write {plain}.")


def find_config(directory: Path | None = None) -> Path | None:
    """The `langgraph.json` of a directory, by default the working directory."""
    path = (directory or Path.cwd()) / "langgraph.json"
    return path if path.is_file() else None


def _words(environ: Mapping[str, str], name: str, default: str) -> list[str]:
    try:
        return shlex.split(environ.get(name, default))
    except ValueError as error:
        raise SettingsError(f"{name} is malformed: {error}.") from error


@overload
def _number(environ: Mapping[str, str], name: str, default: float) -> float: ...


@overload
def _number(environ: Mapping[str, str], name: str, default: None) -> float | None: ...


def _number(environ: Mapping[str, str], name: str, default: float | None) -> float | None:
    value = environ.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise SettingsError(f"{name} is malformed: '{value}' is no number from 0 on.")
    return number


def _count(environ: Mapping[str, str], name: str) -> int | None:
    number = _number(environ, name, None)
    if number is not None and not number.is_integer():
        raise SettingsError(f"{name} is malformed: {number} is no whole number.")
    return None if number is None else int(number)


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").lower()
    if value not in ("", "0", "1", "false", "true"):
        raise SettingsError(f"{name} is malformed: write 1 or 0.")
    return value in ("1", "true")


def _text(number: float | None) -> str:
    return "" if number is None else str(number)
