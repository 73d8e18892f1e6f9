"""A worker that is killed: nobody loses what they saw, and no thread stays busy."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest

from tests.faults.process import Event, WorkerProcess, no_orphans
from tests.well_formed import check_stream

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.timeout(180)]

LEASE_SECONDS = 1.0
ROUNDS = 3
RUNS = 20


async def test_no_event_that_was_seen_is_lost_when_a_worker_is_killed_and_no_thread_is_stuck(
    url: str,
) -> None:
    chance = random.Random(20)
    with no_orphans() as processes:
        worker = WorkerProcess(url, LEASE_SECONDS)
        processes.append(worker)
        cut_off = 0
        for round in range(ROUNDS):
            seen = await runs_until_killed(
                worker, f"{round}-", enough=chance.randrange(50, 1500), chance=chance
            )
            worker = WorkerProcess(url, LEASE_SECONDS)
            processes.append(worker)
            checked = await asyncio.gather(*(check_thread(worker, id, events) for id, events in seen.items()))
            cut_off += sum(checked)
        assert cut_off > RUNS
        await worker.kill()


async def runs_until_killed(
    worker: WorkerProcess, prefix: str, *, enough: int, chance: random.Random
) -> dict[str, list[Event]]:
    """Starts runs of random lengths and kills their worker once so many events were seen."""
    seen: dict[str, list[Event]] = {f"{prefix}{number}": [] for number in range(RUNS)}
    total = 0
    reached = asyncio.Event()

    async def read(thread_id: str, count: int) -> None:
        nonlocal total
        try:
            async with worker.stream("run", thread_id, f"{thread_id}-r1", count=count) as stream:
                async for event in stream:
                    seen[thread_id].append(event)
                    total += 1
                    if total >= enough:
                        reached.set()
        except httpx.HTTPError:
            pass

    everything = asyncio.gather(*(read(id, chance.randrange(5, 300)) for id in seen))
    everything.add_done_callback(lambda _: reached.set())
    await reached.wait()
    await worker.kill()
    await everything
    return seen


async def check_thread(worker: WorkerProcess, thread_id: str, seen: list[Event]) -> bool:
    """Checks what another worker has of a thread. Returns whether its run was cut off."""
    followed = await worker.events("connect", thread_id, "c1")
    if not followed:
        assert not seen
        return False
    check_stream(followed)
    said = "".join(event["delta"] for event in seen if event["type"] == "TEXT_MESSAGE_CONTENT")
    kept = "".join(event["delta"] for event in followed if event["type"] == "TEXT_MESSAGE_CONTENT")
    assert kept.startswith(said)
    ended_here = bool(seen) and seen[-1]["type"] == "RUN_FINISHED"
    assert followed[-1]["type"] == "RUN_FINISHED" or followed[-1]["code"] == "RUN_INTERRUPTED"
    assert not ended_here or followed[-1]["type"] == "RUN_FINISHED"
    again = await worker.events("run", thread_id, f"{thread_id}-r2", count=1)
    assert again[-1]["type"] == "RUN_FINISHED"
    return bool(followed[-1]["type"] == "RUN_ERROR")
