"""The application of `uvicorn copilotkit.runtime_py.app.main:app`, set up by the environment.

The agents are those of `COPILOTKIT_AGENTS` and `COPILOTKIT_CONFIG`, else those of a `langgraph.json` in the
working directory, else the demo agent where LangGraph is installed.
"""

from __future__ import annotations

from ..settings import Settings
from .application import create_app, with_agents

app = create_app(with_agents(Settings.from_environment()))
