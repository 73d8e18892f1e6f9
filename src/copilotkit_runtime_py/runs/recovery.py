"""Ends a run whose worker died."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from ..agui import events
from ..agui.events import Event
from ..agui.normalizer import EventSequence
from ..errors import ProtocolViolationError, RunLostError
from ..logs.records import get_logger
from ..state_store.base import AgentState, RunEnding, RunLog, RunRecord, StateStore
from .completion import ending_of

logger = get_logger(__name__)

_ABANDON_SECONDS: Final = 2.0
_GRACE: Final = 2.0
_MESSAGE: Final = "The server that ran this was lost before the end."


Abandon: TypeAlias = Callable[[RunRecord], Awaitable[None]]


async def recover(
    store: StateStore, owner: str, thread_id: str, abandon: Abandon, *, judged: bool = False
) -> None:
    """Ends the thread's last run with an error, if its lease has expired.

    Every worker that finds such a run does this. If several do at once, one of them succeeds.

    Args:
        store: where the run is recorded.
        owner: who owns the thread.
        thread_id: the thread.
        abandon: ends the work that the run's agent may have started outside of its process.
        judged: guardrails judge what users say before an agent runs.
    """
    log = await _lost(store, owner, thread_id)
    if log is None:
        return
    run = dataclasses.replace(log.run, producer=uuid.uuid4().hex)
    known = await store.load_state(run.owner, run.thread_id, run.agent_name)
    # In a thread, so that the loop is free for other runs.
    closing, ending = await asyncio.to_thread(_ended, log, known, judged)
    try:
        await store.append(run, len(log.events), closing, ending=ending)
    except RunLostError:
        return
    logger.warning("run %s on thread %s was ended: its worker died", run.id, run.thread_id)
    try:
        async with asyncio.timeout(_ABANDON_SECONDS):
            await abandon(run)
    except Exception as error:
        logger.warning("work that run %s started elsewhere may continue: %r", run.id, error)


def grace(store: StateStore) -> float:
    """Returns how long after the end of an outage every worker has renewed its leases, in seconds."""
    return min(_GRACE, (store.lease_seconds or math.inf) / 4)


async def recover_abandoned(
    store: StateStore, owner: str, thread_id: str, abandon: Abandon, *, judged: bool
) -> None:
    """Does what `recover` does, once it is certain that the worker died.

    While the store was unavailable, or hung, no worker could renew its leases. They do so soon afterwards.
    """
    log = await _lost(store, owner, thread_id)
    if log is not None:
        if log.lease != -math.inf:
            await asyncio.sleep(grace(store))
        await recover(store, owner, thread_id, abandon, judged=judged)


async def _lost(store: StateStore, owner: str, thread_id: str) -> RunLog | None:
    """Returns the thread's last run if its lease has expired."""
    logs = await store.read_runs(owner, thread_id, since=-1)
    return logs[0] if logs and logs[0].lease is not None and logs[0].lease <= 0 else None


def _ended(log: RunLog, known: AgentState | None, judged: bool) -> tuple[list[bytes], RunEnding]:
    """Returns the events that complete a log, as JSON, and the run's final state."""
    emitted = [events.decode(data) for data in log.events]
    closing = closing_events(
        emitted,
        EventSequence(log.run.thread_id, log.run.id, strict_stream=False),
        events.run_error(_MESSAGE, events.INTERRUPTED),
        {"status": "error", "reason": "missing_terminal_event", "message": _MESSAGE},
    )
    messages, state = _before(emitted, known)
    if judged and len(emitted) < 2:
        # There may be no verdict yet, and the next run treats stored input as allowed.
        messages = [] if known is None else list(known.messages)
    return [events.encode(event) for event in closing], ending_of([*emitted, *closing], messages, state)


def closing_events(
    log: Iterable[Event], sequence: EventSequence, terminal: Event, answer: Event
) -> list[Event]:
    """Returns the events that complete a log that has no end.

    Args:
        log: the events so far.
        sequence: a new sequence of the run.
        terminal: the terminal event.
        answer: the result for tool calls that have none.
    """
    again: list[Event] = []
    for event in log:
        with suppress(ProtocolViolationError):  # a log of an earlier version, which readers get repaired
            sequence.push(event, again)
    closing: list[Event] = []
    calls = sequence.unanswered_calls
    sequence.end(terminal, closing)
    sequence.answer_calls(calls, answer, closing)
    assert sequence.terminal is not None
    return [*closing, sequence.terminal]


def _before(emitted: list[Event], known: AgentState | None) -> tuple[list[dict[str, Any]], Any]:
    """Returns the conversation and the state at the start of the run."""
    input = (emitted[0].get("input") if emitted else None) or {}
    messages = list(known.messages) if known is not None else []
    ids = {message["id"] for message in messages}
    messages += [message for message in input.get("messages", ()) if message["id"] not in ids]
    state = input.get("state")
    return messages, state if state is not None or known is None else known.state
