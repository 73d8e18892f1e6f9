"""The application of `uvicorn copilotkit.runtime_py.app.main:app`, set up by the environment.

The agents are those of `COPILOTKIT_AGENTS` and `COPILOTKIT_CONFIG`, else those of a `langgraph.json` in the
working directory, else the demo agent where LangGraph is installed.
"""

from __future__ import annotations

import dataclasses
import importlib.util

from ..settings import DEMO_AGENT, Settings, find_config
from .application import create_app


def with_agents(settings: Settings) -> Settings:
    """Fills in the agents where the settings name none."""
    if settings.agents or settings.config is not None:
        return settings
    config = find_config()
    if config is not None:
        return dataclasses.replace(settings, config=config)
    if importlib.util.find_spec("langgraph") is None:
        return settings
    name, target = DEMO_AGENT
    return dataclasses.replace(settings, agents={name: target})


app = create_app(with_agents(Settings.from_environment()))
