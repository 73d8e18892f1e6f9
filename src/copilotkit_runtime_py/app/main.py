"""The application of `uvicorn copilotkit.runtime_py.app.main:app`, set up by the environment.

The agents are those of `COPILOTKIT_AGENTS` and `COPILOTKIT_CONFIG`, else those of a `langgraph.json` in the
working directory, else the demo agent.
"""

from __future__ import annotations

from ..errors import ConfigurationError
from ..providers.target import TargetError
from .application import create_app, with_agents
from .settings import Settings, SettingsError

try:
    app = create_app(with_agents(Settings.from_environment()))
except (SettingsError, TargetError, ConfigurationError) as error:
    # The operator has to fix this. The server that imports this module then exits, or waits for a change.
    raise SystemExit(f"Error: {error}") from error
