"""`agents`: what would be served."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from ..providers.base import Provider
from ..providers.target import URL_SCHEMES
from ..state_store.from_url import MEMORY
from . import options
from .plain_errors import plain_errors

_KINDS = {
    "LangGraphProvider": "LangGraph",
    "LangGraphPlatform": "LangGraph server",
    "CrewAIProvider": "CrewAI",
    "ChatProvider": "chat model",
    "PydanticAIProvider": "Pydantic AI",
    "AgnoProvider": "Agno",
    "RemoteProvider": "AG-UI agent at a URL",
    "RecordedAgent": "recording",
    "A2AProvider": "A2A agent at a URL",
    "FunctionProvider": "function",
    "FactoryProvider": "factory",
}


EXAMPLES = """\b
Examples:
  copilotkit-runtime-py agents
  copilotkit-runtime-py agents my_agent.py:graph --json
"""


@click.command("agents", epilog=EXAMPLES)
@options.targets
@options.settings("agents", "config", "default_agent")
@options.as_json
def command(as_json: bool, **given: Any) -> None:
    """List the agents that 'serve' would serve with the same options."""
    from ..app.application import load_agents  # late: it imports all that serves
    from ..providers.directory import AgentDirectory

    # What the agents' modules print is not part of the list.
    with plain_errors(), contextlib.redirect_stdout(sys.stderr):
        settings = options.settings_from(given, store=MEMORY)
        default_agent = settings.default_agent
        providers = AgentDirectory(load_agents(settings), default=default_agent, authorize=None).providers
    targets = {**_targets_in(settings.config), **settings.agents}
    default = _default(providers, default_agent)
    rows = [_row(name, targets[name], each, name == default) for name, each in providers.items()]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(line for row in rows for line in _lines(row)))


def _targets_in(config: Path | None) -> dict[str, str]:
    """Returns the target of each graph in a `langgraph.json` that was loaded already."""
    graphs = json.loads(config.read_bytes())["graphs"] if config is not None else {}
    return {name: each if isinstance(each, str) else each["path"] for name, each in graphs.items()}


def _default(providers: Mapping[str, Provider], named: str | None) -> str | None:
    """Returns the agent that answers a request that names none; see `AgentDirectory.name`."""
    if named is not None:
        return named
    return "default" if "default" in providers else next(iter(providers)) if len(providers) == 1 else None


def _row(name: str, target: str, provider: Provider, default: bool) -> dict[str, Any]:
    kind = type(provider).__name__
    return {
        "name": name,
        "default": default,
        "kind": _KINDS.get(kind, kind),
        "target": _without_secrets(target),
        "description": provider.description,
        "capabilities": dict(provider.capabilities) if provider.capabilities is not None else None,
    }


def _without_secrets(target: str) -> str:
    """Returns a target, of a URL only what holds no password and no key."""
    if not target.startswith(URL_SCHEMES):
        return target
    parts = urlsplit(target)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    yield click.style(row["name"], bold=True) + (" (default)" if row["default"] else "")
    yield f"  {row['kind']}: {row['target']}"
    if row["description"]:
        yield f"  {row['description']}"
