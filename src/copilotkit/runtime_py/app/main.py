"""The start path `uvicorn copilotkit.runtime_py.app.main:app`."""

from copilotkit_runtime_py.app.main import app

__all__ = ["app"]
