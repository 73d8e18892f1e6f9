"""Threads that earlier releases stored with tool-call ids that repeat: readers get unique ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..agui import events
from ..agui.call_ids import CallIds, repeats
from ..agui.events import Event
from ..agui.message_ids import ids_of
from ..agui.reducer import Transcript
from ..state_store.base import AgentState, RunLog, StateStore


async def load_state(store: StateStore, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
    """Returns the agent's stored state on a thread, with unique tool-call ids; see `StateStore`.

    Where ids repeated, results were stored with other calls: the log knows better.
    """
    state = await store.load_state(owner, thread_id, agent_name)
    if state is None or not repeats(state.messages):
        return state
    logs = await store.read_runs(owner, thread_id)
    whole = bool(logs) and logs[0].run.number == 1
    messages = conversation(logs) if whole else CallIds().learn(state.messages)
    return dataclasses.replace(state, messages=messages)


def with_unique_calls(logs: list[RunLog]) -> list[RunLog]:
    """Returns a thread's logs with unique tool-call ids.

    Logs of earlier releases have the ids that models gave, which may repeat.
    """
    if not _repeats(logs):
        return logs
    ids = CallIds(recorded=True)
    result: list[RunLog] = []
    for log in logs:
        ids.begin(log.run.id)
        lines: list[bytes] = []
        for line in log.events:
            head, tab, data = line.rpartition(b"\t")  # a compacted line begins with its positions
            if b"oolCallId" in data or b'"messages"' in data:
                event = events.decode(data)
                named = ids.event(event)
                line = line if named is event else head + tab + events.encode(named)
            lines.append(line)
        result.append(dataclasses.replace(log, events=lines))
    return result


def conversation(logs: list[RunLog]) -> list[dict[str, Any]]:
    """Returns the messages of a thread's logs, as AG-UI messages in JSON form."""
    transcript = Transcript((), None)
    for event in _events(with_unique_calls(logs)):
        if event["type"] == "RUN_STARTED":
            shown = transcript.result().messages
            known = ids_of(shown)
            sent = (event.get("input") or {}).get("messages") or ()
            transcript = Transcript([*shown, *(m for m in sent if m["id"] not in known)], None)
        else:
            transcript.add(event)
    return transcript.result().messages


def _repeats(logs: Sequence[RunLog]) -> bool:
    started = [event.get("toolCallId") for event in _events(logs, b'"TOOL_CALL_START"')]
    return len(set(started)) < len(started)


def _events(logs: Iterable[RunLog], having: bytes = b"") -> Iterator[Event]:
    for log in logs:
        for line in log.events:
            data = line.rpartition(b"\t")[2]
            if data and having in data:
                yield events.decode(data)
