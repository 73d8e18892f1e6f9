"""The runs of this process that are not over: how many there may be, and how they come to their ends."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ..context import ANONYMOUS
from ..errors import RateLimitError, ShuttingDownError
from ..limits import Limits
from ..telemetry import RunTrace, failed
from .run import Run


class Slot:
    """Room for a run of one owner.

    Attributes:
        owner: the owner.
        run: the run that has it, once there is one.
    """

    __slots__ = ("owner", "run")

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.run: Run | None = None


class Capacity:
    """The runs of this process that are not over.

    All that is counted is counted in this process alone. What one owner may have does not bind the anonymous
    user: it stands for many, of whom one could lock out the others.

    Args:
        limits: how many there may be.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._runs: dict[Run, tuple[Slot, RunTrace]] = {}
        self._places: Counter[str] = Counter()
        self._starts = StartRate(limits.runs_per_minute_per_owner)
        self.closing = False

    @contextmanager
    def admit(self, owner: str) -> Iterator[Slot]:
        """Holds room for a run until the end of the block, or until the run's end if it got one.

        Raises:
            RateLimitError: the owner, or all together, have as many runs as they may.
            ShuttingDownError: no new runs are taken any more.
        """
        if self.closing:
            raise ShuttingDownError
        limits = self._limits
        if limits.runs_per_process is not None and self._places.total() >= limits.runs_per_process:
            raise RateLimitError("The server has as many runs in progress as it can take.")
        if (
            owner != ANONYMOUS
            and limits.runs_per_owner is not None
            and self._places[owner] >= limits.runs_per_owner
        ):
            raise RateLimitError(f"You have {limits.runs_per_owner} runs in progress, and may have no more.")
        self.count_start(owner)
        place = Slot(owner)
        self._places[owner] += 1
        try:
            yield place
        finally:
            if place.run is None:
                self._free(place)

    def count_start(self, owner: str) -> None:
        """Counts something that is as costly as a run.

        Raises:
            RateLimitError: the owner has started too much in too short a time.
        """
        if owner != ANONYMOUS:
            self._starts.count(owner, asyncio.get_running_loop().time())

    @contextmanager
    def add(self, run: Run, place: Slot) -> Iterator[None]:
        """Gives the place to a run, which is started in the block, and then owes `ended` and `remove`."""
        place.run = run
        trace = RunTrace(run.agent_name, run.thread_id, run.id, place.owner)
        self._runs[run] = place, trace
        with trace.current():
            yield

    def ended(self, run: Run) -> None:
        """Frees the place of a run that has emitted its last event."""
        place, trace = self._runs[run]
        self._free(place)
        trace.end(
            status=run.status,
            events=len(run.entries),
            first_event_after=run.first_event_after,
            error=run.error,
        )
        if run.error is not None:
            failed(run.error)

    def remove(self, run: Run) -> None:
        """Waits no more for a run that is over and done with."""
        self._runs.pop(run, None)

    async def drain(self, seconds: float) -> None:
        """Takes no new runs, and waits so long for the ends of the others; then they end with an error."""
        self.closing = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        for run in list(self._runs):
            await run.ends_within(deadline - loop.time())
        for run in list(self._runs):
            run.fail(ShuttingDownError())
        await self._wait()

    async def aclose(self) -> None:
        """Takes no new runs, and stops the others."""
        self.closing = True
        for run in list(self._runs):
            run.stop()
        await self._wait()

    async def _wait(self) -> None:
        limits = self._limits
        # What is asked to end ends within this, unless the store is away or a hook hangs.
        seconds = 3 * limits.cancel_seconds + 2 * limits.store_seconds + 1
        while runs := list(self._runs):
            await asyncio.gather(*(run.close(seconds) for run in runs))
            for run in runs:
                self.remove(run)

    def _free(self, place: Slot) -> None:
        self._places[place.owner] -= 1
        if not self._places[place.owner]:
            del self._places[place.owner]


class StartRate:
    """How often each owner may start something: a token bucket each, full at first.

    Args:
        per_minute: how many tokens a bucket holds, and gets in a minute; None for no bound.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._per_minute = per_minute
        # For each owner, when the bucket is full again. Those that are full are as good as none.
        self._full_at: dict[str, float] = {}
        self._swept_at = 0.0

    def count(self, owner: str, now: float) -> None:
        """Takes a token.

        Args:
            owner: whose.
            now: the time in seconds, by a clock that never goes back.

        Raises:
            RateLimitError: there is none. It tells when there will be one.
        """
        if self._per_minute is None:
            return
        seconds = 60.0 / self._per_minute
        full_at = max(self._full_at.get(owner, now), now) + seconds
        if full_at > now + 60.0 + 1e-6:
            raise RateLimitError(
                f"You may start {self._per_minute} runs a minute.",
                retry_after=math.ceil(full_at - now - 60.0),
            )
        self._full_at[owner] = full_at
        if now > self._swept_at + 60.0:
            self._swept_at = now
            self._full_at = {owner: at for owner, at in self._full_at.items() if at > now}
