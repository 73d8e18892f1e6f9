"""What a server prints once it answers."""

from __future__ import annotations

import json
import socket

from ..app.settings import Settings
from .listener import url_of
from .store import stored


def banner(title: str, host: str, listener: socket.socket, settings: Settings) -> list[str]:
    """Returns the lines: the URL, the agents, the playground, and where threads are stored."""
    url = url_of(host, listener, settings.endpoint)
    return [
        f"{title}: {url}",
        f"Agents: {_agents(settings)}",
        f"Playground: open {url} in a browser",
        stored(settings.store),
    ]


def _agents(settings: Settings) -> str:
    """Returns the names of the agents, which need not be loaded for that."""
    names = [*_names_in_config(settings), *settings.agents]
    default = settings.default_agent
    if default is None:
        default = "default" if "default" in names else names[0] if len(names) == 1 else None
    listed = ", ".join(f"{name} (default)" if name == default else name for name in names)
    return listed if default is not None else f"{listed} (no default: a page names one)"


def _names_in_config(settings: Settings) -> list[str]:
    if settings.config is None:
        return []
    try:
        return list(json.loads(settings.config.read_bytes())["graphs"])
    except (OSError, ValueError, KeyError, TypeError):
        return [f"those of {settings.config}"]  # which says what is wrong when it is loaded
