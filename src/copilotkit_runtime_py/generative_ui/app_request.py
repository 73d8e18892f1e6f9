"""A run that answers the request of an MCP App's frame; no agent takes part in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..agui import events
from ..agui.events import Event
from ..agui.normalizer import EventSequence
from ..agui.run_input import RunInput
from .features import EventTransform

if TYPE_CHECKING:
    from ..tools.mcp.apps import AppServer


_REQUEST: Final = "__proxiedMCPRequest"


class AppRequest:
    """The source of the run's events.

    Args:
        input: the request; its `forwardedProps` hold what the frame asks.
        servers: the MCP servers that the frame may ask.
    """

    is_remote = False
    normalizes = False
    transforms: Sequence[EventTransform] = ()

    def __init__(self, input: RunInput, servers: Sequence[AppServer]) -> None:
        self.sequence = EventSequence(input.thread_id, input.run_id, strict_stream=False)
        self._input = input
        self._servers = servers

    async def open(self, out: list[Event]) -> AsyncGenerator[Event]:
        """Returns the events of the run."""
        return self._answer()

    async def _answer(self) -> AsyncGenerator[Event]:
        asked = self._input.json["forwardedProps"][_REQUEST]
        if not isinstance(asked, dict):
            result: Any = {"error": "Expected an object"}
        elif self._servers:
            from ..tools.mcp.apps import answer  # needs the `mcp` extra, as the servers do

            result = await answer(self._servers, asked)
        else:
            server = str(asked.get("serverId") or asked.get("serverHash"))
            result = {"error": f"Unknown server: {server[:200]}"}
        yield {**events.run_finished(self._input.thread_id, self._input.run_id), "result": result}


def asks_app(input: RunInput) -> bool:
    """Whether a run is the request of an MCP App's frame."""
    properties = input.json.get("forwardedProps")
    return isinstance(properties, dict) and properties.get(_REQUEST) is not None
