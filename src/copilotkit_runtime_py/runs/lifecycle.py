"""The lifecycle of a run: recorded in the store, or ephemeral."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from ..context import RequestContext
from ..errors import PROCESS_EXITS, AgentError, StoreUnavailableError
from ..hooks import AfterRequest, Hooks, StopGeneration, tell_hook
from ..logs.records import get_logger
from ..providers.base import Provider
from ..state_store.base import RunEnding
from .agent_run import AgentRun
from .capacity import Slot
from .completion import folded, unfolded
from .journal import NO_ROOM, Journal
from .request import RunRequest
from .run import Run, RunStatus
from .thread_locks import ThreadLocks

logger = get_logger(__name__)

# How long the end of a run waits until the store returns the run's log, in seconds.
_READ_BACK: Final = 60.0
# A log of this many bytes is folded while no other one is.
_LARGE: Final = 1024 * 1024


class PersistedRun:
    """The lifecycle of a run that holds its thread and is stored.

    Args:
        request: the request.
        agent: the agent's part, which knows which messages must not be stored.
        journal: writes the run's log to the store.
        hooks: the application's hooks.
        locks: where the thread was claimed.
        slot: the run's slot.
    """

    def __init__(
        self,
        request: RunRequest,
        agent: AgentRun,
        journal: Journal,
        hooks: Hooks,
        locks: ThreadLocks,
        slot: Slot,
    ) -> None:
        self._request = request
        self._journal = journal
        self._agent = agent
        self._hooks = hooks
        self._locks = locks
        self._slot = slot
        self._output: list[dict[str, Any]] = []

    def begin(self, run: Run) -> None:
        """Starts the run. Its thread is held until `after_end`."""
        with self._slot.taken_by(run):
            run.start()
            self._journal.start(run)
        # Nothing awaits between the claim and this line, so no other request sees the thread as free.
        self._locks.hold(self._request.owner, run)

    def entries_added(self, run: Run) -> None:
        """Queues new entries for writing; readers see them once the store has them."""
        self._journal.on_entries()

    async def before_end(self, run: Run) -> None:
        """Stores the end of the run.

        The store gets an end even if the log cannot be folded: a thread whose last run has no end accepts
        no other run.
        """
        # Input that was denied, or not judged yet, must not be stored: the next run treats stored input
        # as allowed.
        withheld, state = self._agent.guard.withheld, self._request.input.state
        messages = [each for each in self._request.input.messages if each["id"] not in withheld]
        waiting = list(self._agent.approvals.waiting.values())
        if run.size > _LARGE or run.dropped:
            async with run.memory.folding(run.size):
                ending = await self._finish(run, messages, state, waiting)
        else:
            ending = await self._finish(run, messages, state, waiting)
        known = {message["id"] for message in messages}
        self._output = [message for message in ending.state.messages if message["id"] not in known]

    async def _finish(
        self, run: Run, messages: list[dict[str, Any]], state: Any, waiting: list[dict[str, Any]]
    ) -> RunEnding:
        try:
            async with asyncio.timeout(_READ_BACK if run.dropped else None):
                entries = await run.whole()
        except Exception:
            # The lease expires, and whoever has the log then ends the run.
            self._journal.tell_end_is_unsaved()
            raise
        try:
            ending = await folded(entries, messages, state, waiting)
        except Exception:
            await self._journal.finish(unfolded(entries, messages, state))
            raise
        del entries
        await self._journal.finish(ending)
        return ending

    async def make_room(self, run: Run) -> None:
        """Makes the agent wait until its events are stored and can be dropped."""
        await self._journal.make_room()

    async def after_end(self, run: Run) -> None:
        """Releases the thread, then calls the hooks, which may start its next run."""
        request = self._request
        with self._slot.given_back_by(run):
            # The journal still retries what could not be written before the end. Until it succeeds,
            # the store would refuse another run on the thread.
            await self._journal.aclose()
            if not request.recorded or self._journal.orphaned:
                await forget(request.agent.provider, request.thread_id, request.context)
            # Released first, as a hook may start the thread's next run.
            self._locks.release(request.owner, run)
            await self._announce(run)

    async def _announce(self, run: Run) -> None:
        """Calls the hook for the outcome of the run."""
        hooks, request = self._hooks, self._request
        error = run.error or (None if self._journal.complete else StoreUnavailableError())
        if error is not None:
            await tell_hook(hooks.on_error, request.failed(error, usage=run.meter.used))
        elif run.status is RunStatus.STOPPED:
            stopped = StopGeneration(request=request.before(), usage=run.meter.used)
            await tell_hook(hooks.on_stop_generation, stopped)
        else:
            after = AfterRequest(request=request.before(), output_messages=self._output, usage=run.meter.used)
            await tell_hook(hooks.on_after_request, after)


class EphemeralRun:
    """The lifecycle of a run that is not stored, such as one that makes suggestions.

    It holds no thread, so the thread may have other runs at the same time.

    Args:
        request: the request.
        locks: lists the run, so that it can be stopped.
        slot: the run's slot.
        is_new: the agent did not know the thread before, and forgets it afterwards.
    """

    def __init__(self, request: RunRequest, locks: ThreadLocks, slot: Slot, *, is_new: bool) -> None:
        self._request = request
        self._locks = locks
        self._slot = slot
        self._is_new = is_new

    def begin(self, run: Run) -> None:
        """Starts the run."""
        with self._slot.taken_by(run):
            run.start()
        self._locks.add_ephemeral(self._request.owner, run)

    def entries_added(self, run: Run) -> None:
        """Shows new entries to readers."""
        run.show()

    async def before_end(self, run: Run) -> None:
        """Does nothing: the run is not stored."""

    async def make_room(self, run: Run) -> None:
        """Ends the run: its events are in memory only."""
        raise AgentError(*NO_ROOM)

    async def after_end(self, run: Run) -> None:
        """Deletes the agent's memory of the thread, if the thread is new."""
        request = self._request
        self._locks.remove_ephemeral(request.owner, run)
        with self._slot.given_back_by(run):
            if self._is_new:
                await forget(request.agent.provider, request.thread_id, request.context)


async def forget(provider: Provider, thread_id: str, context: RequestContext) -> None:
    """Deletes an agent's memory of a thread. Exceptions are logged."""
    try:
        await provider.forget(thread_id, context)
    except (Exception, *PROCESS_EXITS):
        logger.exception("an agent could not forget thread %s", thread_id)
