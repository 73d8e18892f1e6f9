"""What a provider emits in one run, and short ways to read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ag_ui.core import Event as AGUIEvent
from ag_ui.core import RunAgentInput
from pydantic import TypeAdapter

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.base import Provider

EVENT: TypeAdapter[Any] = TypeAdapter(AGUIEvent)


async def collect(
    provider: Provider, input: RunAgentInput, context: RequestContext | None = None
) -> list[Event]:
    """Runs a provider to the end, and checks that every event is one of AG-UI 1.0."""
    events = [event async for event in provider.run(input, context or RequestContext())]
    for event in events:
        EVENT.validate_python(event)
    return events


def of_type(events: Iterable[Event], *types: str) -> list[Event]:
    return [event for event in events if event["type"] in types]


def text_of(events: Iterable[Event]) -> str:
    return "".join(event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT"))


def snapshots(events: Iterable[Event]) -> list[Any]:
    return [event["snapshot"] for event in of_type(events, "STATE_SNAPSHOT")]


def messages(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Returns the last conversation that was emitted."""
    found: list[dict[str, Any]] = of_type(events, "MESSAGES_SNAPSHOT")[-1]["messages"]
    return found


def interrupts(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Returns the interrupts that the run ended with."""
    outcome = of_type(events, "RUN_FINISHED")[-1].get("outcome", {})
    found: list[dict[str, Any]] = outcome.get("interrupts", [])
    return found
