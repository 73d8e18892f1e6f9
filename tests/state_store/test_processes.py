"""Several processes on one store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from copilotkit_runtime_py.state_store.base import AgentState, RunEnding, Signal, StateStore
from copilotkit_runtime_py.state_store.from_url import open_state_store

from .producer import THREADS

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

SERVERS = [
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("redis", marks=pytest.mark.redis),
]
every_store = pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
every_server = pytest.mark.parametrize("kind", SERVERS)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'threads.db'}"
    address: str = request.getfixturevalue(f"{kind}_url")
    return address


@pytest.fixture
async def store(url: str) -> AsyncIterator[StateStore]:
    store = open_state_store(url)
    yield store
    await store.aclose()


class Producer:
    """A process that uses the store."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def go(self) -> list[str]:
        """Has it go on to its end. Returns what it told."""
        output, _ = await self.process.communicate(b"\n")
        assert self.process.returncode == 0
        return output.decode().split()


@asynccontextmanager
async def producer(url: str, job: str, *, lease_seconds: float = 30.0) -> AsyncIterator[Producer]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.state_store.producer", url, str(lease_seconds), job),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Producer(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@every_store
async def test_a_thread_is_claimed_by_one_process_only(url: str, store: StateStore) -> None:
    async with producer(url, "claim") as first, producer(url, "claim") as second:
        assert [await first.line(), await second.line()] == ["ready", "ready"]
        won = await asyncio.gather(first.go(), second.go())
    everything = {f"t{place}" for place in range(THREADS)}
    assert set(won[0]) | set(won[1]) == everything
    assert not set(won[0]) & set(won[1])
    for thread_id in everything:
        assert [log.run.number for log in await store.read_runs("ann", thread_id)] == [1]


@every_store
async def test_the_run_of_a_killed_process_is_taken_over_with_all_that_it_had_kept(
    url: str, store: StateStore
) -> None:
    async with producer(url, "write", lease_seconds=0.5) as writing:
        while await writing.line() != "20":
            pass
        writing.process.kill()
        told = 20 + len((await writing.process.communicate())[0].split())
    (log,) = await store.read_runs("ann", "t1")
    while log.lease is not None and log.lease > 0:
        await asyncio.sleep(log.lease)
        (log,) = await store.read_runs("ann", "t1")
    assert len(log.events) > told
    rival = replace(log.run, producer="rival")
    ending = RunEnding(state=AgentState(state="closed"), compacted=[])
    await store.append(rival, len(log.events), [b'"closed"'], ending=ending)
    (closed,) = await store.read_runs("ann", "t1")
    assert (closed.run, closed.ended) == (rival, True)
    assert list(closed.events) == [*(b"%d" % place for place in range(len(log.events))), b'"closed"']
    assert await store.load_state("ann", "t1", "a") == AgentState(state="closed")


@every_server
async def test_a_process_hears_what_another_does(url: str, store: StateStore) -> None:
    heard: asyncio.Queue[Signal] = asyncio.Queue()
    async with producer(url, "wait") as waiting:
        assert await waiting.line() == "ready"
        async with store.watch("t1", heard.put_nowait):
            assert await store.request_stop("ann", "t1")
            log = (await store.read_runs("ann", "t1"))[0]
            while not log.ended:
                await heard.get()
                log = (await store.read_runs("ann", "t1"))[0]
        assert await waiting.go() == []
    assert list(log.events) == [b'"stopped"']
    assert await store.load_state("ann", "t1", "a") == AgentState(state="stopped")
