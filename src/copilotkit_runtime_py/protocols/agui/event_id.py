"""The position of a reader in a thread: the ids of the server-sent events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PATTERN: Final = re.compile(r"(\d{1,9})(?::(\d{1,9}))?(?:/(\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class EventId:
    """The position of an event in its thread.

    Its string form is `3:17` for event 17 of the third run as it happened, and `3/4` for event 4 of the third
    run in its compacted form, which a later reader gets. A reader that resumes gets `3:17/4`: up to
    event 17 it saw the run as it happened, and of the compacted form what was left of the first four events.

    Attributes:
        run: the run's place among the runs of its thread, from 1.
        index: the event's place in the run, from 0; -1 if none was seen as it happened.
        compacted: the event's place in the compacted form, from 0; -1 if none was seen in that form.
    """

    run: int
    index: int = -1
    compacted: int = -1

    def __str__(self) -> str:
        """Returns the id in its string form."""
        index = f":{self.index}" if self.index >= 0 else ""
        compacted = f"/{self.compacted}" if self.compacted >= 0 else ""
        return f"{self.run}{index}{compacted}"


def parse_event_id(text: str | None) -> EventId | None:
    """Returns the position that an id names, or None if this runtime has not sent it."""
    match = _PATTERN.fullmatch(text or "")
    if match is None or (match[2] is None and match[3] is None):
        return None
    return EventId(int(match[1]), *(-1 if place is None else int(place) for place in match.groups()[1:]))
