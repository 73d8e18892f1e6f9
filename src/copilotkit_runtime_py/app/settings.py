"""The settings of a server, from the command line and the environment."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..limits import Limits
from .setting import SETTINGS, SettingsError, read_files

__all__ = ["SETTINGS", "Settings", "SettingsError", "check_origin", "find_config", "parse_agents"]

DEFAULT_ENDPOINT = "/api/copilotkit"
_DEMO_GRAPH = "copilotkit_runtime_py.demo.agent:agent"
_DEMO_FUNCTION = "copilotkit_runtime_py.demo.function:agent"
LOCALHOST = "localhost"
ANY_ORIGIN = "*"
DRAIN_SECONDS = 10.0
_MEBIBYTE = 2**20
# A name has no colon and no slash, so that a target with an equals sign is not mistaken for a pair.
_NAMED = re.compile(r"([^=:/\\]+)=(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server.

    Attributes:
        agents: the target of each agent by the agent's name; see `copilotkit_runtime_py.providers.target`.
        config: a `langgraph.json` with more agents.
        default_agent: the agent that answers a request that names none.
        endpoint: the path of the one URL.
        cors: the origins of pages that may call the server. `localhost` stands for every port of this machine
            and `*` for any origin; neither allows credentials, and each stands alone. None: pages of this
            machine, over loopback; see `copilotkit_runtime_py.app.cors`.
        allowed_hosts: the names besides this machine's own under which requests may come in over loopback;
            see `copilotkit_runtime_py.app.hosts`.
        store: where threads are stored; see `copilotkit_runtime_py.state_store.from_url`.
        keep_days: the number of days without a change after which a thread is deleted; None: never.
        keep_threads: the most threads to store; None: no limit.
        keep_megabytes: the most megabytes (10⁶ bytes) of threads to store; None: no limit.
        limits: the bounds of requests and runs.
        speed: the speed at which recordings are played, 1 as recorded; 0 plays them without pauses.
        drain_delay: how long, in seconds, the server still accepts requests after a signal to stop, while
            `/readyz` reports that it is stopping: the time that proxies need to notice.
        drain_seconds: how long, in seconds, runs may continue after that.
        development: the text of exceptions reaches clients; see `CopilotRuntime`.
    """

    agents: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    default_agent: str | None = None
    endpoint: str = DEFAULT_ENDPOINT
    cors: tuple[str, ...] | None = None
    allowed_hosts: tuple[str, ...] = ()
    store: str = "memory"
    keep_days: float | None = None
    keep_threads: int | None = None
    keep_megabytes: float | None = None
    limits: Limits = field(default_factory=Limits)
    speed: float = 1.0
    drain_delay: float = 0.0
    drain_seconds: float = DRAIN_SECONDS
    development: bool = False

    def __post_init__(self) -> None:
        path = self.endpoint
        if not path.startswith("/") or any(mark in path for mark in "?#{} ") or "//" in path:
            raise SettingsError(f"'{path}' is not a valid path: write one such as {DEFAULT_ENDPOINT}.")
        for origin in self.cors or ():
            check_origin(origin)
        for name in self.allowed_hosts:
            if not re.fullmatch(r"\*|[A-Za-z0-9._-]+", name):
                raise SettingsError(
                    f"'{name}' is not a host name: write one such as app.example.com, or '*'."
                )
        for keyword in (ANY_ORIGIN, LOCALHOST):
            if self.cors is not None and keyword in self.cors and len(self.cors) > 1:
                raise SettingsError(f"The CORS origin '{keyword}' stands alone, without further origins.")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Returns the settings with values as options and variables give them.

        Args:
            values: values by the names of the table `SETTINGS`; None for one that is not given.

        Raises:
            SettingsError: a value is malformed, or contradicts another.
        """
        given = {name: value for name, value in values.items() if value is not None}
        if "agents" in given:
            given["agents"] = parse_agents(given["agents"])
        limits = dict(given.get("limits", ()))
        if "max_body" in given:
            limits["request_bytes"] = int(given.pop("max_body") * _MEBIBYTE)
        try:
            given["limits"] = Limits(**limits)
        except ValueError as error:
            raise SettingsError(str(error)) from error
        return cls(**given)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Reads the variables of the table `SETTINGS`, and the files that their `_FILE` forms name.

        Several agents (`NAME=TARGET`), origins, hosts or limits are separated by spaces and quoted as in a
        shell. Without `COPILOTKIT_CORS`, pages of this machine may call the server over loopback; an empty
        value forbids that.

        Args:
            environ: the variables; by default those of the process.

        Raises:
            SettingsError: a value is malformed.
        """
        known = dict(os.environ if environ is None else environ)
        read_files(known)
        return cls.of({setting.name: setting.value_in(known) for setting in SETTINGS})

    @property
    def max_body(self) -> float:
        """The largest request body, in MiB: `limits.request_bytes`."""
        return self.limits.request_bytes / _MEBIBYTE

    def to_environment(self) -> dict[str, str]:
        """Returns the environment from which `from_environment` reads these settings."""
        agents = (f"{name}={target}" for name, target in self.agents.items())
        standard = Limits()
        limits = (
            f"{limit.name}={getattr(self.limits, limit.name)}"
            for limit in fields(Limits)
            if getattr(self.limits, limit.name) != getattr(standard, limit.name)
        )
        lists = {"agents": agents, "limits": limits, "cors": self.cors, "allowed_hosts": self.allowed_hosts}
        environment = {}
        for setting in SETTINGS:
            if not setting.many:
                environment[setting.variable] = _text(getattr(self, setting.name))
            elif (values := lists[setting.name]) is not None:
                environment[setting.variable] = shlex.join(values)
        return environment


def parse_agents(pairs: Iterable[str]) -> dict[str, str]:
    """Reads agents: `NAME=TARGET`, or a target alone, which gives the agent its name (see `name_of`).

    Raises:
        SettingsError: there is no target, or a name is given twice.
    """
    from ..providers.target import name_of  # imported late: it loads the events of agents

    agents: dict[str, str] = {}
    for pair in pairs:
        named = _NAMED.fullmatch(pair)
        name, target = named.groups() if named is not None else (name_of(pair), pair)
        if not name:
            raise SettingsError(
                f"'{pair}' is not an agent: write TARGET or NAME=TARGET, such as my_agent.py:graph or "
                "chat=my_app.agent:graph."
            )
        if name in agents:
            raise SettingsError(f"The agent '{name}' is given twice: write NAME=TARGET.")
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
        raise SettingsError(f"'{origin}' is not an origin: write one such as https://app.example.com.")
    plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
    if origin != plain:
        raise SettingsError(f"An origin is a scheme, a host and a port, in lower case: write {plain}.")


def demo_agent() -> dict[str, str]:
    """Returns the demo agent: a LangGraph graph, or a function where LangGraph is not installed."""
    return {"demo": _DEMO_GRAPH if importlib.util.find_spec("langgraph") else _DEMO_FUNCTION}


def find_config(directory: Path | None = None) -> Path | None:
    """The `langgraph.json` of a directory, by default the working directory."""
    path = (directory or Path.cwd()) / "langgraph.json"
    return path if path.is_file() else None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)
