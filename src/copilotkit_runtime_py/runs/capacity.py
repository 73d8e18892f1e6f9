"""How many runs this process takes, how fast an owner may start them, and how all of them end."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ..context import ANONYMOUS
from ..errors import RateLimitError, ShuttingDownError
from ..limits import Limits
from ..telemetry import RunTrace, failed
from .loop_watchdog import LoopWatchdog
from .run import Run


class Capacity:
    """The runs of this process that are not over.

    Everything is counted in this process alone. The limits of one owner do not apply to the anonymous user,
    who stands for many people: one of them could lock out the others.

    Args:
        limits: how many runs there may be.

    Attributes:
        closing: no new runs are taken.
        watchdog: watches the event loop while there are runs.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # Runs that this process waits for when it shuts down. Some have emitted their last event
        # and released their slot.
        self._slots: dict[Run, Slot] = {}
        self._taken: Counter[str] = Counter()
        self._total = 0
        self._starts = StartRate(limits.runs_per_minute_per_owner)
        self._tokens = StartRate(limits.tokens_per_minute_per_owner, "You may use {} tokens a minute.")
        self.closing = False
        # The time of those in progress is over, too.
        self._over = False
        self.watchdog = LoopWatchdog(lambda: bool(self._slots))

    @contextmanager
    def slot(self, owner: str) -> Iterator[Slot]:
        """Takes a slot for a run of an owner. The end of the block releases it unless a run has it.

        Raises:
            RateLimitError: the owner, or all together, have as many runs as they may.
            ShuttingDownError: no new runs are taken.
        """
        if self.closing:
            raise ShuttingDownError
        limits = self._limits
        if limits.runs_per_process is not None and self._total >= limits.runs_per_process:
            raise RateLimitError("The server has as many runs in progress as it can take.")
        if (
            owner != ANONYMOUS
            and limits.runs_per_owner is not None
            and self._taken[owner] >= limits.runs_per_owner
        ):
            raise RateLimitError(f"You have {limits.runs_per_owner} runs in progress, and may have no more.")
        if owner != ANONYMOUS:
            self._tokens.check(owner, time.monotonic())
        # Last, so that what is refused does not count.
        self.count_start(owner)
        self._taken[owner] += 1
        self._total += 1
        slot = Slot(self, owner)
        try:
            yield slot
        finally:
            if slot.run is None:
                self._give_back(owner)

    def count_start(self, owner: str) -> None:
        """Counts something that is as costly as a run.

        Raises:
            RateLimitError: the owner has started too much in too short a time.
        """
        if owner != ANONYMOUS:
            self._starts.count(owner, time.monotonic())

    def _count_tokens(self, owner: str, tokens: int) -> None:
        """Counts tokens that models have used. They report from any thread."""
        if owner != ANONYMOUS:
            self._tokens.add(owner, time.monotonic(), tokens)

    async def drain(self, seconds: float) -> None:
        """Refuses new runs, and waits up to `seconds` for the others; then they end with an error."""
        self.closing = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        for run in list(self._slots):
            await run.ends_within(deadline - loop.time())
        self._over = True
        for run in list(self._slots):
            run.fail(ShuttingDownError())
        await self._wait()

    async def aclose(self) -> None:
        """Refuses new runs, and stops the others."""
        self.closing = self._over = True
        for run in list(self._slots):
            run.stop()
        await self._wait()
        self.watchdog.close()

    async def _wait(self) -> None:
        limits = self._limits
        # A run that was asked to end takes no longer, unless the store is unavailable or a hook hangs.
        seconds = 3 * limits.cancel_seconds + 2 * limits.store_seconds + 1
        while runs := list(self._slots):
            await asyncio.gather(*(run.close(seconds) for run in runs))
            for run in runs:
                self._slots.pop(run, None)

    def _give_back(self, owner: str) -> None:
        self._total -= 1
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]


class Slot:
    """Room for one run.

    Attributes:
        owner: the owner of the run.
        run: the run that has the slot, once there is one.
    """

    __slots__ = ("_capacity", "_trace", "owner", "run")

    def __init__(self, capacity: Capacity, owner: str) -> None:
        self._capacity = capacity
        self.owner = owner
        self.run: Run | None = None

    @contextmanager
    def taken_by(self, run: Run) -> Iterator[None]:
        """Gives the slot to a run, which starts in the block: its tasks then belong to its trace."""
        self.run = run
        self._trace = RunTrace(run.agent_name, run.thread_id, run.id, self.owner)
        self._capacity._slots[run] = self
        self._capacity.watchdog.watch()
        run.meter.on_use = partial(self._capacity._count_tokens, self.owner)
        with self._trace.current():
            yield
        if self._capacity._over:
            # It has claimed its thread meanwhile. Stopped later, its answer would seem to be whole.
            run.fail(ShuttingDownError())

    @contextmanager
    def given_back_by(self, run: Run) -> Iterator[None]:
        """Releases the slot of a run that has emitted its last event.

        The process still waits for the run, when it shuts down, until the block is over.
        """
        self._capacity._give_back(self.owner)
        self._trace.end(
            status=run.status,
            events=run.length,
            usage=run.meter.used,
            first_event_after=run.first_event_after,
            error=run.error,
        )
        if run.error is not None:
            failed(run.error, run.agent_name)
        try:
            yield
        finally:
            self._capacity._slots.pop(run, None)


class StartRate:
    """A rate limit per owner: a token bucket each, full at first.

    Args:
        per_minute: how many tokens a bucket holds, and gets in a minute; None for no bound.
        refusal: the message for an owner without a token, with `{}` for the bound.
    """

    def __init__(self, per_minute: int | None, refusal: str = "You may start {} runs a minute.") -> None:
        self._per_minute = per_minute
        self._refusal = refusal
        # For each owner, when the bucket is full again. Full buckets are left out.
        self._full_at: dict[str, float] = {}
        self._swept_at = 0.0

    def count(self, owner: str, now: float) -> None:
        """Takes a token.

        Args:
            owner: the owner.
            now: the time in seconds, by a clock that never goes back.

        Raises:
            RateLimitError: there is none. `retry_after` says when there will be one.
        """
        self.check(owner, now)
        self.add(owner, now, 1)

    def check(self, owner: str, now: float) -> None:
        """Raises a `RateLimitError` if there is no token."""
        if self._per_minute is None:
            return
        full_at = self._full_after(owner, now, 1)
        if full_at > now + 60.0 + 1e-6:
            raise RateLimitError(
                self._refusal.format(self._per_minute), retry_after=math.ceil(full_at - now - 60.0)
            )

    def add(self, owner: str, now: float, tokens: int) -> None:
        """Takes tokens, also if there are fewer: the owner then has to wait for longer."""
        if self._per_minute is None:
            return
        self._full_at[owner] = self._full_after(owner, now, tokens)
        if now > self._swept_at + 60.0:
            self._swept_at = now
            self._full_at = {owner: at for owner, at in list(self._full_at.items()) if at > now}

    def _full_after(self, owner: str, now: float, tokens: int) -> float:
        assert self._per_minute is not None
        return max(self._full_at.get(owner, now), now) + tokens * 60.0 / self._per_minute
