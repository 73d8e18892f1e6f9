"""The graphs that a `langgraph.json` names, as agents.

The file is read as LangGraph's own tools read it: https://docs.langchain.com/langsmith/cli#configuration-file
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from ...context import ANONYMOUS, RequestContext
from ...errors import ConfigurationError
from ..target import TargetError, load_target
from .config import USER_KEY
from .memory import RecentThreads
from .provider import LangGraphProvider


def load_config(path: Path) -> dict[str, LangGraphProvider]:
    """Loads every graph that a `langgraph.json` names.

    Paths in the file are relative to it. Local `dependencies` become importable, and `env`, a file or a
    mapping, is in the environment before a graph is imported; variables that are set already keep their
    values. Packages among the dependencies are not installed.

    A graph may be compiled or not, or a function that makes one for each run: plain, async or an async
    context manager, with no argument, a `RunnableConfig` that has the request's properties, or, if it is
    annotated so, a `RequestContext`. As under LangGraph's own server, graphs without a checkpointer get one:
    in the runtime's store, or, where that ends with the process, in memory for the last 1,000 threads.

    Raises:
        TargetError: the file cannot be read, or names something that cannot be loaded.
    """
    config = _read(path)
    directory = path.resolve().parent
    _load_env(config.get("env"), directory)
    _add_dependencies(config.get("dependencies"), directory)
    graphs = config.get("graphs")
    if not isinstance(graphs, Mapping) or not graphs:
        raise TargetError(f"{path} names no graphs.")
    return {name: _provider(name, spec, directory) for name, spec in graphs.items()}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise TargetError(f"{path} is no JSON: {error}.") from error
    if not isinstance(config, Mapping):
        raise TargetError(f"{path} is no JSON object.")
    return config


def _load_env(env: Any, directory: Path) -> None:
    if isinstance(env, str):
        file = directory / env
        if not file.is_file():
            raise TargetError(f"There is no env file {file}.")
        env = dotenv_values(file)
    if isinstance(env, Mapping):
        for name, value in env.items():
            if value is not None:
                os.environ.setdefault(name, str(value))


def _add_dependencies(dependencies: Any, directory: Path) -> None:
    for entry in dependencies if isinstance(dependencies, list) else ():
        local = (directory / str(entry)).resolve()
        if local.is_dir() and str(local) not in sys.path:
            sys.path.append(str(local))


def _provider(name: str, spec: Any, directory: Path) -> LangGraphProvider:
    target = spec.get("path") if isinstance(spec, Mapping) else spec
    if not isinstance(target, str):
        raise TargetError(f"The graph '{name}' has no path.")
    description = str(spec.get("description") or "") if isinstance(spec, Mapping) else ""
    found = load_target(target, directory)
    graph = found if isinstance(found, Pregel | StateGraph) else _configured(found)
    try:
        return LangGraphProvider(graph, description=description, checkpointer=RecentThreads())
    except ConfigurationError as error:
        raise TargetError(f"The graph '{name}' cannot be served: {error.message}.") from error


def _configured(factory: Any) -> Any:
    """Lets a factory that takes a `RunnableConfig` be called with a `RequestContext`."""
    if not callable(factory):
        return factory
    parameters = list(inspect.signature(factory, eval_str=True).parameters.values())
    if not parameters or parameters[0].annotation is RequestContext:
        return factory
    return _with_config(factory)


def _with_config(factory: Callable[[RunnableConfig], Any]) -> Callable[[RequestContext], Any]:
    def make(context: RequestContext) -> Any:
        configurable = dict(context.properties)
        if context.owner != ANONYMOUS:
            configurable[USER_KEY] = context.owner
        return factory({"configurable": configurable})

    return make
