"""The reference, made from the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

import click
from ag_ui.core import Event

import copilotkit_runtime_py
from copilotkit_runtime_py.app.setting import SETTINGS
from copilotkit_runtime_py.app.settings import Settings
from copilotkit_runtime_py.cli import cli

from .error_codes import agent_codes, classes

_PACKAGE: Final = "copilotkit_runtime_py"

PYTHON: Final = {
    "runtime": (
        "Runtime and router",
        "The runtime, the router that serves it, and what the hooks are given.",
        (
            "CopilotRuntime",
            "create_router",
            "create_health_router",
            "drain_on_signal",
            "Limits",
            "HeaderPolicy",
            "RequestContext",
            "BeforeRequest",
            "AfterRequest",
            "StopGeneration",
            "RequestFailed",
        ),
    ),
    "agents": (
        "Agents",
        "What runs an agent. Most agents are registered as they are; see [Agents](../agents.md).",
        (
            "providers.langgraph.LangGraphProvider",
            "providers.langgraph_platform.provider.LangGraphPlatform",
            "providers.crewai.provider.CrewAIProvider",
            "providers.pydantic_ai.PydanticAIProvider",
            "providers.agno.AgnoProvider",
            "providers.chat.ChatProvider",
            "providers.remote.RemoteProvider",
            "providers.a2a.A2AProvider",
            "providers.function.FunctionProvider",
            "RecordedAgent",
            "Provider",
            "AgentSnapshot",
            "RememberedThread",
        ),
    ),
    "tools": (
        "Tools and generative UI",
        "Server-side tools, MCP servers, A2UI, guardrails and voice input.",
        (
            "Action",
            "AgentTool",
            "MCPServer",
            "ClientMCPServers",
            "A2UI",
            "Recovery",
            "TranscriptionService",
            "Recording",
            "TranscriptionError",
            "TranscriptionProblem",
        ),
    ),
    "stores": (
        "Stores",
        "Where threads are stored.",
        (
            "open_state_store",
            "MemoryStateStore",
            "Retention",
            "StateStore",
            "RunRecord",
            "AgentState",
            "AppendResult",
        ),
    ),
    "events-and-errors": (
        "Events and errors in code",
        "Functions that make AG-UI events, and the errors that agents and actions raise.",
        ("events", "AgentError", "ActionError", "CopilotKitError"),
    ),
}
"""The pages of the Python API: for each its title, a sentence, and the objects on it."""


def pages() -> Iterator[tuple[str, str]]:
    """Yields the pages of the reference, as their paths in the site and their texts."""
    for name, (title, about, objects) in PYTHON.items():
        parts = [f"::: {_PACKAGE}.{_place_of(each)}" for each in objects]
        yield f"reference/{name}.md", "\n\n".join([f"# {title}", about, *parts]) + "\n"
    yield "reference/command-line.md", _command_line()
    yield "reference/settings.md", _settings()
    yield "reference/error-codes.md", _error_codes()
    yield "reference/events.md", _events()


def _place_of(name: str) -> str:
    """Returns the path of an object within the package."""
    if name == "events":
        return "agui.events"
    module = copilotkit_runtime_py._MODULE_OF.get(name)
    return f"{module}.{name}" if module else name


def _command_line() -> str:
    parts = [
        "# Commands and options",
        "The same as `--help` prints. [The command line](../cli.md) explains them.",
    ]
    for name, command in _commands(cli):
        parts.append(f"## {name}")
        parts.append(_paragraphs(command.help or ""))
        rows = []
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                names = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
                value = "" if parameter.is_flag else f" `{_metavar(parameter)}`"
                rows.append((names + value, _option_help(parameter)))
        parts.append(_table(("option", "meaning"), rows))
    return "\n\n".join(parts) + "\n"


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or option.type.name.upper()


def _option_help(option: click.Option) -> str:
    text = option.help or ""
    if option.show_default and option.default is not None and "[default" not in text:
        text += f"  [default: {option.default}]"
    return text


def _settings() -> str:
    standard = Settings()
    rows = []
    for setting in SETTINGS:
        default = getattr(standard, setting.name)
        shown = "" if default in (None, (), {}, False) or setting.name == "limits" else f"`{default}`"
        value = "" if setting.is_flag else f" `{setting.metavar}`"
        rows.append((f"`{setting.variable}`", f"`{setting.flag}`{value}", shown, setting.help))
    heads = ("variable", "option", "default of the app", "meaning")
    return f"""# Settings

Each setting is an environment variable and, where a command has it, an option. The option wins.
`COPILOTKIT_STORE_FILE` and so on name a file that holds the value, such as a container's secret. In an app
of your own, the arguments of [`CopilotRuntime` and `create_router`](runtime.md) take their place.

{_table(heads, rows)}
"""


def _error_codes() -> str:
    rows = [
        (f"`{each.code}`", str(_status(each)), each.severity, _first_paragraph(each))
        for each in sorted(classes(), key=lambda each: each.code)
    ]
    agents = [(f"`{code}`", meaning) for code, meaning in sorted(agent_codes().items())]
    return f"""# Error codes

A run that fails ends with a `RUN_ERROR` event on the AG-UI contract, and with an error in `errors` on the
GraphQL contract. Both have a `code`. Requests other than runs get the HTTP status.

## Of the runtime

{_table(("code", "status", "severity", "meaning"), rows)}

## Of agents and tools

An agent may send any code of its own. These are from the providers and the tools of this package:

{_table(("code", "meaning"), agents)}
"""


def _status(error: Any) -> int:
    return int(error.status_code)


def _events() -> str:
    parts = [
        "# Events",
        "The events of AG-UI 1.0, which agents yield and clients receive. `*` marks required members. "
        "[`copilotkit_runtime_py.events`](events-and-errors.md) has a function for most of them.",
    ]
    union, *_ = get_args(Event)
    rows = []
    for model in get_args(union):
        fields = model.model_fields
        members = [
            f"`{field.alias or name}`{'*' if field.is_required() else ''}"
            for name, field in fields.items()
            if name not in ("type", "timestamp", "raw_event", "metadata")
        ]
        kind = get_args(fields["type"].annotation)[0]
        rows.append((f"`{getattr(kind, 'value', kind)}`", ", ".join(members), _first_paragraph(model)))
    parts.append(_table(("type", "members", "meaning"), rows))
    parts.append(
        "Every event may also have `timestamp` (milliseconds since 1970), `rawEvent` and `metadata`. "
        "[What a client gets](../agui-contract.md) says how they arrive."
    )
    return "\n\n".join(parts) + "\n"


def _first_paragraph(value: Any) -> str:
    return " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())


def _paragraphs(text: str) -> str:
    return re.sub(r"[ \t]*\n[ \t]*", "\n", text.replace("\b", "")).strip()


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
