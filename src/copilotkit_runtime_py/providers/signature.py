"""Whether a function or a method can be an agent, or make one, as far as its signature says."""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from ag_ui.core import RunAgentInput

from ..context import RequestContext

_STREAMS: Final = (AsyncIterable, Awaitable, Iterator)
# What is neither an agent nor makes one. A string may be an agent's URL.
_DATA: Final = (type(None), bool, int, float, complex, bytes, list, tuple, dict, set, frozenset)
_UNBOUND: Final = ": it is a method of a class: register an object of the class, or the object's method"
# Often imported for type checkers only.
_NAMES: Final = {"RunAgentInput": RunAgentInput, "RequestContext": RequestContext}


def runs_itself(function: Callable[..., Any]) -> bool:
    """Whether a function is an agent, and not one that makes agents.

    That is a generator function, also a decorated one, and a function whose annotations say that it takes a
    `RunAgentInput` or returns a stream.
    """
    if inspect.isclass(function) or _is_context_manager(function):
        return False
    if _is_generator(function):
        return True
    hints = _hints(function)
    positional = (_parameters(function) or ([], []))[0]
    first = hints.get(positional[0].name) if positional else None
    return _names_input(first) or _is_stream(hints.get("return"))


def unfit_agent(function: Callable[..., Any], name: str) -> str | None:
    """Returns why a function cannot be an agent, as the end of a clause, or None if it may be one.

    It gets a `RunAgentInput`, and the `RequestContext` if it has a second parameter for it, and returns a
    stream of events. What has no annotation may be right.

    Args:
        function: the function.
        name: what it is called in the reason.
    """
    parameters = _parameters(function)
    hints = _hints(function)
    if _is_unbound(function, parameters):
        return _UNBOUND
    if parameters is not None and (reason := _unfit_parameters(*parameters, hints, name)):
        return reason
    returned = hints.get("return")
    if not _is_generator(function) and not _may_be_stream(returned):
        return f": {name}() returns {_shown(returned)}, and no stream of AG-UI events"
    if _yields_text(returned):
        return f": {name}() yields strings: yield the events themselves, not encoded"
    return None


def _unfit_parameters(
    positional: list[inspect.Parameter],
    required: list[inspect.Parameter],
    hints: dict[str, Any],
    name: str,
) -> str | None:
    if not positional:
        return f": {name}() takes no RunAgentInput"
    if named := [each.name for each in required if each.kind is each.KEYWORD_ONLY]:
        return f": {name}() needs {', '.join(named)} by keyword, and gets its arguments by position"
    if len(required) > 2:
        names = ", ".join(each.name for each in required)
        return f": {name}() needs {names}, and gets a RunAgentInput and a RequestContext"
    first = hints.get(positional[0].name)
    if not _accepts(first, RunAgentInput):
        return f": {name}() takes {_shown(first)} as {positional[0].name}, and no RunAgentInput"
    second = hints.get(required[1].name) if len(required) > 1 else None
    if not _accepts(second, RequestContext):
        return f": {name}() takes {_shown(second)} as {required[1].name}, and gets a RequestContext for it"
    return None


def unfit_factory(function: Callable[..., Any]) -> str | None:
    """Returns why a function or a class cannot make the agent of each run; see `unfit_agent`.

    It gets the `RequestContext`, if it has a first parameter for it.
    """
    if inspect.isclass(function) and issubclass(function, (*_DATA, str)):
        return ""
    if inspect.isabstract(function):
        return ": it is an abstract class"
    parameters = _parameters(function)
    if parameters is None:
        return None
    positional, required = parameters
    hints = _hints(function)
    if _is_unbound(function, parameters):
        return _UNBOUND
    if len(required) > 1 or any(each.kind is each.KEYWORD_ONLY for each in required):
        names = ", ".join(each.name for each in required)
        return f": a function that makes an agent gets the RequestContext, and this one needs {names}"
    first = hints.get(positional[0].name) if required else None
    if not _accepts(first, RequestContext):
        takes = f"takes {_shown(first)} as {required[0].name}"
        return f": a function that makes an agent gets the RequestContext, and this one {takes}"
    returned = None if inspect.isclass(function) else hints.get("return")
    if inspect.isclass(returned) and issubclass(returned, _DATA):
        return f": it returns {_shown(returned)}, and neither a stream of AG-UI events nor an agent"
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


def _is_generator(function: Any) -> bool:
    code = _underlying(function)
    return inspect.isasyncgenfunction(code) or inspect.isgeneratorfunction(code)


def _is_context_manager(function: Any) -> bool:
    """Whether a function was made by `contextmanager` or `asynccontextmanager`."""
    return getattr(_underlying(function), "__globals__", None) is vars(contextlib)


def _is_unbound(
    function: Any, parameters: tuple[list[inspect.Parameter], list[inspect.Parameter]] | None
) -> bool:
    """Whether a function is a method that has no object yet."""
    required = parameters[1] if parameters is not None else []
    named = bool(required) and required[0].name == "self"
    return named and inspect.isfunction(function) and not hasattr(function, "__wrapped__")


def _underlying(function: Any) -> Any:
    """Returns the function that was written, below partial applications, decorators and `__call__`."""
    while not inspect.isclass(function):
        if isinstance(function, functools.partial):
            function = function.func
        elif not inspect.isroutine(function):
            return getattr(function, "__call__", function)  # noqa: B004 - looks at the annotations
        elif not hasattr(function, "__wrapped__") or getattr(function, "__globals__", None) is vars(
            contextlib
        ):
            return function
        else:
            function = function.__wrapped__
    return function.__init__


def _hints(function: Any) -> dict[str, Any]:
    """Returns the annotations that can be read: some name what only a type checker imports."""
    function = _underlying(function)
    known = {**_NAMES, **getattr(inspect.unwrap(function), "__globals__", {})}
    try:
        annotations = dict(getattr(function, "__annotations__", {}))
    except NameError:
        return {}
    hints: dict[str, Any] = {}
    for name, annotation in annotations.items():
        one = types.SimpleNamespace(__annotations__={name: annotation})
        with contextlib.suppress(Exception):
            hints |= get_type_hints(one, globalns=known, include_extras=True)
    return hints


def _alternatives(hint: Any) -> list[Any]:
    """Returns the types of a union, below `Annotated` and names for types."""
    if get_origin(hint) is Annotated:
        return _alternatives(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return [one for each in get_args(hint) for one in _alternatives(each)]
    if isinstance(hint, TypeVar):
        return [Any]
    # `NewType`, and the `type` statement
    below = getattr(hint, "__supertype__", None) or getattr(hint, "__value__", None)
    return [hint] if below is None or inspect.isclass(hint) else _alternatives(below)


def _accepts(hint: Any, given: type) -> bool:
    return any(_accepts_one(each, given) for each in _alternatives(hint))


def _accepts_one(hint: Any, given: type) -> bool:
    kind = dict if is_typeddict(hint) else get_origin(hint) or hint
    if hint is None or kind is Any or not inspect.isclass(kind):
        return True
    try:
        return issubclass(given, kind) or issubclass(kind, given)
    except TypeError:  # a protocol
        return True


def _names_input(hint: Any) -> bool:
    return any(inspect.isclass(each) and issubclass(each, RunAgentInput) for each in _alternatives(hint))


def _may_be_stream(hint: Any) -> bool:
    for each in _alternatives(hint):
        kind = get_origin(each) or each
        if kind in (None, Any, object, Iterable) or not inspect.isclass(kind):
            return True
        if issubclass(kind, _STREAMS) or getattr(kind, "_is_protocol", False):
            return True
    return False


def _is_stream(hint: Any) -> bool:
    kinds = [get_origin(each) or each for each in _alternatives(hint)]
    return all(inspect.isclass(kind) and issubclass(kind, AsyncIterable | Iterator) for kind in kinds)


def _yields_text(hint: Any) -> bool:
    return _is_stream(hint) and all(get_args(each)[:1] in ((str,), (bytes,)) for each in _alternatives(hint))


def _shown(hint: Any) -> str:
    if hint is type(None):
        return "None"
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "")
