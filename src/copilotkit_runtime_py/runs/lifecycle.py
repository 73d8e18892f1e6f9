"""What a run does besides producing events: it is recorded, or it leaves nothing behind."""

from __future__ import annotations

from ..context import RequestContext
from ..errors import PROCESS_EXITS
from ..logs.records import get_logger
from ..providers.base import Provider
from .capacity import Slot
from .completion import Completion
from .journal import Journal
from .request import RunRequest
from .run import Run
from .thread_locks import ThreadLocks

logger = get_logger(__name__)


class PersistedRun:
    """The life of a run that holds its thread and is recorded.

    The order at its end: the store has the end before readers see it, so whoever sees the terminal event
    finds the state in the store. The thread is released only when the agent is done with it, because the next
    run would read a memory that is still being written. Hooks come last: they may start the next run.

    Args:
        request: what was asked.
        journal: writes the run's log to the store.
        completion: records the end, and calls the hooks.
        locks: has the thread.
        slot: has the run among those in progress.
    """

    def __init__(
        self, request: RunRequest, journal: Journal, completion: Completion, locks: ThreadLocks, slot: Slot
    ) -> None:
        self._request = request
        self._journal = journal
        self._completion = completion
        self._locks = locks
        self._slot = slot

    def entries_added(self, run: Run) -> None:
        """Has new entries written; readers see them when the store has them."""
        self._journal.on_entries()

    async def before_end(self, run: Run) -> None:
        """Hands the end of the run to the store."""
        await self._completion.record(run)

    async def after_end(self, run: Run) -> None:
        """Releases the thread, then calls the hooks."""
        request = self._request
        with self._slot.given_back_by(run):
            await self._journal.aclose()
            if not request.recorded or self._journal.orphaned:
                await forget(request.agent.provider, request.thread_id, request.context)
            self._locks.release(request.owner, run)
            await self._completion.announce(run)


class EphemeralRun:
    """The life of a run that leaves nothing behind, such as one that makes suggestions.

    It holds no thread, so the thread may have another run at the same time.

    Args:
        request: what was asked.
        locks: lists the run, so that it can be stopped.
        slot: has the run among those in progress.
        is_new: the agent did not know the thread before, and is to forget it.
    """

    def __init__(self, request: RunRequest, locks: ThreadLocks, slot: Slot, *, is_new: bool) -> None:
        self._request = request
        self._locks = locks
        self._slot = slot
        self._is_new = is_new

    def entries_added(self, run: Run) -> None:
        """Shows new entries to readers."""
        run.show()

    async def before_end(self, run: Run) -> None:
        """Does nothing: no store knows the run."""

    async def after_end(self, run: Run) -> None:
        """Has the agent forget the thread, if it did not know it before."""
        self._locks.remove_ephemeral(self._request.owner, run)
        with self._slot.given_back_by(run):
            if self._is_new:
                request = self._request
                await forget(request.agent.provider, request.thread_id, request.context)


async def forget(provider: Provider, thread_id: str, context: RequestContext) -> None:
    """Has an agent delete what it remembers of a thread. What it raises is logged."""
    try:
        await provider.forget(thread_id, context)
    except (Exception, *PROCESS_EXITS):
        logger.exception("an agent could not forget thread %s", thread_id)
