"""The public interface of the package, and what importing it costs."""

import importlib.metadata
import subprocess
import sys
import types

import pytest

import copilotkit_runtime_py


def test_every_exported_name_can_be_imported() -> None:
    for name in copilotkit_runtime_py.__all__:
        assert getattr(copilotkit_runtime_py, name) is not None
    assert set(copilotkit_runtime_py.__all__) == set(copilotkit_runtime_py._MODULE_OF)
    assert set(copilotkit_runtime_py.__all__) <= set(dir(copilotkit_runtime_py))


def test_exported_names_are_the_objects_of_their_modules() -> None:
    for name in copilotkit_runtime_py.__all__:
        value = getattr(copilotkit_runtime_py, name)
        if isinstance(value, type | types.FunctionType):
            assert value.__name__ == name


def test_the_package_knows_its_version() -> None:
    assert copilotkit_runtime_py.__version__ == importlib.metadata.version("copilotkit-runtime-py")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'CopilotRuntim'"):
        _ = copilotkit_runtime_py.CopilotRuntim


def test_importing_the_package_loads_no_framework() -> None:
    heavy = ("ag_ui", "fastapi", "graphql", "httpx", "pydantic", "sqlalchemy", "starlette", "strawberry")
    script = f"import sys, copilotkit_runtime_py; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
