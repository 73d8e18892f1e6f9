"""The application of a server that restarts when a file changes; see `copilotkit_runtime_py.app.main`.

While its code cannot be loaded it answers 503, so that requests do not wait for the next change.
"""

from __future__ import annotations

import sys

from fastapi import FastAPI

from ..errors import ConfigurationError
from ..providers.target import TargetError
from .application import create_app, with_agents
from .settings import Settings, SettingsError
from .unavailable import create_unavailable_app


def _load() -> FastAPI:
    settings = Settings.from_environment()
    try:
        return create_app(with_agents(settings))
    except (SettingsError, TargetError, ConfigurationError) as error:
        problem: BaseException = error
    except SystemExit as error:  # a file of the user calls `exit()` when it is imported
        problem = TargetError(f"An agent's file exits when it is imported: SystemExit({error.code!r}).")
        problem.__cause__ = error
    print(f"Error: {problem}", file=sys.stderr, flush=True)  # noqa: T201
    return create_unavailable_app(settings, problem)


app = _load()
