"""What every AG-UI stream must hold to, checked without the code under test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ag_ui.core import Event as AGUIEvent
from pydantic import TypeAdapter

Event = dict[str, Any]

TERMINAL = {"RUN_FINISHED", "RUN_ERROR"}
MODEL: TypeAdapter[Any] = TypeAdapter(AGUIEvent)


def check_stream(events: Sequence[Event]) -> None:
    """Fails unless the events are one whole, well-formed run."""
    types = [event["type"] for event in events]
    assert types[0] == "RUN_STARTED"
    assert types.count("RUN_STARTED") == 1
    assert types[-1] in TERMINAL
    assert sum(type in TERMINAL for type in types) == 1
    open_parts: set[tuple[str, str, str | None]] = set()
    for event in events:
        _check_part(event, open_parts)
        assert not any(type.endswith("_CHUNK") for type in types)
    assert not open_parts


def _check_part(event: Event, open_parts: set[tuple[str, str, str | None]]) -> None:
    kind, _, action = event["type"].rpartition("_")
    if kind in ("TEXT_MESSAGE", "REASONING_MESSAGE", "TOOL_CALL"):
        part = (kind, event["toolCallId" if kind == "TOOL_CALL" else "messageId"], None)
    elif kind == "STEP":
        part = (kind, event["stepName"], event.get("subagentRunId"))
    elif kind == "SUBAGENT":
        part = (kind, event["subagentRunId"], None)
    elif event["type"] in ("REASONING_START", "REASONING_END"):
        part = (kind, event["messageId"], None)
    else:
        return
    if action in ("START", "STARTED"):
        assert part not in open_parts
        open_parts.add(part)
    elif action != "RESULT":
        assert part in open_parts
        if action in ("END", "FINISHED", "ERROR"):
            open_parts.remove(part)
        else:
            assert event["delta"]


def check_models(events: Sequence[Event]) -> None:
    """Fails unless AG-UI 1.0 accepts every event by its camelCase names."""
    for event in events:
        MODEL.validate_python(event, by_alias=True, by_name=False)
