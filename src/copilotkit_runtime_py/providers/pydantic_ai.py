"""Agents of Pydantic AI, through its own AG-UI adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from ag_ui.core import RunAgentInput
from pydantic_ai.agent import AbstractAgent
from pydantic_ai.ui.ag_ui import AGUIAdapter

from ..agui.events import Event, event_from
from ..context import RequestContext
from .base import Provider, close_stream


class PydanticAIProvider(Provider):
    """Runs a Pydantic AI agent.

    The conversation comes with each request: the agent needs no memory. Tools of the page are offered to the
    model beside the agent's own. Tools that require approval end the run with an interrupt. Needs
    `pydantic-ai-slim[ag-ui]`, version 2.

    Args:
        agent: the agent. It is shared by all runs, as Pydantic AI intends.
        deps: makes the dependencies of a run, from the context of its request. The frontend's shared state is
            set on dependencies that hold state, such as `StateDeps`; so make a new object for each run.
        description: one sentence for frontends and other agents.
    """

    def __init__(
        self,
        agent: AbstractAgent[Any, Any],
        *,
        deps: Callable[[RequestContext], Any] | None = None,
        description: str = "",
    ) -> None:
        self._agent = agent
        self._deps = deps
        self.description = description

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the events of a run.

        An exception in a tool or a model is raised here, where the adapter would send its text to the client.
        """
        adapter = AGUIAdapter[Any, Any](agent=self._agent, run_input=input)
        deps = None if self._deps is None else self._deps(context)
        native = _Watched(adapter.run_stream_native(deps=deps))
        stream = adapter.transform_stream(aiter(native))
        try:
            async for event in stream:
                if event.type == "RUN_ERROR":
                    raise native.error or RuntimeError(getattr(event, "message", ""))
                yield event_from(event)
        finally:
            await close_stream(stream)
            await close_stream(native.events)


class _Watched:
    """A stream that remembers the exception that ended it."""

    def __init__(self, events: AsyncIterator[Any]) -> None:
        self.events = events
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for event in self.events:
                yield event
        except Exception as error:
            self.error = error
            raise
