"""The ASGI application that the command line and `app.main` serve."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse

from .. import CopilotRuntime, create_router
from ..providers.base import Provider
from ..providers.resolve import as_provider
from ..settings import ANY_ORIGIN, DEMO_AGENT, LOCALHOST, Settings, SettingsError, find_config
from ..target import TargetError, load_target, missing_extra
from .hosts import LoopbackHosts

LOCALHOST_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
VERSION_HEADER = "x-copilotkit-runtime-version"

logger = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Builds the application: the agents, the endpoint, CORS, and a redirect from `/` to the endpoint.

    What comes in over loopback has to be addressed to this machine; see `LoopbackHosts`.

    Raises:
        SettingsError: two agents share a name.
        TargetError: an agent cannot be loaded.
        ConfigurationError: the default agent is not registered.
    """
    agents = load_agents(settings)
    runtime = CopilotRuntime(agents=agents, default_agent=settings.default_agent)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not agents:
            logger.warning(
                "No agent is registered. Set COPILOTKIT_AGENTS=NAME=TARGET or add a langgraph.json."
            )
        yield
        await runtime.aclose()

    # FastAPI's own documentation pages load scripts from another host.
    app = FastAPI(title="CopilotKit runtime", lifespan=lifespan, openapi_url=None)
    add_cors(app, settings.cors)
    app.add_middleware(LoopbackHosts, allowed=settings.allowed_hosts)
    app.include_router(create_router(runtime, path=settings.endpoint))
    if settings.endpoint != "/":

        @app.get("/")
        async def root() -> RedirectResponse:
            return RedirectResponse(settings.endpoint)

    return app


def load_agents(settings: Settings) -> dict[str, Provider]:
    """Loads every agent that the settings name, those of `langgraph.json` first.

    Raises:
        SettingsError: two agents share a name.
        TargetError: a target or `langgraph.json` cannot be loaded, or names no agent.
    """
    agents: dict[str, Provider] = {}
    if settings.config is not None:
        try:
            from ..providers.langgraph.registry import load_config
        except ModuleNotFoundError as error:
            raise TargetError(missing_extra(error) or str(error)) from error
        agents.update(load_config(settings.config))
    for name, target in settings.agents.items():
        if name in agents:
            raise SettingsError(f"The agent '{name}' is given and also in {settings.config}.")
        try:
            agents[name] = as_provider(load_target(target))
        except (TypeError, ValueError) as error:
            raise TargetError(f"The agent '{name}' cannot be served: {error}") from error
    return agents


def with_agents(settings: Settings) -> Settings:
    """Fills in the agents where the settings name none: those of `langgraph.json`, else the demo agent."""
    if settings.agents or settings.config is not None:
        return settings
    config = find_config()
    if config is not None:
        return dataclasses.replace(settings, config=config)
    if importlib.util.find_spec("langgraph") is None:
        return settings
    name, target = DEMO_AGENT
    return dataclasses.replace(settings, agents={name: target})


def add_cors(app: FastAPI, origins: tuple[str, ...]) -> None:
    """Lets pages of other origins call the app; see `Settings.cors`.

    Credentials (cookies, TLS certificates) are allowed only for origins that are named one by one.
    """
    if not origins:
        return
    named = origins not in ((ANY_ORIGIN,), (LOCALHOST,))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=() if origins == (LOCALHOST,) else origins,
        allow_origin_regex=LOCALHOST_ORIGIN if origins == (LOCALHOST,) else None,
        allow_credentials=named,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[VERSION_HEADER],
    )
