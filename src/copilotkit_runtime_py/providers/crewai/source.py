"""What a person registers, and the flow or crew of one run that comes of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, Union, cast

from crewai import Crew
from crewai.flow.flow import Flow

from ...context import RequestContext
from ...errors import ConfigurationError
from ..function import takes_context

Runnable: TypeAlias = Union[Flow[Any], Crew]
Made: TypeAlias = Runnable | type[Any] | Awaitable[Runnable]
CrewFactory: TypeAlias = Callable[[RequestContext], Made] | Callable[[], Made]
CrewLike: TypeAlias = Union[Runnable, type[Any], CrewFactory]
"""A flow class or flow, a crew, a `@CrewBase` class, or a function that makes one of these for each run."""


class Source:
    """Makes the flow or crew of each run, so that no two runs meet on one.

    Args:
        given: a flow class, which is instantiated; a flow or crew, which is copied; a `@CrewBase` class, whose
            `crew()` is called; or a factory, plain or async, with the `RequestContext` as its only argument or
            none, whose result is used as it is.

    Raises:
        ConfigurationError: `given` is none of these.
    """

    def __init__(self, given: CrewLike) -> None:
        if not isinstance(given, Flow | Crew) and not callable(given):
            raise ConfigurationError(f"Expected a CrewAI flow or crew, not {type(given).__name__}")
        self._given: Any = given
        made_here = isinstance(given, Flow | Crew) or _instantiate(given) is not None
        self._takes_context = not made_here and takes_context(given, 0)

    async def make(self, context: RequestContext) -> Runnable:
        """Returns a flow or a crew for one run.

        Raises:
            ConfigurationError: the factory made something else.
        """
        given = self._given
        if isinstance(given, Flow):
            return copy_of(given)
        if isinstance(given, Crew):
            return given.copy()
        instantiate = _instantiate(given)
        made = instantiate() if instantiate else given(context) if self._takes_context else given()
        if inspect.isawaitable(made):
            made = await made
        if (instantiate := _instantiate(made)) is not None:
            made = instantiate()
        if not isinstance(made, Flow | Crew):
            raise ConfigurationError(f"Expected a CrewAI flow or crew, not {type(made).__name__}")
        return made


def is_crew_like(given: Any) -> bool:
    """Whether this is a flow, a crew, or a class of one."""
    return isinstance(given, Flow | Crew) or _instantiate(given) is not None


def _instantiate(given: Any) -> Callable[[], Runnable] | None:
    if isinstance(given, type) and issubclass(given, Flow):
        return cast("Callable[[], Runnable]", given)
    if isinstance(given, type) and getattr(given, "is_crew_class", False):
        return lambda: cast(Any, given)().crew()
    return None


def copy_of(flow: Flow[Any]) -> Flow[Any]:
    """Returns a flow that is set up like another one and has not run.

    What the class's own `__init__` did is taken over, not repeated: it may need arguments.
    """
    kind = type(flow)
    fields = {name: getattr(flow, name) for name in flow.model_fields_set if name not in _OF_A_RUN}
    if kind is Flow and getattr(flow, "_definition", None) is not None:
        return Flow.from_declaration(contents=flow._definition, **fields)
    made = kind.__new__(kind)
    Flow.__init__(made, **fields)
    for name, value in vars(flow).items():
        if name not in vars(made):
            object.__setattr__(made, name, value)
    return made


_OF_A_RUN = frozenset({"human_feedback_history", "last_human_feedback", "execution_context"})
