"""The benchmark: our server and the Node runtime 1.10.6 in one run, the same scripted agent behind both.

`python -m bench` prints tables; `--quick` measures less, `--write` keeps the tables in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import platform
import statistics
import subprocess
from pathlib import Path

import psutil
import uvloop

from bench import servers
from bench.load import GRAPHQL_END, exchange, post
from bench.measure import Burst, Crowd, OtherLoad, ask, burst, crowd, crowd_direct, percentile
from bench.servers import Server
from tests.clients.node import install

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
INTRODUCTION = """# Benchmarks

Written by `make bench ARGS=--write`: this server and the Node runtime (`@copilotkit/runtime` 1.10.6) in one
run, one process each, the same scripted AG-UI agent behind both, a raw-socket client in front. Medians. CPU
is the server's own, from the operating system. Latency is from the moment the agent makes a chunk to the
moment the client has it; "added" is that less what it takes without a runtime between.
"""

Table = list[list[str]]


def markdown(title: str, header: list[str], rows: Table) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


async def compare_bursts(pair: list[Server], sizes: list[int], pause: int, repetitions: int) -> str:
    rows: Table = []
    for chunks in sizes:
        results = [Burst(chunks) for _ in pair]
        for _ in range(repetitions):
            for server, result in zip(pair, results, strict=True):
                await burst(server, result, pause)
        python, node = results
        share = f"{python.cpu_per_chunk / node.cpu_per_chunk:.2f}" if node.cpu else "-"
        rows.append([f"{chunks:,}", *python.row(), *node.row(), share])
    columns = [f"{server.name}: {what}" for server in pair for what in ("ms", "chunks/s", "CPU µs/chunk")]
    title = f"One stream, {f'{pause} ms between chunks' if pause else 'chunks as fast as the agent writes'}"
    return markdown(title, ["chunks", *columns, "CPU, Python to Node"], rows)


async def compare_crowds(pair: list[Server], base: str, streams: int, order: str, repetitions: int) -> str:
    direct = await crowd_direct(base, streams, order)
    rows: Table = []
    for server in pair:
        runs: list[Crowd] = [await crowd(server, streams, order) for _ in range(repetitions)]
        added = [
            statistics.median(percentile(run.latencies, p) for run in runs) - percentile(direct, p)
            for p in (50, 95)
        ]
        first = statistics.median(statistics.median(run.first) for run in runs)
        wall, cpu = (statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu"))
        memory = max(run.memory for run in runs)
        figures = [f"{added[0]:.2f}", f"{added[1]:.2f}", f"{first:.0f}", f"{wall:.2f}", f"{cpu:.2f}"]
        rows.append([server.name, *figures, f"{memory:.0f}"])
    chunks, pause = order.split()
    header = ["", "added p50 ms", "added p95 ms", "first chunk ms", "wall s", "CPU s", "peak RSS MB"]
    return markdown(f"{streams} streams of {chunks} chunks, {pause} ms between chunks", header, rows)


async def compare_first_chunks(pair: list[Server], repetitions: int) -> str:
    rows: Table = []
    for server in pair:
        times: list[float] = []
        for _ in range(repetitions):
            times.append((await ask(server, "1 0")).first_chunk)
            await asyncio.sleep(0.02)
        rows.append([server.name, f"{percentile(times, 50):.1f}", f"{percentile(times, 95):.1f}"])
    return markdown("First chunk of a run, one run at a time", ["", "p50 ms", "p95 ms"], rows)


async def measure_ceiling(frames: int) -> str:
    with servers.ceiling() as server:
        request = post(f"{server.url}{frames}", {}, "*/*")
        await exchange(server.url, request, GRAPHQL_END)
        before = server.cpu()
        await exchange(server.url, request, GRAPHQL_END)
        spent = server.cpu() - before
    row = ["raw ASGI, one send per frame", f"{spent / frames * 1e6:.1f}"]
    return markdown("The ceiling: a bare ASGI application on the same server", ["", "CPU µs/frame"], [row])


async def measure(quick: bool) -> str:
    repetitions = 3 if quick else 9
    sizes = [500, 2000, 8000] if quick else [500, 1000, 2000, 4000, 8000]
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(servers.agent())
        pair = [stack.enter_context(start(base)) for start in (servers.ours, servers.node)]
        for server in pair:
            for _ in range(5 if quick else 20):
                await ask(server, "300 0")
        others = OtherLoad(psutil.Process().children(recursive=True))
        tables = [
            await compare_bursts(pair, sizes, 0, repetitions),
            await compare_bursts(pair, sizes[:1] if quick else sizes[:3], 1, 1 if quick else 3),
            await compare_crowds(pair, base, 50, "200 10", 1 if quick else 4),
            await compare_first_chunks(pair, 15 if quick else 60),
        ]
        noise = others.cpus()
    tables.append(await measure_ceiling(20_000))
    return "\n\n".join([about(noise), *tables])


def about(noise: float) -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    machine = f"{psutil.cpu_count()} CPUs, {platform.system()} {platform.machine()}"
    return f"{machine}; Python {platform.python_version()}, Node {node}; other load: {noise:.1f} CPUs."


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure less")
    parser.add_argument("--write", action="store_true", help=f"keep the tables in {DOCUMENT.name}")
    arguments = parser.parse_args()
    install()
    report = uvloop.run(measure(arguments.quick))
    print(report)
    if arguments.write:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(f"{INTRODUCTION}\n{report}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
