"""Tables that put two servers side by side."""

from __future__ import annotations

import asyncio
import statistics

from bench.measure import Ask, Burst, Crowd, burst, crowd, crowd_direct, percentile
from bench.servers import Server

Table = list[list[str]]


def markdown(title: str, header: list[str], rows: Table) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return f"### {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shares(figures: list[float]) -> list[str]:
    """Each of our figures as a share of Node's, which is the last."""
    *ours, node = figures
    return [f"{each / node:.2f}" if node else "-" for each in ours]


def share_columns(servers: list[Server], what: str) -> list[str]:
    """The headings of `shares`."""
    return [f"{what}, {server.name} to Node" for server in servers[:-1]]


async def compare_bursts(pair: list[Server], ask: Ask, sizes: list[int], pause: int, repetitions: int) -> str:
    rows: Table = []
    for chunks in sizes:
        results = [Burst(chunks) for _ in pair]
        for _ in range(repetitions):
            for server, result in zip(pair, results, strict=True):
                await burst(server, result, ask, pause)
        figures = [figure for result in results for figure in result.row()]
        rows.append([f"{chunks:,}", *figures, *shares([result.cpu_per_chunk for result in results])])
    columns = [f"{server.name}: {what}" for server in pair for what in ("ms", "chunks/s", "CPU µs/chunk")]
    title = f"One stream, {f'{pause} ms between chunks' if pause else 'chunks as fast as the agent writes'}"
    return markdown(title, ["chunks", *columns, *share_columns(pair, "CPU")], rows)


async def compare_crowds(
    pair: list[Server], ask: Ask, base: str, streams: int, order: str, repetitions: int
) -> str:
    direct = await crowd_direct(base, streams, order)
    rows: Table = []
    for server in pair:
        runs: list[Crowd] = [await crowd(server, ask, streams, order) for _ in range(repetitions)]
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


async def compare_first_chunks(pair: list[Server], ask: Ask, repetitions: int) -> str:
    rows: Table = []
    for server in pair:
        times: list[float] = []
        for _ in range(repetitions):
            times.append((await ask(server, "1 0")).first_chunk)
            await asyncio.sleep(0.02)
        rows.append([server.name, f"{percentile(times, 50):.1f}", f"{percentile(times, 95):.1f}"])
    return markdown("First chunk of a run, one run at a time", ["", "p50 ms", "p95 ms"], rows)
