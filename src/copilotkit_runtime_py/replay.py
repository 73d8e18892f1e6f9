"""What a reader gets of runs that are over: the same conversation in fewer events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from . import events
from .events import Event
from .parts import PARTS
from .patch import patched
from .state_store.base import AgentState, RunLog

_INTERRUPTS: Final = {"on_interrupt", "on_copilotkit_interrupt"}


def replay(logs: Sequence[RunLog]) -> list[Event]:
    """Returns the events that show the runs of a thread again, compacted.

    Only the last run's interrupts wait for an answer.
    """
    return [event for log in logs for event in replayed(log, pending=log is logs[-1]) if event is not None]


def replayed(log: RunLog, *, pending: bool) -> list[Event | None]:
    """Returns the events that show a run again, compacted, with None for those that are not shown any more.

    A run that failed long ago raises no alarm again: its RUN_ERROR is a RUN_FINISHED here, after which every
    client accepts the next run.

    Args:
        log: the run.
        pending: its interrupts wait for an answer.
    """
    return [_historic(event, log, pending=pending) for event in compact(map(events.decode, log.events))]


def snapshot(state: AgentState, thread_id: str, run_id: str, *, knows_outcome: bool) -> list[Event]:
    """Returns the events that show what an agent remembers of a thread, as one run.

    Args:
        state: what the agent remembers.
        thread_id: the thread.
        run_id: the run's id.
        knows_outcome: the reader is told of interrupts by the run's outcome too. Others are told so only
            where a graph's interrupts are not among them: their frontends expect `on_interrupt` alone.
    """
    shown = [events.run_started(thread_id, run_id)]
    if state.state:
        shown.append(events.state_snapshot(state.state))
    shown.append(events.messages_snapshot(state.messages))
    shown.extend(
        events.custom("on_interrupt", events.interrupt_text(interrupt)) for interrupt in state.interrupts
    )
    tells_outcome = knows_outcome or not any(map(events.is_graph_interrupt, state.interrupts))
    shown.append(events.run_finished(thread_id, run_id, state.interrupts if tells_outcome else None))
    return shown


def compact(run_events: Iterable[Event]) -> list[Event]:
    """Returns a run's events with the deltas of each message joined and its state folded into one snapshot.

    A message stands where it began; what came while it grew follows it. The state is folded from the one that
    the run's input brought, and a patch that does not apply is skipped.
    """
    items: list[Event | _Part] = []
    growing: dict[tuple[str, str], _Part] = {}
    state = _State()
    for event in run_events:
        kind = event["type"]
        if kind in PARTS:
            action, what, field = PARTS[kind]
            key = (what, event[field])
            if action == "open":
                growing[key] = _Part()
                items.append(growing[key])
            growing[key].add(action, event)
        elif kind in ("STATE_SNAPSHOT", "STATE_DELTA"):
            state.apply(event)
        else:
            if kind == "RUN_STARTED":
                state.value = (event.get("input") or {}).get("state") or {}
            elif kind in ("RUN_FINISHED", "RUN_ERROR") and state.changed:
                items.append(events.state_snapshot(state.value))
            items.append(event)
    compacted: list[Event] = []
    for item in items:
        compacted.extend(item.events() if isinstance(item, _Part) else (item,))
    return compacted


class _Part:
    """One message or tool call, with its deltas."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._deltas: list[str] = []

    def add(self, action: str, event: Event) -> None:
        self._events.setdefault(action, event)
        if action == "grow":
            self._deltas.append(event["delta"])

    def events(self) -> Iterable[Event]:
        for action, event in self._events.items():
            yield {**event, "delta": "".join(self._deltas)} if action == "grow" else event


class _State:
    def __init__(self) -> None:
        self.value: Any = {}
        self.changed = False

    def apply(self, event: Event) -> None:
        if event["type"] == "STATE_SNAPSHOT":
            self.value, applied = event.get("snapshot"), True
        else:
            self.value, applied = patched(self.value, event["delta"])
        self.changed = self.changed or applied


def _historic(event: Event, log: RunLog, *, pending: bool) -> Event | None:
    kind = event["type"]
    if kind == "RUN_ERROR":
        return events.run_finished(log.run.thread_id, log.run.id)
    if not pending:
        if kind == "RUN_FINISHED" and "outcome" in event:
            return {key: value for key, value in event.items() if key != "outcome"}
        if kind == "CUSTOM" and event["name"] in _INTERRUPTS:
            return None
    return event
