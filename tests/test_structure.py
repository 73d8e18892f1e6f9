"""Imports run one way, packages say what they import, and files and functions stay small."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import copilotkit_runtime_py

ROOT = Path(copilotkit_runtime_py.__file__).parent

# A package or module of the top level may import from the layers before its own, and from no other.
LAYERS = [
    {"context", "limits", "backoff", "transcription"},
    {"logs"},
    {"errors"},
    {"agui", "hooks"},
    {"state_store", "telemetry", "recording"},
    {"providers", "testing"},
    {"attachments", "guardrails", "tools", "demo"},
    {"generative_ui"},
    {"runs"},
    {"runtime"},
    {"protocols"},
    {"app"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def module_of(file: Path) -> tuple[str, ...]:
    """The name of a module within the package, `("__init__",)` for the package itself."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


FILES = {module_of(file): file for file in ROOT.rglob("*.py")}
TREES = {module: ast.parse(file.read_text()) for module, file in FILES.items()}


def imports(module: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The modules of the package that a module imports, at its start or within a function."""
    package = FILES[module].parent.relative_to(ROOT).parts
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + tuple((node.module or "").split("."))
            base = tuple(part for part in base if part)
            for name in node.names:
                full = (*base, name.name)
                yield full if full in FILES else base or ("__init__",)


def test_imports_run_from_upper_to_lower_layers() -> None:
    upward = [
        f"{'.'.join(module)} imports {'.'.join(imported)}"
        for module in FILES
        for imported in imports(module)
        if imported[0] != module[0] and RANK[imported[0]] >= RANK[module[0]]
    ]

    assert upward == []


def test_every_top_level_module_has_a_layer() -> None:
    assert {module[0] for module in FILES} == set(RANK)


def test_no_modules_import_each_other() -> None:
    waiting = {module: set(imports(module)) - {module} for module in FILES}
    # The face of a package hands on what its modules define.
    for module, imported in waiting.items():
        imported -= {other for other in imported if module[: len(other)] == other}
    while done := {module for module, imported in waiting.items() if not imported & waiting.keys()}:
        for module in done:
            del waiting[module]

    assert waiting == {}


def test_a_package_says_which_packages_it_imports() -> None:
    packages = {module[0] for module in FILES if len(module) > 1}
    for package in packages:
        docstring = ast.get_docstring(TREES[(package,)]) or ""
        said = re.search(r"Imports\s+(.*?)[;.]", docstring, re.DOTALL)
        imported = {each[0] for module in FILES if module[0] == package for each in imports(module)}

        assert said is not None, package
        if not said[1].endswith("below it"):
            assert set(re.findall(r"`(\w+)`", said[1])) == imported & packages - {package}, package


def test_files_and_functions_are_small() -> None:
    for module, file in FILES.items():
        assert len(file.read_text().splitlines()) <= 500, file
        for node in ast.walk(TREES[module]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{file}: {node.name}"
