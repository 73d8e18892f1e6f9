"""The published checks find what is wrong with a store."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from copilotkit_runtime_py.errors import CopilotKitError
from copilotkit_runtime_py.state_store.base import (
    AgentState,
    AppendResult,
    Retention,
    RunEnding,
    RunLog,
    RunRecord,
    Signal,
    StateStore,
    ThreadRecord,
)
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from copilotkit_runtime_py.testing import state_store_checks
from copilotkit_runtime_py.testing.state_store import steps

pytestmark = pytest.mark.anyio


class AddsAtTheEnd(MemoryStateStore):
    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        (log,) = await self.read_runs(run.owner, run.thread_id, since=-1)
        return await super().append(run, len(log.events), events, ending=ending)


class AsksNotWhoWrites(MemoryStateStore):
    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        (log,) = await self.read_runs(run.owner, run.thread_id, since=-1)
        run = replace(run, producer=log.run.producer)
        return await super().append(run, position, events, ending=ending)


class EndsInTwoSteps(MemoryStateStore):
    async def append(
        self, run: RunRecord, position: int, events: Sequence[bytes], *, ending: RunEnding | None = None
    ) -> AppendResult:
        await super().append(run, position, events)
        await asyncio.sleep(0)
        return await super().append(run, position, events, ending=ending)


class ClaimsTwice(MemoryStateStore):
    async def begin_run(self, run: RunRecord) -> RunRecord:
        for log in await self.read_runs(run.owner, run.thread_id, since=-1):
            if not log.ended:
                await self.append(log.run, 0, [], ending=RunEnding(state=AgentState(), compacted=[]))
        return await super().begin_run(run)


class ReadsForAnybody(MemoryStateStore):
    async def read_runs(
        self, owner: str, thread_id: str, *, since: int = 1, position: int = 0, limit: int | None = None
    ) -> list[RunLog]:
        return await super().read_runs("ann", thread_id, since=since, position=position, limit=limit)


class StopsAnything(MemoryStateStore):
    async def request_stop(self, owner: str, thread_id: str, run_id: str | None = None) -> bool:
        return await super().request_stop(owner, thread_id)


class IsSilent(MemoryStateStore):
    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        return super().watch("another", listener)


class ListensForEver(MemoryStateStore):
    def __init__(self, *, retention: Retention | None = None) -> None:
        super().__init__(retention=retention)
        self.watching = AsyncExitStack()

    @asynccontextmanager
    async def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AsyncIterator[None]:
        await self.watching.enter_async_context(super().watch(thread_id, listener))
        yield


class MixesAgents(MemoryStateStore):
    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        return await super().load_state(owner, thread_id, "a")


class MixesCase(MemoryStateStore):
    async def begin_run(self, run: RunRecord) -> RunRecord:
        return await super().begin_run(replace(run, thread_id=run.thread_id.lower()))


class ListsFromTheStart(MemoryStateStore):
    async def list_threads(
        self,
        owner: str,
        agent_name: str | None = None,
        *,
        include_archived: bool = False,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[ThreadRecord]:
        return await super().list_threads(owner, agent_name, include_archived=include_archived, limit=limit)


class KeepsEverything(MemoryStateStore):
    def __init__(self, *, retention: Retention | None = None) -> None:
        super().__init__(retention=Retention())


@pytest.mark.parametrize(
    ("store_class", "finding"),
    [
        (AddsAtTheEnd, "a_batch_that_is_said_again_is_kept_once"),
        (AddsAtTheEnd, "a_gap_is_refused_and_nothing_of_it_is_kept"),
        (AsksNotWhoWrites, "another_producer_cannot_write_a_run_that_is_held"),
        (AsksNotWhoWrites, "a_lost_run_does_not_reach_the_thread_that_took_its_id"),
        (EndsInTwoSteps, "a_run_ends_in_one_step"),
        (ClaimsTwice, "of_twenty_claims_at_once_exactly_one_wins"),
        (ReadsForAnybody, "another_owners_thread_does_not_exist"),
        (StopsAnything, "a_run_is_asked_by_its_id"),
        (IsSilent, "who_watches_hears_that_a_log_has_grown"),
        (IsSilent, "a_thread_may_be_followed_live_from_elsewhere"),
        (ListensForEver, "who_has_stopped_watching_hears_nothing_more"),
        (MixesAgents, "each_agent_has_a_state_of_its_own_on_each_thread"),
        (MixesCase, "no_two_threads_are_mixed_up"),
        (ListsFromTheStart, "pages_make_up_the_whole_list"),
        (KeepsEverything, "the_oldest_runs_of_a_full_thread_go"),
        (KeepsEverything, "the_threads_that_changed_longest_ago_go"),
        (KeepsEverything, "bytes_are_bounded_over_all_threads"),
        (KeepsEverything, "threads_that_have_not_changed_for_long_go"),
        (MemoryStateStore, "who_takes_over_ends_the_run_after_all_that_was_kept"),
        (MemoryStateStore, "a_producer_holds_its_run_for_as_long_as_the_store_says"),
    ],
)
async def test_a_fault_is_found(
    store_class: type[MemoryStateStore], finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "PATIENCE", 0.01)
    (check,) = [check for check in state_store_checks() if check.__name__ == finding]
    stores: list[StateStore] = []

    def open_store(*, lease_seconds: float | None = None, retention: Retention | None = None) -> StateStore:
        if not stores:
            stores.append(store_class(retention=retention or Retention()))
        return stores[0]

    with pytest.raises((AssertionError, ValueError, CopilotKitError)):
        await check(open_store)


def test_what_a_store_cannot_do_is_not_demanded() -> None:
    names = [check.__name__ for check in state_store_checks()]
    assert len(set(names)) == len(names)
    fewer = [check.__name__ for check in state_store_checks(leases=False, signals_between_workers=False)]
    left_out = set(names) - set(fewer)
    assert "a_thread_may_be_followed_live_from_elsewhere" in left_out
    assert "who_takes_over_holds_the_run" in left_out
    assert set(fewer) < set(names)


def test_every_check_is_a_coroutine_function_that_opens_its_own_stores() -> None:
    for check in state_store_checks():
        assert list(inspect.signature(check).parameters) == ["open_store"]
