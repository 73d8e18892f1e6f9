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

from copilotkit_runtime_py import A2UI, CopilotRuntime, MCPServer, create_router

from . import agents
from .agents.voice import transcription_service
from .cinema import make_server

PAGE = Path(__file__).parent / "page" / "dist"


def load_agents() -> dict[str, Any]:
    """Returns the agents of all features: the `agent` of a file, under the file's name, or its `agents`."""
    loaded: dict[str, Any] = {}
    for module in iter_modules(agents.__path__):
        feature = import_module(f"{agents.__name__}.{module.name}")
        loaded |= getattr(feature, "agents", None) or {module.name: feature.agent}
    return loaded


def create_app(url: str, store: str = "memory") -> FastAPI:
    """Returns the application.

    Args:
        url: where it will be served, which is where the runtime reaches the MCP server.
        store: where threads are stored: `memory`, or a URL such as `sqlite:///threads.db`.
    """
    cinema = make_server()
    runtime = CopilotRuntime(
        load_agents(),
        default_agent="chat",
        state_store=store,
        transcription_service=transcription_service,
        a2ui=A2UI(agents=["a2ui_fixed", "a2ui_dynamic", "a2ui_recovery"]),
        open_generative_ui=["open_ui"],
        mcp_servers=[MCPServer("cinema", url=f"{url}/cinema/mcp", agents=["mcp_apps"], apps=True)],
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with cinema.session_manager.run():
            yield
            await runtime.aclose()

    app = FastAPI(title="Showcase", lifespan=lifespan)
    app.include_router(create_router(runtime, path="/api/copilotkit"))
    app.mount("/cinema", cinema.streamable_http_app())
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app
