"""How the command line's servers log. Applications of others set up their logging themselves."""

from __future__ import annotations

import copy
from typing import Any, Final, Literal, TypeAlias

from uvicorn.config import LOGGING_CONFIG

LogFormat: TypeAlias = Literal["text", "json"]

_ROOT: Final = "copilotkit_runtime_py"


def log_config(format: LogFormat, level: str = "info", *, access: bool = True) -> dict[str, Any]:
    """Returns a configuration for `logging.config.dictConfig`: uvicorn's, and the runtime's logger in it.

    Credentials are taken out of what uvicorn logs, too, such as the query string of a URL.

    Args:
        format: `text` for people, or `json` for programs, one object per line.
        level: the lowest level that is logged.
        access: requests are logged.
    """
    config = copy.deepcopy(LOGGING_CONFIG)
    config["filters"] = {"scope": {"()": f"{_ROOT}.logs.ScopeFilter"}}
    for handler in config["handlers"].values():
        handler["filters"] = ["scope"]
    if format == "json":
        formatter = {"()": f"{_ROOT}.logs.JSONFormatter"}
        config["formatters"] = dict.fromkeys(config["formatters"], formatter)
        # What agents and libraries log would stand between the objects as it is.
        config["root"] = {"handlers": ["default"]}
    config["loggers"][_ROOT] = {"handlers": ["default"], "level": level.upper(), "propagate": False}
    config["loggers"]["uvicorn"]["level"] = level.upper()
    if not access:
        config["loggers"][f"{_ROOT}.access"] = {"level": "CRITICAL", "propagate": True}
    return config
