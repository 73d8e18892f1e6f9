"""What a person registers, and the flow or crew of one run that comes of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from crewai import Crew
from crewai.flow.flow import Flow

from ...context import RequestContext
from ...errors import ConfigurationError
from ..function import takes_context
from .copies import copy_of, copy_of_crew

Runnable: TypeAlias = Flow[Any] | Crew
Made: TypeAlias = Runnable | type[Any] | Awaitable[Runnable]
CrewFactory: TypeAlias = Callable[[RequestContext], Made] | Callable[[], Made]
CrewLike: TypeAlias = Runnable | type[Any] | CrewFactory
"""A flow class or flow, a crew, a `@CrewBase` class, or a function that makes one of these for each run."""


class Source:
    """Makes the flow or crew of each run, so that no two runs meet on one.

    Crews are copied, also those that a factory or a `@CrewBase` class made: CrewAI remembers what a method of
    such a class returned, and may give it out again.

    Args:
        given: a flow class, which is instantiated; a flow or crew, which is copied; a `@CrewBase` class,
            whose `crew()` is copied; or a factory, plain or async, with the `RequestContext` as its only
            argument or none, that returns one of these.

    Raises:
        ConfigurationError: `given` is none of these.
    """

    def __init__(self, given: CrewLike) -> None:
        if not isinstance(given, Flow | Crew) and not callable(given):
            raise ConfigurationError(f"Expected a CrewAI flow or crew, not {type(given).__name__}")
        self._given: Any = given
        self._made_here = isinstance(given, Flow | Crew) or _is_flow_class(given) or _is_crew_class(given)
        self._takes_context = not self._made_here and takes_context(given, 0)

    async def make(self, context: RequestContext) -> Runnable:
        """Returns a flow or a crew for one run.

        Raises:
            ConfigurationError: the factory made something else.
        """
        given = self._given
        if isinstance(given, Flow):
            return copy_of(given)
        if _is_crew_class(given):
            given = self._given = given().crew()
        if not self._made_here:
            given = given(context) if self._takes_context else given()
            if inspect.isawaitable(given):
                given = await given
            if _is_crew_class(given):
                given = given().crew()
        made = given() if _is_flow_class(given) else copy_of_crew(given) if isinstance(given, Crew) else given
        if not isinstance(made, Flow | Crew):
            raise ConfigurationError(f"Expected a CrewAI flow or crew, not {type(made).__name__}")
        return made


def _is_flow_class(given: Any) -> bool:
    return isinstance(given, type) and issubclass(given, Flow)


def _is_crew_class(given: Any) -> bool:
    return isinstance(given, type) and bool(getattr(given, "is_crew_class", False))
