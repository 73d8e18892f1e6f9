"""The processes under test."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.agent import NAME
from tests.clients.node import HERE, QUIET


@dataclass
class Server:
    """A process that serves.

    Attributes:
        name: what it is called in the tables.
        url: where it answers.
        process: its process.
    """

    name: str
    url: str
    process: psutil.Process

    def cpu(self) -> float:
        """Seconds of CPU that it has used, with its workers."""
        return sum(sum(each.cpu_times()[:2]) for each in self._processes())

    def memory(self) -> float:
        """Its resident memory in MB, with its workers."""
        return sum(float(each.memory_info().rss) for each in self._processes()) / 1e6

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextlib.contextmanager
def running(
    command: list[str], environment: Mapping[str, str] | None = None, *, tells_port: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """Runs a command as long as the context is open. What it prints is lost, unless it tells its port."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE if tells_port else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def port_told_by(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args!r} does not start") from error
            time.sleep(0.05)


@contextlib.contextmanager
def agent() -> Iterator[str]:
    """The agent that both runtimes call; yields the address to which its name is appended."""
    with running([sys.executable, "-m", "bench.agent"]) as process:
        yield f"http://127.0.0.1:{port_told_by(process)}/agent/"


@contextlib.contextmanager
def serve(target: str, store: str | None = None, *options: str, name: str = "Python") -> Iterator[Server]:
    """Our server, as its command line starts it.

    Args:
        target: the agent.
        store: where threads are stored; by default where the command itself stores them: in SQLite.
        options: further options of the command.
        name: what the server is called in the tables.
    """
    port = free_port()
    program = Path(sys.executable).with_name("copilotkit-runtime-py")
    command = [f"{program}", "serve", "--port", f"{port}", "--agent", f"{NAME}={target}", *options]
    command += ["--drain-seconds", "0"]
    with tempfile.TemporaryDirectory() as directory:
        place = store or f"sqlite:///{directory}/threads.db"
        with running([*command, "--store", place], tells_port=False) as process:
            wait_for(port, process)
            url = f"http://127.0.0.1:{port}/api/copilotkit"
            yield Server(name, url, psutil.Process(process.pid))


@contextlib.contextmanager
def ours(base: str) -> Iterator[Server]:
    """Our server with the default store, SQLite."""
    with serve(f"{base}{NAME}", name="SQLite") as server:
        yield server


@contextlib.contextmanager
def ours_in_memory(base: str) -> Iterator[Server]:
    """Our server with the store in memory."""
    with serve(f"{base}{NAME}", "memory", name="memory") as server:
        yield server


@contextlib.contextmanager
def node(base: str) -> Iterator[Server]:
    """The Node runtime 1.10.6."""
    command = ["node", str(HERE / "reference.mjs"), base, NAME]
    with running(command, {**QUIET, "NODE_ENV": "production"}) as process:
        url = f"http://127.0.0.1:{port_told_by(process)}/api/copilotkit"
        yield Server("Node 1.10.6", url, psutil.Process(process.pid))


@contextlib.contextmanager
def ceiling() -> Iterator[Server]:
    """The bare ASGI application."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "bench.ceiling:app",
        "--port",
        f"{port}",
        "--log-level",
        "error",
    ]
    with running([*command, "--no-access-log"], tells_port=False) as process:
        wait_for(port, process)
        yield Server("raw ASGI", f"http://127.0.0.1:{port}/", psutil.Process(process.pid))
