"""Where in a thread a reader is: the ids of the server-sent events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PATTERN: Final = re.compile(r"(\d{1,9})([:/])(\d{1,9})")


@dataclass(frozen=True, slots=True)
class EventId:
    """The place of an event in its thread.

    As text it is `3:17` for event 17 of the third run as it happened, and `3/4` for event 4 of the third run
    in its compacted form, which a reader that came later gets.

    Attributes:
        run: the run's place among the runs of its thread, from 1.
        index: the event's place in the run, from 0.
        compacted: it is counted in the compacted form.
    """

    run: int
    index: int
    compacted: bool = False

    def __str__(self) -> str:
        """Returns the id as it is sent."""
        return f"{self.run}{'/' if self.compacted else ':'}{self.index}"


def parse_event_id(text: str | None) -> EventId | None:
    """Returns the place that an id names, or None if it is none of ours."""
    match = _PATTERN.fullmatch(text or "")
    return EventId(int(match[1]), int(match[3]), match[2] == "/") if match else None
