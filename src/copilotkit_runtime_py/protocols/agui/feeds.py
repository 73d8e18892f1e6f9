"""Runs as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ...agui.compaction import is_long
from ...agui.events import encode
from ...agui.run_input import RunInput
from ...agui.sse import KEEP_ALIVE
from ...agui.versions import without_subagents
from ...runs.event_log import Entry, EventLog
from ...runs.replay import compacted_lines, replayed, snapshot, whole_length
from ...runs.run import Run
from ...runs.thread_view import ThreadView
from ...state_store.base import RunLog
from .event_id import EventId

# Frames that wait together are sent in pieces of this size, so that a slow reader costs no large copies.
_PIECE: Final = 64 * 1024


class RunFeed:
    """The frames of a thread: those of its past, then those of a run in progress.

    Args:
        history: frames that are ready.
        run: the run to follow, or None.
        wake: called when the run may have news.
        position: the first event of the run to send.
        numbered: the frames carry ids, with which a reader can resume.
        knows_subagents: the reader declares AG-UI 1.0.
        stops_run: the run is stopped when its last reader leaves.
    """

    def __init__(
        self,
        history: Iterable[bytes],
        run: EventLog | None,
        wake: Callable[[], None],
        *,
        position: int = 0,
        numbered: bool = True,
        knows_subagents: bool,
        stops_run: bool = False,
    ) -> None:
        self._frames = iter(history)
        self._run = run
        self._position = position
        self._number = run.number if numbered and run is not None else None
        self._knows_subagents = knows_subagents
        self._stops_run = stops_run
        self._subscription = run.subscribe(wake, position) if run is not None else None

    def take(self) -> bytes:
        """Returns the frames that are ready, in pieces of a bounded size."""
        piece, size = self._piece()
        if not size and self._subscription is not None:
            self._frames = self._framed(self._subscription.take(), self._subscription.take_notice())
            piece, size = self._piece()
        return piece[0] if len(piece) == 1 else b"".join(piece)

    def heartbeat(self) -> bytes:
        """Returns a comment."""
        return KEEP_ALIVE

    @property
    def exhausted(self) -> bool:
        """Whether nothing can follow, once there was nothing more to take."""
        return self._subscription is None or self._subscription.exhausted

    def close(self) -> None:
        """Leaves the run."""
        if self._subscription is not None and self._run is not None:
            self._subscription.close()
            if self._stops_run and isinstance(self._run, Run) and not self._run.is_read:
                self._run.stop()

    def _piece(self) -> tuple[list[bytes], int]:
        piece, size = [], 0
        for frame in self._frames:
            piece.append(frame)
            size += len(frame)
            if size >= _PIECE:
                break
        return piece, size

    def _framed(self, entries: list[Entry], notice: Entry | None) -> Iterator[bytes]:
        for entry in (*entries, notice) if notice is not None else entries:
            data = entry.data if self._knows_subagents else without_subagents(entry.data)
            index = self._position
            self._position += not entry.is_notice
            if data and self._number is not None and not entry.is_notice:
                yield from _frame(data, entry.id or b"%d:%d" % (self._number, index))
            elif data:
                yield from _frame(data)


def _frame(data: bytes, id: bytes | None = None) -> Iterator[bytes]:
    """Yields the frame of an event: as a whole, or in pieces if it is large."""
    head = b"data: " if id is None else b"id: %b\ndata: " % id
    # Encoded JSON holds no line end, so it needs no splitting.
    if len(data) <= _PIECE:
        yield b"%b%b\n\n" % (head, data)
        return
    yield head
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
    yield b"\n\n"


async def history(view: ThreadView, after: EventId | None, input: RunInput) -> Iterable[bytes]:
    """Returns the frames of a thread's past.

    A run that the reader saw in part continues at the reader's position, in the form that the reader saw.

    Args:
        view: the thread.
        after: the last event that the reader has.
        input: the reader's request: the thread, the run id under which an agent's own memory is sent, and the
            version of AG-UI that the reader declares.
    """
    past: Iterable[tuple[bytes | None, bytes]] = _history(view, after, input)
    if any(not log.compacted and is_long(log.events) for log in view.logs):
        past = await asyncio.to_thread(list, past)
    return (piece for id, data in past for piece in _frame(data, id))


async def knows(view: ThreadView, after: EventId) -> bool:
    """Whether the thread has sent this event id, and still has the whole log of its run.

    Args:
        view: the thread, from the run that the id names on.
        after: the id.
    """
    if view.run is not None and after.run == view.run.number:
        return after.compacted < 0 and after.index < view.length
    log = next((log for log in view.logs if log.run.number == after.run), None)
    if log is None:
        return True
    if after.index >= whole_length(log):
        return False
    if after.compacted < 0:
        return True
    if log.compacted or not is_long(log.events):
        return after.compacted < len(compacted_lines(log))
    return after.compacted < len(await asyncio.to_thread(compacted_lines, log))


def _history(
    view: ThreadView, after: EventId | None, input: RunInput
) -> Iterator[tuple[bytes | None, bytes]]:
    """Yields what a reader lacks of a thread's past: the ids of events, and the events as JSON."""
    is_newer = input.protocol_version is not None
    if view.snapshot is not None:
        for event in snapshot(view.snapshot, input.thread_id, input.run_id, knows_outcome=is_newer):
            data = encode(event)
            yield None, data if is_newer else without_subagents(data)
    for log in view.logs:
        pending = log is view.logs[-1] and view.run is None
        for id, data in _past(log, after, pending=pending):
            shown = data if is_newer else without_subagents(data)
            if shown:
                yield id, shown


def _past(log: RunLog, after: EventId | None, *, pending: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yields the events that a reader lacks of a run that is over: their ids, and the events as JSON."""
    number = log.run.number
    seen = after if after is not None and after.run == number else EventId(number)
    if seen.index >= 0 and seen.compacted < 0 and not log.compacted:
        for index, data in enumerate(log.events[seen.index + 1 :], seen.index + 1):
            yield b"%d:%d" % (number, index), data
        return
    known = str(EventId(number, seen.index)).encode()
    for place, data in replayed(log, pending=pending, after=seen.compacted, seen=seen.index):
        yield b"%b/%d" % (known, place), data
