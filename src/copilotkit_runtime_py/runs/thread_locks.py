"""Which thread has a run in progress: at most one, on whichever worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from weakref import WeakValueDictionary

from ..context import ANONYMOUS, RequestContext
from ..errors import StoreUnavailableError, ThreadBusyError, ThreadNotFoundError
from ..limits import Limits
from ..providers.base import AgentSnapshot, Provider
from ..state_store.base import AgentState, RunLog, RunRecord, StateStore
from .healing import load_state
from .log_memory import LogMemory
from .recovery import Abandon, recover_abandoned
from .remote_run import RemoteRun
from .request import RunRequest
from .run import Run

# Longer than any log.
_BEYOND: Final = 2**31 - 1

BusyThreadPolicy: TypeAlias = Literal["reject", "supersede", "enqueue"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A thread that is claimed for a run.

    Attributes:
        record: the run, as the store knows it.
        known: the agent's state on the thread after its last run, or None if there was none.
    """

    record: RunRecord
    known: AgentState | None


class ThreadLocks:
    """The runs in progress, by thread. Runs that the store does not know are listed separately.

    Args:
        store: shared by all workers.
        on_busy_thread: what a new run on a thread with a run in progress does.
        limits: how long a new run waits for the other one.
        abandon: see `recover`.
        judged: see `recover`.
        memory: the budget of the logs in this process.
    """

    def __init__(
        self,
        store: StateStore,
        on_busy_thread: BusyThreadPolicy,
        limits: Limits,
        abandon: Abandon,
        *,
        memory: LogMemory | None = None,
        judged: bool = False,
    ) -> None:
        self._store = store
        self._on_busy_thread = on_busy_thread
        self._limits = limits
        self._abandon = abandon
        self._judged = judged
        self._memory = memory or LogMemory()
        # By owner and thread. A run is listed from its claim until it is recorded and its agent is done: this
        # process must not start another one before.
        self._runs: dict[tuple[str, str], Run] = {}
        self._ephemeral: dict[tuple[str, str], list[Run]] = {}
        self._remote: dict[tuple[str, str], RemoteRun] = {}
        # A lock exists for as long as a request holds it or waits for it.
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def here(self, owner: str, thread_id: str) -> Run | None:
        """Returns the thread's run, if it belongs to this process."""
        return self._runs.get((owner, thread_id))

    def all_here(self, owner: str, thread_id: str) -> Iterable[Run]:
        """Returns the thread's run, if it belongs to this process, and the thread's ephemeral runs."""
        run = self.here(owner, thread_id)
        return [*(() if run is None else (run,)), *self._ephemeral.get((owner, thread_id), ())]

    async def last(self, owner: str, thread_id: str) -> RunLog | None:
        """Returns the thread's last run, without events. If its worker died, the run is ended first.

        A run of this process continues although its lease has expired, as after an outage of the store.
        """
        # The second look sees how the run was ended, by this worker or by one that was faster.
        for _ in range(2):
            logs = await self._store.read_runs(owner, thread_id, since=-1, position=_BEYOND)
            if not logs or logs[0].lease is None or logs[0].lease > 0:
                break
            here = self.here(owner, thread_id)
            if here is not None and here.number >= logs[0].run.number:
                break
            await recover_abandoned(self._store, owner, thread_id, self._abandon, judged=self._judged)
        return logs[-1] if logs else None

    async def known(self, request: RunRequest) -> AgentState | None:
        """Returns the agent's state on the thread after its last run, or None if there was none.

        Raises:
            ThreadNotFoundError: the store or the agent says that the thread is another owner's.
        """
        agent, context = request.agent, request.context
        known = await load_state(self._store, context.owner, request.thread_id, agent.name)
        if known is None and context.owner != ANONYMOUS:
            # This has to be asked before the claim, after which the thread is the caller's.
            last = await self.last(context.owner, request.thread_id)
            await self.remembered(agent.provider, request.thread_id, context, last)
        return known

    async def remembered(
        self, provider: Provider, thread_id: str, context: RequestContext, last: RunLog | None
    ) -> AgentSnapshot | None:
        """Returns an agent's own memory of a thread.

        Args:
            provider: the agent's provider.
            thread_id: the thread.
            context: who asks.
            last: the thread's last run, if the caller has such a thread.

        Raises:
            ThreadNotFoundError: neither the store nor the agent says that the thread is the caller's. A
                thread without an owner belongs to the anonymous user.
        """
        snapshot = await provider.snapshot(thread_id, context)
        if snapshot is None or last is not None or context.owner == (snapshot.owner or ANONYMOUS):
            return snapshot
        raise ThreadNotFoundError(thread_id)

    @asynccontextmanager
    async def claim(
        self, request: RunRequest, store: StateStore, *, title: str | None = None
    ) -> AsyncIterator[Claim]:
        """Claims the thread for a run, as soon as the thread is free. `hold` keeps it after the block.

        Nothing may fail or wait between the claim and `hold`, or the store would hold the thread for a run
        without a producer. So everything that can refuse the request comes first. The one exception is a
        thread with open questions: what is known of it is read once more.

        Args:
            request: the request.
            store: where the run is recorded.
            title: the name for a thread that has none.

        Raises:
            ThreadBusyError: the thread has a run in progress, and the policy does not let this one wait.
            ThreadNotFoundError: the thread belongs to another owner.
        """
        owner, thread_id = request.owner, request.thread_id
        record = request.record(title)
        # Requests for one thread take turns, so that requests of this process do not race in the store.
        async with self._locks.setdefault((owner, thread_id), asyncio.Lock()):
            while True:
                await self.wait_here(owner, thread_id)
                # Read again at each attempt: the run that was waited for has changed it.
                known = await self.known(request) if request.recorded else None
                try:
                    record = await store.begin_run(record)
                    break
                except ThreadBusyError:
                    await self._wait_elsewhere(owner, thread_id)
            if known is not None and known.interrupts:
                # A whole run of another worker may have happened since, and used the answer that this request
                # brings: a call that was approved must not run twice. If the store fails here, the thread
                # stays claimed until the lease ends.
                known = await load_state(self._store, owner, thread_id, request.agent.name)
            yield Claim(record, known)

    def hold(self, owner: str, run: Run) -> None:
        """Holds a claimed thread for its run, until `release`."""
        self._runs[owner, run.thread_id] = run

    def release(self, owner: str, run: Run) -> None:
        """Releases the thread for its next run."""
        key = (owner, run.thread_id)
        if self._runs.get(key) is run:
            del self._runs[key]

    def add_ephemeral(self, owner: str, run: Run) -> None:
        """Lists a run that holds no thread, so that it can be stopped, until `remove_ephemeral`."""
        self._ephemeral.setdefault((owner, run.thread_id), []).append(run)

    def remove_ephemeral(self, owner: str, run: Run) -> None:
        """Removes a run from the list."""
        key = (owner, run.thread_id)
        self._ephemeral[key].remove(run)
        if not self._ephemeral[key]:
            del self._ephemeral[key]

    async def wait_here(self, owner: str, thread_id: str, *, patience: float = 0.0) -> None:
        """Waits until no run of this process holds the thread, as far as the policy allows.

        Raises:
            ThreadBusyError: the thread has a run in progress, and still after `patience` seconds.
            StoreUnavailableError: its last run is over, but cannot be recorded.
        """
        while (run := self.here(owner, thread_id)) is not None:
            if not run.stopping and not run.ended:
                if self._on_busy_thread == "reject" and not await run.stops_within(patience):
                    raise ThreadBusyError(thread_id)
                if self._on_busy_thread == "supersede":
                    run.stop()
            # A run that is over may wait for the store. Once its end was seen, it gets the same time again.
            over = False
            while not await run.recorded_within(self._limits.store_seconds + self._limits.cancel_seconds):
                if over:
                    raise StoreUnavailableError
                over = run.ended
            self.release(owner, run)

    async def _wait_elsewhere(self, owner: str, thread_id: str) -> None:
        """Waits until no other worker's run holds the thread, as far as the policy allows."""
        log = await self.last(owner, thread_id)
        if log is None or log.ended:
            return
        if self._on_busy_thread == "supersede":
            await self._store.request_stop(owner, thread_id)
        patience = self._limits.busy_seconds if self._on_busy_thread == "reject" else None
        if not await self.follow(log).wait(patience):
            raise ThreadBusyError(thread_id)

    async def stop_elsewhere(self, owner: str, thread_id: str) -> None:
        """Asks another worker's run to stop, and waits until its agent is done, but not for long."""
        if await self._store.request_stop(owner, thread_id):
            log = await self.last(owner, thread_id)
            if log is not None and not log.ended:
                await self.follow(log).wait(self._limits.cancel_seconds)

    def follow(self, log: RunLog) -> RemoteRun:
        """Returns another worker's run, to be read while it is in progress."""
        key = (log.run.owner, log.run.thread_id)
        run = self._remote.get(key)
        if run is None or not run.is_run(log.run):
            run = self._remote[key] = RemoteRun(
                self._store, log, self._unfollow, self._abandon, self._memory, judged=self._judged
            )
        return run

    def _unfollow(self, run: RemoteRun) -> None:
        key = (run.owner, run.thread_id)
        if self._remote.get(key) is run:
            del self._remote[key]

    async def aclose(self) -> None:
        """Stops following the runs of other workers."""
        for run in list(self._remote.values()):
            await run.aclose()
