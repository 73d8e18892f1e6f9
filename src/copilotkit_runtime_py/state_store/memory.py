"""The store for one process: bounded, and gone when the process is."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

import orjson

from ..errors import ThreadBusyError, ThreadNotFoundError
from .base import AgentState, RunRecord


class _Run:
    __slots__ = ("events", "record", "size")

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.events: list[bytes] = []
        self.size = 0


class _Thread:
    __slots__ = ("active", "owner", "runs", "states")

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.runs: deque[_Run] = deque()
        self.states: dict[str, bytes] = {}
        self.active: _Run | None = None

    @property
    def size(self) -> int:
        return sum(run.size for run in self.runs) + sum(len(state) for state in self.states.values())


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

    async def begin_run(self, run: RunRecord) -> None:
        """See `StateStore.begin_run`."""
        thread = self._threads.get(run.thread_id)
        if thread is None:
            thread = self._threads[run.thread_id] = _Thread(run.owner)
        elif thread.owner != run.owner:
            raise ThreadNotFoundError(run.thread_id)
        elif thread.active is not None:
            raise ThreadBusyError(run.thread_id)
        thread.active = _Run(run)
        thread.runs.append(thread.active)
        self._threads.move_to_end(run.thread_id)
        self._evict()

    async def append(self, run: RunRecord, events: Sequence[bytes]) -> None:
        """See `StateStore.append`."""
        thread = self._threads.get(run.thread_id)
        if thread is None or thread.active is None or thread.active.record is not run:
            return
        size = sum(map(len, events))
        thread.active.events.extend(events)
        thread.active.size += size
        self._size += size
        self._evict()

    async def end_run(self, run: RunRecord, state: AgentState) -> None:
        """See `StateStore.end_run`."""
        thread = self._threads.get(run.thread_id)
        if thread is None or thread.active is None or thread.active.record is not run:
            return
        thread.active = None
        encoded = orjson.dumps(state, option=orjson.OPT_NON_STR_KEYS)
        self._size += len(encoded) - len(thread.states.get(run.agent_name, b""))
        thread.states[run.agent_name] = encoded
        self._evict()

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """See `StateStore.load_state`."""
        thread = self._threads.get(thread_id)
        if thread is None or thread.owner != owner or agent_name not in thread.states:
            return None
        return AgentState(**orjson.loads(thread.states[agent_name]))

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        self._threads.clear()
        self._size = 0

    def _evict(self) -> None:
        newest = next(reversed(self._threads.values()), None)
        if newest is not None:
            while len(newest.runs) > self._max_runs_per_thread and newest.runs[0] is not newest.active:
                self._size -= newest.runs.popleft().size
        if len(self._threads) <= self._max_threads and self._size <= self._max_bytes:
            return
        for thread_id in [id for id, thread in self._threads.items() if thread.active is None]:
            self._size -= self._threads.pop(thread_id).size
            if len(self._threads) <= self._max_threads and self._size <= self._max_bytes:
                return
