"""The end of a server, with real processes and open streams."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilotkit_runtime_py import CopilotRuntime, drain_on_signal

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.timeout(180)]

SERVE = [sys.executable, "-c", "from copilotkit_runtime_py.cli import main; main()", "serve", "--port", "0"]
AGENT = """
import anyio, pathlib

async def agent(input):
    asked = input.messages[-1].content
    yield {"type": "TEXT_MESSAGE_START", "messageId": "m1", "role": "assistant"}
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "Hel"}
    while asked == "endless" or not pathlib.Path("go").exists():
        await anyio.sleep(0.01)
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "lo"}
    yield {"type": "TEXT_MESSAGE_END", "messageId": "m1"}
"""
MOUNTED = """
import contextlib, fastapi, uvicorn
from copilotkit_runtime_py import CopilotRuntime, create_router, drain_on_signal
from slow import agent

runtime = CopilotRuntime(agents={"chat": agent})

@contextlib.asynccontextmanager
async def lifespan(app):
    with drain_on_signal(runtime, seconds=0.2):
        yield
    await runtime.aclose()

app = fastapi.FastAPI(lifespan=lifespan)
app.include_router(create_router(runtime, path="/api/copilotkit"))

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(f"\\nhttp://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}/api/copilotkit", flush=True)

Server(uvicorn.Config(app, port=0)).run()
"""
CUT = {
    "type": "RUN_ERROR",
    "message": "The server is shutting down. Please try again.",
    "code": "SHUTTING_DOWN",
}


class Served:
    """A server process.

    Attributes:
        url: the runtime's URL.
        errors: what the process wrote to its standard error, once it has ended.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.errors = ""

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Waits for the end of the process and returns its exit code."""
        _, self.errors = await asyncio.to_thread(self.process.communicate, timeout=30)
        return self.process.returncode


@contextmanager
def served(directory: Path, command: list[str], **environment: str) -> Iterator[Served]:
    (directory / "slow.py").write_text(AGENT)
    process = subprocess.Popen(
        command,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        process_group=0,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "\n", process.communicate(timeout=10)[1]
        yield Served(process, process.stdout.readline().split()[-1])
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


class Reader:
    """Reads one run, whose first words have arrived when `started` is set."""

    def __init__(self, client: httpx.AsyncClient, url: str, thread: str, asked: str) -> None:
        self.started = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        body = {
            "threadId": thread,
            "runId": "r",
            "messages": [{"id": "1", "role": "user", "content": asked}],
            "tools": [],
            "context": [],
            "state": {},
            "forwardedProps": {},
        }
        self.task = asyncio.create_task(self._read(client, f"{url}/agent/chat/run", body))

    async def _read(self, client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> None:
        async with client.stream("POST", url, json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    self.events.append(json.loads(line.removeprefix("data:")))
                    if self.events[-1].get("delta") == "Hel":
                        self.started.set()


async def read(served: Served, *asked: str) -> tuple[httpx.AsyncClient, list[Reader]]:
    """Starts a run for each question and returns once all have answered in part."""
    client = httpx.AsyncClient(timeout=60, transport=httpx.AsyncHTTPTransport(retries=8))
    readers = [Reader(client, served.url, f"t{i}", each) for i, each in enumerate(asked)]
    await asyncio.gather(*(reader.started.wait() for reader in readers))
    return client, readers


def ends(readers: list[Reader]) -> list[list[dict[str, Any]]]:
    """Returns the events with which each stream ended: those after the text."""
    return [
        [e for e in reader.events[-2:] if e["type"] not in ("TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_START")]
        for reader in readers
    ]


def finished(thread: str) -> list[dict[str, Any]]:
    return [
        {"type": "TEXT_MESSAGE_END", "messageId": "m1"},
        {"type": "RUN_FINISHED", "threadId": thread, "runId": "r"},
    ]


BROKEN_OFF = [{"type": "TEXT_MESSAGE_END", "messageId": "m1"}, CUT]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_runs_may_end_and_those_that_do_not_are_closed(number: signal.Signals, tmp_path: Path) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-seconds", "2"]
    with served(tmp_path, command) as server:
        client, readers = await read(server, *["short", "endless"] * 10)
        server.signal(number)
        (tmp_path / "go").touch()
        await asyncio.gather(*(reader.task for reader in readers))
        code = await server.ended()
        await client.aclose()

    assert ends(readers) == [each for i in range(0, 20, 2) for each in (finished(f"t{i}"), BROKEN_OFF)]
    assert code == 0
    assert "Traceback" not in server.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_same_signal_again_closes_the_runs_at_once(number: signal.Signals, tmp_path: Path) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-seconds", "1000"]
    with served(tmp_path, command) as server:
        client, readers = await read(server, "endless")
        server.signal(number)
        # The other signal is no second one: it may be what a supervisor makes of the first.
        server.signal(signal.SIGINT if number == signal.SIGTERM else signal.SIGTERM)
        refused = await _refused(server)
        server.signal(number)
        await readers[0].task
        code = await server.ended()
        await client.aclose()

    assert refused
    assert ends(readers) == [BROKEN_OFF]
    assert code == 0
    assert "Traceback" not in server.errors


@pytest.mark.parametrize(
    ("received", "passed_on"),
    [
        ([signal.SIGTERM, signal.SIGINT], [signal.SIGTERM]),
        ([signal.SIGINT, signal.SIGTERM], [signal.SIGINT]),
        ([signal.SIGINT] * 3, [signal.SIGINT] * 2),
    ],
)
async def test_a_server_hears_of_the_first_signal_and_of_one_that_comes_for_the_third_time(
    received: list[signal.Signals], passed_on: list[signal.Signals]
) -> None:
    heard: list[int] = []
    runtime = CopilotRuntime({})
    before = {each: signal.signal(each, lambda number, frame: heard.append(number)) for each in {*received}}
    try:
        with drain_on_signal(runtime):
            for number in received:
                signal.raise_signal(number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert heard == passed_on


async def _refused(server: Served) -> bool:
    """Waits until the server takes no connections any more, which tells that it has heard the signal."""
    while True:
        try:
            async with httpx.AsyncClient() as client:
                await client.get(server.url)
        except httpx.TransportError:
            return True


async def test_a_reload_waits_for_no_run(tmp_path: Path) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-seconds", "1000", "--reload"]
    with served(tmp_path, command) as server:
        client, readers = await read(server, "endless")
        server.signal(signal.SIGTERM)
        await readers[0].task
        code = await server.ended()
        await client.aclose()

    assert ends(readers) == [BROKEN_OFF]
    assert code == 0
    assert "Traceback" not in server.errors


@pytest.mark.postgres
async def test_every_worker_drains_its_runs(tmp_path: Path, postgres_url: str) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-seconds", "2", "--workers", "2"]
    with served(tmp_path, command, COPILOTKIT_STORE=postgres_url) as server:
        client, readers = await read(server, *["short", "endless"] * 5)
        server.signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        await asyncio.gather(*(reader.task for reader in readers))
        code = await server.ended()
        await client.aclose()

    assert ends(readers) == [each for i in range(0, 10, 2) for each in (finished(f"t{i}"), BROKEN_OFF)]
    assert code == 0
    assert "Traceback" not in server.errors


async def test_an_application_that_mounts_the_router_drains_it_in_its_lifespan(tmp_path: Path) -> None:
    (tmp_path / "mounted.py").write_text(MOUNTED)
    with served(tmp_path, [sys.executable, "mounted.py"]) as server:
        client, readers = await read(server, "endless")
        server.signal(signal.SIGTERM)
        await readers[0].task
        await server.ended()
        await client.aclose()

    assert ends(readers) == [BROKEN_OFF]
    assert "Traceback" not in server.errors


@pytest.mark.postgres
async def test_a_signal_to_the_whole_process_group_drains_every_worker_once(
    tmp_path: Path, postgres_url: str
) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-seconds", "20", "--workers", "2"]
    with served(tmp_path, command, COPILOTKIT_STORE=postgres_url) as server:
        client, readers = await read(server, *["short"] * 6)
        os.killpg(server.process.pid, signal.SIGTERM)
        assert await _refused(server)
        (tmp_path / "go").touch()
        await asyncio.gather(*(reader.task for reader in readers))
        code = await server.ended()
        await client.aclose()

    assert ends(readers) == [finished(f"t{i}") for i in range(6)]
    assert code == 0


@pytest.mark.postgres
async def test_workers_stop_when_their_parent_is_gone(tmp_path: Path, postgres_url: str) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-seconds", "0", "--workers", "2"]
    with served(tmp_path, command, COPILOTKIT_STORE=postgres_url) as server:
        client, readers = await read(server, "endless")
        server.signal(signal.SIGKILL)
        await readers[0].task
        await server.ended()  # when the workers, too, have closed its output
        await client.aclose()

    assert ends(readers) == [BROKEN_OFF]


@pytest.mark.skipif(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="nohup ignores the signal")
async def test_a_lost_terminal_drains_the_runs(tmp_path: Path) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-seconds", "20"]
    with served(tmp_path, command) as server:
        client, readers = await read(server, "short")
        server.signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        await readers[0].task
        code = await server.ended()
        await client.aclose()

    assert ends(readers) == [finished("t0")]
    assert code == 0


async def test_requests_are_taken_during_the_delay_while_the_probe_says_that_the_end_is_near(
    tmp_path: Path,
) -> None:
    command = [*SERVE, "--agent", "chat=slow.py:agent", "--drain-delay", "1000", "--drain-seconds", "20"]
    with served(tmp_path, command) as server:
        server.signal(signal.SIGTERM)
        probe = server.url.replace("/api/copilotkit", "/readyz")
        async with httpx.AsyncClient() as probing:
            while (ready := await probing.get(probe)).status_code == 200:
                pass
        client, readers = await read(server, "short")
        (tmp_path / "go").touch()
        await readers[0].task
        server.signal(signal.SIGTERM)
        code = await server.ended()
        await client.aclose()

    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    assert ends(readers) == [finished("t0")]
    assert code == 0


async def test_the_process_leaves_although_an_agent_ignores_its_cancellation(tmp_path: Path) -> None:
    stubborn = """
import asyncio

async def agent(input):
    yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "delta": "Hel"}
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
"""
    (tmp_path / "stubborn.py").write_text(stubborn)
    command = [*SERVE, "--agent", "chat=stubborn.py:agent", "--drain-seconds", "0"]
    with served(tmp_path, command) as server:
        client, readers = await read(server, "endless")
        server.signal(signal.SIGTERM)
        await readers[0].task
        code = await server.ended()
        await client.aclose()

    assert ends(readers) == [BROKEN_OFF]
    assert code == 1
    assert "The server did not stop within" in server.errors
