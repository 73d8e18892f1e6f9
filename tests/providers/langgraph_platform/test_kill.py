"""Processes that are killed or held in the middle of a run: ours, and the server's."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.langgraph_server import LangGraphDev
from tests.well_formed import check_stream

from .conftest import MODULE

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.timeout(120)]

LEASE_SECONDS = 1.0
Event = dict[str, Any]


@pytest.fixture
async def sdk(server: LangGraphDev) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client


class Worker:
    """Our server in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self.url = f"http://127.0.0.1:{int(process.stdout.readline())}/api/copilotkit"

    def end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._process.wait(20)

    @asynccontextmanager
    async def stream(self, verb: str, thread: str, text: str = "") -> AsyncIterator[AsyncIterator[Event]]:
        run = str(uuid.uuid4())
        body = {
            "threadId": thread,
            "runId": run,
            "messages": [{"id": f"u-{run}", "role": "user", "content": text}] if text else [],
        }
        async with httpx.AsyncClient(timeout=40, trust_env=False) as client:
            path = f"{self.url}/agent/counts/{verb}"
            headers = {"accept": "text/event-stream"}
            async with client.stream("POST", path, json=body, headers=headers) as response:
                assert response.status_code == 200
                yield _events(response)

    async def events(self, verb: str, thread: str, text: str = "") -> list[Event]:
        async with self.stream(verb, thread, text) as stream:
            return [event async for event in stream]


async def _events(response: httpx.Response) -> AsyncIterator[Event]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield orjson.loads(line[6:])


@contextmanager
def working(store: str, server: LangGraphDev) -> Iterator[Worker]:
    module = "tests.providers.langgraph_platform.worker"
    command = [sys.executable, "-m", module, store, str(LEASE_SECONDS), server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'threads.db'}"


def said(events: list[Event]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


async def begun(worker: Worker, thread: str, text: str) -> list[Event]:
    """Starts a run and leaves it after some of its text."""
    seen: list[Event] = []
    async with worker.stream("run", thread, text) as stream:
        async for event in stream:
            seen.append(event)
            if len(said(seen)) > 10:
                break
    return seen


async def statuses(sdk: LangGraphClient, thread: str) -> list[str]:
    return sorted(run["status"] for run in await sdk.runs.list(thread))


async def test_a_run_of_a_killed_process_is_cancelled_on_the_server_and_the_thread_goes_on(
    server: LangGraphDev, sdk: LangGraphClient, store: str
) -> None:
    thread = str(uuid.uuid4())
    with working(store, server) as worker:
        seen = await begun(worker, thread, "1000")
        worker.end(signal.SIGKILL)
    assert await statuses(sdk, thread) == ["running"]

    with working(store, server) as worker:
        followed = await worker.events("connect", thread)
        check_stream(followed)
        assert said(followed).startswith(said(seen))
        assert (followed[-1]["type"], followed[-1]["code"]) == ("RUN_ERROR", "RUN_INTERRUPTED")
        async with asyncio.timeout(5):
            while await statuses(sdk, thread) != ["interrupted"]:  # noqa: ASYNC110 - another process knows
                await asyncio.sleep(0.05)

        again = await worker.events("run", thread, "3")

    assert again[-1]["type"] == "RUN_FINISHED"
    assert said(again) == "0 1 2 "
    assert await statuses(sdk, thread) == ["interrupted", "success"]


async def test_a_process_that_ends_in_order_leaves_nothing_running(
    server: LangGraphDev, sdk: LangGraphClient, store: str
) -> None:
    thread = str(uuid.uuid4())
    with working(store, server) as worker:
        await begun(worker, thread, "1000")
        worker.end(signal.SIGTERM)

    assert await statuses(sdk, thread) == ["interrupted"]


async def test_a_server_that_is_killed_ends_the_run_with_an_error_and_is_used_again_when_it_is_back(
    store: str,
) -> None:
    thread = str(uuid.uuid4())
    with LangGraphDev({"counts": f"{MODULE}:counts"}) as own, working(store, own) as worker:
        seen: list[Event] = []
        async with worker.stream("run", thread, "1000") as stream:
            async for event in stream:
                seen.append(event)
                if len(said(seen)) > 10 and own.running:
                    own.stop()
        check_stream(seen)
        assert seen[-1]["type"] == "RUN_ERROR"
        assert seen[-1]["message"] == "The connection to the LangGraph server broke off."

        refused = await worker.events("run", thread, "3")
        assert refused[-1]["message"] == "The LangGraph server cannot be reached."

        own.start()
        again = await worker.events("run", thread, "3")

    assert again[-1]["type"] == "RUN_FINISHED"
    assert said(again) == "0 1 2 "


async def test_a_server_that_answers_slowly_is_waited_for(store: str) -> None:
    thread = str(uuid.uuid4())
    with LangGraphDev({"counts": f"{MODULE}:counts"}) as own, working(store, own) as worker:
        seen: list[Event] = []
        async with worker.stream("run", thread, "40") as stream:
            async for event in stream:
                seen.append(event)
                if len(said(seen)) == 20:
                    own.pause()
                    asyncio.get_running_loop().call_later(3, own.resume)

    assert seen[-1]["type"] == "RUN_FINISHED"
    assert said(seen) == "".join(f"{number} " for number in range(40))
