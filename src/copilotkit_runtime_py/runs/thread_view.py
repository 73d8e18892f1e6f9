"""A thread as one finds it who comes now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..context import ANONYMOUS, RequestContext
from ..errors import ThreadNotFoundError
from ..providers.base import AgentSnapshot, Provider
from ..state_store.base import AgentState, RunLog, StateStore
from .event_log import EventLog
from .prepare import ids_of
from .thread_locks import ThreadLocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A thread as a reader that comes now finds it.

    Attributes:
        logs: the runs that are over, in order.
        snapshot: what stands in for them where the log does not reach back to the beginning.
        run: the run in progress, of this worker or another one, to be read from its first entry.
        length: how many events of it there are.
    """

    logs: list[RunLog]
    snapshot: AgentState | None
    run: EventLog | None
    length: int = 0


async def connect(
    store: StateStore,
    active: ThreadLocks,
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
    length = 0
    if run is not None:
        stored = [len(log.events) for log in logs if log.run.number == run.number and not log.compacted]
        length = max(len(run.entries), *stored, 0)
        logs = [log for log in logs if log.run.number < run.number]
    if (logs and logs[0].run.number <= since) or (run is not None and run.number <= since):
        return Connection(logs=logs, snapshot=None, run=run, length=length)
    return Connection(logs=[], snapshot=await recall(), run=run, length=length)


async def load_known(
    store: StateStore,
    active: ThreadLocks,
    agent_name: str,
    agent: Provider,
    thread_id: str,
    context: RequestContext,
) -> AgentState | None:
    """Returns what the store keeps of a thread that a run is about to go on with, None of a new one.

    Raises:
        ThreadNotFoundError: the thread is another owner's, as the store or the agent has it.
    """
    known = await store.load_state(context.owner, thread_id, agent_name)
    if known is None and context.owner != ANONYMOUS:
        await _remembered(active, agent, thread_id, context)
    return known


async def load_agent_state(
    store: StateStore,
    active: ThreadLocks,
    agent_name: str,
    agent: Provider,
    thread_id: str,
    context: RequestContext,
) -> AgentState | None:
    """Returns an agent's state and messages on a thread, or None where the caller has no such thread.

    An agent's own memory counts more than the store, which says whose the thread is: not all agents know
    owners. But what a user saw of a stopped answer is in the store alone, so where the store knows all
    messages that the agent does, the conversation is the store's.
    """
    try:
        snapshot = await _remembered(active, agent, thread_id, context)
        kept = await store.load_state(context.owner, thread_id, agent_name)
    except ThreadNotFoundError:
        return None
    if snapshot is None:
        return kept
    messages = snapshot.messages
    if kept is not None and ids_of(kept.messages) >= ids_of(messages):
        messages = kept.messages
    return AgentState(state=snapshot.state, messages=messages, interrupts=snapshot.interrupts)


async def _remembered(
    active: ThreadLocks, agent: Provider, thread_id: str, context: RequestContext
) -> AgentSnapshot | None:
    """Returns what the agent itself remembers of a thread.

    Raises:
        ThreadNotFoundError: the thread is another owner's, or neither the store nor the agent says that it is
            the caller's. What is nobody's belongs to the anonymous user.
    """
    last = await active.last(context.owner, thread_id)
    snapshot = await agent.snapshot(thread_id, context)
    if snapshot is None or last is not None or context.owner == (snapshot.owner or ANONYMOUS):
        return snapshot
    raise ThreadNotFoundError(thread_id)
