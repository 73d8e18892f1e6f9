"""Whether a function or a method can be an agent, or make one, as far as its signature says."""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ag_ui.core import RunAgentInput

from ..context import RequestContext

_STREAMS = (AsyncIterable, Awaitable, Iterator)


def unfit_agent(function: Callable[..., Any], name: str) -> str | None:
    """Returns why a function cannot be an agent, as the end of a clause, or None if it may be one.

    It gets a `RunAgentInput`, and the `RequestContext` if it has a second parameter for it, and returns a
    stream of events. What has no annotation may be right.

    Args:
        function: the function.
        name: what it is called in the reason.
    """
    parameters = _parameters(function)
    if parameters is None:
        return None
    positional, required = parameters
    if not positional:
        return f": {name}() takes no RunAgentInput"
    if len(required) > 2 or any(each.kind is each.KEYWORD_ONLY for each in required):
        names = ", ".join(each.name for each in required)
        return f": {name}() needs {names}, and gets a RunAgentInput and a RequestContext"
    hints = _hints(function)
    first = hints.get(positional[0].name)
    if not _accepts(first, RunAgentInput):
        return f": {name}() takes {_shown(first)} as {positional[0].name}, and no RunAgentInput"
    if not _may_be_stream(hints.get("return")):
        return f": {name}() returns {_shown(hints['return'])}, and no stream of AG-UI events"
    return None


def unfit_factory(function: Callable[..., Any]) -> str | None:
    """Returns why a function cannot make the agent of each run; see `unfit_agent`.

    It gets the `RequestContext`, if it has a first parameter for it.
    """
    parameters = _parameters(function)
    if parameters is None:
        return None
    positional, required = parameters
    if len(required) > 1 or any(each.kind is each.KEYWORD_ONLY for each in required):
        names = ", ".join(each.name for each in required)
        return f": a function that makes an agent gets the RequestContext, and this one needs {names}"
    first = _hints(function).get(positional[0].name) if required else None
    if first is RunAgentInput:
        return ": it takes a RunAgentInput and is no generator: yield the events"
    if not _accepts(first, RequestContext):
        takes = f"takes {_shown(first)} as {required[0].name}"
        return f": a function that makes an agent gets the RequestContext, and this one {takes}"
    return None


def _parameters(
    function: Callable[..., Any],
) -> tuple[list[inspect.Parameter], list[inspect.Parameter]] | None:
    """Returns the positional parameters and the required ones, or None where that is not known."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    positional = [each for each in parameters if each.kind <= each.POSITIONAL_OR_KEYWORD]
    named = [each for each in parameters if each.kind is not each.VAR_KEYWORD]
    return positional, [each for each in named if each.default is each.empty]


def _hints(function: Any) -> dict[str, Any]:
    if inspect.isclass(function):
        function = function.__init__
    elif not inspect.isroutine(function):
        function = getattr(function, "func", None) or getattr(function, "__call__", function)  # noqa: B004
    try:
        return get_type_hints(function)
    except Exception:  # annotations may name what only a type checker imports
        return {}


def _accepts(hint: Any, given: type) -> bool:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        return any(_accepts(each, given) for each in get_args(hint))
    if hint is None or hint is Any or isinstance(hint, TypeVar):
        return True
    try:
        return inspect.isclass(hint) and (issubclass(given, hint) or issubclass(hint, given))
    except TypeError:  # a protocol
        return True


def _may_be_stream(hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(map(_may_be_stream, get_args(hint)))
    if hint is None or hint is Any or isinstance(hint, TypeVar):
        return True
    kind = get_origin(hint) or hint
    return not inspect.isclass(kind) or kind is object or issubclass(kind, _STREAMS)


def _shown(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "")
