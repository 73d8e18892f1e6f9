"""The graphs that a `langgraph.json` names, as agents.

The file is read as LangGraph's own tools read it: https://docs.langchain.com/langsmith/cli#configuration-file
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, cast

from dotenv import dotenv_values
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore, IndexConfig
from langgraph.store.memory import InMemoryStore

from ...context import RequestContext
from ...errors import ConfigurationError
from ...logs.records import get_logger
from ..target import TargetError, load_target
from .config import request_configurable
from .factory import ConfiguredFactory
from .memory import RecentThreads
from .provider import LangGraphProvider

logger = get_logger(__name__)

_REFUSED: Final = {
    "auth.path": "authenticate in the application that serves the graphs: see docs/authenticate.md",
    "http.app": "mount `create_router` in that application: see docs/mount.md",
}
"""Settings that protect or add routes under LangGraph's own server. Without them, everybody gets in."""

_UNUSED: Final = ("checkpointer.path", "http.cors", "http.mount_prefix", "store.ttl", "ui")


def load_config(path: Path) -> dict[str, LangGraphProvider]:
    """Loads every graph that a `langgraph.json` names.

    Paths in the file are relative to it. Local `dependencies` become importable, and `env`, a file or a
    mapping, is in the environment before a graph is imported; variables that are set already keep their
    values. Packages among the dependencies are not installed.

    A graph may be compiled or not, or a function that makes one for each run; see `ConfiguredFactory`. As
    under LangGraph's own server, graphs without a checkpointer get one: in the runtime's store, or, where
    that ends with the process, in memory for the last 1,000 threads. Graphs without a store get one in
    memory, with the index that `store` describes. Of the request's headers that reach agents, those that
    `http.configurable_headers` includes are in `configurable`.

    Raises:
        TargetError: the file cannot be read, names something that cannot be loaded, or asks for
            authentication or for routes of its own.
    """
    config = _read(path)
    directory = path.resolve().parent
    for setting, advice in _REFUSED.items():
        if _get(config, setting):
            raise TargetError(f"{path} sets {setting}, which this server does not run: {advice}.")
    for setting in _UNUSED:
        if _get(config, setting):
            logger.warning("%s sets %s, which this server does not use", path, setting)
    _load_env(config.get("env"), directory)
    _add_dependencies(config.get("dependencies"), directory)
    graphs = config.get("graphs")
    if not isinstance(graphs, Mapping) or not graphs:
        raise TargetError(f"{path} names no graphs.")
    store = _store(_get(config, "store.index"), directory)
    headers = _header_filter(_get(config, "http.configurable_headers"))
    return {name: _provider(name, spec, directory, store, headers) for name, spec in graphs.items()}


def _get(config: Mapping[str, Any], setting: str) -> Any:
    found: Any = config
    for name in setting.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise TargetError(f"{path} is not JSON: {error}.") from error
    if not isinstance(config, Mapping):
        raise TargetError(f"{path} must be a JSON object.")
    return config


def _load_env(env: Any, directory: Path) -> None:
    if isinstance(env, str):
        file = directory / env
        if not file.is_file():  # repositories do not contain it
            logger.warning("there is no env file %s", file)
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


def _store(index: Any, directory: Path) -> BaseStore:
    """Returns the long-term memory of the graphs."""
    if not isinstance(index, Mapping):
        return InMemoryStore()
    embed = index.get("embed")
    if isinstance(embed, str) and ".py:" in embed:
        embed = load_target(embed, directory)
    try:
        return InMemoryStore(index=cast(IndexConfig, {**index, "embed": embed}))
    except (ImportError, KeyError, TypeError, ValueError) as error:
        raise TargetError(f"The index of the store cannot be made: {error}") from error


def _header_filter(setting: Any) -> Callable[[str], bool]:
    """Returns which headers are part of the configuration, by the patterns that the file has."""
    setting = setting if isinstance(setting, Mapping) else {}
    included, excluded = (
        [str(pattern).lower() for pattern in setting.get(kind) or setting.get(f"{kind}s") or ()]
        for kind in ("include", "exclude")
    )

    def passes(name: str) -> bool:
        matches = any(fnmatchcase(name, pattern) for pattern in included)
        return matches and not any(fnmatchcase(name, pattern) for pattern in excluded)

    return passes


def _provider(
    name: str, spec: Any, directory: Path, store: BaseStore, headers: Callable[[str], bool]
) -> LangGraphProvider:
    target = spec.get("path") if isinstance(spec, Mapping) else spec
    if not isinstance(target, str):
        raise TargetError(f"The graph '{name}' has no path.")
    description = str(spec.get("description") or "") if isinstance(spec, Mapping) else ""
    found = load_target(target, directory)

    def configurable(context: RequestContext) -> dict[str, Any]:
        chosen = {key: value for key, value in context.headers.items() if headers(key)}
        return {**chosen, **request_configurable(context)}

    try:
        if callable(found) and not isinstance(found, Pregel | StateGraph):
            found = ConfiguredFactory(found, store, configurable)
        return LangGraphProvider(
            found,
            description=description,
            checkpointer=RecentThreads(),
            store=store,
            configurable_headers=headers,
        )
    except ConfigurationError as error:
        raise TargetError(f"The graph '{name}' cannot be served: {error.message}.") from error
