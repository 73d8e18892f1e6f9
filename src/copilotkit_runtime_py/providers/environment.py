"""The process that CrewAI is imported into: no telemetry, and signal handlers stay unchanged."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..logs.records import get_logger

logger = get_logger(__name__)

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
        with _writable_home(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


@contextmanager
def _writable_home() -> Iterator[None]:
    """Lends CrewAI a home directory where there is none that it can write to.

    Its import makes a key and empty folders in there, and fails where it cannot.
    """
    if _is_home_writable():
        yield
        return
    if "CREWAI_STORAGE_DIR" not in os.environ:
        storage = os.environ["CREWAI_STORAGE_DIR"] = tempfile.mkdtemp(prefix="crewai-")
        logger.warning(
            "The home directory cannot be written. CrewAI keeps its files in %s; set CREWAI_STORAGE_DIR to "
            "choose another folder.",
            storage,
        )
    home = os.environ.get("HOME")
    with tempfile.TemporaryDirectory() as lent:
        os.environ["HOME"] = lent
        try:
            yield
        finally:
            if home is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = home


def _is_home_writable() -> bool:
    try:
        home = Path.home()
        home.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=home).close()
    except (OSError, RuntimeError):  # a user without an entry in the password file may have no home at all
        return False
    return True
