"""The showcase's application: the built page, and the runtime with an agent for each feature, on one URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from copilotkit_runtime_py import CopilotRuntime, create_router

from . import agents

PAGE = Path(__file__).parent / "page" / "dist"


def load_agents() -> dict[str, Any]:
    """Returns the agents of all features: the `agent` of a file, under the file's name, or its `agents`."""
    loaded: dict[str, Any] = {}
    for module in iter_modules(agents.__path__):
        feature = import_module(f"{agents.__name__}.{module.name}")
        loaded |= getattr(feature, "agents", None) or {module.name: feature.agent}
    return loaded


def create_app(store: str = "memory") -> FastAPI:
    """Returns the application.

    Args:
        store: where threads are stored: `memory`, or a URL such as `sqlite:///threads.db`.
    """
    runtime = CopilotRuntime(load_agents(), state_store=store, default_agent="chat")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await runtime.aclose()

    app = FastAPI(title="Showcase", lifespan=lifespan)
    app.include_router(create_router(runtime, path="/api/copilotkit"))
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app
