"""Writing the log of one run to the store."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Final, Protocol

from ..errors import AgentError, RunDataLostError, RunLostError
from ..logs.records import get_logger
from ..state_store.base import Append, AppendResult, RunEnding, RunLog, RunRecord, StateStore
from .event_log import Entry
from .run import Run
from .stored_log import StoredLog

logger = get_logger(__name__)

# How many bytes are written at once at most, unless one event is larger.
_BATCH: Final = 1024 * 1024

SAVING: Final = "saving"
"""The name of the CUSTOM event that tells readers that they wait for a slow store."""
UNSAVED: Final = "unsaved"
"""The name of the CUSTOM event that tells readers that they see events that are not saved."""


NO_ROOM: Final = ("The server has no room for more events of this run.", "LIMIT_EXCEEDED")
"""The error message and code of a run whose events fit neither into memory nor into the store."""


class Writer(Protocol):
    """Writes what the journals of the process have ready; see `JournalWriter`."""

    store: StateStore
    patience: float
    closed: bool

    @property
    def writes_ahead(self) -> bool:
        """Whether events are written before readers see them."""

    @property
    def lease_seconds(self) -> float:
        """How long a write leases the run to its worker."""

    def add(self, journal: Journal) -> None:
        """Registers a journal."""

    def remove(self, journal: Journal) -> None:
        """Unregisters a journal: nothing more of it is written."""

    def mark(self, journal: Journal, events: int) -> None:
        """Notes that a journal has events ready."""

    def write_now(self, journal: Journal) -> None:
        """Writes a journal as soon as possible, without waiting for others."""

    async def write_once(self, record: RunRecord, data: Sequence[bytes], ending: RunEnding) -> None:
        """Writes a whole run."""


class Journal:
    """Writes the log of one run to the store as it grows, and shows readers what was written.

    Readers never see an event that a crash could lose. While the store is slow, readers wait, and a
    notice says why. While it cannot be reached, they see everything at once, the log itself is the buffer,
    and writes are retried.

    Each write renews the run's lease, and its result says whether another worker asked to stop the run.

    Args:
        writer: writes what the journals of the process have ready.
        record: the run, as the store knows it.

    Attributes:
        record: the run, as the store knows it.
        orphaned: the thread was deleted while the run went on.
        written_at: the loop's time at the start of the last successful write.
        failures: how many writes have failed since then.
        stored: how many events of the log are in the store.
        writes: how many writes have succeeded.
    """

    def __init__(self, writer: Writer, record: RunRecord) -> None:
        self.record = record
        self.orphaned = False
        self.written_at = 0.0
        self.failures = 0
        self._writer = writer
        self.stored = 0
        self.writes = 0
        self._counted = 0
        self._failing_since: float | None = None
        # Readers see what the store does not have.
        self._away = False
        # The store has lost the run, and refuses every write.
        self._vanished = False
        self._ending: RunEnding | None = None
        # The log of a run that is over, from its first entry in memory.
        self._whole: list[Entry] | None = None
        self._whole_from = 0
        # How many events the run has, without its end.
        self._length = math.inf
        self._done = asyncio.Event()
        # Wakes an agent that waits for room.
        self._moved = asyncio.Event()

    def start(self, run: Run) -> None:
        """Starts to write. A store that ends with the process is written once, at the end of the run."""
        self._run = run
        run.source = StoredLog(self._writer.store, self.record)
        if self._writer.writes_ahead:
            self._writer.add(self)

    def on_entries(self) -> None:
        """Called when the run's log has grown."""
        if self._away or not self._writer.writes_ahead:
            self._run.show()
        if self._writer.writes_ahead:
            length = self._run.length
            self._writer.mark(self, length - self._counted)
            self._counted = length

    async def finish(self, ending: RunEnding) -> None:
        """Writes the rest of the log, and the ending. Readers get a notice if that failed."""
        self._ending = ending
        self._whole, self._whole_from = self._run.log(), self._run.dropped
        self._length = self._run.length
        if not self._writer.writes_ahead:
            self._done.set()
            await self._writer.write_once(self.record, [entry.data for entry in self._whole], ending)
            self._whole = None
            return
        self._writer.write_now(self)
        while not await self._done_within(self._writer.patience):
            if self._away:
                self.tell_end_is_unsaved()
                return

    def tell_end_is_unsaved(self) -> None:
        """Adds a notice before the terminal event."""
        self._run.add(self._unsaved_notice("The end of this conversation could not be saved yet."))

    async def make_room(self) -> None:
        """Waits until the run's log fits into its share of the memory, with the rest in the store.

        Raises:
            AgentError: the store cannot be written, so nothing can be dropped.
        """
        run, memory = self._run, self._run.memory
        while True:
            run.drop(also_unread=True)
            if not memory.is_full or run.held <= memory.share:
                return
            if self._away or not self._writer.writes_ahead:
                raise AgentError(*NO_ROOM)
            # The rest is being written.
            self._moved.clear()
            await self._moved.wait()

    @property
    def complete(self) -> bool:
        """Whether everything was stored, or the run belongs to another worker now."""
        return self._done.is_set()

    @property
    def unsaved(self) -> int:
        """How many events of the log are not in the store."""
        if self.complete:
            return 0
        entries, start = self._log
        return start + len(entries) - self.stored

    @property
    def is_beyond_repair(self) -> bool:
        """Whether the store lacks events that are not in memory any more, after a write that left a gap."""
        return 0 < self.stored <= self._log[1]

    @property
    def _log(self) -> tuple[list[Entry], int]:
        """The entries of the log in memory, and the position of the first."""
        if self._whole is None:
            return self._run.entries, self._run.dropped
        return self._whole, self._whole_from

    async def aclose(self) -> None:
        """Retries for as long as the lease lasts."""
        if not self._writer.writes_ahead:
            return
        try:
            await self._done_within(self._writer.lease_seconds)
        finally:
            self._writer.remove(self)
            # References to the journal must not keep the log in memory.
            self._failing_since, unsaved = None, self.unsaved
            self._whole, self._whole_from = [], self.stored
            if not self.complete:
                logger.error(
                    "%d events of run %s on thread %s were not saved: the state store cannot be reached",
                    unsaved,
                    self.record.id,
                    self.record.thread_id,
                )

    async def _done_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(0 if self._vanished or self._writer.closed else seconds):
                await self._done.wait()
        except TimeoutError:
            return False
        return True

    def next_append(self) -> tuple[Append, int]:
        """Returns the next write, and its size in bytes.

        It is small enough to be written quickly, and not empty if anything is left.
        """
        (entries, start), size = self._log, 0
        data: list[bytes] = []
        for place in range(self.stored - start, len(entries)):
            line = entries[place].data
            if data and size + len(line) > _BATCH:
                break
            size += len(line)
            data.append(line)
        ending = self._ending if self.stored - start + len(data) == len(entries) else None
        return Append(self.record, self.stored, data, ending), size

    def on_written(self, append: Append, result: AppendResult, began: float) -> None:
        """Called when a write has succeeded. `began` is the loop's time at its start."""
        run = self._run
        self.stored += len(append.events)
        self.writes += 1
        self.written_at = began
        if self.failures:
            logger.warning("run %s is being saved again", run.id)
        self.failures, self._failing_since = 0, None
        if append.ending is not None:
            self._done.set()
        if run.notice is not None and (self.complete or not self.unsaved or not self._away):
            self._away = False
            run.tell(None)
        run.show(min(self.stored, run.length))
        self._note_stored()
        if result.stop_requested:
            run.stop()

    def _note_stored(self) -> None:
        """Drops stored events from memory if there are too many."""
        # A notice may be where the store has the end.
        self._run.in_store = int(min(self.stored, self._length))
        self._run.memory.relieve()
        self._moved.set()

    def on_slow(self) -> None:
        """Called when a write takes long: readers wait, and a notice says why."""
        if self.unsaved and not self._away and self._run.notice is None:
            message = "Saving takes longer than usual. What follows is shown when it is saved."
            self._run.tell(Entry.notice(SAVING, {"message": message}))

    def on_failed(self, error: Exception, began: float) -> None:
        """Called when a write has failed. `began` is the loop's time at its start."""
        loop = asyncio.get_running_loop()
        if self._failing_since is None:
            self._failing_since = began
            logger.warning("run %s cannot be saved at the moment: %r", self._run.id, error)
            loop.call_at(began + self._writer.patience, self._give_up_waiting)
        self.failures += 1
        if isinstance(error, ValueError):
            # A server that crashed may have lost its last writes. It skips those that it still has.
            self.stored = self._run.in_store = self._log[1]
        self._give_up_waiting()

    def _give_up_waiting(self) -> None:
        """Shows readers unsaved events, once writes have failed for too long."""
        since, now = self._failing_since, asyncio.get_running_loop().time()
        if since is not None and now >= since + self._writer.patience and not (self._away or self.complete):
            self._go_away()

    def _go_away(self) -> None:
        self._away = True
        self._moved.set()
        logger.error("readers of run %s see events that are not saved: the store fails", self._run.id)
        self._run.tell(self._unsaved_notice("This conversation cannot be saved at the moment."))
        self._run.show()

    def _unsaved_notice(self, message: str) -> Entry:
        unsaved = self._log[1] + len(self._log[0]) if self._vanished else self.unsaved
        return Entry.notice(UNSAVED, {"events": unsaved, "message": message})

    def on_closed(self) -> None:
        """Called when nothing is written any more: readers see what there is."""
        self._away = True
        self._moved.set()
        self._run.show()

    async def lose(self, error: RunLostError) -> None:
        """Ends a run whose writes the store refuses: its thread was deleted, or another worker owns it."""
        run, record = self._run, self.record
        if isinstance(error, RunDataLostError):
            self._vanished = True
            self._go_away()
            return
        self._done.set()
        try:
            async with asyncio.timeout(self._writer.patience):
                logs = await self._writer.store.read_runs(record.owner, record.thread_id, since=record.number)
        except Exception:
            logger.exception("run %s was lost, and reading the reason failed", run.id)
            run.lose([], error)
            return
        log = logs[0] if logs and logs[0].run.number == record.number else None
        # A deleted thread may exist again, with runs counted from 1.
        if log is None or log.run.id != record.id or log.run.started_at != record.started_at:
            self.orphaned = not logs
            logger.info("run %s is not saved: its thread was deleted", run.id)
            run.stop()
            run.show()
            return
        logger.error("run %s on thread %s was lost: %s", run.id, run.thread_id, error)
        run.lose([] if self._away else _entries(log), error)


def _entries(log: RunLog) -> list[Entry]:
    """Returns the log of a run that another worker ended; nothing unless it is whole."""
    if not log.ended or log.compacted:
        return []
    return [Entry.stored(data) for data in log.events]
