"""The processes under test."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
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
        """Seconds of CPU that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """Its resident memory in MB."""
        return float(self.process.memory_info().rss) / 1e6


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
def ours(base: str) -> Iterator[Server]:
    """Our server, as its command line starts it."""
    port = free_port()
    program = Path(sys.executable).with_name("copilotkit-runtime-py")
    command = [
        f"{program}",
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        f"{port}",
        "--endpoint",
        "/api/copilotkit",
    ]
    with running([*command, "--agent", f"{NAME}={base}{NAME}"], tells_port=False) as process:
        wait_for(port, process)
        yield Server("Python", f"http://127.0.0.1:{port}/api/copilotkit", psutil.Process(process.pid))


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
