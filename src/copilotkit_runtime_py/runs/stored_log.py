"""The log of one run in the store."""

from __future__ import annotations

import asyncio
from typing import Final

from ..backoff import pause_after
from ..errors import RunDataLostError, StoreUnavailableError
from ..state_store.base import RunLog, RunRecord, StateStore
from .event_log import Entry
from .replay import replayed

# How long to wait before a read is retried, in seconds: the first time, and at most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class StoredLog:
    """The log of a run in the store.

    Args:
        store: the store.
        run: the run.
    """

    def __init__(self, store: StateStore, run: RunRecord) -> None:
        self._store = store
        self._run = run

    def is_run(self, run: RunRecord) -> bool:
        """Whether a run is this one.

        The number alone is not enough: a deleted thread may exist again, with runs counted from 1.
        """
        mine = self._run
        return (run.number, run.id, run.started_at) == (mine.number, mine.id, mine.started_at)

    async def find(self, position: int, count: int) -> RunLog | None:
        """Returns the log from a position on, or None if the run is gone.

        Args:
            position: how many events to skip.
            count: the most events to return, unless only the compacted form is there.
        """
        return self._of_run(
            await self._store.read_runs(
                self._run.owner, self._run.thread_id, since=self._run.number, position=position, limit=count
            )
        )

    async def read(self, position: int, count: int) -> tuple[list[Entry], bool]:
        """Returns some entries, and whether they are the run's last ones; waits for the store if it is down.

        Args:
            position: the place of the first entry.
            count: how many.

        Raises:
            RunDataLostError: the store does not have them.
        """
        failures = 0
        while True:
            try:
                log = await self.find(position, count)
                break
            except StoreUnavailableError:
                await asyncio.sleep(pause_after(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
                failures += 1
        if log is not None and log.compacted:
            return rest_of_compacted(log, position), True
        if log is None or not log.events:
            raise RunDataLostError
        return [Entry.stored(data) for data in log.events[:count]], False

    def _of_run(self, logs: list[RunLog]) -> RunLog | None:
        return next((log for log in logs if self.is_run(log.run)), None)


def rest_of_compacted(log: RunLog, position: int) -> list[Entry]:
    """Returns the events that a reader lacks of a run whose log was replaced by its compacted form.

    Args:
        log: the run.
        position: how many events the reader has.
    """
    number = log.run.number
    known = b"%d:%d" % (number, position - 1) if position else b"%d" % number
    return [
        Entry.stored(data, id=b"%b/%d" % (known, place))
        for place, data in replayed(log, pending=False, seen=position - 1)
    ]
