"""A breakpoint behind a node, as in CopilotKit's travel example: the result of a call lets it go on."""

from typing import Any

from .breakpoint_before import chat, tools, trip_graph

__all__ = ["agent", "chat", "tools"]


def agent() -> Any:
    return trip_graph(after="trips")
