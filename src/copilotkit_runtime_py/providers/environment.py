"""The process that CrewAI is imported into: nothing calls home, signal handlers stay whose they are."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
_NO_TRACING = {
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_TESTING": "true",  # or CrewAI collects the first run's trace and asks on the console to send it
}
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGCONT")


def silence() -> None:
    """Switches off what CrewAI and LiteLLM report to their makers, where the user has not decided it.

    CrewAI looks at its variables with every report, so this also works after it was imported, but then it has
    its signal handlers. OpenTelemetry itself stays on: it is the user's.
    """
    if "CREWAI_TRACING_ENABLED" not in os.environ:
        for name, value in _NO_TRACING.items():
            os.environ.setdefault(name, value)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


@contextmanager
def guarded_import() -> Iterator[None]:
    """A time to import CrewAI in: it reports nothing, installs no signal handlers and raises no warnings."""
    silence()
    signals = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in signals}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)
