"""Turns the name of an agent on a command line into the agent.

A target is one of

- `package.module:attribute`, looked up in the working directory and among the installed packages;
- `path/file.py:attribute`, a file that may import its neighbours;
- `vendor:model`, a chat model such as `openai:gpt-4o`, of a vendor that LangChain's `init_chat_model` knows;
- `http://…` or `https://…`, the address of an AG-UI agent;
- `a2a+http://host` or `a2a+https://host`, an agent that speaks A2A;
- `path/file.jsonl`, a recording that `threads export` wrote;
- `langgraph+http://host/graph` or `langgraph+https://host/graph`, a graph on a LangGraph server.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from ..recording import SUFFIX, RecordingError
from .environment import silence

# The packages that an extra of this distribution brings.
_EXTRAS = {
    "langgraph": "langgraph",
    "langchain_core": "langgraph",
    "langchain": "chat",
    "crewai": "crewai",
    "langgraph_sdk": "langgraph-platform",
    "mcp": "mcp",
    "a2a": "a2a",
}

_OTHER_PROTOCOLS = ("a2a+http://", "a2a+https://", "langgraph+http://", "langgraph+https://")
# Attributes that say nothing about the agent.
_GENERIC = {"agent", "crew", "flow", "graph"}

URL_SCHEMES = ("http://", "https://", *_OTHER_PROTOCOLS)
"""How the URL of an agent begins."""

# As `init_chat_model` has them. A module of such a name can be given as a file.
# fmt: off
_VENDORS = {
    "anthropic", "anthropic_bedrock", "azure_ai", "azure_openai", "baseten", "bedrock",
    "bedrock_converse", "cohere", "deepseek", "fireworks", "google_anthropic_vertex", "google_genai",
    "google_vertexai", "groq", "huggingface", "ibm", "litellm", "meta", "mistralai", "nvidia", "ollama",
    "openai", "openrouter", "perplexity", "together", "upstage", "xai",
}
# fmt: on


class TargetError(Exception):
    """A target names nothing that can be loaded. The message is one line for the operator."""


def name_of(target: str) -> str | None:
    """Returns the name of an agent that was given none, or None if this is not a target.

    That is the attribute, or for `graph`, `agent`, `flow` and `crew` the module or file; of a chat model the
    model, of a recording its file, and of a URL the last part of its path or its host.
    """
    if target.startswith(URL_SCHEMES):
        parts = urlsplit(target)
        return parts.path.rstrip("/").rpartition("/")[2] or parts.hostname
    if target.endswith(SUFFIX):
        return Path(target).stem
    source, _, attribute = target.rpartition(":")
    if not source or not attribute or "=" in target:
        return None
    if target.partition(":")[0] in _VENDORS:
        return target.partition(":")[2]
    if attribute.lower() not in _GENERIC:
        return attribute
    return Path(source).stem if source.endswith(".py") else source.rpartition(".")[2]


def load_target(target: str, directory: Path | None = None, *, speed: float = 1.0) -> Any:
    """Returns what a target names: an object, a provider, or the URL itself.

    Args:
        target: see the module's description.
        directory: what a relative path starts from, and where modules are looked for first. The working
            directory by default.
        speed: how many times as fast as recorded a recording is played.

    Raises:
        TargetError: the target is malformed, or nothing of that name can be loaded.
    """
    if target.startswith(("http://", "https://")):
        return target
    if target.startswith(_OTHER_PROTOCOLS):
        return _behind_url(target)
    if target.partition(":")[0] in _VENDORS and not target.endswith(":"):
        return _chat_model(target)
    if target.endswith(SUFFIX):
        return _recorded((directory or Path.cwd()) / target, speed)
    source, colon, attribute = target.rpartition(":")
    if not colon or not source or not attribute:
        raise TargetError(
            f"'{target}' is not a valid target: write package.module:attribute, path/file.py:attribute, "
            "vendor:model for a chat model, the URL of an AG-UI agent, a2a+URL, langgraph+URL/GRAPH, or "
            "path/file.jsonl for a recording."
        )
    directory = directory or Path.cwd()
    silence()
    if source.endswith(".py") or "/" in source or os.sep in source:
        module = import_file(directory / source)
    else:
        _make_importable(directory)
        module = _import(source, source)
    return _attribute(module, source, attribute)


def import_file(path: Path) -> ModuleType:
    """Imports a Python file.

    Its directory becomes importable, so that it can import its neighbours. A file in a package is imported
    as that package's module, so that its relative imports work. Importing a file again returns the same
    module.

    Raises:
        TargetError: there is no such file, or it cannot be imported.
    """
    path = path.resolve()
    if not path.is_file():
        raise TargetError(f"The file {path} does not exist.")
    root, names = path.parent, [path.stem]
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    _make_importable(root)
    if len(names) == 1:
        return _import_lone_file(path)
    module = _import(".".join(names), str(path))
    if module.__file__ is None or Path(module.__file__).resolve() != path:
        raise TargetError(
            f"{path} cannot be imported as {module.__name__}: that module is {module.__file__}."
        )
    return module


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """The advice to install an extra, if one brings the module that was not found."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return f"{package} is not installed: pip install 'copilotkit-runtime-py[{extra}]'."


def _recorded(path: Path, speed: float) -> Any:
    from .recorded import RecordedAgent

    try:
        return RecordedAgent(path, speed=speed)
    except RecordingError as error:
        raise TargetError(error.message) from error


def _behind_url(target: str) -> Any:
    from .resolve import as_provider

    try:
        return as_provider(target)
    except ModuleNotFoundError as error:
        raise TargetError(str(error)) from error
    except ValueError as error:
        raise TargetError(f"This cannot be an agent's address: {error}.") from error


def _chat_model(name: str) -> Any:
    try:
        from .chat import ChatProvider

        return ChatProvider(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRAS:
            raise TargetError(f"The model '{name}' cannot be asked: {error}") from error
        raise TargetError("Chat models need an extra: pip install 'copilotkit-runtime-py[chat]'.") from error
    except Exception as error:  # a vendor's package is missing, or the vendor's key, or a setting is wrong
        problem = " ".join(str(error).split())
        raise TargetError(f"The model '{name}' cannot be asked: {problem}") from error


def _import_lone_file(path: Path) -> ModuleType:
    # Two agents may both live in a file agent.py, so the module's name comes from the whole path.
    name = f"{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _failed_import(str(path), error) from error
    return module


def _import(name: str, source: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise TargetError(
                missing_extra(error)
                or f"The module '{error.name}' exists neither here nor among the installed packages."
            ) from error
        raise _failed_import(source, error) from error
    except Exception as error:
        raise _failed_import(source, error) from error


def _failed_import(source: str, error: Exception) -> TargetError:
    if isinstance(error, ModuleNotFoundError):
        advice = missing_extra(error) or f"module '{error.name}' is not installed."
        return TargetError(f"{source} cannot be imported: {advice}")
    if isinstance(error, SyntaxError) and error.filename:
        # Its traceback ends with the importer of the file.
        kind = type(error).__name__
        return TargetError(
            f"{source} cannot be imported: {kind}: {error.msg} ({error.filename}:{error.lineno})"
        )
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen ")
    ]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return TargetError(f"{source} cannot be imported: {text}{place}")


def _attribute(module: ModuleType, source: str, attribute: str) -> Any:
    found: Any = module
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            names = [each for each in vars(module) if not each.startswith("_")]
            near = difflib.get_close_matches(name, names, n=3) or sorted(names)[:8]
            hint = f" It has: {', '.join(near)}." if near else ""
            raise TargetError(f"{source} has no attribute '{attribute}'.{hint}") from None
    return found


def _make_importable(directory: Path) -> None:
    entry = str(directory.resolve())
    if entry not in sys.path:
        sys.path.insert(0, entry)
