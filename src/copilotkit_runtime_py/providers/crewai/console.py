"""CrewAI's console: which is silent about runs."""

from __future__ import annotations

from typing import Any

from crewai.events.event_listener import event_listener
from crewai.events.utils.console_formatter import should_suppress_console_output
from rich.console import Console


class QuietConsole(Console):
    """Prints nothing where console output is suppressed; parts of CrewAI print without looking at that."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints, outside of runs."""
        if not should_suppress_console_output():
            super().print(*objects, **options)


def keep_quiet() -> None:
    """Has CrewAI print nothing about runs."""
    if not isinstance(event_listener.formatter.console, QuietConsole):
        event_listener.formatter.console = QuietConsole()
