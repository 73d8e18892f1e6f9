"""Finished runs in fewer events: the deltas of each message joined, the state folded into one snapshot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from ..errors import ProtocolViolationError
from . import events
from .events import Event
from .json_patch import PatchBudget, Patched
from .lines import SplitLines
from .message_events import PARTS
from .normalizer import EventSequence
from .reducer import StateFold

# From so many events or bytes on, a log takes long to fold. Copies in patches make much of little.
_MANY_EVENTS: Final = 5_000
_MANY_BYTES: Final = 512 * 1024
_LARGE: Final = 256 * 1024
_TEXT_PIECE: Final = 64 * 1024
_COPY: Final = b'"op":"copy"'

# Events that earlier versions left in an order, or under an id, that clients refuse.
_REPAIRABLE: Final = {
    "REASONING_START",
    "REASONING_END",
    "REASONING_MESSAGE_START",
    "SUBAGENT_STARTED",
    "SUBAGENT_FINISHED",
    "SUBAGENT_ERROR",
    "ACTIVITY_SNAPSHOT",
}
_REPAIRED: Final = b"+"
"""What the first line of a compacted run begins with since then: the sign of a number, to versions before."""

_REPAIRABLE_TEXT: Final = (b'"REASONING_', b'"SUBAGENT_', b'"ACTIVITY_', b'"subagentRunId"')


def is_long(log: Sequence[bytes]) -> bool:
    """Whether a log, as JSON, is to be folded in a thread, so that the event loop goes on meanwhile."""
    if len(log) >= _MANY_EVENTS or sum(map(len, log)) >= _MANY_BYTES:
        return True
    return any(_COPY in data for data in log)


class Piece:
    """One event of a compacted log.

    Attributes:
        event: the event, or None for one that is not shown any more, so that the others keep their places.
        places: which events of the whole log it stands for.
        lengths: of joined deltas, the length of each in UTF-16 code units, as a delta may end inside a
            character.
        data: the event as JSON, where that is known.
        unchanged: as long as it stands for one event, that is the event as it happened.
        original: for a piece that is not shown, the event as it happened, which only recordings need.
    """

    __slots__ = ("data", "event", "lengths", "original", "places", "unchanged")

    def __init__(
        self,
        event: Event | None,
        places: list[int],
        lengths: list[int],
        original: Event | None = None,
        unchanged: bool = False,
    ) -> None:
        self.event = event
        self.places = places
        self.lengths = lengths
        self.original = original
        self.data: bytes | None = None
        self.unchanged = unchanged

    @classmethod
    def decode(cls, line: bytes) -> Piece:
        """Returns the piece of a line that `encode` made."""
        head, _, data = line.partition(b"\t")
        places_text, _, rest = head.partition(b";")
        places = [int(place) for place in places_text.split(b",")]
        if rest.startswith(b"{"):
            return cls(None, places, [], events.decode(rest))
        lengths = [int(length) for length in rest.split(b",")] if rest else []
        return cls(events.decode(data) if data else None, places, lengths)

    def encode(self) -> bytes:
        """Returns the piece as one line: what it stands for, a tab, and the event as JSON, if it is shown."""
        head, shown = self.encode_parts()
        return head + shown

    def encode_parts(self) -> tuple[bytes, bytes]:
        """Returns the line up to the tab, and what follows."""
        head = ",".join(map(str, self.places))
        if self.lengths:
            head += ";" + ",".join(map(str, self.lengths))
        if self.original is not None:
            return b"%b;%b\t" % (head.encode(), events.encode(self.original)), b""
        shown = self.data
        if shown is None:
            shown = b"" if self.event is None else events.encode(self.event)
        return head.encode() + b"\t", shown


def visible_event(line: bytes) -> bytes:
    """Returns the event of an encoded piece as JSON, or nothing."""
    return line.partition(b"\t")[2]


def last_place(line: bytes) -> int:
    """Returns the place in the whole log of the last event that an encoded piece stands for."""
    return Piece.decode(line.partition(b"\t")[0]).places[-1]


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


def expanded(lines: Iterable[bytes]) -> list[Event]:
    """Returns a compacted run's events as they happened, as far as its lines have them.

    Deltas come apart again, and interrupts and errors are back. The state and activities have only their last
    form.
    """
    found: list[tuple[int, Event]] = []
    replaced = -1
    for piece in map(Piece.decode, lines):
        place = piece.places[-1]
        if piece.original is not None:
            found.append((place, piece.original))
        elif piece.event is not None and piece.lengths:
            found.extend(zip(piece.places, _deltas(piece.event, piece.lengths), strict=True))
        elif piece.event is not None and place != replaced:
            found.append((place, piece.event))
        # What is shown in place of an original follows it.
        replaced = place if piece.original is not None else -1
    return [event for _, event in sorted(found, key=lambda each: each[0])]


def _deltas(event: Event, lengths: Sequence[int]) -> Iterator[Event]:
    text = event["delta"].encode("utf-16-le", "surrogatepass")
    start = 0
    for length in lengths:
        end = start + 2 * length
        yield {**event, "delta": text[start:end].decode("utf-16-le", "surrogatepass")}
        start = end


def compacted(
    log: Sequence[Event],
    *,
    pending: bool = False,
    state: StateFold | None = None,
    encoded: Sequence[bytes] | None = None,
) -> Sequence[bytes]:
    """Returns a run's events with the deltas of each message joined and its state folded into one snapshot.

    A message stands where it began; what came while it grew follows it, and what it grew by after a snapshot
    of the conversation follows that. The patches of an activity are folded into its snapshot. The state is
    folded from the one that the run's input brought, and a patch that does not apply is skipped.

    A run that failed long ago raises no alarm again: its RUN_ERROR is a RUN_FINISHED here, after which every
    client accepts the next run. Readers learn that a run was cut off only if another run follows.

    Args:
        log: the run's events.
        pending: it is the thread's last run: its interrupts wait for an answer.
        state: what the log makes of the state, where that is known.
        encoded: the events as JSON, where that is known: those that stay as they are are not encoded again.

    Returns:
        The pieces as lines.
    """
    compaction = _Compaction(pending=pending, state=state)
    is_repaired = _needs_repair(log, encoded)
    for place, event in _in_order(log) if is_repaired else enumerate(log):
        compaction.add(place, event)
    pieces = compaction.pieces()
    if encoded is not None and not is_repaired:
        for piece in pieces:
            if piece.unchanged and len(piece.places) == 1:
                piece.data = encoded[piece.places[0]]
    return _lines(pieces)


def _needs_repair(log: Sequence[Event], encoded: Sequence[bytes] | None) -> bool:
    """Whether a log may have events that clients refuse."""
    if encoded is not None and not any(text in data for data in encoded for text in _REPAIRABLE_TEXT):
        return False
    return any(event["type"] in _REPAIRABLE or "subagentRunId" in event for event in log)


def repaired(lines: Sequence[bytes]) -> Sequence[bytes]:
    """Returns the lines of a compacted run as `compacted` makes them now.

    Earlier versions left some that clients refuse, such as reasoning without an end.
    """
    if (
        not lines
        or lines[0].startswith(_REPAIRED)
        or not any(text in line for line in lines for text in _REPAIRABLE_TEXT)
    ):
        return lines
    pieces = [Piece.decode(line) for line in lines]
    kept: list[Piece] = []
    known = [(piece, piece.event) for piece in pieces if piece.event is not None]
    for index, event in _repaired([event for _, event in known]):
        piece, original = known[index]
        if event["type"] == original["type"]:
            kept.append(Piece(event, piece.places, piece.lengths))
        else:
            kept.append(Piece(event, piece.places[-1:], []))
    return _lines(kept)


def _lines(pieces: list[Piece]) -> Sequence[bytes]:
    heads: list[bytes] = []
    tails: list[bytes] = []
    for piece in pieces:
        head, tail = piece.encode_parts()
        heads.append(head if heads else _REPAIRED + head)
        tails.append(tail)
    lines = SplitLines(heads, tails)
    # A large event takes the memory of the log's own, as long as that is there.
    return lines if any(len(tail) >= _LARGE for tail in tails) else list(lines)


def _repaired(log: Sequence[Event]) -> Iterable[tuple[int, Event]]:
    """Returns the events of a log in an order that clients accept, with their places in it."""
    if not any(event["type"] in _REPAIRABLE or "subagentRunId" in event for event in log):
        return enumerate(log)
    return _in_order(log)


def _in_order(log: Sequence[Event]) -> Iterator[tuple[int, Event]]:
    started = log[0]
    sequence = EventSequence(
        started["threadId"], started["runId"], strict_stream=False, input=started.get("input")
    )
    for place, event in enumerate(log):
        out: list[Event] = []
        with suppress(ProtocolViolationError):
            sequence.push(event, out)
        if sequence.terminal is not None:
            sequence.close_open(out)
            out.append(sequence.terminal)
        for each in out:
            yield place, each
        if sequence.terminal is not None:
            return


class _Compaction:
    """The pieces of one run, as its events come."""

    def __init__(self, *, pending: bool, state: StateFold | None) -> None:
        self._pending = pending
        self._budget = PatchBudget()
        self._is_folded = state is not None
        self._state = state or StateFold({}, self._budget)
        # The last event that said something of the state.
        self._state_place = -1
        self._is_whole_state = False
        self._items: list[Piece | _Part] = []
        self._growing: dict[tuple[str, str], _Part] = {}
        self._activities: dict[str, tuple[Piece, Patched]] = {}
        self._started: Event = {}

    def add(self, place: int, event: Event) -> None:
        kind = event["type"]
        if kind in PARTS:
            self._add_part(place, event)
        elif kind in ("STATE_SNAPSHOT", "STATE_DELTA"):
            self._state_place = place
            # Without members of its own, it is the snapshot that stands for the state.
            self._is_whole_state = kind == "STATE_SNAPSHOT" and len(event) == 2
            if not self._is_folded:
                self._state.add(event)
        elif kind in ("ACTIVITY_SNAPSHOT", "ACTIVITY_DELTA") and self._fold_activity(place, event):
            pass
        else:
            if kind == "RUN_STARTED":
                self._started = event
                if not self._is_folded:
                    self._state = StateFold((event.get("input") or {}).get("state") or {}, self._budget)
            elif kind in ("RUN_FINISHED", "RUN_ERROR") and self._state.changed:
                snapshot = events.state_snapshot(self._state.value)
                whole = self._is_whole_state
                self._items.append(Piece(snapshot, [self._state_place], [], unchanged=whole))
            shown = self._historic(event)
            if shown is not event:
                self._items.append(Piece(None, [place], [], event))
            if shown is not None:
                self._items.append(Piece(shown, [place], [], unchanged=shown is event))
            if kind == "MESSAGES_SNAPSHOT":  # it may hold what a message was so far
                self._growing = {key: _Part() for key in self._growing}
                self._items.extend(self._growing.values())
                self._activities.clear()

    def pieces(self) -> list[Piece]:
        pieces: list[Piece] = []
        for item in self._items:
            pieces.extend(item.pieces.values() if isinstance(item, _Part) else (item,))
        return pieces

    def _add_part(self, place: int, event: Event) -> None:
        action, what, field = PARTS[event["type"]]
        key = (what, event[field])
        if action == "open":
            self._growing[key] = _Part()
            self._items.append(self._growing[key])
        self._growing[key].add(action, event, place)
        if action == "close":
            del self._growing[key]

    def _fold_activity(self, place: int, event: Event) -> bool:
        """Folds an event into the snapshot of its activity. Returns whether there is one in this run."""
        id, replaces = event["messageId"], event.get("replace", False)
        if id not in self._activities:
            if replaces:
                piece = Piece(event, [place], [], unchanged=True)
                self._activities[id] = piece, Patched(event["content"], self._budget)
                self._items.append(piece)
            return bool(replaces)
        piece, content = self._activities[id]
        before = piece.event or {}
        piece.places.append(place)
        if replaces:
            piece.event = dict(event)
            content.replace(event["content"])
        elif event["type"] == "ACTIVITY_DELTA" and content.apply(event["patch"]):
            piece.event = {**before, "content": content.value, "activityType": event["activityType"]}
        metadata = before.get("metadata", {}) | event.get("metadata", {})
        if metadata:
            piece.event = {**(piece.event or {}), "metadata": metadata}
        return True

    def _historic(self, event: Event) -> Event | None:
        kind = event["type"]
        if kind == "RUN_ERROR":
            if self._pending and event.get("code") == events.INTERRUPTED:
                return event
            return events.run_finished(self._started["threadId"], self._started["runId"])
        if not self._pending:
            if kind == "RUN_FINISHED" and "outcome" in event:
                return {key: value for key, value in event.items() if key != "outcome"}
            if kind == "CUSTOM" and event["name"] in events.INTERRUPTS:
                return None
        return event


class _Part:
    """One message or tool call, with its deltas."""

    def __init__(self) -> None:
        self._pieces: dict[str, Piece] = {}
        self._deltas: list[str] = []
        self._metadata: dict[str, Any] = {}

    def add(self, action: str, event: Event, place: int) -> None:
        piece = self._pieces.get(action)
        if piece is None:
            piece = self._pieces[action] = Piece(event, [], [], unchanged=True)
        piece.places.append(place)
        if action == "grow":
            self._deltas.append(event["delta"])
            piece.lengths.append(_length(event["delta"]))
            if "metadata" in event:
                self._metadata |= event["metadata"]

    @property
    def pieces(self) -> dict[str, Piece]:
        grown = self._pieces.get("grow")
        if grown is not None and grown.event is not None:
            grown.event = {**grown.event, "delta": "".join(self._deltas)}
            if self._metadata:
                grown.event["metadata"] = self._metadata
        return self._pieces


def _length(text: str) -> int:
    if text.isascii():
        return len(text)
    pieces = (text[start : start + _TEXT_PIECE] for start in range(0, len(text), _TEXT_PIECE))
    return sum(len(piece.encode("utf-16-le", "surrogatepass")) for piece in pieces) // 2
