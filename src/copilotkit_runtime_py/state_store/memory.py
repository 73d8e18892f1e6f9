"""The store for one process: bounded, and lost with the process."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Final

from ..agui.lines import size_of
from ..errors import RunLostError, ThreadBusyError, ThreadNotFoundError
from .attachments import AttachmentQuota, AttachmentRecord
from .base import AgentState, AppendResult, Retention, RunEnding, RunLog, RunRecord, Signal, ThreadRecord
from .codec import decode_state, encode_state
from .memory_attachments import MemoryAttachments
from .signals import SignalBoard

MEMORY_RETENTION: Final = Retention(max_threads=1000, max_runs_per_thread=100, max_bytes=512 * 1024 * 1024)
"""How much `MemoryStateStore` stores by default."""


class _Run:
    __slots__ = ("compacted", "events", "is_compacted", "record", "size", "stop_requested")

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.events: list[bytes] = []
        self.compacted: Sequence[bytes] = ()
        self.is_compacted = False
        self.stop_requested = False
        self.size = 0


class _Thread:
    def __init__(self, run: RunRecord) -> None:
        self.id = run.thread_id
        self.owner = run.owner
        self.name: str | None = None
        self.archived = False
        self.created_at = self.updated_at = self.last_run_at = run.started_at
        self.last_number = 0
        self.agent_name = run.agent_name
        self.runs: deque[_Run] = deque()
        self.states: dict[str, bytes] = {}
        self.active: _Run | None = None
        self.place = self.run_place = 0
        self.size = 0

    @property
    def record(self) -> ThreadRecord:
        return ThreadRecord(
            id=self.id,
            agent_name=self.agent_name,
            name=self.name,
            archived=self.archived,
            created_at=self.created_at,
            updated_at=self.updated_at,
            last_run_at=self.last_run_at,
        )

    def run(self, number: int) -> _Run | None:
        """Returns the run with that number, if it is stored. The numbers of stored runs have no gaps."""
        if not self.runs:
            return None
        index = number - self.runs[0].record.number
        return self.runs[index] if 0 <= index < len(self.runs) else None


class _Owner:
    """An owner's threads by their last runs, and those that may be deleted by their last changes."""

    def __init__(self) -> None:
        self.threads: OrderedDict[str, _Thread] = OrderedDict()
        self.idle: OrderedDict[str, _Thread] = OrderedDict()
        self.size = 0

    @property
    def oldest_place(self) -> int:
        return next(iter(self.idle.values())).place


class MemoryStateStore:
    """Stores threads in the process, up to a bound.

    The bounds on threads and on bytes also hold while a run grows. Of the threads that may be deleted, one of
    the owner with the most data is deleted first, so that no owner can evict the threads of all others.

    Args:
        retention: how much is stored. Defaults to 1,000 threads, 100 runs of each, and 512 MiB.
    """

    def __init__(self, *, retention: Retention | None = None) -> None:
        self._retention = retention or MEMORY_RETENTION
        self._threads: OrderedDict[str, _Thread] = OrderedDict()
        self._owners: dict[str, _Owner] = {}
        self._board = SignalBoard()
        self._places = count()
        self._size = 0
        self._attachments = MemoryAttachments(self._retention.max_bytes)

    @property
    def lease_seconds(self) -> None:
        """See `StateStore`. No other process can take over a run."""
        return None

    @property
    def url(self) -> None:
        """See `StateStore`. A store in memory has none."""
        return None

    @property
    def size(self) -> int:
        """The bytes of events and states that are stored."""
        return self._size

    def __len__(self) -> int:
        """The number of threads that are stored."""
        return len(self._threads)

    async def begin_run(self, run: RunRecord) -> RunRecord:
        """See `StateStore.begin_run`."""
        thread = self._threads.get(run.thread_id)
        if thread is None:
            thread = self._add(_Thread(run))
        elif thread.owner != run.owner:
            raise ThreadNotFoundError(run.thread_id)
        elif thread.active is not None:
            if thread.active.record.producer == run.producer:
                return thread.active.record
            raise ThreadBusyError(run.thread_id)
        thread.last_number += 1
        thread.agent_name = run.agent_name
        thread.active = _Run(replace(run, number=thread.last_number))
        thread.runs.append(thread.active)
        thread.name = run.title if thread.name is None else thread.name
        self._ran(thread)
        self._make_room()
        return thread.active.record

    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        """See `StateStore.append`."""
        thread = self._owned(run.owner, run.thread_id)
        kept = thread.run(run.number) if thread else None
        if thread is None or kept is None or kept.record.producer != run.producer:
            raise RunLostError
        if kept is not thread.active:
            return AppendResult(stop_requested=kept.stop_requested)
        length = len(kept.events)
        if not 0 <= position <= length:
            raise ValueError(f"events for position {position} of a log of {length}")
        state = None if ending is None else encode_state(ending.state)
        new = events[length - position :]
        kept.events.extend(new)
        self._grow(thread, kept, sum(map(len, new)))
        if ending is not None and state is not None:
            thread.name = ending.title if thread.name is None else thread.name
            self._end(thread, kept, state, ending.compacted)
        if new or ending is not None:
            self._make_room()
            self._board.give(run.thread_id, Signal.EVENTS)
        return AppendResult(stop_requested=kept.stop_requested)

    async def request_stop(self, owner: str, thread_id: str, run_id: str | None = None) -> bool:
        """See `StateStore.request_stop`."""
        thread = self._owned(owner, thread_id)
        active = None if thread is None else thread.active
        if active is None or run_id not in (None, active.record.id):
            return False
        active.stop_requested = True
        self._board.give(thread_id, Signal.STOP)
        return True

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `StateStore.watch`."""
        return self._board.watch(thread_id, listener)

    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0, limit: int | None = None
    ) -> list[RunLog]:
        """See `StateStore.read_runs`."""
        thread = self._owned(owner, thread_id)
        if thread is None:
            return []
        if since < 0:
            since += thread.last_number + 1
        until = None if limit is None else position + limit
        return [
            RunLog(
                run=run.record,
                events=run.events[slice(position, until) if run.record.number == since else slice(None)]
                if not run.is_compacted
                else run.events[:],
                compacted=run.is_compacted,
                lease=math.inf if run is thread.active else None,
            )
            for run in thread.runs
            if run.record.number == since or (run.record.number > since and limit is None)
        ]

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """See `StateStore.load_state`."""
        thread = self._threads.get(thread_id)
        if thread is None:
            return None
        if thread.owner != owner:
            raise ThreadNotFoundError(thread_id)
        state = thread.states.get(agent_name)
        return None if state is None else decode_state(state)

    async def list_threads(
        self,
        owner: str,
        agent_name: str | None = None,
        *,
        include_archived: bool = False,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[ThreadRecord]:
        """See `StateStore.list_threads`."""
        threads = list(reversed(self._owners[owner].threads.values())) if owner in self._owners else []
        if after is not None:
            last = self._owned(owner, after)
            threads = [thread for thread in threads if last and thread.run_place < last.run_place]
        return [
            thread.record
            for thread in threads
            if agent_name in (None, thread.agent_name) and (include_archived or not thread.archived)
        ][:limit]

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
        self._change(thread)
        return thread.record

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """See `StateStore.delete_thread`."""
        thread = self._owned(owner, thread_id)
        if thread is None:
            raise ThreadNotFoundError(thread_id)
        self._remove(thread)
        self._board.give(thread_id, Signal.EVENTS)

    async def attachment_key(self) -> bytes:
        """See `AttachmentStore.attachment_key`."""
        return self._attachments.key

    async def begin_attachment(
        self, attachment: AttachmentRecord, *, quota: AttachmentQuota, unsent_since: datetime
    ) -> bool:
        """See `AttachmentStore.begin_attachment`."""
        return self._attachments.begin(attachment, quota, unsent_since)

    async def write_attachment(self, id: str, place: int, part: bytes) -> None:
        """See `AttachmentStore.write_attachment`."""
        self._attachments.write(id, place, part)

    async def finish_attachment(self, id: str) -> None:
        """See `AttachmentStore.finish_attachment`."""
        self._attachments.finish(id)

    async def discard_attachment(self, id: str) -> None:
        """See `AttachmentStore.discard_attachment`."""
        self._attachments.discard(id)

    async def find_attachments(self, ids: Iterable[str]) -> list[AttachmentRecord]:
        """See `AttachmentStore.find_attachments`."""
        return self._attachments.find(ids)

    async def read_attachment(self, id: str, place: int) -> bytes | None:
        """See `AttachmentStore.read_attachment`."""
        return self._attachments.read(id, place)

    async def send_attachments(self, owner: str, thread_id: str, ids: Sequence[str]) -> None:
        """See `AttachmentStore.send_attachments`."""
        thread = self._owned(owner, thread_id)
        if thread is not None:
            self._grow(thread, None, self._attachments.send(owner, thread_id, ids))
            self._make_room()

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        self._threads.clear()
        self._owners.clear()
        self._attachments = MemoryAttachments(self._retention.max_bytes)
        self._size = 0

    def _owned(self, owner: str, thread_id: str) -> _Thread | None:
        thread = self._threads.get(thread_id)
        return thread if thread is not None and thread.owner == owner else None

    def _add(self, thread: _Thread) -> _Thread:
        self._threads[thread.id] = thread
        self._owners.setdefault(thread.owner, _Owner()).threads[thread.id] = thread
        return thread

    def _remove(self, thread: _Thread) -> None:
        del self._threads[thread.id]
        self._attachments.forget_thread(thread.id)
        owner = self._owners[thread.owner]
        del owner.threads[thread.id]
        owner.idle.pop(thread.id, None)
        owner.size -= thread.size
        self._size -= thread.size
        if not owner.threads:
            del self._owners[thread.owner]

    def _change(self, thread: _Thread) -> None:
        """Makes a thread the last changed one."""
        thread.place = next(self._places)
        thread.updated_at = max(datetime.now(UTC), thread.created_at)
        owner = self._owners[thread.owner]
        self._threads.move_to_end(thread.id)
        owner.idle.pop(thread.id, None)
        if thread.active is None:
            owner.idle[thread.id] = thread

    def _ran(self, thread: _Thread) -> None:
        """Makes a thread the one with the latest run, and the last changed one."""
        self._change(thread)
        thread.run_place, thread.last_run_at = thread.place, thread.updated_at
        self._owners[thread.owner].threads.move_to_end(thread.id)

    def _grow(self, thread: _Thread, run: _Run | None, size: int) -> None:
        if run is not None:
            run.size += size
        thread.size += size
        self._owners[thread.owner].size += size
        self._size += size

    def _compact(self, thread: _Thread, run: _Run) -> None:
        self._grow(thread, run, -sum(map(len, run.events)))
        run.events, run.compacted, run.is_compacted = list(run.compacted), (), True

    def _end(self, thread: _Thread, run: _Run, state: bytes, compacted: Sequence[bytes]) -> None:
        run.compacted = compacted
        self._grow(thread, run, size_of(compacted))
        self._grow(thread, None, len(state) - len(thread.states.get(run.record.agent_name, b"")))
        thread.states[run.record.agent_name] = state
        thread.active = None
        self._ran(thread)
        previous = thread.run(run.record.number - 1)
        if previous is not None:
            self._compact(thread, previous)
        bound = self._retention.max_runs_per_thread
        while bound is not None and len(thread.runs) > bound:
            self._grow(thread, None, -thread.runs.popleft().size)
        self._drop_aged()

    def _drop_aged(self) -> None:
        if self._retention.max_age is None:
            return
        since = datetime.now(UTC) - self._retention.max_age
        aged = []
        for thread in self._threads.values():
            if thread.updated_at >= since:  # pragma: no mutate - a microsecond more or less
                break
            if thread.active is None:
                aged.append(thread)
        for thread in aged:
            self._remove(thread)

    def _make_room(self) -> None:
        threads, size = self._retention.max_threads, self._retention.max_bytes
        while True:
            if threads is not None and len(self._threads) > threads:
                owner = self._who_keeps_most(lambda owner: len(owner.threads))
            elif size is not None and self._size > size:
                owner = self._who_keeps_most(lambda owner: owner.size)
            else:
                return
            if owner is None:
                return
            self._remove(next(iter(owner.idle.values())))

    def _who_keeps_most(self, amount: Callable[[_Owner], int]) -> _Owner | None:
        """Returns the owner with the most data among those who have data that may be deleted."""
        return max(
            (owner for owner in self._owners.values() if owner.idle),
            key=lambda owner: (amount(owner), -owner.oldest_place),
            default=None,
        )
