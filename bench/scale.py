"""Many readers on one process, and several workers on one store."""

from __future__ import annotations

import asyncio
import resource

import psutil

from bench import servers, stores
from bench.agui import Throughput, request, throughput
from bench.compare import Table, markdown
from bench.servers import Server
from bench.startup import FUNCTION_AGENT

RUNS = 8


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


async def workers(url: str, count: int, quick: bool) -> tuple[float, float]:
    """Runs a second of so many workers, and the CPU of the load generator in the meantime, in CPUs."""
    options = ("--workers", f"{count}") if count > 1 else ()
    with servers.serve(FUNCTION_AGENT, url, *options, "--no-access-log") as server:
        await throughput(server, Throughput(), 160, 16)
        result, own = Throughput(), psutil.Process()
        before = sum(own.cpu_times()[:2])
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(1 if quick else 3):
            await throughput(server, result, 480, 16)
        generator = (sum(own.cpu_times()[:2]) - before) / (loop.time() - began)
        return max(result.rates), generator


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
            one, _ = await workers(addresses[name], 1, quick)
            two, generator = await workers(addresses[name], 2, quick)
            rows.append([name, f"{one:,.0f}", f"{two:,.0f}", f"{two / one:.2f}", f"{generator:.2f}"])
    header = ["store", "one worker: runs/s", "two: runs/s", "two to one", "load generator, CPUs"]
    tables.append(markdown("Runs of one chunk, 16 at once, on two CPUs that everything shares", header, rows))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return tables
