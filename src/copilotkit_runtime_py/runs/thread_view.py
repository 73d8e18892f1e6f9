"""Snapshot of a thread for a reader that joins now."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..agui.call_ids import CallIds
from ..agui.events import as_asked, is_asked, is_own_approval
from ..agui.message_ids import MessageIds, ids_of
from ..agui.versions import restore_client_messages
from ..attachments.contents import linked_messages
from ..attachments.files import Attachments
from ..context import RequestContext
from ..errors import ThreadNotFoundError
from ..providers.directory import ResolvedAgent
from ..state_store.base import AgentState, RunLog, StateStore
from .healing import load_state, with_unique_calls
from .remote_run import RemoteRun
from .run import Run
from .thread_locks import ThreadLocks


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadView:
    """Snapshot of a thread for a reader that joins now.

    Attributes:
        logs: the runs that are over, in order.
        snapshot: replaces them if the log does not reach back to the beginning.
        run: the run in progress, on this worker or another one, to be read from its first entry.
        length: how many events of it there are.
    """

    logs: list[RunLog]
    snapshot: AgentState | None
    run: Run | RemoteRun | None
    length: int = 0


class ThreadReader:
    """Reads threads from the store, from runs in progress, and from the agents' own memory.

    For a caller, threads whose last agent the caller may no longer use do not exist, and
    neither do that agent's earlier runs on threads of other agents.

    Args:
        store: where threads are stored.
        locks: the runs in progress.
        attachments: the files of threads. Messages get links to them that are valid now.
    """

    def __init__(self, store: StateStore, locks: ThreadLocks, attachments: Attachments) -> None:
        self._store = store
        self._locks = locks
        self._attachments = attachments

    async def connect(
        self, agent: ResolvedAgent, thread_id: str, context: RequestContext, *, since: int
    ) -> ThreadView:
        """Returns a thread from a run on.

        Args:
            agent: its memory replaces a log that begins later than `since`.
            thread_id: the thread.
            context: who reads.
            since: the number of the first run to read.
        """
        owner = context.owner
        last = await self._locks.last(owner, thread_id)
        if last is not None and not await agent.available.may_read(last.run.agent_name):
            return ThreadView(logs=[], snapshot=None, run=None)
        here = self._locks.here(owner, thread_id)
        if here is not None and last is not None and last.run.number > here.number:
            # Another worker has ended the run, which this one does not know yet, and another run has begun.
            here = None
        if here is not None and not await agent.available.may_read(here.agent_name):
            return ThreadView(logs=[], snapshot=None, run=None)
        run: Run | RemoteRun | None = here
        if run is None and last is not None and not last.ended:
            run = self._locks.follow(last)
        latest = run.number if run is not None else last.run.number if last is not None else 0
        since = since if since <= latest else 1
        logs = with_unique_calls(await self._store.read_runs(owner, thread_id, since=since))
        length = 0
        if run is not None and run.ended and any(log.run.number == run.number and log.ended for log in logs):
            run = None  # a reader who joins after the end gets what is stored
        if run is None and logs and not logs[-1].ended:
            if await agent.available.may_read(logs[-1].run.agent_name):
                run = self._begun_since(logs[-1])
            else:
                logs = logs[:-1]
        if run is not None:
            stored = [len(log.events) for log in logs if log.run.number == run.number and not log.compacted]
            length = max(run.length, *stored, 0)
            logs = [log for log in logs if log.run.number < run.number]
        if (logs and logs[0].run.number <= since) or (run is not None and run.number <= since):
            readable = [log for log in logs if await agent.available.may_read(log.run.agent_name)]
            readable = await self._attachments.renewed_logs(readable, owner)
            return ThreadView(logs=readable, snapshot=None, run=run, length=length)
        snapshot = await self.load_state(agent, thread_id, context)
        return ThreadView(logs=[], snapshot=snapshot, run=run, length=length)

    def _begun_since(self, log: RunLog) -> Run | RemoteRun:
        """Returns a run that has begun after the reader had asked for the last one."""
        run = self._locks.here(log.run.owner, log.run.thread_id)
        return run if run is not None and run.number == log.run.number else self._locks.follow(log)

    async def load_state(
        self, agent: ResolvedAgent, thread_id: str, context: RequestContext
    ) -> AgentState | None:
        """Returns an agent's state and messages on a thread, or None if the caller has no such thread."""
        state = await self._load_state(agent, thread_id, context)
        return await self._attachments.renewed_state(state, context.owner)

    async def _load_state(
        self, agent: ResolvedAgent, thread_id: str, context: RequestContext
    ) -> AgentState | None:
        """Returns an agent's state and messages on a thread, or None if the caller has no such thread.

        An agent's own memory takes precedence over the store, which says who owns the thread: not all agents
        know owners. But what a user saw of a stopped answer is in the store alone, so where the store has all
        messages that the agent has, the conversation is the store's.
        """
        last = await self._locks.last(context.owner, thread_id)
        if last is not None and not await agent.available.may_read(last.run.agent_name):
            return None
        try:
            snapshot = await self._locks.remembered(agent.provider, thread_id, context, last)
            stored = await load_state(self._store, context.owner, thread_id, agent.name)
        except ThreadNotFoundError:
            return None
        approvals: list[dict[str, Any]] = []
        if stored is not None:
            asked = [interrupt for interrupt in stored.interrupts if is_asked(interrupt)]
            approvals = [as_asked(interrupt) for interrupt in asked if is_own_approval(interrupt)]
            stored = dataclasses.replace(stored, interrupts=list(map(as_asked, asked)))
        if snapshot is None:
            return stored
        ids, message_ids = CallIds(), MessageIds()
        ids.learn(stored.messages if stored is not None else ())
        message_ids.keep(stored.messages if stored is not None else ())
        messages = message_ids.read(ids.named(snapshot.messages))
        if stored is not None and ids_of(stored.messages) >= ids_of(messages):
            messages = stored.messages
        elif stored is not None:
            # The agent got contents instead of links.
            messages = restore_client_messages(messages, linked_messages(stored.messages))
        # Agents know nothing of the server's approvals.
        interrupts = [*map(ids.interrupt, snapshot.interrupts), *approvals]
        return AgentState(state=snapshot.state, messages=messages, interrupts=interrupts)
