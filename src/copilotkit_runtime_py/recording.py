"""Recordings: files that hold the runs of a thread as AG-UI events, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from .agui.events import Event
from .agui.normalizer import EventSequence
from .errors import AgentError, ConfigurationError

SUFFIX: Final = ".jsonl"
"""How the name of a recording's file ends."""

_HEADER: Final = "RECORDING"
_RUN: Final = "RUN"
_VERSION: Final = 1


class RecordingError(ConfigurationError):
    """A file is not a recording. The message is one line and names the file and the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run of a recording.

    Attributes:
        id: the run's id.
        agent_name: the agent that ran, or an empty string if the file does not say.
        started_at: when the run began, in UTC.
        events: its events in JSON form, from RUN_STARTED to the terminal event.
    """

    id: str
    agent_name: str
    started_at: datetime
    events: list[Event]

    @property
    def input(self) -> dict[str, Any]:
        """The input of the run, with the messages that were new."""
        return self.events[0].get("input") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRecording:
    """The runs of one thread.

    Attributes:
        thread_id: the thread's id.
        name: the name that its owner gave the thread, or None.
        updated_at: when the last run ended, in UTC.
        runs: the runs, the first one first.
    """

    thread_id: str
    name: str | None = None
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    runs: list[RecordedRun]

    @classmethod
    def load(cls, path: str | Path) -> ThreadRecording:
        """Reads a recording.

        A file of AG-UI events alone is a recording too: each RUN_STARTED begins a run.

        Raises:
            RecordingError: the file cannot be read, or is not a recording.
        """
        try:
            # Other characters that Python takes for line ends may be within JSON strings.
            lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise RecordingError(f"The recording {path} cannot be read: {reason}.") from error
        reader = _Reader()
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    reader.read(line)
                except (AgentError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    reason = str(error) if isinstance(error, AgentError | ValueError) else "malformed"
                    raise RecordingError(f"{path}, line {number}: {reason}") from error
        try:
            return reader.recording()
        except ValueError as error:
            raise RecordingError(f"{path}: {error}") from error

    def lines(self) -> Iterator[str]:
        """Yields the lines of the recording's file."""
        thread = {"id": self.thread_id, "name": self.name, "updatedAt": self.updated_at.isoformat()}
        yield _line({"type": _HEADER, "version": _VERSION, "thread": thread})
        for run in self.runs:
            about = {"id": run.id, "agent": run.agent_name, "startedAt": run.started_at.isoformat()}
            yield _line({"type": _RUN, **about})
            yield from map(_line, run.events)


def _line(value: dict[str, Any]) -> str:
    # `json` writes half of a surrogate pair as an escape.
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _checked(value: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Returns an object whose members of these names are strings or null.

    Raises:
        ValueError: one is neither.
    """
    for name in names:
        if not isinstance(value.get(name), str | None):
            raise ValueError(f"{name} must be a string.")
    return value


def _time_of(value: str | None) -> datetime | None:
    """Returns the time that a string gives. One without an offset is in UTC.

    Raises:
        ValueError: it is not an ISO 8601 time.
    """
    if not value:
        return None
    time = datetime.fromisoformat(value)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


class _Reader:
    """Takes the lines of a file one by one."""

    def __init__(self) -> None:
        self._thread: dict[str, Any] = {}
        self._about: dict[str, Any] = {}
        self._runs: list[RecordedRun] = []
        self._sequence: EventSequence | None = None
        self._events: list[Event] = []

    def read(self, line: str) -> None:
        value = json.loads(line)
        kind = value["type"]
        if kind == _HEADER:
            if value.get("version") != _VERSION:
                raise ValueError(f"this release reads version {_VERSION} of recordings.")
            self._thread = _checked(value["thread"], ("id", "name", "updatedAt"))
            _time_of(self._thread.get("updatedAt"))
        elif kind == _RUN:
            self._end_run()
            self._about = _checked(value, ("agent", "startedAt"))
            _time_of(value.get("startedAt"))
        elif kind == "RUN_STARTED":
            self._end_run()
            self._start_run(value)
        elif self._sequence is None:
            raise ValueError("a run begins with RUN_STARTED.")
        elif self._sequence.terminal is not None:
            raise ValueError(f"{kind} after the end of the run.")
        else:
            self._sequence.push(value, self._events)

    def recording(self) -> ThreadRecording:
        self._end_run()
        if not self._runs:
            raise ValueError("the file holds no run.")
        thread = self._thread
        return ThreadRecording(
            thread_id=thread.get("id") or self._runs[0].events[0]["threadId"],
            name=thread.get("name"),
            updated_at=_time_of(thread.get("updatedAt")) or self._runs[-1].started_at,
            runs=self._runs,
        )

    def _start_run(self, started: Event) -> None:
        self._sequence = EventSequence(
            started["threadId"], started["runId"], strict_stream=False, input=started.get("input")
        )
        self._events = []
        self._sequence.push(started, self._events)

    def _end_run(self) -> None:
        sequence = self._sequence
        if sequence is None:
            return
        sequence.finish(self._events)
        sequence.close_open(self._events)
        assert sequence.terminal is not None
        self._runs.append(
            RecordedRun(
                id=self._events[0]["runId"],
                agent_name=self._about.get("agent") or "",
                started_at=_time_of(self._about.get("startedAt")) or datetime.now(UTC),
                events=[*self._events, sequence.terminal],
            )
        )
        self._sequence, self._about = None, {}
