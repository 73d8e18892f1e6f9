"""What is measured, and how."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import psutil

from bench.agent import NAME
from bench.load import AGENT_END, GRAPHQL_END, Exchange, agent_request, exchange, graphql_request
from bench.servers import Server

threads = itertools.count()
Ask: TypeAlias = Callable[[Server, str], Awaitable[Exchange]]
"""Runs the agent of a server with an order, on a thread of its own."""


async def ask(server: Server, order: str) -> Exchange:
    """One run of the agent, on a thread of its own."""
    request = graphql_request(server.url, order, f"thread-{next(threads)}")
    return await exchange(server.url, request, GRAPHQL_END)


async def ask_agent(base: str, order: str) -> Exchange:
    """The same, without a runtime between."""
    url = base + NAME
    return await exchange(url, agent_request(url, order, "direct"), AGENT_END)


@dataclass
class Burst:
    """Runs of one size: milliseconds each, and the CPU that all of them cost the server."""

    chunks: int
    total: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def row(self) -> list[str]:
        total = statistics.median(self.total)
        each = self.cpu / len(self.total) / self.chunks * 1e6
        return [f"{total:,.0f}", f"{self.chunks / total * 1000:,.0f}", f"{each:.1f}"]

    @property
    def cpu_per_chunk(self) -> float:
        return self.cpu / len(self.total) / self.chunks


async def burst(server: Server, result: Burst, ask: Ask, pause: int) -> None:
    """One more run of `result.chunks` chunks, `pause` milliseconds apart."""
    before = server.cpu()
    run = await ask(server, f"{result.chunks} {pause}")
    result.cpu += server.cpu() - before
    result.total.append(run.total)
    result.first.append(run.first_chunk)


@dataclass
class Crowd:
    """Many streams at once."""

    latencies: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    wall: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0


async def crowd(server: Server, ask: Ask, streams: int, order: str) -> Crowd:
    """So many runs at the same time."""
    loop = asyncio.get_running_loop()
    before, started = server.cpu(), loop.time()
    async with memory_of(server) as peak:
        runs = await asyncio.gather(*(ask(server, order) for _ in range(streams)))
    return Crowd(
        latencies=[latency for run in runs for latency in run.latencies()],
        first=[run.first_chunk for run in runs],
        wall=loop.time() - started,
        cpu=server.cpu() - before,
        memory=max(peak),
    )


async def crowd_direct(base: str, streams: int, order: str) -> list[float]:
    """The latencies without a runtime between."""
    runs = await asyncio.gather(*(ask_agent(base, order) for _ in range(streams)))
    return [latency for run in runs for latency in run.latencies()]


@contextlib.asynccontextmanager
async def memory_of(server: Server) -> AsyncIterator[list[float]]:
    """Collects the server's resident memory while the context is open."""
    samples = [server.memory()]

    async def sample() -> None:
        while True:
            await asyncio.sleep(0.05)
            samples.append(server.memory())

    task = asyncio.ensure_future(sample())
    try:
        yield samples
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


class OtherLoad:
    """How busy the machine was with other things, in CPUs."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self._processes = [psutil.Process(), *processes]
        self._before = self._now()

    def _now(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        own = sum(sum(process.cpu_times()[:2]) for process in self._processes)
        return sum(times) - getattr(times, "guest", 0.0), idle, own

    def cpus(self) -> float:
        (total, idle, own), before = self._now(), self._before
        elapsed = (total - before[0]) / (psutil.cpu_count() or 1)
        busy = (total - before[0]) - (idle - before[1]) - (own - before[2])
        return max(0.0, busy / elapsed)
