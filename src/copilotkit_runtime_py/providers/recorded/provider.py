"""Plays a recording as an agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

from ag_ui.core import RunAgentInput

from ...agui import events
from ...agui.events import Event
from ...context import RequestContext
from ...errors import AgentError
from ...recording import ThreadRecording
from ..base import Provider
from .script import Scene, Script

# Between the deltas of a recording without times, in seconds: about as fast as models write.
_PAUSE: Final = 0.02


class RecordedAgent(Provider):
    """Plays the runs of a recording again, without a model.

    Each thread starts with the first run. A run is played when the page sends what it sent while the
    recording was made: the same message, a result of the same tool call, an answer to the interrupt. If a
    tool result or an answer differs, a message says so, and the recording continues. If the page sends
    something else, a message and an error with the code `RECORDING_DEPARTED` say what the recording has. The
    thread continues when the page sends that.

    Events come at the times that they carry. If they carry none, deltas come 20 ms apart.

    Args:
        recording: the recording, or the path of its file (`copilotkit-runtime-py threads export` writes it).
        speed: how many times as fast as recorded; 0 plays without pauses.
        description: one sentence for frontends and other agents.

    Raises:
        RecordingError: the file cannot be read, or is not a recording.
        ValueError: the speed is negative.
    """

    def __init__(
        self, recording: ThreadRecording | str | Path, *, speed: float = 1.0, description: str = ""
    ) -> None:
        if not 0 <= speed < float("inf"):
            raise ValueError("The speed of a recording must be a number ≥ 0.")
        if not isinstance(recording, ThreadRecording):
            recording = ThreadRecording.load(recording)
        self._script = Script(recording)
        self._speed = speed
        self.description = description

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the recorded events of the run that follows."""
        try:
            scene = self._script.follow(input)
        except AgentError as departure:
            # Not every page shows the error of a run.
            for event in _notice([departure.message], input.run_id):
                yield event
            raise
        if scene.state is not None and scene.state != input.state:
            yield events.state_snapshot(scene.state)
        for event in _notice(scene.departures, input.run_id):
            yield event
        previous: float | None = None
        for event in scene.run.events:
            if event["type"] == "RUN_STARTED":
                previous = event.get("timestamp")
                continue
            pause = self._pause_before(event, previous)
            if pause > 0:
                await asyncio.sleep(pause)
            previous = event.get("timestamp", previous)
            yield _on_page(event, scene, input)

    def _pause_before(self, event: Event, previous: float | None) -> float:
        """Returns how many seconds come before an event."""
        if not self._speed:
            return 0
        time: float | None = event.get("timestamp")
        if time is not None and previous is not None:
            return max(0.0, time - previous) / 1000 / self._speed
        return _PAUSE / self._speed if "delta" in event or "patch" in event else 0


def _notice(departures: Sequence[str], run_id: str) -> Iterator[Event]:
    """Yields a message that says where the page departs from the recording, if it does."""
    if departures:
        id = f"departure-{run_id}"
        yield events.text_start(id)
        yield events.text_content(id, " ".join(departures))
        yield events.text_end(id)


def _on_page(event: Event, scene: Scene, input: RunAgentInput) -> Event:
    """Returns a recorded event with the ids and the time of the run that plays it."""
    played = {name: value for name, value in event.items() if name != "timestamp"}
    if event["type"] == "RUN_FINISHED":
        played |= {"threadId": input.thread_id, "runId": input.run_id}
    elif event["type"] == "MESSAGES_SNAPSHOT":
        played["messages"] = [
            {**message, "id": scene.ids.get(message["id"], message["id"])} for message in event["messages"]
        ]
    return played
