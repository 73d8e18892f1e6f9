"""How the log of a run in progress gets into the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import islice
from typing import Final

from ..agui import events
from ..backoff import pause_after
from ..errors import RunLostError, StoreUnavailableError
from ..logs.records import get_logger
from ..state_store.base import RunEnding, RunRecord, Signal, StateStore
from ..telemetry import append_timed
from .event_log import Entry
from .run import Run

logger = get_logger(__name__)

# While events keep coming, they are written together at this interval, in seconds. The first goes at once.
# A store that is slow under load gets more at a time: the interval is a multiple of what a write takes.
_INTERVAL: Final = 0.02
_LONGEST_INTERVAL: Final = 0.25
_WRITES_PER_PAUSE: Final = 8
# The most bytes that are written at once, unless one event is larger.
_BATCH: Final = 1024 * 1024
# How long to wait before writing is tried again, in seconds: the first time, and at most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0

UNSAVED: Final = "unsaved"
"""The name of the CUSTOM event that tells readers of events which could not be kept before the run's end."""


class Journal:
    """Writes the log of one run to the store as it happens, and shows readers what is kept.

    So a reader has seen nothing that is lost with the process. Where the store cannot be reached, readers are
    not kept waiting: they see everything at once, the log itself is the buffer, and writing is tried again.

    It also keeps the run's lease, and hears of it when another worker asks the run to stop.

    Args:
        store: the store.
        record: the run, as the store knows it.
        patience: how long readers, and the end of the run, wait for the store, in seconds.

    Attributes:
        orphaned: the thread was deleted while the run went on.
    """

    def __init__(self, store: StateStore, record: RunRecord, *, patience: float) -> None:
        self._store = store
        self._record = record
        self._patience = patience
        self._news = asyncio.Event()
        self._finishing = asyncio.Event()
        self._kept = 0
        self._failures = 0
        self._ending: RunEnding | None = None
        # What is to be kept of a run that is over.
        self._whole: list[Entry] | None = None
        self._done = False
        self.orphaned = False
        self._task: asyncio.Task[None] | None = None

    def start(self, run: Run) -> None:
        """Starts to write. Of a store that ends with the process, nothing is gained before the end."""
        self._run = run
        if self._store.lease_seconds is not None:
            self._task = asyncio.create_task(self._keep(), name=f"journal of run {run.id}")

    def on_entries(self) -> None:
        """Called when the run's log has grown."""
        if self._task is None or self._failures or self._task.done():
            self._run.show()
        self._news.set()

    async def finish(self, ending: RunEnding) -> None:
        """Writes what is left, and the ending. Readers are told if the store did not take it in time."""
        self._ending = ending
        self._whole = whole = self._run.log()
        if self._task is None:
            await self._finish_at_once()
            return
        self._finishing.set()
        self._news.set()
        await asyncio.wait({self._task}, timeout=self._patience)
        unsaved = len(whole) - self._kept
        if not self._done and unsaved:
            value = {"events": unsaved, "message": "The end of this conversation could not be saved yet."}
            self._run.entries.append(Entry.of(events.custom(UNSAVED, value)))

    @property
    def complete(self) -> bool:
        """Whether everything was kept, or another worker has the run now."""
        return self._done

    @property
    def _log(self) -> list[Entry]:
        return self._run.entries if self._whole is None else self._whole

    async def aclose(self) -> None:
        """Goes on trying for as long as the lease lasts."""
        if self._task is None:
            return
        try:
            await asyncio.wait({self._task}, timeout=self._store.lease_seconds)
        finally:
            self._task.cancel()
            if not self._done:
                logger.error(
                    "%d events of run %s on thread %s were not kept: the state store cannot be reached",
                    len(self._log) - self._kept,
                    self._record.id,
                    self._record.thread_id,
                )
        await asyncio.wait({self._task})

    async def _finish_at_once(self) -> None:
        self._done = True
        store, record, ending = self._store, self._record, self._ending
        try:
            await store.append(record, 0, [entry.data for entry in self._log], ending=ending)
        except RunLostError:
            logger.info("run %s is not kept: its thread was deleted", record.id)
        except Exception:
            logger.exception("the log of run %s cannot be kept", record.id)
            await store.append(record, 0, (), ending=ending)

    async def _keep(self) -> None:
        ears = asyncio.create_task(self._listen(), name=f"signals for run {self._record.id}")
        try:
            while not self._done:
                await self._wait_for_news()
                await self._write_and_pause()
        except Exception:
            logger.exception("the log of run %s is not kept any more", self._record.id)
        finally:
            self._run.show()  # nobody else does
            ears.cancel()
            await asyncio.wait({ears})

    async def _listen(self) -> None:
        """Watches the thread. Without that, a request to stop is heard of at the next write all the same."""
        while True:
            try:
                async with self._store.watch(self._record.thread_id, self._on_signal):
                    self._news.set()  # the run may have been asked to stop before
                    await asyncio.Event().wait()
            except StoreUnavailableError:
                await asyncio.sleep(_LONGEST_PAUSE)
            except Exception:
                logger.exception("run %s cannot watch its thread", self._record.id)
                return

    async def _write_and_pause(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._write()
        if not self._failures and self._ending is None:
            took = loop.time() - began
            interval = min(max(_INTERVAL, _WRITES_PER_PAUSE * took), _LONGEST_INTERVAL)
            await self._pause(interval - took)

    async def _wait_for_news(self) -> None:
        """Waits until there is something to write, the lease is to be renewed, or a failed write repeated."""
        if self._failures:
            await self._pause(pause_after(self._failures - 1, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
            return
        assert self._store.lease_seconds is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._store.lease_seconds / 3):
                await self._news.wait()
        self._news.clear()

    async def _pause(self, seconds: float) -> None:
        """Waits, but not when the run comes to its end meanwhile."""
        if self._finishing.is_set():
            await asyncio.sleep(seconds)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._finishing.wait()

    async def _write(self) -> None:
        run = self._run
        log = self._log
        data = _batch(log, self._kept)
        ending = self._ending if self._kept + len(data) == len(log) else None
        try:
            async with asyncio.timeout(self._patience):
                with append_timed():
                    result = await self._store.append(self._record, self._kept, data, ending=ending)
        except RunLostError as error:
            await self._lose(error)
            return
        except Exception as error:
            if not self._failures:
                logger.warning("run %s cannot be kept for now: %r", run.id, error)
            self._failures += 1
            if isinstance(error, ValueError):
                # A server that crashed may be without its last writes. What it still has, it skips.
                self._kept = 0
            run.show()
            return
        if self._failures:
            logger.warning("run %s is kept again", run.id)
            self._failures = 0
        self._kept += len(data)
        self._done = ending is not None
        if self._kept < len(log):
            self._news.set()
        run.show(min(self._kept, len(run.entries)))
        if result.stop_requested:
            run.stop()

    async def _lose(self, error: RunLostError) -> None:
        """Ends a run that the store does not take any more: its thread is gone, or another worker has it."""
        run, record = self._run, self._record
        self._done = True
        try:
            async with asyncio.timeout(self._patience):
                logs = await self._store.read_runs(record.owner, record.thread_id, since=-1)
        except Exception:
            logger.exception("whether the thread of run %s was deleted cannot be told", run.id)
            last: RunRecord | None = record
        else:
            last = logs[-1].run if logs else None
            self.orphaned = last is None
        # A thread that was deleted may be there again. Its runs are counted from 1.
        anew = last is not None and last.number <= record.number and last.id != record.id
        if last is None or anew:
            logger.info("run %s is not kept: its thread was deleted", run.id)
            run.stop()
        else:
            logger.error("run %s on thread %s was lost: %s", run.id, run.thread_id, error)
            run.fail(error)
        run.show()

    def _on_signal(self, signal: Signal) -> None:
        if signal is Signal.STOP:
            self._news.set()  # a signal may be without cause: the next write tells


def _batch(log: Sequence[Entry], start: int) -> list[bytes]:
    """Returns what is to be written next: no more than is quickly written, but something if there is any."""
    data: list[bytes] = []
    size = 0
    for entry in islice(log, start, None):
        size += len(entry.data)
        if data and size > _BATCH:
            break
        data.append(entry.data)
    return data
