"""Stored threads as recordings, and recordings as stored threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from ..agui import events
from ..agui.compaction import expanded
from ..agui.events import Event
from ..agui.message_events import PARTS
from ..agui.message_ids import ids_of
from ..errors import ThreadBusyError, ThreadNotFoundError
from ..logs.redaction import redact, redact_json
from ..recording import RecordedRun, ThreadRecording
from ..state_store.base import RunLog, RunRecord, StateStore, ThreadRecord
from .completion import ending_of
from .healing import with_unique_calls
from .journal import UNSAVED
from .title import title_of

_IDS: Final = frozenset(
    {"id", "messageId", "toolCallId", "parentMessageId", "threadId", "runId", "parentRunId", "interruptId"}
)
_BEYOND: Final = 2**31 - 1


def recording_of(thread: ThreadRecord, logs: Sequence[RunLog]) -> ThreadRecording:
    """Returns a stored thread as a recording, without credentials.

    The state and the activities of every run but the last one appear only in their last form.
    """
    told = [(log.run, _events_of(log)) for log in with_unique_calls(list(logs))]
    runs = [
        RecordedRun(id=run.id, agent_name=run.agent_name, started_at=run.started_at, events=_redacted(events))
        for run, events in told
    ]
    sent = [message for _, events in told for message in _sent(events)]
    # A title is made of what the user sent, and may hold a part of a key. An import makes it again.
    name = None if thread.name is None or thread.name == title_of(sent) else redact(thread.name)
    return ThreadRecording(thread_id=thread.id, name=name, updated_at=thread.last_run_at, runs=runs)


async def import_recording(
    store: StateStore, recording: ThreadRecording, owner: str, agent_name: str
) -> bool:
    """Imports the thread of a recording into the store.

    Args:
        store: the store.
        recording: the recording.
        owner: who owns the thread from now on.
        agent_name: the agent of the runs for which the recording names none.

    Returns:
        Whether it was imported. A thread that the store has stays as it is, also another owner's.

    Raises:
        StoreUnavailableError: the store cannot be reached.
    """
    thread_id, runs = recording.thread_id, recording.runs
    producers = [f"import of {thread_id}, run {number}" for number in range(1, len(runs) + 1)]
    last = await store.read_runs(owner, thread_id, since=-1, position=_BEYOND)
    # A repeated import completes one that was interrupted.
    done = 0
    if last:
        if last[0].run.producer not in producers:
            return False
        done = producers.index(last[0].run.producer) + last[0].ended
        if done == len(runs):
            return False
    messages: list[dict[str, Any]] = []
    state: Any = {}
    for number, run in enumerate(runs):
        sent = run.input.get("messages") or []
        known = ids_of(messages)
        messages = [*messages, *(message for message in sent if message["id"] not in known)]
        ending = ending_of(run.events, messages, run.input.get("state", state))
        messages, state = ending.state.messages, ending.state.state
        if number < done:
            continue
        record = RunRecord(
            id=run.id,
            thread_id=thread_id,
            agent_name=run.agent_name or agent_name,
            owner=owner,
            started_at=run.started_at,
            producer=producers[number],
        )
        try:
            record = await store.begin_run(record)
        except (ThreadNotFoundError, ThreadBusyError):
            return False
        if recording.name is not None and number == 0:
            await store.update_thread(owner, thread_id, name=recording.name)
        data = [events.encode(_on_thread(event, thread_id)) for event in run.events]
        await store.append(record, 0, data, ending=replace(ending, changed_at=recording.updated_at))
    return True


def _sent(log: Sequence[Event]) -> list[dict[str, Any]]:
    input = (log[0].get("input") if log else None) or {}
    messages: list[dict[str, Any]] = input.get("messages") or []
    return messages


def _on_thread(event: Event, thread_id: str) -> Event:
    return {**event, "threadId": thread_id} if "threadId" in event else event


def _events_of(log: RunLog) -> list[Event]:
    emitted = expanded(log.events) if log.compacted else list(map(events.decode, log.events))
    # Readers get this event where the store fails; it is not the agent's.
    return [event for event in emitted if (event["type"], event.get("name")) != ("CUSTOM", UNSAVED)]


def _redacted(log: Iterable[Event]) -> list[Event]:
    """Returns events without credentials, also without those that span several deltas."""
    redacted = [redact_json(event, keep=_IDS) if "delta" not in event else event for event in log]
    deltas: dict[tuple[str, str], list[int]] = {}
    for place, event in enumerate(redacted):
        action, part, field = PARTS.get(event["type"], ("", "", ""))
        if action == "grow":
            deltas.setdefault((part, event[field]), []).append(place)
        elif "delta" in event:
            redacted[place] = redact_json(event, keep=_IDS)
    for places in deltas.values():
        parts = [redacted[place]["delta"] for place in places]
        text = "".join(parts)
        hidden = redact(text)
        if hidden != text:
            for place, delta in zip(places, _spread(hidden, list(map(len, parts))), strict=True):
                redacted[place] = {**redacted[place], "delta": delta}
    # A delta must not be empty.
    return [event for event in redacted if event.get("delta") != ""]


def _spread(text: str, lengths: Sequence[int]) -> Iterator[str]:
    """Yields the pieces of a string with these lengths; the last one holds the rest."""
    start = 0
    for number, length in enumerate(lengths):
        end = len(text) if number == len(lengths) - 1 else start + length
        yield text[start:end]
        start = end
