"""The final state of a run, as the store keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, overload

from ..agui.compaction import Piece, compacted, is_long
from ..agui.events import Event
from ..agui.reducer import Transcript
from ..state_store.base import AgentState, RunEnding
from .event_log import Entry
from .title import title_of

_LARGE: Final = 256 * 1024


def ending_of(
    log: Sequence[Event],
    messages: Iterable[dict[str, Any]],
    state: Any,
    waiting: Sequence[dict[str, Any]] = (),
    *,
    encoded: Sequence[bytes] | None = None,
) -> RunEnding:
    """Returns the final state of a run: its compacted log, messages, agent state and open questions.

    Args:
        log: all its events.
        messages: the conversation before it, as AG-UI messages in JSON form.
        state: the state before it.
        waiting: the questions for approvals that are open, also where the run did not end with them.
        encoded: the events as JSON, where that is known.
    """
    transcript = Transcript(messages, state)
    for event in log:
        transcript.add(event)
    left = transcript.result()
    asked = {each["id"] for each in waiting}
    left.interrupts[:] = [*(each for each in left.interrupts if each.get("id") not in asked), *waiting]
    return RunEnding(
        state=left,
        compacted=compacted(log, state=transcript.state, encoded=encoded),
        title=title_of(left.messages),
    )


async def folded(
    entries: Sequence[Entry],
    messages: Iterable[dict[str, Any]],
    state: Any,
    waiting: Sequence[dict[str, Any]] = (),
) -> RunEnding:
    """Returns the final state of a run; see `ending_of`. A long log is folded in a thread."""
    log, encoded = _Events(entries), [entry.data for entry in entries]
    if is_long(encoded):
        return await asyncio.to_thread(ending_of, log, messages, state, waiting, encoded=encoded)
    return ending_of(log, messages, state, waiting, encoded=encoded)


class _Events(Sequence[Event]):
    """The events of entries. Those that come from the store are decoded one by one.

    The last large one is kept: a log is read more than once, and its strings are as large.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._last: tuple[Entry, Event] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        if isinstance(index, slice):
            return _Events(self._entries[index])
        return self._event(self._entries[index])

    def __iter__(self) -> Iterator[Event]:
        return map(self._event, self._entries)

    def _event(self, entry: Entry) -> Event:
        if len(entry.data) < _LARGE:
            return entry.event
        if self._last is None or self._last[0] is not entry:
            self._last = None
            self._last = entry, entry.event
        return self._last[1]


def unfolded(entries: Sequence[Entry], messages: Sequence[dict[str, Any]], state: Any) -> RunEnding:
    """Returns the ending of a run with a log that cannot be folded: the state before it, and every event."""
    return RunEnding(
        state=AgentState(state=state, messages=list(messages)),
        compacted=[Piece(entry.event, [place], []).encode() for place, entry in enumerate(entries)],
        title=title_of(messages),
    )
