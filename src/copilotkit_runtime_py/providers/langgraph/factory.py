"""Functions that make a graph for each run, with the parameters that LangGraph's own server knows."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from langgraph_sdk.runtime import ServerRuntime

from ...context import ANONYMOUS, RequestContext
from ...errors import ConfigurationError

# `ServerRuntime` is the union of what a factory gets for a run, and of what it gets to read a thread.
_RUN, _READ = (typing.get_origin(kind) for kind in typing.get_args(ServerRuntime.__value__))


class ConfiguredFactory:
    """A function of the user's that makes a graph.

    A parameter that is annotated as `ServerRuntime` or as `RequestContext` gets one. Another one is given a
    `RunnableConfig` that has the request's properties.

    Args:
        function: the function.
        store: the long-term memory that a `ServerRuntime` offers.
        configurable: returns what a request adds to the configuration.

    Raises:
        ConfigurationError: the function has more parameters than these.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        store: BaseStore,
        configurable: Callable[[RequestContext], Mapping[str, Any]],
    ) -> None:
        self._function = function
        self._store = store
        self._configurable = configurable
        self._parameters: dict[str, str] = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            kind = _kind(function, parameter)
            if kind not in self._parameters.values():
                self._parameters[parameter.name] = kind
            elif parameter.default is parameter.empty:
                raise ConfigurationError(
                    "A function that makes a graph takes a RunnableConfig, a ServerRuntime and a "
                    f"RequestContext at most; '{parameter.name}' is another parameter"
                )

    def make(self, context: RequestContext, *, runs: bool) -> Any:
        """Calls the function.

        Args:
            context: the request.
            runs: the graph is going to run; otherwise, the state of a thread is read.
        """
        config: RunnableConfig = {"configurable": dict(self._configurable(context))}
        user = None if context.owner == ANONYMOUS else _User(context.owner)
        access = {"access_context": "threads.create_run" if runs else "threads.read"}
        values = {
            "config": config,
            "context": context,
            "runtime": (_RUN if runs else _READ)(user=user, store=self._store, **access),
        }
        return self._function(**{name: values[kind] for name, kind in self._parameters.items()})


@dataclass(frozen=True, slots=True)
class _User:
    """The owner of a request, as LangGraph's server describes a user."""

    identity: str
    is_authenticated: bool = True
    permissions: tuple[str, ...] = ()

    @property
    def display_name(self) -> str:
        return self.identity

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in tuple(self)

    def __iter__(self) -> Iterator[str]:
        return iter(("identity", "display_name", "is_authenticated", "permissions"))


def _kind(function: Callable[..., Any], parameter: inspect.Parameter) -> str:
    """Returns what a parameter takes: a `runtime`, a `context`, or else a `config`."""
    known = {"ServerRuntime": ServerRuntime, "RequestContext": RequestContext}
    try:
        annotation = typing.get_type_hints(function, localns=known).get(parameter.name)
    except Exception:  # a name that is imported for type checkers only, or a callable that is not a function
        annotation = parameter.annotation
    if annotation is RequestContext:
        return "context"
    origin = typing.get_origin(annotation) or annotation
    return "runtime" if origin is ServerRuntime or origin in (_RUN, _READ) else "config"
