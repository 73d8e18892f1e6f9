"""The steps that the checks are made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from ...state_store.base import AgentState, Retention, RunEnding, RunLog, RunRecord, Signal, StateStore

PATIENCE: Final = 20.0
"""The seconds after which something that has not happened will not happen any more."""
SHORT_LEASE: Final = 0.1
"""The lease of a run that a check waits to see expire, in seconds."""
LONG_LEASE: Final = 60.0
"""The lease of a run that does not expire during a check, in seconds."""


class OpenStore(Protocol):
    """Opens a store. Called again within a check, it opens another store on the same data.

    The data is empty when a check begins. The test that passes the function closes what it opened.
    """

    def __call__(
        self, *, lease_seconds: float | None = None, retention: Retention | None = None
    ) -> StateStore:
        """Opens a store.

        Args:
            lease_seconds: the store's `lease_seconds`; None for its default. For a store without leases it
                means nothing.
            retention: how much the store keeps; None for all.
        """


def record(thread_id: str = "t1", *, owner: str = "ann", agent: str = "a", id: str = "r1") -> RunRecord:
    """Returns a run that has not begun."""
    return RunRecord(id=id, thread_id=thread_id, agent_name=agent, owner=owner, started_at=datetime.now(UTC))


def ending(state: Any = None, compacted: Sequence[bytes] = (b'"compacted"',)) -> RunEnding:
    """Returns what a run leaves."""
    return RunEnding(state=AgentState(state=state), compacted=compacted)


async def begin(store: StateStore, thread_id: str = "t1", **fields: str) -> RunRecord:
    """Begins a run."""
    return await store.begin_run(record(thread_id, **fields))


async def end(store: StateStore, run: RunRecord, *events: bytes, state: Any = None) -> None:
    """Ends a run whose log is empty."""
    await store.append(run, 0, events, ending=ending(state))


async def whole_run(
    store: StateStore, thread_id: str = "t1", *events: bytes, state: Any = None, **fields: str
) -> RunRecord:
    """Begins a run and ends it."""
    run = await begin(store, thread_id, **fields)
    await end(store, run, *events, state=state)
    return run


async def last_log(store: StateStore, thread_id: str = "t1", owner: str = "ann") -> RunLog:
    """Returns the log of a thread's last run."""
    (log,) = await store.read_runs(owner, thread_id, since=-1)
    return log


async def thread_ids(store: StateStore, owner: str = "ann", agent: str | None = None) -> list[str]:
    """Returns the ids of the threads in a list."""
    return [thread.id for thread in await store.list_threads(owner, agent)]


async def expire(store: StateStore, thread_id: str = "t1") -> None:
    """Waits until the producer of a thread's run has lost its lease."""
    while True:
        lease = (await last_log(store, thread_id)).lease
        assert lease is not None, "the run is over"
        if lease <= 0:
            return
        assert lease <= SHORT_LEASE + 1, f"the store was asked for a lease of {SHORT_LEASE} s"
        await asyncio.sleep(lease)


@contextmanager
def raises(*errors: type[Exception]) -> Iterator[None]:
    """Demands that one of the errors is raised."""
    try:
        yield
    except errors:
        return
    raise AssertionError(f"raised no {' or '.join(error.__name__ for error in errors)}")


class Heard:
    """The signals that a listener was given."""

    def __init__(self) -> None:
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self._signals: set[Signal] = set()
        self._more = asyncio.Event()

    def __call__(self, signal: Signal) -> None:
        """Is the listener."""
        self.loops.add(asyncio.get_running_loop())
        self._signals.add(signal)
        self._more.set()

    def forget(self) -> None:
        """Starts anew."""
        self._signals.clear()

    @property
    def anything(self) -> bool:
        """Whether there was a signal."""
        return bool(self._signals)

    async def wait(self, signal: Signal) -> None:
        """Returns once the signal has been given."""
        try:
            async with asyncio.timeout(PATIENCE):
                while signal not in self._signals:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"{signal} was not given") from None


@asynccontextmanager
async def hearing(store: StateStore, thread_id: str = "t1") -> AsyncIterator[Heard]:
    """Listens to what happens to a thread."""
    heard = Heard()
    async with store.watch(thread_id, heard):
        yield heard
