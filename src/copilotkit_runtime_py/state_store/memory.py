"""The store for one process: bounded, and gone when the process is."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import UTC, datetime

from ..errors import ThreadBusyError, ThreadNotFoundError
from ..events import decode, encode
from .base import AgentState, RunLog, RunRecord, ThreadRecord


class _Run:
    __slots__ = ("events", "number", "record", "size")

    def __init__(self, number: int, record: RunRecord) -> None:
        self.number = number
        self.record = record
        self.events: list[bytes] = []
        self.size = 0


class _Thread:
    def __init__(self, run: RunRecord) -> None:
        self.id = run.thread_id
        self.owner = run.owner
        self.name: str | None = None
        self.archived = False
        self.created_at = self.updated_at = run.started_at
        self.last_number = 0
        self.agent_name = run.agent_name
        self.runs: deque[_Run] = deque()
        self.states: dict[str, bytes] = {}
        self.active: _Run | None = None

    @property
    def size(self) -> int:
        return sum(run.size for run in self.runs) + sum(len(state) for state in self.states.values())

    @property
    def record(self) -> ThreadRecord:
        return ThreadRecord(
            id=self.id,
            agent_name=self.agent_name,
            name=self.name,
            archived=self.archived,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class MemoryStateStore:
    """Keeps threads in the process, up to a bound.

    Where a bound is reached, the oldest run of the thread or the thread that was used longest ago goes. A
    thread with a run in progress stays.

    Args:
        max_threads: the most threads.
        max_runs_per_thread: the most runs of one thread.
        max_bytes: the most bytes of events and states, over all threads.
    """

    def __init__(
        self,
        *,
        max_threads: int = 1000,
        max_runs_per_thread: int = 100,
        max_bytes: int = 512 * 1024 * 1024,
    ) -> None:
        self._max_threads = max_threads
        self._max_runs_per_thread = max_runs_per_thread
        self._max_bytes = max_bytes
        self._threads: OrderedDict[str, _Thread] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """The bytes of events and states that are kept."""
        return self._size

    def __len__(self) -> int:
        """The number of threads that are kept."""
        return len(self._threads)

    async def begin_run(self, run: RunRecord) -> int:
        """See `StateStore.begin_run`."""
        thread = self._threads.get(run.thread_id)
        if thread is None:
            thread = self._threads[run.thread_id] = _Thread(run)
        elif thread.owner != run.owner:
            raise ThreadNotFoundError(run.thread_id)
        elif thread.active is not None:
            raise ThreadBusyError(run.thread_id)
        thread.last_number += 1
        thread.agent_name = run.agent_name
        thread.updated_at = run.started_at
        thread.active = _Run(thread.last_number, run)
        thread.runs.append(thread.active)
        self._threads.move_to_end(run.thread_id)
        self._evict()
        return thread.last_number

    async def append(self, run: RunRecord, events: Sequence[bytes]) -> None:
        """See `StateStore.append`."""
        thread = self._running(run)
        if thread is None or thread.active is None:
            return
        size = sum(map(len, events))
        thread.active.events.extend(events)
        thread.active.size += size
        self._size += size
        self._evict()

    async def end_run(self, run: RunRecord, state: AgentState) -> None:
        """See `StateStore.end_run`."""
        thread = self._running(run)
        if thread is None:
            return
        thread.active = None
        thread.updated_at = datetime.now(UTC)
        encoded = encode({"state": state.state, "messages": state.messages, "interrupts": state.interrupts})
        self._size += len(encoded) - len(thread.states.get(run.agent_name, b""))
        thread.states[run.agent_name] = encoded
        self._evict()

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """See `StateStore.load_state`."""
        thread = self._threads.get(thread_id)
        if thread is None:
            return None
        if thread.owner != owner:
            raise ThreadNotFoundError(thread_id)
        state = thread.states.get(agent_name)
        return None if state is None else AgentState(**decode(state))

    async def read_runs(self, owner: str, thread_id: str) -> list[RunLog]:
        """See `StateStore.read_runs`."""
        thread = self._owned(owner, thread_id)
        if thread is None:
            return []
        return [
            RunLog(number=run.number, run=run.record, events=run.events)
            for run in thread.runs
            if run is not thread.active
        ]

    async def list_threads(self, owner: str, agent_name: str | None = None) -> list[ThreadRecord]:
        """See `StateStore.list_threads`."""
        records = [
            thread.record
            for thread in self._threads.values()
            if thread.owner == owner and agent_name in (None, thread.agent_name)
        ]
        return sorted(records, key=lambda record: record.updated_at, reverse=True)

    async def update_thread(
        self, owner: str, thread_id: str, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        """See `StateStore.update_thread`."""
        thread = self._owned(owner, thread_id)
        if thread is None:
            raise ThreadNotFoundError(thread_id)
        if name is not None:
            thread.name = name
        if archived is not None:
            thread.archived = archived
        thread.updated_at = datetime.now(UTC)
        return thread.record

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """See `StateStore.delete_thread`."""
        thread = self._owned(owner, thread_id)
        if thread is None:
            raise ThreadNotFoundError(thread_id)
        del self._threads[thread_id]
        self._size -= thread.size

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        self._threads.clear()
        self._size = 0

    def _owned(self, owner: str, thread_id: str) -> _Thread | None:
        thread = self._threads.get(thread_id)
        return thread if thread is not None and thread.owner == owner else None

    def _running(self, run: RunRecord) -> _Thread | None:
        thread = self._threads.get(run.thread_id)
        return (
            thread
            if thread is not None and thread.active is not None and thread.active.record is run
            else None
        )

    def _evict(self) -> None:
        newest = next(reversed(self._threads.values()), None)
        if newest is not None:
            while len(newest.runs) > self._max_runs_per_thread and newest.runs[0] is not newest.active:
                self._size -= newest.runs.popleft().size
        while len(self._threads) > self._max_threads or self._size > self._max_bytes:
            idle = next((id for id, thread in self._threads.items() if thread.active is None), None)
            if idle is None:
                return
            self._size -= self._threads.pop(idle).size
