"""Churn against a real process: `python -m tests.soak --seconds 600`.

Clients of both contracts start runs, leave them, stop them, connect to them and list threads, and agents
fail, hang, flood and do not let go. Afterwards the process holds what it held before: as many tasks, threads
and descriptors, and memory that has not grown since it had warmed up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx

from tests.attacks.graphql import RUN, data

CLIENTS: Final = 24
MIB: Final = 1024 * 1024
# What Python and SQLite may still take after warming up, so that noise is no leak.
GROWTH: Final = 16 * MIB
STREAM: Final = {"accept": "text/event-stream"}
HELD: Final = ("tasks", "threads", "descriptors")
# The agents, the talkative one more often.
AGENTS: Final = ("talker", "talker", "talker", "faulty", "hanging", "flooding", "stubborn")


class Soak:
    """Clients of one process."""

    def __init__(self, client: httpx.AsyncClient, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self._last = 0

    async def churn(self, until: float) -> None:
        """Does one thing after the other until the time has come."""
        acts: tuple[Callable[[], Awaitable[None]], ...] = (
            self.run,
            self.run_and_leave,
            self.run_and_stop,
            self.ask,
            self.ask_and_leave,
            self.connect,
            self.read,
            self.send_junk,
        )
        while time.monotonic() < until:
            act = self.random.choice(acts)
            await act()
            self.counts[act.__name__] += 1

    async def run(self) -> None:
        """Runs an agent to its end."""
        agent = self.random.choice(("talker", "faulty", "flooding"))
        async with self.stream(f"/agent/{agent}/run", self.body(self.thread())) as response:
            last = await _last_event(response)
        assert last in ("RUN_FINISHED", "RUN_ERROR"), last

    async def run_and_leave(self) -> None:
        """Leaves after the first bytes. The run goes on."""
        agent = self.random.choice(AGENTS)
        async with self.stream(f"/agent/{agent}/run", self.body(self.thread())) as response:
            async for _ in response.aiter_raw():
                break

    async def run_and_stop(self) -> None:
        """Stops a run, and reads it to its end."""
        agent, thread = self.random.choice(("hanging", "stubborn")), self.thread()
        async with self.stream(f"/agent/{agent}/run", self.body(thread)) as response:
            await self.client.post(f"/api/copilotkit/agent/{agent}/stop/{thread}")
            last = await _last_event(response)
        assert last in ("RUN_FINISHED", "RUN_ERROR"), last

    async def ask(self) -> None:
        """Has an answer by GraphQL."""
        answer = await self.client.post("/api/copilotkit", json=self.question())
        assert answer.status_code == 200, answer.text

    async def ask_and_leave(self) -> None:
        """Leaves a GraphQL answer in the middle, which stops the run."""
        headers = {"accept": "multipart/mixed, application/json"}
        async with self.client.stream(
            "POST", "/api/copilotkit", json=self.question(), headers=headers
        ) as response:
            async for _ in response.aiter_raw():
                break

    async def connect(self) -> None:
        """Looks at a thread for a moment."""
        async with self.stream(
            "/agent/talker/connect", {**self.body(self.thread()), "messages": []}
        ) as response:
            async for _ in response.aiter_raw():
                break

    async def read(self) -> None:
        """Lists, reads and deletes threads."""
        await self.client.get("/api/copilotkit/threads?agentId=talker")
        await self.client.get(f"/api/copilotkit/threads/{self.thread()}/messages")
        if self.random.random() < 0.1:
            await self.client.delete(f"/api/copilotkit/threads/{self.thread()}")

    async def send_junk(self) -> None:
        """Sends what is no request."""
        junk = self.random.choice((b"", b"{", b"[1]", b'{"query": "{"}', b'{"method": "x"}'))
        answer = await self.client.post(
            "/api/copilotkit", content=junk, headers={"content-type": "application/json"}
        )
        assert answer.status_code < 500, answer.text

    def stream(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.stream("POST", f"/api/copilotkit{path}", json=body, headers=STREAM)

    def thread(self) -> str:
        return f"t{self.random.randrange(300)}"

    def body(self, thread: str) -> dict[str, Any]:
        self._last += 1
        said = [{"id": f"u{self._last}", "role": "user", "content": "hi"}]
        body = {"threadId": thread, "runId": f"r{self._last}", "state": {}, "messages": said}
        return {**body, "tools": [], "context": [], "forwardedProps": {}}

    def question(self) -> dict[str, Any]:
        agent = self.random.choice(("talker", "faulty"))
        asked = data(threadId=self.thread(), agentSession={"agentName": agent})
        return {"query": RUN, "variables": {"data": asked}}


async def _last_event(response: httpx.Response) -> str:
    last = ""
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            last = json.loads(line[6:])["type"]
    return last


async def _settled(client: httpx.AsyncClient) -> dict[str, int]:
    """Returns what the process holds once that has not changed for two seconds, or after half a minute."""
    last: tuple[int, ...] = ()
    calm = 0
    for _ in range(60):
        state: dict[str, int] = (await client.get("/state")).json()
        counts = tuple(state[name] for name in HELD)
        calm = calm + 1 if counts == last else 0
        if calm == 4:
            break
        last = counts
        await asyncio.sleep(0.5)
    return state


async def _soak(url: str, seconds: float, seed: int) -> bool:
    pool = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=pool, trust_env=False) as client:
        soak = Soak(client, seed)

        async def churn(duration: float) -> dict[str, int]:
            until = time.monotonic() + duration
            await asyncio.gather(*(soak.churn(until) for _ in range(CLIENTS)))
            return await _settled(client)

        warm = await churn(min(60.0, seconds / 4))
        print("warm ", _shown(warm))
        rounds = 4
        for _ in range(rounds):
            now = await churn(seconds * 3 / 4 / rounds)
            print("after", _shown(now), f"{soak.counts.total():,} acts")
        print(dict(soak.counts))
    leaks = [name for name in HELD if now[name] > warm[name]]
    if now["bytes"] > warm["bytes"] + GROWTH:
        leaks.append("bytes")
    print(f"{now['surprises']} errors in the log that were not planned")
    print(f"LEAKED: {', '.join(leaks)}" if leaks else "nothing leaked")
    return not leaks and not now["surprises"]


def _shown(state: dict[str, int]) -> str:
    counts = ", ".join(f"{state[name]} {name}" for name in HELD)
    return f"{counts}, {state['bytes'] / MIB:.1f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (600)")
    parser.add_argument("--store", help="a store's URL (a SQLite file)")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices (1)")
    options = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as directory:
        store = options.store or f"sqlite:///{Path(directory) / 'threads.db'}"
        command = [sys.executable, "-m", "tests.soak.server", store]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                port = process.stdout.readline().decode().strip()
                flat = asyncio.run(_soak(f"http://127.0.0.1:{port}", options.seconds, options.seed))
            finally:
                process.terminate()
    sys.exit(0 if flat else 1)


if __name__ == "__main__":
    main()
