"""Finished runs in fewer events: the deltas of each message joined, the state folded into one snapshot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Final

from . import events
from .events import Event
from .json_patch import patched
from .message_events import PARTS

LONG_LOG: Final = 5_000
"""From so many events on, a log is folded beside the loop, which others need meanwhile."""


class Piece:
    """One event of a compacted log.

    Attributes:
        event: the event, or None for one that is not shown any more, so that the others keep their places.
        places: which events of the whole log it stands for.
        lengths: of joined deltas, the length of each in UTF-16 code units, as a delta may end inside a
            character.
    """

    __slots__ = ("event", "lengths", "places")

    def __init__(self, event: Event | None, places: list[int], lengths: list[int]) -> None:
        self.event = event
        self.places = places
        self.lengths = lengths

    def encode(self) -> bytes:
        """Returns the piece as one line: what it stands for, a tab, and the event as JSON, if it is shown."""
        head = ",".join(map(str, self.places))
        if self.lengths:
            head += ";" + ",".join(map(str, self.lengths))
        shown = b"" if self.event is None else events.encode(self.event)
        return b"%b\t%b" % (head.encode(), shown)


def visible_event(line: bytes) -> bytes:
    """Returns the event of an encoded piece as JSON, or nothing."""
    return line.partition(b"\t")[2]


def remaining_bytes(line: bytes, seen: int) -> bytes:
    """Returns what an encoded piece holds for a reader of the whole log, as JSON, or nothing.

    Args:
        line: the piece.
        seen: the place in the whole log of the last event that the reader has.
    """
    head, _, data = line.partition(b"\t")
    places_text, _, lengths_text = head.partition(b";")
    places = [int(place) for place in places_text.split(b",")]
    known = bisect_right(places, seen)
    if known == len(places):
        return b""
    if not known or not lengths_text or not data:
        return data
    units = sum(int(length) for length in lengths_text.split(b",")[:known])
    event = events.decode(data)
    text = event["delta"].encode("utf-16-le", "surrogatepass")[2 * units :]
    return bytes(events.encode({**event, "delta": text.decode("utf-16-le", "surrogatepass")}))


def compact(log: Iterable[Event], *, pending: bool = False) -> list[Piece]:
    """Returns a run's events with the deltas of each message joined and its state folded into one snapshot.

    A message stands where it began; what came while it grew follows it, and what it grew by after a snapshot
    of the conversation follows that. The state is folded from the one that
    the run's input brought, and a patch that does not apply is skipped.

    A run that failed long ago raises no alarm again: its RUN_ERROR is a RUN_FINISHED here, after which every
    client accepts the next run. But of a run that was cut off nobody was told, unless another one follows.

    Args:
        log: the run's events.
        pending: it is the thread's last run: its interrupts wait for an answer.
    """
    items: list[Piece | _Part] = []
    growing: dict[tuple[str, str], _Part] = {}
    state = _State()
    started: Event = {}
    for place, event in enumerate(log):
        kind = event["type"]
        if kind in PARTS:
            action, what, field = PARTS[kind]
            key = (what, event[field])
            if action == "open":
                growing[key] = _Part()
                items.append(growing[key])
            growing[key].add(action, event, place)
            if action == "close":
                del growing[key]
        elif kind in ("STATE_SNAPSHOT", "STATE_DELTA"):
            state.apply(event, place)
        else:
            if kind == "RUN_STARTED":
                started = event
                state.value = (event.get("input") or {}).get("state") or {}
            elif kind in ("RUN_FINISHED", "RUN_ERROR") and state.places:
                items.append(Piece(events.state_snapshot(state.value), state.places[-1:], []))
            items.append(Piece(_historic(event, started, pending=pending), [place], []))
            if kind == "MESSAGES_SNAPSHOT":  # it may hold what a message was so far
                growing = {key: _Part() for key in growing}
                items.extend(growing.values())
    pieces: list[Piece] = []
    for item in items:
        pieces.extend(item.pieces.values() if isinstance(item, _Part) else (item,))
    return pieces


class _Part:
    """One message or tool call, with its deltas."""

    def __init__(self) -> None:
        self._pieces: dict[str, Piece] = {}
        self._deltas: list[str] = []

    def add(self, action: str, event: Event, place: int) -> None:
        piece = self._pieces.get(action)
        if piece is None:
            piece = self._pieces[action] = Piece(event, [], [])
        piece.places.append(place)
        if action == "grow":
            self._deltas.append(event["delta"])
            piece.lengths.append(_length(event["delta"]))

    @property
    def pieces(self) -> dict[str, Piece]:
        grown = self._pieces.get("grow")
        if grown is not None and grown.event is not None:
            grown.event = {**grown.event, "delta": "".join(self._deltas)}
        return self._pieces


class _State:
    def __init__(self) -> None:
        self.value: Any = {}
        self.places: list[int] = []

    def apply(self, event: Event, place: int) -> None:
        if event["type"] == "STATE_SNAPSHOT":
            self.value, applied = event.get("snapshot"), True
        else:
            self.value, applied = patched(self.value, event["delta"])
        if applied:
            self.places.append(place)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _historic(event: Event, started: Event, *, pending: bool) -> Event | None:
    kind = event["type"]
    if kind == "RUN_ERROR":
        if pending and event.get("code") == events.INTERRUPTED:
            return event
        return events.run_finished(started["threadId"], started["runId"])
    if not pending:
        if kind == "RUN_FINISHED" and "outcome" in event:
            return {key: value for key, value in event.items() if key != "outcome"}
        if kind == "CUSTOM" and event["name"] in events.INTERRUPTS:
            return None
    return event
