"""Many readers on one process, and several workers on one store."""

from __future__ import annotations

import asyncio
import os
import resource

import psutil

from bench import servers, stores
from bench.agui import Throughput, request, throughput
from bench.compare import Table, markdown
from bench.servers import Server
from bench.startup import FUNCTION_AGENT

RUNS = 8
# So many that one worker has no CPU left.
AT_ONCE = 64
DATABASES = {"postgres", "redis-server"}


async def idle_streams(server: Server, count: int) -> float:
    """The memory of one idle `/connect` stream, in kB: each follows a run that is silent."""
    order = [{"id": "u1", "role": "user", "content": "1 500000"}]
    writers = [await _open(server, "run", number, order) for number in range(RUNS)]
    before = server.memory()
    try:
        for first in range(0, count, 100):
            batch = (_open(server, "connect", number, []) for number in range(first, first + 100))
            writers += await asyncio.gather(*batch)
        return (server.memory() - before) * 1e3 / count
    finally:
        for writer in writers:
            writer.close()


async def _open(
    server: Server, operation: str, number: int, messages: list[dict[str, str]]
) -> asyncio.StreamWriter:
    host, port = server.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**12)
    writer.write(request(server.url, operation, f"idle-{number % RUNS}", messages))
    await reader.readuntil(b"RUN_STARTED")
    return writer


def _seconds() -> dict[int, float]:
    """Seconds of CPU that this process and each process of a database have used, by process id."""
    own = psutil.Process()
    counted = [own, *(process for process in psutil.process_iter() if process.name() in DATABASES)]
    return {process.pid: sum(process.cpu_times()[:2]) for process in counted}


async def workers(url: str, count: int, quick: bool) -> tuple[float, float, float]:
    """Runs a second of so many workers, and what the load generator and the database took, in CPUs."""
    options = ("--workers", f"{count}") if count > 1 else ()
    with servers.serve(FUNCTION_AGENT, url, *options, "--no-access-log") as server:
        await throughput(server, Throughput(), 160, AT_ONCE)
        result, before = Throughput(), _seconds()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(1 if quick else 3):
            await throughput(server, result, 960, AT_ONCE)
        wall = loop.time() - began
        used = {pid: (after - before.get(pid, 0.0)) / wall for pid, after in _seconds().items()}
        generator = used.pop(os.getpid())
        return max(result.rates), generator, sum(used.values())


async def measure(quick: bool) -> list[str]:
    """Returns the tables."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(2_000 if quick else 10_000, hard // 2)
    with servers.serve(FUNCTION_AGENT, "memory") as server:
        each = await idle_streams(server, count)
    tables = [
        markdown(
            "Idle `/connect` streams on one process", ["streams", "kB each"], [[f"{count:,}", f"{each:.0f}"]]
        )
    ]
    rows: Table = []
    with stores.urls() as addresses:
        for name in ("PostgreSQL", "Redis"):
            for count in (1, 2):
                rate, *others = await workers(addresses[name], count, quick)
                rows.append([name, f"{count}", f"{rate:,.0f}", *(f"{cpus:.2f}" for cpus in others)])
    header = ["store", "workers", "runs/s", "load generator, CPUs", "database, CPUs"]
    tables.append(
        markdown(f"Runs of one chunk, {AT_ONCE} at once, on two CPUs that everything shares", header, rows)
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return tables
