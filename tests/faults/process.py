"""A worker in a process of its own, as a frontend meets it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import orjson

Event = dict[str, Any]


class WorkerProcess:
    """A worker that serves an agent which counts.

    Args:
        store_url: the store that it shares with others.
        lease_seconds: how long its runs are its own after it last wrote.
        write_seconds: how long each write takes besides.
    """

    def __init__(self, store_url: str, lease_seconds: float, *, write_seconds: float = 0.0) -> None:
        arguments = [store_url, str(lease_seconds), str(write_seconds)]
        command = [sys.executable, "-m", "tests.faults.worker", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.pid = self._process.pid
        port = self._process.stdout.readline().decode().strip()
        self.url = f"http://127.0.0.1:{port}/api/copilotkit"
        self._client = httpx.AsyncClient(
            base_url=self.url, timeout=30, limits=httpx.Limits(max_connections=None), trust_env=False
        )

    async def kill(self) -> None:
        """Ends the process without warning (SIGKILL)."""
        self.kill_at_once()
        await self._client.aclose()

    def kill_at_once(self) -> None:
        """Does so for who has not used the methods below."""
        self._process.kill()
        self._process.wait()

    @asynccontextmanager
    async def stream(
        self, verb: str, thread_id: str, run_id: str, *, count: int = 0, pause: float = 0.0
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Starts a run, or connects to a thread.

        Args:
            verb: `run` or `connect`.
            thread_id: the thread.
            run_id: the run's id.
            count: how far the agent is to count.
            pause: how long it waits before, in seconds.
        """
        body = {
            "threadId": thread_id,
            "runId": run_id,
            "state": {"count": count, "pause": pause},
            "messages": [{"id": f"{run_id}-u", "role": "user", "content": "count"}],
            "tools": [],
            "context": [],
            "forwardedProps": {},
        }
        headers = {"accept": "text/event-stream"}
        async with self._client.stream(
            "POST", f"/agent/counter/{verb}", json=body, headers=headers
        ) as response:
            assert response.status_code == 200
            yield _events(response)

    async def events(self, verb: str, thread_id: str, run_id: str, *, count: int = 0) -> list[Event]:
        """Everything that a run or a connect shows."""
        async with self.stream(verb, thread_id, run_id, count=count) as stream:
            return [event async for event in stream]


@contextmanager
def no_orphans() -> Iterator[list[WorkerProcess]]:
    """A place for processes, which are gone when it is left."""
    processes: list[WorkerProcess] = []
    try:
        yield processes
    finally:
        for process in processes:
            process._process.kill()
            process._process.communicate()


async def _events(response: httpx.Response) -> AsyncIterator[Event]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield orjson.loads(line[6:])
