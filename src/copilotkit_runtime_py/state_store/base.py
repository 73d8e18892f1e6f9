"""The interface that every store of threads implements."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

from ..agui.agent_state import AgentState as AgentState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as the store knows it.

    Attributes:
        id: the run's id, chosen by the client; two runs of one thread may share it.
        thread_id: the thread.
        agent_name: the agent's registered name.
        owner: the owner of the thread.
        started_at: when the run began, in UTC.
        number: the run's place among the runs of its thread, from 1. The store assigns it.
        producer: the name of the writer of the run's log, which no other run has.
        title: the name for a thread that has none; or None. Reading a run does not return it.
    """

    id: str
    thread_id: str
    agent_name: str
    owner: str
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    number: int = 0
    producer: str = field(default_factory=lambda: uuid.uuid4().hex)
    title: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """The final state of a run.

    Attributes:
        state: the agent's state for its next run and for readers.
        compacted: the run's log with the deltas of each message joined, as lines that are opaque to the
            store. It replaces the log once the thread's next run is over.
        changed_at: when the thread last changed, in UTC, if that is not now because it is imported. Stores
            that end with their process may ignore it.
        title: the name for a thread that has none; or None.
    """

    state: AgentState
    compacted: Sequence[bytes]
    changed_at: datetime | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLog:
    """The log of a run.

    Attributes:
        run: the run.
        events: its events, each as JSON; or the lines of its compacted form.
        compacted: only the compacted form is left.
        lease: for a run in progress, the seconds for which its producer still holds it: not positive if
            the producer has not renewed it in time, and minus infinity if the producer is known to be gone.
            None for a run that is over.
    """

    run: RunRecord
    events: Sequence[bytes]
    compacted: bool = False
    lease: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.lease is None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendResult:
    """The result of a write to a run's log.

    Attributes:
        stop_requested: someone asked the run to stop.
    """

    stop_requested: bool


@dataclass(frozen=True, slots=True)
class Append:
    """A write to the log of a run: the arguments of `StateStore.append`."""

    run: RunRecord
    position: int
    events: Sequence[bytes]
    ending: RunEnding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRecord:
    """A thread in its owner's list.

    Attributes:
        id: the thread's id.
        agent_name: the agent of the last run.
        name: the name that its owner or, before that, a run gave it; or None.
        archived: whether the owner has archived it.
        created_at: when its first run began, in UTC.
        updated_at: when it last changed, in UTC: a run began or ended, or it was renamed or archived.
        last_run_at: when its last run began or, if it is over, ended, in UTC.
    """

    id: str
    agent_name: str
    name: str | None
    archived: bool
    created_at: datetime
    updated_at: datetime
    last_run_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much a store keeps. None stands for no bound.

    The end of a run deletes data beyond a bound: the oldest runs of its thread, and the threads that changed
    longest ago. A thread with a run in progress is kept.

    Attributes:
        max_age: how long a thread is kept after its last change.
        max_threads: the most threads.
        max_runs_per_thread: the most runs of one thread.
        max_bytes: the most bytes of events and states, over all threads.
    """

    max_age: timedelta | None = None
    max_threads: int | None = None
    max_runs_per_thread: int | None = None
    max_bytes: int | None = None


class Signal(enum.Enum):
    """The signals of a store to the watchers of a thread."""

    EVENTS = "events"
    """The log of the thread's run has grown, or the run is over, or was deleted with its thread."""
    STOP = "stop"
    """The thread's run was asked to stop."""


class StateStore(Protocol):
    """Stores threads: the logs of their runs, and each agent's last state.

    Every call names the owner. For the caller, threads of other owners do not exist.

    Any number of processes may use one store. Exactly one of them produces a run: it holds a lease on the
    run, which each write renews. Once the lease has expired, any process may end the run.

    Attributes:
        lease_seconds: how long each write leases a run to its producer, in seconds. None if the store ends
            with the process, so that no other process can take over a run.
        url: where the store is, for frameworks that store their own memory in the same place; or None.

    Raises:
        StoreUnavailableError: by every method, if the store cannot be reached.
    """

    @property
    def lease_seconds(self) -> float | None:
        """See above."""

    @property
    def url(self) -> str | None:
        """See above."""

    async def begin_run(self, run: RunRecord) -> RunRecord:
        """Claims the thread for a run, creating the thread if there is none.

        Idempotent: a repeated call by the producer of the run in progress changes nothing.

        Returns:
            The run with its number.

        Raises:
            ThreadBusyError: the thread has a run that is not over, even if its lease has expired.
            ThreadNotFoundError: the thread belongs to another owner.
        """

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        """Adds events to the log of a run that is not over, and renews its lease.

        Idempotent: events at positions that are already written are skipped, and a run that the same
        producer ended already does not change. Another producer takes the run over, if
        the lease has expired.

        Args:
            run: the run, as `begin_run` returned it or as `read_runs` did; in the latter case with
                a producer of its own.
            position: the position of the first event in the log, from 0; at most the log's length.
            events: the events, each as JSON, which may be none: that renews the lease only.
            ending: ends the run, in the same step, and frees the thread. Compacted forms replace the logs of
                the runs before it.

        Raises:
            RunLostError: the run is over, its thread was deleted, or another producer holds it.
            RunDataLostError: instead, if the store knows that it has lost the run.
            ValueError: `position` is beyond the end of the log.
        """

    async def request_stop(self, owner: str, thread_id: str, run_id: str | None = None) -> bool:
        """Asks the producer of the thread's run to stop it. Returns whether there is one.

        Args:
            owner: the caller.
            thread_id: the thread.
            run_id: ask only if the run has this id.
        """

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """Calls `listener`, on the running loop, for each signal of a thread while the context is open.

        A signal may come late, twice or for no reason, and may stand for several. After a lost connection,
        each kind is sent once. No signal after the start of the context may be missed.
        """

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0, limit: int | None = None
    ) -> list[RunLog]:
        """Returns the thread's runs in order. Old ones may have been deleted.

        The last run, and the last one that is over, have their whole log.

        Args:
            owner: the reader. A reader who does not own the thread gets none.
            thread_id: the thread.
            since: the number of the first run to read; below 0 it counts from the end, so that -1 is the last
                run.
            position: how many events of that run to leave out, if it has its whole log.
            limit: read that run only, and at most this many of its events, if it has its whole log.
        """

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """Returns the agent's state on the thread after its last run, or None.

        Raises:
            ThreadNotFoundError: the thread belongs to another owner.
        """

    async def list_threads(
        self,
        owner: str,
        agent_name: str | None = None,
        *,
        include_archived: bool = False,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[ThreadRecord]:
        """Returns the owner's threads, the one with the latest run first.

        Args:
            owner: the owner of the threads.
            agent_name: only those on which this agent ran last.
            include_archived: archived ones, too.
            limit: how many to return at most.
            after: the id of the thread after which to continue; if the owner has no such thread, none follow.
        """

    async def update_thread(
        self, owner: str, thread_id: str, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        """Renames a thread, or archives or restores it. None leaves a field unchanged.

        Raises:
            ThreadNotFoundError: the owner has no such thread.
        """

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """Deletes a thread with all its data. The producer of a run in progress loses the run.

        Raises:
            ThreadNotFoundError: the owner has no such thread.
        """

    async def aclose(self) -> None:
        """Releases the store's resources."""


class BatchStateStore(StateStore, Protocol):
    """A store that writes for many runs at once. This is optional, and saves most of the cost of a write.

    The stores of this package do so. For another store, the runtime calls `append` for each run, and `watch`
    for each thread with a run.
    """

    async def append_many(self, appends: Sequence[Append]) -> Sequence[AppendResult | Exception]:
        """Does what `append` does, for many runs at once. Each append of a call is for a different run.

        Returns:
            For each, what `append` would return, or the exception that it would raise. An error of one does
            not affect the others.
        """

    def watch_stops(self, listener: Callable[[str | None], None]) -> AbstractAsyncContextManager[None]:
        """Calls `listener`, on the running loop, for requests to stop a run, while the context is open.

        It gets the run's producer, or None if requests may have been missed: any run may have been asked
        to stop. A call may come late, twice or for no reason. Requests for runs that other processes produce
        may come, too.
        """

    async def check(self) -> None:
        """Raises a `StoreUnavailableError` if the store refuses writes, as with a full disk."""

    def reopen(self) -> BatchStateStore:
        """Returns another store on the same data, for use on another event loop."""


def batching(store: StateStore) -> BatchStateStore | None:
    """Returns the store if it writes for many runs at once.

    A class with an `append` of its own, such as a wrapper or a subclass, expects calls of that method.
    """
    for cls in type(store).__mro__:
        if "append_many" in vars(cls):
            return cast(BatchStateStore, store)
        if "append" in vars(cls):
            break
    return None
