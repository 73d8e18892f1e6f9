"""Writing the logs of all runs of a process to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ..backoff import pause_after
from ..errors import RunDataLostError, RunLostError, StoreUnavailableError
from ..logs.records import get_logger
from ..state_store.base import (
    Append,
    AppendResult,
    BatchStateStore,
    RunEnding,
    RunRecord,
    Signal,
    StateStore,
    batching,
)
from ..telemetry import append_timed
from .journal import Journal
from .lease_guard import LeaseGuard
from .loop_watchdog import LoopWatchdog
from .recovery import grace

logger = get_logger(__name__)

# A write costs much more than an event. This many events are written at once; fewer wait for others, but no
# longer than the interval, in seconds. After a pause, the first few writes do not wait. While other runs
# write, the first writes of a new run wait only for a moment, in which a short run is over.
_WORTH_A_WRITE: Final = 8
_INTERVAL: Final = 0.02
_WRITES_AT_ONCE: Final = 4
_MOMENT: Final = 0.002
# How many runs and bytes are written at once, at most.
_RUNS: Final = 500
_BYTES: Final = 1024 * 1024
# How long to wait before a write is retried, in seconds: the first time, and at most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0


class JournalWriter:
    """Writes the new events of all runs of a process together, in one task.

    It renews the leases of silent runs, all at once, and passes on requests to stop a run.

    Args:
        store: the store.
        patience: how long readers wait before a notice says that the store is slow, and how long it may fail
            before they see what it does not have, in seconds.
        watchdog: renews the leases while the event loop is blocked.

    Attributes:
        store: the store.
        patience: see above.
        closed: nothing is written any more.
    """

    def __init__(self, store: StateStore, *, patience: float, watchdog: LoopWatchdog | None = None) -> None:
        self.store = store
        self.patience = patience
        self.closed = False
        self._batches = batching(store)
        if watchdog is not None and self._batches is not None and self.writes_ahead:
            guard = LeaseGuard(self._batches, self.lease_seconds, self._held)
            watchdog.while_blocked(guard.while_blocked)
        self._journals: dict[str, Journal] = {}
        # A dictionary serves as an ordered set.
        self._ready: dict[Journal, None] = {}
        self._events = 0
        self._urgent = False
        self._begins_at: float | None = None
        self._credit = float(_WRITES_AT_ONCE)
        self._credited_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        # Tasks that receive requests to stop, and tasks that end lost runs.
        self._listeners: dict[str | None, asyncio.Task[None]] = {}
        self._losing: set[asyncio.Task[None]] = set()

    @property
    def writes_ahead(self) -> bool:
        """Whether events are written before readers see them: not to a store that ends with the process."""
        return self.store.lease_seconds is not None

    @property
    def lease_seconds(self) -> float:
        """How long a write leases a run to its producer."""
        assert self.store.lease_seconds is not None
        return self.store.lease_seconds

    def add(self, journal: Journal) -> None:
        """Registers a journal: renews its run's lease, and stops the run on request."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # If each request has a loop of its own, as in tests, the last loop is gone with its tasks.
            self._loop, self.closed = loop, False
            self._task = self._waiter = self._timer = self._renewal = None
            self._listeners.clear()
        journal.written_at = loop.time()
        self._journals[journal.record.producer] = journal
        if self._renewal is None:
            self._renew()
        batches = self._batches
        key = None if batches else journal.record.producer
        listener = self._listeners.get(key)
        if listener is None:
            listen = self._listen_for_all(batches) if batches else self._listen_for(journal)
            self._listeners[key] = loop.create_task(listen, name="requests to stop runs")

    def remove(self, journal: Journal) -> None:
        """Unregisters a journal: nothing more of it is written."""
        self._journals.pop(journal.record.producer, None)
        self._ready.pop(journal, None)
        listener = self._listeners.pop(journal.record.producer, None)
        if listener is not None:
            listener.cancel()

    def mark(self, journal: Journal, events: int) -> None:
        """Notes that a journal has `events` more events to write."""
        self._ready[journal] = None
        self._events += events
        if self._begins_at is None and journal.writes < _WRITES_AT_ONCE:
            self._begins_at = asyncio.get_running_loop().time() + _MOMENT
        waiter = self._waiter
        if waiter is None:
            self._start()
        elif not waiter.done():
            self._wake_if_due()

    def write_now(self, journal: Journal) -> None:
        """Writes a journal as soon as possible, also without new events: that renews the lease."""
        if journal.record.producer in self._journals:
            self._urgent = True
            self.mark(journal, 0)

    async def write_once(self, record: RunRecord, data: Sequence[bytes], ending: RunEnding) -> None:
        """Writes a whole run to a store that ends with the process."""
        try:
            await self.store.append(record, 0, data, ending=ending)
        except RunLostError:
            logger.info("run %s is not saved: its thread was deleted", record.id)
        except Exception:
            logger.exception("the log of run %s cannot be saved", record.id)
            await self.store.append(record, 0, (), ending=ending)

    async def aclose(self) -> None:
        """Ends the tasks. Runs in progress end when their leases expire."""
        for timer in (self._renewal, self._timer):
            if timer is not None:
                timer.cancel()
        tasks = {*self._listeners.values(), *self._losing}
        if self._task is not None:
            tasks.add(self._task)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._listeners.clear()

    def _start(self) -> None:
        if self._task is None and not self.closed:
            self._task = asyncio.create_task(self._work(), name="writer of journals")

    async def _work(self) -> None:
        try:
            while True:
                await self._wait_until_due()
                await self._write(self._take())
        finally:
            # The loop or the runtime is about to end.
            self.closed = True
            for journal in self._journals.values():
                journal.on_closed()

    async def _wait_until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_due(loop.time()):
            self._waiter = loop.create_future()
            self._set_timer()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _is_due(self, now: float) -> bool:
        if not self._ready:
            return False
        self._credit = min(_WRITES_AT_ONCE, self._credit + (now - self._credited_at) / _INTERVAL)
        self._credited_at = now
        if self._begins_at is not None and now >= self._begins_at:
            return True
        return self._urgent or self._events >= _WORTH_A_WRITE or self._credit >= 1

    def _wake_if_due(self) -> None:
        assert self._waiter is not None
        if self._is_due(asyncio.get_running_loop().time()):
            self._waiter.set_result(None)
        else:
            self._set_timer()

    def _set_timer(self) -> None:
        if not self._ready:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + (1 - self._credit) * _INTERVAL
        if self._begins_at is not None:
            due = min(due, self._begins_at)
        # The loop's timers have a resolution of a millisecond, and may be early by as much.
        due += 0.001
        if self._timer is None or due < self._timer.when() - 0.001:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is not None and not self._waiter.done():
            self._wake_if_due()

    def _take(self) -> list[tuple[Journal, Append]]:
        """Returns the next writes."""
        if self._events < _WORTH_A_WRITE and not self._urgent and self._credit >= 1:
            self._credit -= 1
        batch: list[tuple[Journal, Append]] = []
        total = 0
        while self._ready and total < _BYTES and len(batch) < _RUNS:
            journal = next(iter(self._ready))
            del self._ready[journal]
            append, size = journal.next_append()
            batch.append((journal, append))
            total += size
        if not self._ready:
            self._events, self._urgent, self._begins_at = 0, False, None
        return batch

    async def _write(self, batch: Sequence[tuple[Journal, Append]]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        watchdog = loop.call_later(self.patience, self._on_slow)
        outcomes: Sequence[AppendResult | Exception]
        try:
            # A worker that has not written for this long may have lost the run.
            async with asyncio.timeout(self.lease_seconds):
                with append_timed():
                    outcomes = await self._append([append for _, append in batch])
        except Exception as error:
            outcomes = [error] * len(batch)
        finally:
            watchdog.cancel()
        for (journal, append), outcome in zip(batch, outcomes, strict=True):
            if journal.record.producer in self._journals:
                self._settle(journal, append, outcome, began)

    async def _append(self, appends: Sequence[Append]) -> Sequence[AppendResult | Exception]:
        if self._batches is not None:
            return await self._batches.append_many(appends)
        calls = (
            self.store.append(append.run, append.position, append.events, ending=append.ending)
            for append in appends
        )
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        return [_raised(outcome) if isinstance(outcome, BaseException) else outcome for outcome in outcomes]

    def _settle(
        self, journal: Journal, append: Append, outcome: AppendResult | Exception, began: float
    ) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(outcome, ValueError) and journal.is_beyond_repair:
            outcome = RunDataLostError()
        if isinstance(outcome, RunLostError):
            self.remove(journal)
            task = loop.create_task(journal.lose(outcome), name=f"end of run {journal.record.id}")
            self._losing.add(task)
            task.add_done_callback(self._losing.discard)
        elif isinstance(outcome, Exception):
            journal.on_failed(outcome, began)
            # Other workers take over runs whose leases are not renewed soon after an outage.
            longest = min(_LONGEST_PAUSE, grace(self.store) / 2)
            pause = pause_after(journal.failures - 1, first=_FIRST_PAUSE, longest=longest)
            loop.call_later(pause, self.write_now, journal)
        else:
            journal.on_written(append, outcome, began)
            if journal.complete:
                self.remove(journal)
            elif journal not in self._ready and journal.unsaved:
                self.mark(journal, _WORTH_A_WRITE)

    def _on_slow(self) -> None:
        logger.warning("the state store is slow: readers have waited for %g s", self.patience)
        for journal in self._journals.values():
            journal.on_slow()

    def _renew(self) -> None:
        """Has the leases renewed of those that have not written for long."""
        loop = asyncio.get_running_loop()
        self._renewal = None
        if self._journals:
            self._renewal = loop.call_later(self.lease_seconds / 6, self._renew)
        for journal in self._journals.values():
            if not journal.failures and loop.time() - journal.written_at > self.lease_seconds / 4:
                self.write_now(journal)

    def _held(self) -> list[Append]:
        return [Append(journal.record, journal.stored, ()) for journal in list(self._journals.values())]

    async def _listen_for_all(self, store: BatchStateStore) -> None:
        while True:
            try:
                async with store.watch_stops(self._on_stop):
                    self._on_stop(None)  # runs may have been asked to stop before
                    await asyncio.Event().wait()
            except StoreUnavailableError:
                await asyncio.sleep(_LONGEST_PAUSE)
            except Exception:
                # A request to stop is heard of at the next write all the same.
                logger.exception("requests to stop runs cannot be heard")
                await asyncio.sleep(self.lease_seconds)

    async def _listen_for(self, journal: Journal) -> None:
        """Does that for a store that has to watch each thread."""
        while True:
            try:
                async with self.store.watch(
                    journal.record.thread_id, lambda signal: self._on_signal(journal, signal)
                ):
                    self.write_now(journal)
                    await asyncio.Event().wait()
            except StoreUnavailableError:
                await asyncio.sleep(_LONGEST_PAUSE)
            except Exception:
                logger.exception("run %s cannot watch its thread", journal.record.id)
                await asyncio.sleep(self.lease_seconds)

    def _on_signal(self, journal: Journal, signal: Signal) -> None:
        if signal is Signal.STOP:
            self._on_stop(journal.record.producer)

    def _on_stop(self, producer: str | None) -> None:
        """Has a run written, or all: it may be a false alarm, and the store knows."""
        for journal in [*self._journals.values()] if producer is None else [self._journals.get(producer)]:
            if journal is not None:
                self.write_now(journal)


def _raised(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    raise error
