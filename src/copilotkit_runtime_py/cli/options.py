"""Options that several commands take."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from ..app.setting import SETTINGS, Setting
from ..app.settings import Settings, find_config
from ..logs.config import LogFormat
from .listener import DEFAULT_PORT
from .store import store_url

F = TypeVar("F", bound=Callable[..., Any])

host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")

port_or_next = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port to listen on; 0: any free one.  [default: {DEFAULT_PORT}, or the next free one]",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """How a server logs.

    Attributes:
        format: for people, or one JSON object per line.
        level: the lowest level that is logged.
        access: requests are logged.
    """

    format: LogFormat = "text"
    level: str = "info"
    access: bool = True


def logging(command: F) -> F:
    """Adds the options that say how a server logs; the command takes them as `logging`."""

    @functools.wraps(command)
    def with_logging(
        *args: Any, log_format: LogFormat, log_level: str, access_log: bool, **kwargs: Any
    ) -> Any:
        chosen = Logging(format=log_format, level=log_level, access=access_log)
        return command(*args, logging=chosen, **kwargs)

    add_format = click.option(
        "--log-format",
        default="text",
        show_default=True,
        envvar="COPILOTKIT_LOG_FORMAT",
        show_envvar=True,
        type=click.Choice(["text", "json"]),
        help="Logs for people, or one JSON object per line with the ids of request, thread and run.",
    )
    add_level = click.option(
        "--log-level",
        default="info",
        show_default=True,
        envvar="COPILOTKIT_LOG_LEVEL",
        show_envvar=True,
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="The lowest level that is logged.",
    )
    add_access = click.option("--access-log/--no-access-log", default=True, help="Log requests, or not.")
    return cast(F, add_format(add_level(add_access(with_logging))))


def targets(command: F) -> F:
    """Adds arguments that name agents as `--agent` does; the command takes both as `agents`."""

    @functools.wraps(command)
    def with_targets(*args: Any, targets: tuple[str, ...], agents: tuple[str, ...], **kwargs: Any) -> Any:
        source = click.get_current_context().get_parameter_source("agents")
        if targets and source is ParameterSource.ENVIRONMENT:
            agents = ()  # the command line wins over the environment, as everywhere
        return command(*args, agents=(*targets, *agents), **kwargs)

    return cast(F, click.argument("targets", nargs=-1, metavar="[AGENT]...")(with_targets))


class _Value(click.ParamType):  # type: ignore[type-arg]
    """The value of a setting."""

    name = "value"

    def __init__(self, setting: Setting) -> None:
        self._read = setting.read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def split_envvar_value(self, rv: str) -> list[str]:
        return shlex.split(rv)


def settings(*names: str) -> Callable[[F], F]:
    """Adds the options of some settings; the command takes their values as keyword arguments.

    Args:
        names: the settings, as the table `SETTINGS` has them.
    """
    rows = {setting.name: setting for setting in SETTINGS}

    def add(command: F) -> F:
        for name in reversed(names):
            setting = rows[name]
            kind: dict[str, Any] = {"is_flag": True} if setting.is_flag else {"type": _Value(setting)}
            command = click.option(
                setting.flag,
                name,
                multiple=setting.many,
                metavar=setting.metavar,
                envvar=setting.variable,
                show_envvar=True,
                help=setting.help,
                **kind,
            )(command)
        return command

    return add


def settings_from(given: Mapping[str, Any], **fixed: Any) -> Settings:
    """Returns the settings that a command's options give.

    Args:
        given: the options' values.
        fixed: settings that the command itself decides.

    Raises:
        SettingsError: a value contradicts another.
        ConfigurationError: the directory of the default store cannot be made.
    """
    values = {name: value for name, value in given.items() if value not in (None, ())}
    if "agents" in given and not {"agents", "config"} & (values.keys() | fixed.keys()):
        values["config"] = _config()
    if "cors" in given and "cors" not in values:
        # An empty variable forbids what the default allows; to click it is the same as none.
        values["cors"] = next(row for row in SETTINGS if row.name == "cors").value_in(os.environ)
    values["store"] = store_url(values.get("store"))
    return Settings.of({**values, **fixed})


def _config() -> Path:
    config = find_config()
    if config is None:
        raise click.UsageError(
            "No agent to serve: name one, such as my_agent.py:graph, pass --config, or start where a "
            "langgraph.json is. 'copilotkit-runtime-py init' writes an agent to begin with."
        )
    return config
