"""What must be true of everything that readers see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


class ViolationError(Exception):
    """Somebody saw what must not be."""


@dataclass(eq=False, slots=True)
class RunTruth:
    """What is known of a run.

    Attributes:
        id: the run's id.
        thread: its thread.
        length: how far its agent counts.
        said: the longest text that a reader saw of it.
        begun: a reader saw that it has begun.
        finished: a reader saw it end well, as it happened.
        excused: its readers were told that not all is stored.
        may_be_cut: somebody asked for an end, or the store failed: it need not be complete.
    """

    id: str
    thread: ThreadTruth
    length: int
    said: str = ""
    begun: bool = False
    finished: bool = False
    excused: bool = False
    may_be_cut: bool = False

    def whole(self) -> str:
        """Returns the whole text."""
        return "".join(f"{number} " for number in range(self.length))


@dataclass(eq=False, slots=True)
class ThreadTruth:
    """What is known of a thread.

    Attributes:
        id: its id.
        deletions: how often somebody began to delete it, or was done with that.
        ending: how many requests to stop or delete it are under way. What begins meanwhile may be cut.
        runs: its runs since the last of these.
        gone: its runs before the last deletion that was confirmed.
        name: the last name that was confirmed, and the last that was asked for.
    """

    id: str
    deletions: int = 0
    ending: int = 0
    runs: dict[str, RunTruth] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    names: tuple[str | None, str | None] = (None, None)


class Truth:
    """What is known of everything.

    Attributes:
        runs: by id.
        threads: by id.
        counts: what was done and seen.
    """

    def __init__(self) -> None:
        self.runs: dict[str, RunTruth] = {}
        self.threads: dict[str, ThreadTruth] = {}
        self.counts: Counter[str] = Counter()

    def thread(self, id: str) -> ThreadTruth:
        """Returns what is known of a thread."""
        return self.threads.setdefault(id, ThreadTruth(id))

    def begin(self, thread_id: str, run_id: str, length: int) -> RunTruth:
        """Notes that somebody asks for a run."""
        thread = self.thread(thread_id)
        run = self.runs[run_id] = thread.runs[run_id] = RunTruth(run_id, thread, length)
        run.excused = run.may_be_cut = thread.ending > 0
        self.counts["runs"] += 1
        return run

    def stop(self, thread: ThreadTruth) -> None:
        """Notes that somebody asks for the end of what goes on."""
        for run in thread.runs.values():
            run.may_be_cut = True


class View:
    """What one reader has seen of a thread, over all its connections.

    Args:
        truth: what is known.
        thread: the thread.
    """

    def __init__(self, truth: Truth, thread: ThreadTruth) -> None:
        self._truth = truth
        self.thread = thread
        self._clear()

    def _clear(self) -> None:
        self._deletions = self.thread.deletions
        self.texts: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.open: str | None = None
        self._seen: list[tuple[str, Event]] = []

    @property
    def last_id(self) -> str | None:
        """Returns the id of the last event that has one."""
        return self._seen[-1][0] if self._seen else None

    @property
    def is_of_deleted(self) -> bool:
        """Whether somebody has asked meanwhile to delete what is seen here."""
        return self._deletions != self.thread.deletions

    def __len__(self) -> int:
        return len(self._seen)

    def rewind(self, length: int) -> None:
        """Forgets all but the first events, as a page does that has stored an older position."""
        seen, deletions = self._seen[:length], self._deletions
        self._clear()
        self._deletions = deletions
        for id, event in seen:
            self.add(id, event, again=True)

    def add(self, id: str | None, event: Event, *, again: bool = False) -> None:
        """Takes an event.

        Raises:
            ViolationError: it must not come.
        """
        if not again:
            self._truth.counts["events"] += 1
        kind = event["type"]
        if id is None:
            # A notice, or what the agent remembers of a thread whose runs are gone.
            self._hear(event)
            return
        if kind == "RUN_STARTED":
            self._start(event["runId"])
        elif self.open is None:
            raise ViolationError(f"{kind} ({id}) outside of a run on {self.thread.id}")
        if kind == "TEXT_MESSAGE_CONTENT":
            self._grow(event)
        elif kind in ("RUN_FINISHED", "RUN_ERROR"):
            self._end(id, event)
        self._seen.append((id, event))

    def _hear(self, event: Event) -> None:
        """Takes a notice."""
        if event["type"] == "CUSTOM" and event["name"] == "unsaved":
            self._truth.counts["unsaved notices"] += 1
            for run in self.thread.runs.values():
                if run.id == self.open or run.id not in self.ended:
                    run.excused = run.may_be_cut = True

    def _start(self, id: str) -> None:
        run = self._truth.runs.get(id)
        if run is None:
            raise ViolationError(f"run {id} on {self.thread.id} is nobody's")
        if id in self.texts:
            if not self._is_excused():
                raise ViolationError(f"run {id} on {self.thread.id} begins twice")
            self._clear()
        if self.open is not None and not self._is_excused():
            raise ViolationError(f"run {id} begins while {self.open} goes on")
        self.texts[id], self.open = "", id
        run.begun = True

    def _is_excused(self) -> bool:
        return any(run.excused for run in self.thread.runs.values())

    def _grow(self, event: Event) -> None:
        id = event["messageId"].removesuffix("-m")
        if id != self.open:
            raise ViolationError(f"a text of {id} in run {self.open}")
        run = self._truth.runs[id]
        text = self.texts[id] = self.texts[id] + event["delta"]
        if not run.whole().startswith(text):
            raise ViolationError(f"run {id} said …{text[-60:]!r} after {len(text.split())} numbers")
        if len(text) > len(run.said):
            run.said = text

    def _end(self, id: str, event: Event) -> None:
        open, self.open = self.open, None
        if open is None:
            raise ViolationError(f"a second end on {self.thread.id}: {event}")
        self.ended[open] = event["type"]
        run = self._truth.runs[open]
        self._truth.counts[f"{event['type']} {event.get('code', '')}".strip()] += 1
        # In its compacted form a run that failed has a good end, too.
        if event["type"] == "RUN_FINISHED" and "/" not in id and not run.may_be_cut:
            run.finished = True
            if self.texts[open] != run.whole():
                raise ViolationError(f"run {open} finished after {self.texts[open][-20:]!r} of {run.length}")


def judge(truth: Truth, thread: ThreadTruth, views: list[View]) -> list[str]:
    """Returns what is wrong with what is stored of a thread.

    Args:
        truth: what is known.
        thread: the thread.
        views: what was read of it in the end, from each worker.
    """
    found = [f"{thread.id}: {len(views)} workers show different things"] * any(
        (view.texts, view.ended) != (views[0].texts, views[0].ended) for view in views
    )
    final = views[0]
    if final.open is not None:
        found.append(f"{thread.id}: run {final.open} has no end")
    found += [f"{thread.id}: run {id} is back" for id in final.texts if id in thread.gone]
    for run in thread.runs.values():
        stored = final.texts.get(run.id, "")
        if not run.excused and not stored.startswith(run.said):
            found.append(f"{thread.id}: run {run.id} lost {len(run.said) - len(stored)} characters")
        if run.finished and not run.excused and final.ended.get(run.id) != "RUN_FINISHED":
            found.append(f"{thread.id}: run {run.id} was finished and is {final.ended.get(run.id)}")
    return found
