"""The whole stack that a team runs: one LangGraph graph, in our process or behind the Node runtime."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from bench import servers
from bench.agui import ask, node
from bench.compare import Table, markdown
from bench.measure import crowd
from bench.servers import Server

ORDER = "200 5"
AT_ONCE = 60
ROOT = Path(__file__).parents[1]
# Upstream's adapter in an environment of its own: it is no dependency of this project.
ADAPTER = [
    "uv",
    "run",
    "--quiet",
    "--no-project",
    "--python",
    sys.executable,
    "--with",
    "ag-ui-langgraph[fastapi]",
]
ADAPTER += ["--with", "uvicorn", "--with", "langgraph", "python", "-m", "bench.langgraph_server"]


@dataclass
class Stack(Server):
    """Several processes that serve together."""

    others: tuple[psutil.Process, ...] = ()

    def _processes(self) -> list[psutil.Process]:
        return [*super()._processes(), *self.others]


@contextlib.contextmanager
def node_stack() -> Iterator[Server]:
    """The Node runtime, and the graph on FastAPI behind it."""
    with servers.running(ADAPTER, {"PYTHONPATH": str(ROOT)}) as adapter:
        base = f"http://127.0.0.1:{servers.port_told_by(adapter)}/agent/"
        family = psutil.Process(adapter.pid)
        with node(base) as server:
            others = (family, *family.children(recursive=True))
            yield Stack("Node 1.75, ag-ui-langgraph", server.url, server.process, others)


@contextlib.contextmanager
def stacks() -> Iterator[list[Server]]:
    graph = f"{Path(__file__).with_name('langgraph_agent.py')}:graph"
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(servers.serve(graph, name="here, SQLite")),
            stack.enter_context(servers.serve(graph, "memory", name="here, memory")),
            stack.enter_context(node_stack()),
        ]


def alone(runs: int, at_once: int) -> list[str]:
    command = [sys.executable, "-m", "bench.langgraph_alone", f"{runs}", f"{at_once}", ORDER]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    cpu, rate = map(float, done.stdout.split())
    return ["the graph alone, no server", f"{cpu:.0f}", "-", f"{rate:.1f}", "-"]


async def compare(pair: list[Server], at_once: int, repetitions: int) -> str:
    rows: Table = []
    for server in pair:
        await crowd(server, ask, min(at_once, 5), ORDER)
        crowds = [await crowd(server, ask, at_once, ORDER) for _ in range(repetitions)]
        cpu = median(each.cpu for each in crowds) / at_once * 1e3
        first = median(median(each.first) for each in crowds)
        rate = at_once / median(each.wall for each in crowds)
        memory = max(each.memory for each in crowds)
        rows.append([server.name, f"{cpu:.0f}", f"{first:.0f}", f"{rate:.1f}", f"{memory:.0f}"])
    rows.append(alone(at_once * repetitions, at_once))
    tokens, pause = ORDER.split()
    when = "one at a time" if at_once == 1 else f"{at_once} at once"
    header = ["", "CPU ms/reply, all processes", "first token p50 ms", "replies/s", "peak RSS MB"]
    return markdown(f"Replies of {tokens} tokens, {pause} ms apart, {when}", header, rows)


async def measure(quick: bool) -> list[str]:
    """Returns the tables."""
    with stacks() as pair:
        return [
            await compare(pair, 1, 3 if quick else 9),
            await compare(pair, AT_ONCE, 1 if quick else 3),
        ]
