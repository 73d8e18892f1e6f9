"""Replay of runs that are over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from threading import Lock
from typing import Final

from ..agui import events
from ..agui.compaction import compacted, last_place, remaining_bytes, repaired, visible_event
from ..agui.events import Event
from ..agui.lines import SplitLines, size_of
from ..agui.message_ids import MessageIds
from ..state_store.base import AgentState, RunLog
from .healing import with_unique_calls


def replay(logs: Sequence[RunLog]) -> list[Event]:
    """Returns the compacted events that replay the runs of a thread.

    Only the last run's interrupts wait for an answer.
    """
    logs = with_unique_calls(list(logs))
    return [events.decode(data) for log in logs for _, data in replayed(log, pending=log is logs[-1])]


def replayed(log: RunLog, *, pending: bool, after: int = -1, seen: int = -1) -> Iterator[tuple[int, bytes]]:
    """Yields the compacted events that replay a run, each as JSON, with its position among them.

    Args:
        log: the run.
        pending: it is the thread's last run: its interrupts wait for an answer.
        after: the position, in the compacted form, of the last event that the reader has.
        seen: the position, in the whole log, of the last event that the reader has.
    """
    lines = compacted_lines(log, pending=pending)
    for place in range(len(lines)):
        data = b""
        if place > after and seen >= 0:
            data = remaining_bytes(lines[place], seen)
        elif place > after:
            data = lines.tails[place] if isinstance(lines, SplitLines) else visible_event(lines[place])
        if data:
            yield place, data


def compacted_lines(log: RunLog, *, pending: bool = False) -> Sequence[bytes]:
    """Returns the compacted form of a run that is over, as lines; see `replayed`."""
    if log.compacted:
        return repaired(log.events)
    key = (log.run.producer, pending, hash(tuple(log.events)))
    lines = _RECENT.get(key)
    if lines is None:
        lines = compacted(list(map(events.decode, log.events)), pending=pending, encoded=log.events)
        _RECENT.put(key, lines)
    return lines


class _Recent:
    """The latest compacted forms: many readers may ask for the same one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lines: OrderedDict[Hashable, Sequence[bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Sequence[bytes] | None:
        with self._lock:
            if key in self._lines:
                self._lines.move_to_end(key)
            return self._lines.get(key)

    def put(self, key: Hashable, lines: Sequence[bytes]) -> None:
        with self._lock:
            if key not in self._lines:
                self._lines[key] = lines
                self._bytes += size_of(lines)
            while self._bytes > self._max_bytes:
                _, oldest = self._lines.popitem(last=False)
                self._bytes -= size_of(oldest)


_RECENT: Final = _Recent(16 * 1024 * 1024)


def whole_length(log: RunLog) -> int:
    """Returns how many events a run had before it was compacted."""
    return last_place(log.events[-1]) + 1 if log.compacted else len(log.events)


def snapshot(state: AgentState, thread_id: str, run_id: str, *, knows_outcome: bool) -> list[Event]:
    """Returns the events that show an agent's memory of a thread, as one run.

    Args:
        state: the agent's memory.
        thread_id: the thread.
        run_id: the run's id.
        knows_outcome: the reader gets interrupts in the run's outcome too. Others get them there only
            where a graph's interrupts are not among them: their frontends expect `on_interrupt` alone.
    """
    shown = [events.run_started(thread_id, run_id)]
    if state.state:
        shown.append(events.state_snapshot(state.state))
    shown.append(events.messages_snapshot(MessageIds().read(state.messages)))
    shown.extend(
        events.custom("on_interrupt", events.interrupt_text(interrupt)) for interrupt in state.interrupts
    )
    tells_outcome = knows_outcome or not any(map(events.is_graph_interrupt, state.interrupts))
    shown.append(events.run_finished(thread_id, run_id, state.interrupts if tells_outcome else None))
    return shown
