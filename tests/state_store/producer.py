"""A process that uses a store: `python -m tests.state_store.producer URL SECONDS JOB`."""

from __future__ import annotations

import asyncio
import sys

from copilotkit_runtime_py.errors import ThreadBusyError
from copilotkit_runtime_py.state_store.base import AgentState, RunEnding, RunRecord, Signal, StateStore
from copilotkit_runtime_py.state_store.from_url import open_state_store

THREADS = 40


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - it is what the test reads


def record(thread_id: str) -> RunRecord:
    return RunRecord(id="r1", thread_id=thread_id, agent_name="a", owner="ann")


async def claim(store: StateStore) -> None:
    """Waits for a line, and claims what threads it can get."""
    await store.list_threads("ann")
    tell("ready")
    await asyncio.to_thread(sys.stdin.readline)
    for place in range(THREADS):
        try:
            await store.begin_run(record(f"t{place}"))
        except ThreadBusyError:
            continue
        tell(f"t{place}")


async def write(store: StateStore) -> None:
    """Writes numbers without end, and tells of each that is kept."""
    run = await store.begin_run(record("t1"))
    position = 0
    while True:
        await store.append(run, position, [b"%d" % position])
        tell(str(position))
        position += 1


async def wait(store: StateStore) -> None:
    """Holds a run until somebody asks it to stop."""
    stopping = asyncio.Event()

    def listen(signal: Signal) -> None:
        if signal is Signal.STOP:
            stopping.set()

    async with store.watch("t1", listen):
        run = await store.begin_run(record("t1"))
        tell("ready")
        await stopping.wait()
        ending = RunEnding(state=AgentState(state="stopped"), compacted=[])
        await store.append(run, 0, [b'"stopped"'], ending=ending)


async def main() -> None:
    url, lease_seconds, job = sys.argv[1:]
    store = open_state_store(url, lease_seconds=float(lease_seconds))
    try:
        await {"claim": claim, "write": write, "wait": wait}[job](store)
    finally:
        await store.aclose()


if __name__ == "__main__":
    asyncio.run(main())
