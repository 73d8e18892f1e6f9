"""Tortures workers and judges what came of it.

`python -m tests.torture --minutes 10 --seed 1 --store sqlite`. The seed repeats the faults and the choices of
clients, but not the races between processes.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from .clients import Client, census, read_all, run_once
from .cluster import Database, Worker
from .model import Truth, ViolationError, judge
from .schedule import Fault, Schedule, schedule

STORES: Final = ("sqlite", "postgres", "redis")
LEASE_SECONDS: Final = 3.0
CLIENTS: Final = 16
THREADS: Final = 24
# How long everything may take to come to rest, in seconds.
_REST: Final = 90.0
# What a worker may hold in the end beyond what it held before: pools of connections and threads have grown.
_MORE: Final = {"tasks": 4, "threads": 24, "descriptors": 32}
# How its memory may have grown since it was warm: the allocator keeps some of what a flood took.
_GROWTH: Final = 1.5
_NOISE: Final = 32 * 1024 * 1024


async def torture(store: str, seed: int, seconds: float, *, workers: int = 2) -> tuple[Truth, list[str]]:
    """Tortures workers, and returns what was done and what is wrong.

    One more worker suffers everything but an end, so that what it holds can be judged over time.
    """
    truth, found = Truth(), list[str]()
    directory = Path(tempfile.mkdtemp(prefix="copilotkit-torture-"))
    database = Database(store, truth.counts)
    cluster: list[Worker] = []
    plan = schedule(
        seed, seconds, workers=workers, has_server=database.server is not None, lease_seconds=LEASE_SECONDS
    )
    pool = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    try:
        await asyncio.to_thread(database.start)
        cluster += [
            Worker(number, database.url, LEASE_SECONDS, directory, truth.counts)
            for number in range(workers + 1)
        ]
        for worker in cluster:
            worker.start()
        async with httpx.AsyncClient(timeout=30, limits=pool, trust_env=False) as http:
            await asyncio.gather(*(worker.ready(http) for worker in cluster))
            witness = Witness(cluster[-1])
            await witness.begin(http, seconds)
            try:
                await _suffer(plan, database, cluster, truth, http, seed=seed, seconds=seconds)
                found += await _last_look(cluster, truth, http)
                found += await witness.judge(http)
            except* ViolationError as caught:
                found += [str(error) for error in _leaves(caught)]
            finally:
                witness.close()
    finally:
        for worker in cluster:
            worker.close()
        await asyncio.to_thread(database.close)
    if found:
        found.append(f"the logs of the workers are in {directory}")
    else:
        shutil.rmtree(directory)
    return truth, found


async def _suffer(
    plan: Schedule,
    database: Database,
    cluster: list[Worker],
    truth: Truth,
    http: httpx.AsyncClient,
    *,
    seed: int,
    seconds: float,
) -> None:
    """Has clients use the workers while the plan is carried out, and waits until all is calm."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    urls = [worker.url for worker in cluster]
    # SQLite is in the workers.
    is_server = database.server is not None

    async def strike(fault: Fault) -> None:
        await database.suffer(fault, [] if is_server else [worker.pid for worker in cluster])

    async def lane(faults: Sequence[Fault], suffer: Callable[[Fault], Awaitable[None]]) -> None:
        late = 0.0
        for fault in faults:
            # A fault that took longer than planned, such as a slow start, moves those that follow.
            due = start + fault.at + late
            await asyncio.sleep(due - loop.time())
            if loop.time() > start + seconds:
                return
            await suffer(fault)
            late = max(late, loop.time() - due - fault.seconds + late)

    async def strike_worker(worker: Worker, fault: Fault) -> None:
        await worker.ready(http)
        await worker.suffer(fault)

    users = [Client(number, seed, urls, THREADS, truth, http) for number in range(CLIENTS)]
    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(lane(plan.database, strike))]
        lanes += [
            group.create_task(lane(faults, partial(strike_worker, worker)))
            for worker, faults in zip(cluster, plan.workers, strict=True)
        ]
        using = [group.create_task(user.use(start + seconds)) for user in users]
        await asyncio.wait(lanes)
        for worker in cluster:
            await worker.ready(http)
        _, stuck = await asyncio.wait(using, timeout=max(start + seconds - loop.time(), 0) + _REST)
        for task in stuck:
            task.cancel()
    if stuck:
        waiting = [user for task, user in zip(using, users, strict=True) if task in stuck]
        raise ViolationError(f"though all is calm, somebody waits: {waiting}")


async def _last_look(cluster: list[Worker], truth: Truth, http: httpx.AsyncClient) -> list[str]:
    """Returns what is wrong when all is calm."""
    found: list[str] = []
    for thread in list(truth.threads.values()):
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _REST
        while not await run_once(http, cluster[0].url, truth, thread):
            if loop.time() > deadline:
                found.append(f"{thread.id} is stuck")
                break
            await asyncio.sleep(0.5)
        views = [await read_all(http, worker.url, truth, thread) for worker in cluster]
        found += judge(truth, thread, views)
    answer = await http.get(f"{cluster[0].url}/api/copilotkit/threads?agentId=counter")
    listed = {row["id"]: row["name"] for row in answer.json()["threads"]}
    for thread in truth.threads.values():
        name, asked = thread.names
        if not thread.deletions and name is not None and listed.get(thread.id) not in (name, asked):
            found.append(f"{thread.id} is called {listed.get(thread.id)!r} and not {name!r}")
    for worker in cluster:
        found += await _leaks(http, worker.url)
    return found


async def _leaks(http: httpx.AsyncClient, url: str) -> list[str]:
    """Returns what a worker holds though nobody uses it."""
    deadline = time.monotonic() + 30
    number = 0
    while True:
        held = await census(http, url, number)
        number += 1
        # The census itself, and those that begin with a process.
        names = [name for name in held["names"] if name.startswith(("run ", "agent ", "follow ", "end of "))]
        leaked = [name for name in names if "census" not in name]
        if held["descriptors"] > 80:
            leaked.append(f"{held['descriptors']} descriptors")
        if held["threads"] > 60:
            leaked.append(f"{held['threads']} threads")
        if not leaked or time.monotonic() > deadline:
            return [f"{url} still holds {leaked}"] if leaked else []
        await asyncio.sleep(1)


class Witness:
    """Judges what a worker holds in the end by what it held before.

    Args:
        worker: the worker, which nobody kills.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._pid = worker.pid
        self._held: dict[str, Any] = {}
        self._warm = 0
        self._task: asyncio.Task[None] | None = None

    async def begin(self, http: httpx.AsyncClient, seconds: float) -> None:
        """Takes note of what the worker holds now, and of its memory for the first third of the time."""
        await census(http, self._worker.url, 0)
        self._held = await census(http, self._worker.url, 1)
        self._warm = self._held["bytes"]
        self._task = asyncio.create_task(self._watch(seconds / 3))

    async def _watch(self, seconds: float) -> None:
        process = psutil.Process(self._pid)
        with suppress(TimeoutError, psutil.NoSuchProcess):
            async with asyncio.timeout(seconds):
                while True:
                    self._warm = max(self._warm, process.memory_info().rss)
                    await asyncio.sleep(0.2)

    async def judge(self, http: httpx.AsyncClient) -> list[str]:
        """Returns what is too much now that all is calm."""
        if self._worker.pid != self._pid:
            return [f"{self._worker.url} ended though nobody killed it"]
        deadline = time.monotonic() + 30
        number = 2
        while True:
            held = await census(http, self._worker.url, number)
            number += 1
            found = [
                f"{held[what]} {what} instead of {self._held[what]}"
                for what, more in _MORE.items()
                if held[what] > self._held[what] + more
            ]
            if held["bytes"] > _GROWTH * self._warm + _NOISE:
                found.append(f"{held['bytes'] >> 20} MiB instead of {self._warm >> 20} MiB")
            if not found or time.monotonic() > deadline:
                print(f"  {held['bytes'] >> 20} MiB, warm {self._warm >> 20} MiB", flush=True)
                return [f"{self._worker.url} has {', '.join(found)}"] if found else []
            await asyncio.sleep(1)

    def close(self) -> None:
        """Watches no more."""
        if self._task is not None:
            self._task.cancel()


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]


def report(truth: Truth) -> str:
    """Returns what was done."""
    return ", ".join(f"{count:,} {what}" for what, count in sorted(truth.counts.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long for each store (10)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the faults and choices")
    parser.add_argument("--store", choices=STORES, action="append", help="only this one; repeatable")
    parser.add_argument("--workers", type=int, default=2, help="how many workers are killed (2)")
    options = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    failed = False
    for store in options.store or STORES:
        print(f"{store}, seed {options.seed}", flush=True)
        truth, found = asyncio.run(
            torture(store, options.seed, 60 * options.minutes, workers=options.workers)
        )
        print(f"  {report(truth)}", flush=True)
        for line in found:
            print(f"  WRONG: {line}", flush=True)
        failed = failed or bool(found)
    if failed:
        print(f'Again: make torture ARGS="--seed {options.seed} --minutes {options.minutes}"')
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
