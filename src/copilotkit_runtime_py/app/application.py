"""The ASGI application that the command line and `app.main` serve."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI
from starlette.responses import RedirectResponse

from ..logs.records import get_logger
from ..providers.base import Provider
from ..providers.resolve import as_provider
from ..providers.target import TargetError, load_target, missing_extra
from ..runtime import CopilotRuntime
from ..state_store.base import Retention
from ..state_store.from_url import MEMORY, open_state_store
from ..state_store.memory import MEMORY_RETENTION
from .access_log import AccessLog
from .cors import add_cors
from .endpoint import create_router
from .graceful_stop import drain_on_signal
from .health import StoreCheck, health_router
from .hosts import LoopbackHosts
from .settings import Settings, SettingsError, demo_agent, find_config

logger = get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Builds the application: agents, endpoint, CORS, health, and a redirect from `/` to the endpoint.

    Requests over loopback have to be addressed to this machine; see `LoopbackHosts`.

    Raises:
        SettingsError: two agents share a name.
        TargetError: an agent cannot be loaded.
        ConfigurationError: the default agent is not registered, or the store cannot be used.
    """
    agents = load_agents(settings)
    runtime = CopilotRuntime(
        agents=agents,
        default_agent=settings.default_agent,
        state_store=open_state_store(settings.store, retention=retention_of(settings)),
        limits=settings.limits,
        development=settings.development,
    )

    store = StoreCheck(runtime)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not agents:
            logger.warning(
                "No agent is registered. Set COPILOTKIT_AGENTS=NAME=TARGET or add a langgraph.json."
            )
        # Logs at once if the store cannot be used. A slow store does not delay the start.
        check = asyncio.create_task(store.answers(), name="first use of the store")
        with drain_on_signal(runtime, settings.drain_seconds, delay=settings.drain_delay):
            yield
        check.cancel()
        await asyncio.wait({check})
        await runtime.aclose()

    # FastAPI's own documentation pages load scripts from another host.
    app = FastAPI(title="CopilotKit runtime", lifespan=lifespan, openapi_url=None)
    add_cors(app, settings.cors or ())
    app.add_middleware(LoopbackHosts, allowed=settings.allowed_hosts)
    app.add_middleware(AccessLog)
    app.include_router(health_router(runtime, store))
    app.include_router(
        create_router(runtime, path=settings.endpoint, allow_local_pages=settings.cors is None)
    )
    if settings.endpoint != "/":

        @app.get("/")
        async def root() -> RedirectResponse:
            return RedirectResponse(settings.endpoint)

    return app


def retention_of(settings: Settings) -> Retention | None:
    """Returns how much is stored, or None if the settings do not say."""
    days, threads, megabytes = settings.keep_days, settings.keep_threads, settings.keep_megabytes
    if days is threads is megabytes is None:
        return None
    # In memory, what the settings do not name keeps its default bound.
    default = MEMORY_RETENTION if settings.store == MEMORY else Retention()
    return dataclasses.replace(
        default,
        max_age=default.max_age if days is None else timedelta(days=days),
        max_threads=default.max_threads if threads is None else threads,
        max_bytes=default.max_bytes if megabytes is None else int(megabytes * 1_000_000),
    )


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
            agents[name] = as_provider(load_target(target, speed=settings.speed))
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
    return dataclasses.replace(settings, agents=demo_agent())
