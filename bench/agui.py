"""The AG-UI part of the benchmark: our server and the Node runtime 1.75 in one run."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psutil

from bench import servers
from bench.agent import NAME
from bench.compare import Table, compare_crowds, compare_first_chunks, markdown, share_columns, shares
from bench.load import Exchange, exchange, post
from bench.measure import Burst, OtherLoad, burst, threads
from bench.servers import Server
from tests.clients_agui.node import ENVIRONMENT, HERE
from tests.npm import install

STREAM_END = b"\r\n0\r\n\r\n"
CHUNKS = 2000
HISTORIES = (0, 50, 200, 500)
KILOBYTE = "0123456789abcdef" * 64


@contextlib.contextmanager
def node(base: str) -> Iterator[Server]:
    """The Node runtime 1.75."""
    with servers.running(["node", str(HERE / "reference.mjs"), base, NAME], ENVIRONMENT) as process:
        url = f"http://127.0.0.1:{servers.port_told_by(process)}/rest"
        yield Server("Node 1.75", url, psutil.Process(process.pid))


def request(url: str, operation: str, thread: str, messages: list[dict[str, Any]]) -> bytes:
    run = {"threadId": thread, "runId": f"run-{next(threads)}", "messages": messages}
    body = {**run, "state": {}, "tools": [], "context": [], "forwardedProps": {}}
    return post(f"{url}/agent/{NAME}/{operation}", body, "text/event-stream")


def conversation(order: str, history: int = 0) -> list[dict[str, Any]]:
    """Messages of 1 kB each, and the order after them."""
    roles = ("user", "assistant")
    past = [{"id": f"h{number}", "role": roles[number % 2], "content": KILOBYTE} for number in range(history)]
    return [*past, {"id": f"u{next(threads)}", "role": "user", "content": order}]


async def ask(server: Server, order: str, *, history: int = 0, thread: str | None = None) -> Exchange:
    """One run of the agent, on a thread of its own unless one is given."""
    messages = conversation(order, history)
    run = request(server.url, "run", thread or f"thread-{next(threads)}", messages)
    return await exchange(server.url, run, STREAM_END)


async def connect(server: Server, thread: str) -> Exchange:
    """Loads a thread again."""
    return await exchange(server.url, request(server.url, "connect", thread, []), STREAM_END)


async def compare_histories(pair: list[Server], repetitions: int) -> str:
    rows: Table = []
    for history in HISTORIES:
        results = [Burst(CHUNKS) for _ in pair]
        for _ in range(repetitions):
            for server, result in zip(pair, results, strict=True):
                await burst(server, result, partial(ask, history=history), 0)
        figures = [figure for result in results for figure in result.row()]
        rows.append([f"{history}", *figures, *shares([result.cpu_per_chunk for result in results])])
    columns = [f"{server.name}: {what}" for server in pair for what in ("ms", "chunks/s", "CPU µs/chunk")]
    title = f"One stream of {CHUNKS:,} chunks, by the messages of 1 kB before it"
    return markdown(title, ["messages", *columns, *share_columns(pair, "CPU")], rows)


@dataclass
class Throughput:
    """Runs that were made: how many a second, each time, and what all of them cost the server."""

    rates: list[float] = field(default_factory=list)
    runs: int = 0
    cpu: float = 0.0


async def throughput(server: Server, result: Throughput, runs: int, at_once: int) -> None:
    """Makes so many runs of one chunk, a few at the same time."""

    async def one_after_the_other() -> None:
        for _ in range(runs // at_once):
            await ask(server, "1 0")

    loop = asyncio.get_running_loop()
    before, started = server.cpu(), loop.time()
    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    result.rates.append(runs / (loop.time() - started))
    result.runs += runs
    result.cpu += server.cpu() - before


async def compare_throughput(pair: list[Server], runs: int, repetitions: int) -> str:
    rows: Table = []
    for at_once in (1, 16):
        results = [Throughput() for _ in pair]
        for _ in range(repetitions):
            for server, result in zip(pair, results, strict=True):
                await throughput(server, result, runs, at_once)
        rates = [statistics.median(result.rates) for result in results]
        figures = [
            figure
            for rate, result in zip(rates, results, strict=True)
            for figure in (f"{rate:,.0f}", f"{result.cpu / result.runs * 1000:.2f}")
        ]
        rows.append([f"{at_once}", *figures, *shares(rates)])
    columns = [f"{server.name}: {what}" for server in pair for what in ("runs/s", "CPU ms/run")]
    return markdown("Runs of one chunk", ["at once", *columns, *share_columns(pair, "runs/s")], rows)


async def compare_connects(pair: list[Server], repetitions: int) -> str:
    rows: Table = []
    for server in pair:
        thread = f"thread-{next(threads)}"
        for _ in range(50):
            await ask(server, "200 0", thread=thread)
        before = server.cpu()
        answers = [await connect(server, thread) for _ in range(repetitions)]
        cpu = (server.cpu() - before) / repetitions * 1000
        data = b"".join(data for _, data in answers[-1].received)
        total = statistics.median(answer.total for answer in answers)
        events = data.count(b"data: ")
        rows.append([server.name, f"{total:.1f}", f"{cpu:.1f}", f"{events}", f"{len(data) / 1000:.0f}"])
    header = ["", "ms", "CPU ms", "events", "kB"]
    return markdown("A thread of 50 runs of 200 chunks, loaded again", header, rows)


STARTS = (servers.ours, servers.ours_in_memory, node)


async def measure(quick: bool) -> tuple[list[str], float]:
    """Returns the tables, and how many CPUs were busy with other things."""
    install(HERE)
    repetitions = 3 if quick else 9
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(servers.agent())
        pair = [stack.enter_context(start(base)) for start in STARTS]
        for server in pair:
            for _ in range(5 if quick else 20):
                await ask(server, "300 0")
        others = OtherLoad(psutil.Process().children(recursive=True))
        tables = [
            await compare_histories(pair, repetitions),
            await compare_crowds(pair, ask, base, 50, "200 10", 1 if quick else 4),
            await compare_first_chunks(pair, ask, 15 if quick else 60),
            await compare_throughput(pair, 160 if quick else 480, repetitions),
            await compare_connects(pair, 10 if quick else 40),
        ]
        return tables, others.cpus()
