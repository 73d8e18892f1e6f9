"""The tokens that the models of a run use, as AG-UI 1.0 reports them with a run's last event."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from ag_ui.core import TokenUsage, aggregate_token_usage
from pydantic import ValidationError

from .events import Event


class TokenMeter:
    """Adds up the tokens of one run.

    Models may report from any thread.

    Attributes:
        on_use: called with the number of tokens of each report.
    """

    def __init__(self) -> None:
        self.on_use: Callable[[int], None] = lambda tokens: None
        self._entries: list[TokenUsage] = []

    def add(self, usage: TokenUsage) -> None:
        """Adds what one call of a model has used."""
        self._entries.append(usage)
        self.on_use(_total(usage))

    def add_reported(self, reported: Any) -> None:
        """Adds the `usage` of an event. Entries that are malformed are left out."""
        for entry in reported if isinstance(reported, list) else ():
            try:
                self.add(entry if isinstance(entry, TokenUsage) else TokenUsage.model_validate(entry))
            except ValidationError:
                continue

    @property
    def used(self) -> list[dict[str, Any]]:
        """What was used, one `TokenUsage` in JSON form for each provider and model; empty without reports."""
        return [
            usage.model_dump(mode="json", by_alias=True, exclude_none=True)
            for usage in aggregate_token_usage(list(self._entries))
        ]


CURRENT_METER: Final[ContextVar[TokenMeter | None]] = ContextVar("copilotkit_token_meter", default=None)
"""The meter of the run that the calling code works in."""


def record_usage(usage: TokenUsage | None) -> None:
    """Adds what one call of a model has used to the current run, if there is one."""
    meter = CURRENT_METER.get()
    if meter is not None and usage is not None:
        meter.add(usage)


def take_usage(event: Event) -> Event:
    """Returns an event; the one that ends a run without its usage, which is added to the current run."""
    meter = CURRENT_METER.get()
    if meter is None or event["type"] not in ("RUN_FINISHED", "RUN_ERROR") or "usage" not in event:
        return event
    meter.add_reported(event["usage"])
    return {name: value for name, value in event.items() if name != "usage"}


def _total(usage: TokenUsage) -> int:
    if usage.total_tokens is not None:
        return usage.total_tokens
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)
