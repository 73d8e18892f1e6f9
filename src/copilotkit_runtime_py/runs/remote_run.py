"""A run of another worker, read from the store while it is in progress."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from ..agui import events
from ..agui.normalizer import EventSequence
from ..backoff import pause_after
from ..errors import CopilotKitError, RunLostError, ShuttingDownError, StoreUnavailableError, masked
from ..state_store.base import RunLog, RunRecord, Signal, StateStore
from .event_log import Entry, EventLog
from .journal import SAVING
from .log_memory import LogMemory
from .recovery import Abandon, closing_events, recover_abandoned
from .run import STOPPED_ANSWER
from .stored_log import StoredLog, rest_of_compacted

# How long to wait before a read is retried, in seconds: the first time, and at most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
# How long a run is followed without readers, in seconds: a reload of a page leaves and returns.
_LINGER: Final = 10.0
_AWAY: Final = Entry.notice(
    SAVING, {"message": "This conversation cannot be read at the moment. It goes on here as soon as it can."}
)


class RemoteRun(EventLog):
    """A run of another worker, as its log in the store grows.

    It is followed while it has readers. If its worker dies, it is ended here. In every case,
    readers get exactly one terminal event.

    Args:
        store: the store.
        log: the run, as it was found.
        on_end: called once it is not followed any more.
        abandon: see `recover`.
        memory: the budget that the log belongs to.
        judged: see `recover`.
    """

    def __init__(
        self,
        store: StateStore,
        log: RunLog,
        on_end: Callable[[RemoteRun], None],
        abandon: Abandon,
        memory: LogMemory | None = None,
        *,
        judged: bool = False,
    ) -> None:
        super().__init__(log.run.number, memory)
        self.id = log.run.id
        self.owner = log.run.owner
        self.thread_id = log.run.thread_id
        self.source = self._stored = StoredLog(store, log.run)
        self._store = store
        self._on_end = on_end
        self._abandon = abandon
        self._judged = judged
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._follow(), name=f"follow run {self.id}")
        self._left()

    async def wait(self, seconds: float | None = None) -> bool:
        """Waits up to `seconds` for the end of the run. Returns whether it has ended."""
        news = asyncio.Event()
        # A waiting caller counts as a reader, so the run is followed meanwhile.
        reader = self.subscribe(news.set, self.length)
        try:
            async with asyncio.timeout(seconds):
                while not self.ended:
                    await news.wait()
                    news.clear()
        except TimeoutError:
            return False
        finally:
            reader.close()
        return True

    async def aclose(self) -> None:
        """Stops following. Readers get an error that says so; the run itself continues."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _follow(self) -> None:
        failures = 0
        error: CopilotKitError = ShuttingDownError()  # what a cancellation of this task means
        try:
            while not self.ended:
                try:
                    async with self._store.watch(self.thread_id, self._on_signal):
                        while not self.ended:
                            lease = await self._read()
                            failures = 0
                            await self._wait_for_news(lease)
                except StoreUnavailableError:
                    if failures == 0:
                        self.tell(_AWAY)
                    await asyncio.sleep(pause_after(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
                    failures += 1
        except Exception as caught:
            error = masked(caught, f"following run {self.id} on thread {self.thread_id}")
        finally:
            if not self.ended:
                # This event has no position in the log: the run continues.
                self.add(Entry.aside(events.run_error(error.message, error.code)))
                self.end()
            self._on_end(self)

    async def _read(self) -> float | None:
        """Reads new events, and ends the run if its worker died. Returns for how long it is leased."""
        self._news.clear()
        count = self.piece
        log = await self._stored.find(self.length, count)
        if self.notice is not None:
            self.tell(None)
        if log is None:
            await self._end_deleted()
            return None
        if log.compacted:  # this worker is so far behind that the thread's next run is over, too
            entries = rest_of_compacted(log, self.length)
        else:
            entries = list(map(Entry.stored, log.events))
            self.in_store += len(entries)
        for entry in entries:
            self.add(entry)
        if not log.compacted and len(entries) >= count:
            self._news.set()  # there may be more
        elif log.ended:
            self.end()
        self.show()
        self.memory.relieve()
        if log.lease is not None and log.lease <= 0:
            await recover_abandoned(
                self._store, self.owner, self.thread_id, self._abandon, judged=self._judged
            )
            self._news.set()
        return log.lease

    def is_run(self, run: RunRecord) -> bool:
        """Whether a run is this one."""
        return self._stored.is_run(run)

    async def _end_deleted(self) -> None:
        """Ends the run as its worker does: its thread was deleted, which stops it."""
        if self.dropped:  # which messages are open is unknown
            error = RunLostError()
            self.add(Entry.aside(events.run_error(error.message, error.code)))
            self.end()
            return
        log = [entry.event for entry in self.entries]
        sequence = EventSequence(self.thread_id, self.id, strict_stream=False)
        terminal = events.run_finished(self.thread_id, self.id)
        closing = await asyncio.to_thread(closing_events, log, sequence, terminal, STOPPED_ANSWER)
        for event in closing:
            self.add(Entry.of(event))
        self.end()

    async def _wait_for_news(self, lease: float | None) -> None:
        """Waits for a signal, but no longer than the lease of the run."""
        if self.ended:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(lease):
                await self._news.wait()

    def _on_signal(self, signal: Signal) -> None:
        if signal is Signal.EVENTS:
            self._news.set()

    def _left(self) -> None:
        if not self.is_read and not self.ended:
            asyncio.get_running_loop().call_later(_LINGER, self._stop_unread)

    def _stop_unread(self) -> None:
        if not self.is_read and not self.ended:
            self._on_end(self)
            self._task.cancel()
