"""Agents that live in this process: functions and objects that yield AG-UI events."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from ag_ui.core import RunAgentInput
from pydantic import BaseModel

from ..agui.events import Event, event_from
from ..context import RequestContext
from .base import Provider, close_stream
from .thread_stream import ThreadStream

AgentEvent: TypeAlias = BaseModel | Mapping[str, Any]
"""What an agent may yield: a model of `ag_ui.core`, or the same in JSON form."""

AgentStream: TypeAlias = (
    AsyncIterable[AgentEvent] | Awaitable[AsyncIterable[AgentEvent]] | Iterator[AgentEvent]
)
"""What an agent function may return. A synchronous iterator runs in a thread."""

AgentFunction: TypeAlias = (
    Callable[[RunAgentInput], AgentStream] | Callable[[RunAgentInput, RequestContext], AgentStream]
)
"""A function from the input of a run to its events. It gets the request's context if it asks for it."""


class RunnableAgent(Protocol):
    """An object that runs, such as the agent classes of `ag_ui_langgraph` and `ag_ui_adk`."""

    @property
    def run(self) -> Callable[..., Any]:
        """An `AgentFunction`, however its annotations put it."""


class FunctionProvider(Provider):
    """Runs an in-process agent.

    An object with a `clone()` method is cloned for every run, so that concurrent runs do not share it; one
    without is shared by all runs. The agent may omit RUN_STARTED, message ends and the terminal event: the
    runtime adds them.

    A synchronous generator runs in a thread of its own. A stop takes effect at its next event.

    Args:
        agent: a function that returns the iterator of a run's events (usually an async generator function),
            or an object with such a function as its `run`. The function receives the `RunAgentInput`, and
            the `RequestContext` too if it has a second parameter that is required or named `context`. Tools,
            context, state and properties that the client omits are empty lists and dicts in the input.
        description: one sentence for frontends and other agents.
    """

    def __init__(self, agent: AgentFunction | RunnableAgent, *, description: str = "") -> None:
        self._agent = agent
        self._is_object = callable(getattr(agent, "run", None))
        function = getattr(agent, "run") if self._is_object else agent  # noqa: B009 - a union without `run`
        self._takes_context = takes_context(function, 1)
        self.description = description

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the agent's events in JSON form.

        Raises:
            TypeError: the agent returns something other than a stream of events.
        """
        stream: Any = self._start(_complete(input), context)
        if inspect.isawaitable(stream):
            stream = await stream
        if isinstance(stream, Iterator):
            stream = ThreadStream(stream)
        if not isinstance(stream, AsyncIterable):
            raise TypeError(f"the agent returned {type(stream).__name__}, which is not an iterator of events")
        iterator = aiter(stream)
        try:
            async for event in iterator:
                yield event_from(event)
        finally:
            await close_stream(iterator)
            if stream is not iterator:
                await close_stream(stream)

    def _start(self, input: RunAgentInput, context: RequestContext) -> Any:
        function: Any = self._agent
        if self._is_object:
            clone = getattr(function, "clone", None)
            function = (clone() if callable(clone) else function).run
        return function(input, context) if self._takes_context else function(input)


def _complete(input: RunAgentInput) -> RunAgentInput:
    """Returns an input whose members are there, as agents expect: AG-UI 1.0 lets clients omit them."""
    empty: dict[str, Any] = {"tools": [], "context": [], "state": {}, "forwarded_props": {}}
    omitted = {name: value for name, value in empty.items() if getattr(input, name) is None}
    return input.model_copy(update=omitted) if omitted else input


def takes_context(function: Any, position: int) -> bool:
    """Whether a function wants a `RequestContext` as its positional argument number `position`, from 0."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # a callable written in C, without a signature
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) <= position:
        return False
    parameter = positional[position]
    return parameter.default is parameter.empty or parameter.name == "context"
