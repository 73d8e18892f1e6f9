"""The table of settings: each has one name in code, on the command line and in the environment.

The setting `drain_seconds` is the attribute of `Settings`, the option `--drain-seconds` and the variable
`COPILOTKIT_DRAIN_SECONDS`. `COPILOTKIT_DRAIN_SECONDS_FILE` names a file that holds the value, such as a
secret of a container.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, get_type_hints

from ..limits import Limits

PREFIX: Final = "COPILOTKIT_"
_FILE: Final = "_FILE"
# Variables that are not settings of the server: those of the command line, and of CopilotKit's own SDK.
_OTHERS: Final = {"COPILOTKIT_LOG_FORMAT", "COPILOTKIT_LOG_LEVEL", "COPILOTKIT_TELEMETRY_DISABLED"}


class SettingsError(Exception):
    """A setting is malformed or contradicts another. The message is one line for the operator."""


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: the attribute of `Settings`.
        read: reads one value from the text of an option or a variable. It raises `ValueError`.
        help: what the setting does, for `--help`.
        option: the command-line option, if it is not made of the name.
        metavar: the placeholder for the value in `--help`.
        many: the setting is a list: the option can be repeated, and the variable holds shell words.
        is_flag: the option takes no value.
    """

    name: str
    read: Callable[[str], Any]
    help: str
    option: str | None = None
    metavar: str | None = None
    many: bool = False
    is_flag: bool = False

    @property
    def flag(self) -> str:
        """The command-line option."""
        return self.option or f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"{PREFIX}{self.name.upper()}"

    def value_in(self, environ: Mapping[str, str]) -> Any:
        """Returns the setting's value in the environment, or None if it is not set.

        Raises:
            SettingsError: the value is malformed.
        """
        text = environ.get(self.variable)
        if text is None or (text == "" and not self.many):
            return None
        try:
            return tuple(map(self.read, shlex.split(text))) if self.many else self.read(text)
        except ValueError as error:
            raise SettingsError(f"{self.variable} is malformed: {error}") from error


def number(text: str) -> float:
    """Reads a number that is not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"'{text}' must be a number ≥ 0.")
    return value


def count(text: str) -> int:
    """Reads a whole number that is not negative."""
    value = number(text)
    if not value.is_integer():
        raise ValueError(f"'{text}' must be a whole number.")
    return int(value)


def flag(text: str) -> bool:
    """Reads a flag."""
    if text.lower() not in ("0", "1", "false", "true"):
        raise ValueError(f"'{text}' must be 1 or 0.")
    return text.lower() in ("1", "true")


def existing_file(text: str) -> Path:
    """Reads the path of a file."""
    if not Path(text).is_file():
        raise ValueError(f"the file '{text}' does not exist.")
    return Path(text)


def limit(text: str) -> tuple[str, float | int | None]:
    """Reads one bound of `Limits`: `NAME=VALUE`, where `none` stands for no bound."""
    name, _, value = text.partition("=")
    types = get_type_hints(Limits)
    if name not in types:
        raise ValueError(f"'{name}' is not a limit. The limits are: {', '.join(types)}.")
    if value.lower() == "none":
        if type(None) not in getattr(types[name], "__args__", ()):
            raise ValueError(f"The limit '{name}' cannot be switched off.")
        return name, None
    return name, (number if float in getattr(types[name], "__args__", (types[name],)) else count)(value)


SETTINGS: Final = (
    Setting(
        "agents",
        str,
        "An agent: path/file.py:attribute, package.module:attribute, vendor:model, a URL or a "
        "recording (file.jsonl); repeatable. Without NAME, the attribute is the name, or the file if that is "
        "graph, agent, flow or crew.",
        option="--agent",
        metavar="[NAME=]TARGET",
        many=True,
    ),
    Setting(
        "config",
        existing_file,
        "A langgraph.json. Without --agent, the one in the working directory is taken.",
        metavar="FILE",
    ),
    Setting("default_agent", str, "The agent for requests that name none.", metavar="NAME"),
    Setting("endpoint", str, "Path of the one URL.  [default: /api/copilotkit]", metavar="PATH"),
    Setting(
        "cors",
        str,
        "Origin of pages that may call the server, with credentials; repeatable. '*': any origin, and "
        "'localhost': any port of this machine, both without credentials.  [default: pages of this machine, "
        "over loopback]",
        metavar="ORIGIN",
        many=True,
    ),
    Setting(
        "allowed_hosts",
        str,
        "Host name besides this machine's own under which requests may come in over loopback, as from a "
        "proxy or a tunnel; repeatable. '*': any.",
        option="--allowed-host",
        metavar="NAME",
        many=True,
    ),
    Setting(
        "store",
        str,
        "Where threads are stored: memory, sqlite:///file.db, postgresql://… or redis://…  "
        "[default: the file .copilotkit/threads.db]",
        metavar="URL",
    ),
    Setting("keep_days", number, "Days after which an unused thread is deleted.", metavar="N"),
    Setting("keep_threads", count, "Most threads that are stored.", metavar="N"),
    Setting("keep_megabytes", number, "Most megabytes of threads that are stored.", metavar="N"),
    Setting(
        "max_body",
        number,
        "Largest request body, in MiB. A page sends the attachments of a conversation with each message.  "
        "[default: 32]",
        metavar="MIB",
    ),
    Setting(
        "limits",
        limit,
        "A limit of requests and runs, such as run_seconds=600 or messages_per_request=500; 'none' for no "
        "limit; repeatable.",
        option="--limit",
        metavar="NAME=VALUE",
        many=True,
    ),
    Setting(
        "speed",
        number,
        "How many times as fast as recorded the recordings among the agents are played; 0: without pauses.  "
        "[default: 1]",
        metavar="N",
    ),
    Setting(
        "drain_delay",
        number,
        "How long the server still takes requests after a signal to stop, while /readyz says that it is "
        "about to.  [default: 0]",
        metavar="SECONDS",
    ),
    Setting(
        "drain_seconds",
        number,
        "How long runs may go on after a signal to stop.  [default: 10]",
        metavar="SECONDS",
    ),
    Setting(
        "development",
        flag,
        "Show the text of exceptions in the page, and the events of all runs. Never in production.",
        is_flag=True,
    ),
)
"""The table, in the order of `--help`."""


def read_files(environ: MutableMapping[str, str]) -> None:
    """Sets each variable `COPILOTKIT_…` whose `_FILE` form names a file to what the file holds.

    Raises:
        SettingsError: a file cannot be read, or a variable is set in both forms.
    """
    for setting in SETTINGS:
        path = environ.get(setting.variable + _FILE)
        if not path:
            continue
        if environ.get(setting.variable):
            raise SettingsError(f"Set either {setting.variable} or {setting.variable}{_FILE}, not both.")
        try:
            environ[setting.variable] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SettingsError(f"{setting.variable}{_FILE} cannot be read: {reason}.") from error


def unknown_variables(environ: Iterable[str]) -> list[str]:
    """Returns the variables that look like settings but are not, such as misspelled ones."""
    known = {each for setting in SETTINGS for each in (setting.variable, setting.variable + _FILE)}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known | _OTHERS)
