"""The benchmark: our server and the Node runtimes in one run, the same scripted agent behind all.

`python -m bench` prints tables; `--quick` measures less, `--write` keeps the tables in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import subprocess
from pathlib import Path

import psutil
import uvloop

from bench import agui, in_process, scale, servers, startup, stores, whole_stack
from bench.compare import compare_bursts, compare_crowds, compare_first_chunks, markdown
from bench.load import GRAPHQL_END, exchange, post
from bench.measure import OtherLoad, ask
from tests.clients.node import HERE
from tests.npm import install

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
INTRODUCTION = """# Benchmarks

Written by `make bench ARGS=--write`: this server and the Node runtimes in one run, by the GraphQL contract
beside `@copilotkit/runtime` 1.10.6 and by the AG-UI contract beside 1.75. One process each, the same scripted
AG-UI agent behind them, a raw-socket client in front. "SQLite" is this server as `serve` starts it, with
threads on disk; "memory" is the same with `--store memory`, as the Node runtimes store them. Medians. CPU is
the server's own, from the operating system. Latency is from the moment the agent makes a chunk to the moment
the client has it; "added" is that less what it takes without a runtime between.
"""
WHOLE_STACK = """One LangGraph graph whose scripted model streams tokens: in this server's process, and on
FastAPI with upstream's `ag-ui-langgraph` behind the Node runtime 1.75."""


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
    starts = (servers.ours, servers.ours_in_memory, servers.node)
    repetitions = 3 if quick else 9
    sizes = [500, 2000, 8000] if quick else [500, 1000, 2000, 4000, 8000]
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(servers.agent())
        pair = [stack.enter_context(start(base)) for start in starts]
        for server in pair:
            for _ in range(5 if quick else 20):
                await ask(server, "300 0")
        others = OtherLoad(psutil.Process().children(recursive=True))
        tables = [
            await compare_bursts(pair, ask, sizes, 0, repetitions),
            await compare_bursts(pair, ask, sizes[:1] if quick else sizes[:3], 1, 1 if quick else 3),
            await compare_crowds(pair, ask, base, 50, "200 10", 1 if quick else 4),
            await compare_first_chunks(pair, ask, 15 if quick else 60),
        ]
        noise = others.cpus()
    tables.append(await measure_ceiling(20_000))
    agui_tables, agui_noise = await agui.measure(quick)
    parts = [about((noise + agui_noise) / 2, quick), "## GraphQL", *tables, "## AG-UI", *agui_tables]
    parts += ["## An agent in the server's process", *await in_process.measure(quick)]
    parts += ["## The whole stack", WHOLE_STACK, *await whole_stack.measure(quick)]
    parts += ["## Stores", *await stores.measure(quick)]
    parts += ["## Scale", *await scale.measure(quick)]
    parts += ["## Start", *startup.measure(quick)]
    return "\n\n".join(parts)


def commit() -> str:
    """The commit that is measured."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(
        command, cwd=DOCUMENT.parent, capture_output=True, text=True, check=True
    ).stdout.strip()


def about(noise: float, quick: bool) -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    machine = f"{psutil.cpu_count()} CPUs, {platform.system()} {platform.machine()}"
    versions = f"Python {platform.python_version()}, Node {node}"
    effort = " Measured with `--quick`: few repetitions." if quick else ""
    return f"Commit {commit()}. {machine}; {versions}; other load: {noise:.1f} CPUs.{effort}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure less")
    parser.add_argument("--write", action="store_true", help=f"keep the tables in {DOCUMENT.name}")
    arguments = parser.parse_args()
    install(HERE)
    report = uvloop.run(measure(arguments.quick))
    print(report)
    if arguments.write:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(f"{INTRODUCTION}\n{report}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
