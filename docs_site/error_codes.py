"""The codes of errors, as the code of the package has them."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Final

import copilotkit_runtime_py
from copilotkit_runtime_py.errors import CopilotKitError

from .pages import ROOT

_SOURCE: Final = ROOT / "src" / "copilotkit_runtime_py"
_RAISED: Final = {"AgentError", "ProtocolViolationError", "ActionError", "run_error"}
_CODE: Final = re.compile(r"[A-Z]+(_[A-Z]+)*")

_MEANINGS: Final = {
    "BAD_REQUEST": "The request asks a chat model for something that it may not or cannot do.",
    "GRAPH_RECURSION_LIMIT": "A LangGraph graph took more steps than its recursion limit.",
    "HANDLER_ERROR": "An action raised an exception.",
    "INCOMPLETE_STREAM": "The agent sent malformed events, or its stream broke off.",
    "INVALID_ARGUMENTS": "A model called an action with arguments that do not fit its parameters.",
    "LIMIT_EXCEEDED": "The run exceeded one of the [limits](../limits.md).",
    "MISSING_CREW_INPUTS": "A crew needs inputs that the page did not send.",
    "NO_PENDING_INTERRUPT": "The page answered an interrupt that does not wait for an answer.",
    "RECORDING_DEPARTED": "The page sent something that the [recording](../record.md) does not have.",
    "RUN_CANCELLED": "A LangGraph server cancelled the run.",
    "RUN_INTERRUPTED": "The worker of the run died. The run is not started again.",
    "TIMEOUT": "The run took longer than `run_seconds`, or was silent for longer than `idle_seconds`.",
    "TOOL_ERROR": "A tool of an MCP server failed.",
}


def classes() -> set[type[CopilotKitError]]:
    """Returns the errors of the runtime that have a code of their own."""
    for module in pkgutil.iter_modules(copilotkit_runtime_py.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"copilotkit_runtime_py.{module.name}")
    found: set[type[CopilotKitError]] = {CopilotKitError}
    return found | {each for each in _subclasses(CopilotKitError) if "code" in vars(each)}


def agent_codes() -> dict[str, str]:
    """Returns the codes that providers and tools give, with what they mean.

    Raises:
        LookupError: a code is not explained here, or is explained and not given.
    """
    given = set(_given())
    if given != _MEANINGS.keys():
        raise LookupError(f"Explain exactly the codes that the code gives: {given ^ _MEANINGS.keys()}")
    return dict(_MEANINGS)


def _subclasses(error: type[CopilotKitError]) -> Iterator[type[CopilotKitError]]:
    for each in error.__subclasses__():
        if each.__module__.startswith("copilotkit_runtime_py"):
            yield each
            yield from _subclasses(each)


def _given() -> Iterator[str]:
    """Yields the codes in the source: arguments of errors, and the defaults of these arguments."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in _SOURCE.rglob("*.py")]
    constants = dict(_constants(trees))
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in _RAISED:
                yield from _codes([*node.args[1:], *(each.value for each in node.keywords)], constants)
            elif isinstance(node, ast.ClassDef) and node.name in _RAISED:
                for function in (each for each in node.body if isinstance(each, ast.FunctionDef)):
                    yield from _codes(function.args.defaults, constants)


def _codes(values: list[ast.expr], constants: dict[str, str]) -> Iterator[str]:
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            if _CODE.fullmatch(value.value):
                yield value.value
        elif (name := _name(value)) in constants:
            yield constants[name]


def _constants(trees: list[ast.Module]) -> Iterator[tuple[str, str]]:
    for tree in trees:
        for node in tree.body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str() as value))
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str() as value))
                ) if _CODE.fullmatch(value):
                    yield name, value


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
