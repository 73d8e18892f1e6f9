"""Which runs are in progress: those of this process, and those of other workers that are followed here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeAlias
from weakref import WeakValueDictionary

from ..errors import StoreUnavailableError, ThreadBusyError
from ..limits import Limits
from ..state_store.base import RunLog, StateStore
from .recovery import recover
from .remote_run import RemoteRun
from .run import Run

# No log is so long.
_BEYOND: Final = 2**31 - 1

BusyThreadPolicy: TypeAlias = Literal["reject", "supersede", "enqueue"]


class ThreadLocks:
    """The runs in progress, by thread. Each thread has one at most, on whichever worker.

    Args:
        store: what all workers share.
        on_busy_thread: what a new run on a thread with a run in progress does.
        limits: how long a new run waits for the other one.
    """

    def __init__(self, store: StateStore, *, on_busy_thread: BusyThreadPolicy, limits: Limits) -> None:
        self._store = store
        self._on_busy_thread = on_busy_thread
        self._limits = limits
        self._runs: dict[tuple[str, str], Run] = {}
        self._followed: dict[tuple[str, str], RemoteRun] = {}
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def here(self, owner: str, thread_id: str) -> Run | None:
        """Returns the thread's run, if it is one of this process."""
        return self._runs.get((owner, thread_id))

    async def last(self, owner: str, thread_id: str) -> RunLog | None:
        """Returns the thread's last run, without events. If its worker is gone, it is ended before.

        A run of this process goes on although its lease has run out, as after an outage of the store.
        """
        for _ in range(2):
            logs = await self._store.read_runs(owner, thread_id, since=-1, position=_BEYOND)
            if not logs or logs[0].lease is None or logs[0].lease > 0 or self.here(owner, thread_id):
                break
            await recover(self._store, owner, thread_id)
        return logs[-1] if logs else None

    def follow(self, log: RunLog) -> RemoteRun:
        """Returns a run of another worker, to be read while it goes on."""
        key = (log.run.owner, log.run.thread_id)
        run = self._followed.get(key)
        if run is None or run.number != log.run.number:
            run = self._followed[key] = RemoteRun(self._store, log, self._forget_followed)
        return run

    async def claim(self, owner: str, thread_id: str, begin: Callable[[], Awaitable[Run]]) -> Run:
        """Makes the thread's run with `begin`, as soon as the thread is free.

        Raises:
            ThreadBusyError: the thread has a run in progress, and the policy does not let this one wait.
        """
        key = (owner, thread_id)
        async with self._locks.setdefault(key, asyncio.Lock()):
            while True:
                await self.wait_here(owner, thread_id)
                try:
                    run = self._runs[key] = await begin()
                    return run
                except ThreadBusyError:
                    await self._wait_elsewhere(owner, thread_id)

    async def wait_here(self, owner: str, thread_id: str, *, patience: float = 0.0) -> None:
        """Waits until no run of this process has the thread, as far as the policy has it.

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
            told = False
            while not await run.recorded_within(self._limits.store_seconds + self._limits.cancel_seconds):
                if told:
                    raise StoreUnavailableError
                told = run.ended
            self.forget(owner, run)

    async def _wait_elsewhere(self, owner: str, thread_id: str) -> None:
        """Waits until no other worker's run has the thread, as far as the policy has it."""
        log = await self.last(owner, thread_id)
        if log is None or log.ended:
            return
        if self._on_busy_thread == "supersede":
            await self._store.request_stop(owner, thread_id)
        patience = self._limits.busy_seconds if self._on_busy_thread == "reject" else None
        if not await self.follow(log).wait(patience):
            raise ThreadBusyError(thread_id)

    def forget(self, owner: str, run: Run) -> None:
        """Lets the thread's next run begin."""
        key = (owner, run.thread_id)
        if self._runs.get(key) is run:
            del self._runs[key]

    def _forget_followed(self, run: RemoteRun) -> None:
        key = (run.owner, run.thread_id)
        if self._followed.get(key) is run:
            del self._followed[key]

    async def aclose(self) -> None:
        """Stops to follow the runs of other workers."""
        for run in list(self._followed.values()):
            await run.aclose()
