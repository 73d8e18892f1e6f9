"""A thread as a reader finds it who comes now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .active_runs import ActiveRuns
from .event_log import EventLog
from .state_store.base import AgentState, RunLog, StateStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A thread as a reader that comes now finds it.

    Attributes:
        logs: the runs that are over, in order.
        snapshot: what stands in for them where the log does not reach back to the beginning.
        run: the run in progress, of this worker or another one, to be read from its first entry.
    """

    logs: list[RunLog]
    snapshot: AgentState | None
    run: EventLog | None


async def connect(
    store: StateStore,
    active: ActiveRuns,
    owner: str,
    thread_id: str,
    *,
    since: int,
    recall: Callable[[], Awaitable[AgentState | None]],
) -> Connection:
    """Returns a thread from a run on.

    Args:
        store: where its log is.
        active: the runs in progress.
        owner: who reads.
        thread_id: the thread.
        since: the place of the first run to read among the runs of its thread.
        recall: tells what stands in for a log that begins later.
    """
    last = await active.last(owner, thread_id)
    run: EventLog | None = active.here(owner, thread_id)
    if run is None and last is not None and not last.ended:
        run = active.follow(last)
    latest = run.number if run is not None else last.run.number if last is not None else 0
    since = since if since <= latest else 1
    logs = await store.read_runs(owner, thread_id, since=since)
    logs = [log for log in logs if run is None or log.run.number < run.number]
    if (logs and logs[0].run.number <= since) or (run is not None and run.number <= since):
        return Connection(logs=logs, snapshot=None, run=run)
    return Connection(logs=[], snapshot=await recall(), run=run)
