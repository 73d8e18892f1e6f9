"""An agent in the server's own process, with every store, beside a bare FastAPI stream."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import psutil

from bench import servers, stores
from bench.agui import Throughput, ask, throughput
from bench.compare import Table, markdown
from bench.measure import Burst, burst, crowd, percentile
from bench.servers import Server
from bench.startup import FUNCTION_AGENT


@contextlib.contextmanager
def bare() -> Iterator[Server]:
    """A FastAPI application that streams the same frames, and does nothing else."""
    port = servers.free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.bare:app", "--port", f"{port}", "--log-level", "error"]
    with servers.running([*command, "--no-access-log"], tells_port=False) as process:
        servers.wait_for(port, process)
        yield Server("bare FastAPI stream", f"http://127.0.0.1:{port}", psutil.Process(process.pid))


async def row(server: Server, quick: bool) -> list[str]:
    for _ in range(5):
        await ask(server, "300 0")
    one, many, paced = Throughput(), Burst(5_000), Burst(500)
    await throughput(server, one, 160 if quick else 480, 1)
    for _ in range(2 if quick else 5):
        await burst(server, many, ask, 0)
        await burst(server, paced, ask, 2)
    streams = await crowd(server, ask, 50, "200 10")
    latencies = [percentile(streams.latencies, each) for each in (50, 95)]
    return [
        server.name,
        f"{one.cpu / one.runs * 1e3:.2f}",
        f"{many.cpu_per_chunk * 1e6:.1f}",
        f"{paced.cpu_per_chunk * 1e6:.0f}",
        *(f"{each:.1f}" for each in latencies),
    ]


async def measure(quick: bool) -> list[str]:
    """Returns the table."""
    rows: Table = []
    with stores.urls() as addresses:
        for name, url in addresses.items():
            with servers.serve(FUNCTION_AGENT, url, name=name) as server:
                rows.append(await row(server, quick))
        with bare() as server:
            rows.append(await row(server, quick))
    header = [
        "store",
        "CPU ms/run of one chunk",
        "CPU µs/chunk, in a burst",
        "CPU µs/chunk, 2 ms apart",
        "50 streams, 10 ms: p50 ms",
        "p95 ms",
    ]
    return [markdown("From the agent to the socket", header, rows)]
