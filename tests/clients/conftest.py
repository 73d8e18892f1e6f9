"""Our server and the reference runtime in front of the same scripted agent, and the real clients."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, create_router
from tests.clients.driver import Clients
from tests.clients.node import HERE, QUIET
from tests.npm import install
from tests.scripted_agent import ScriptedAgent


class LiveServer:
    """One uvicorn server, to which runtimes are added, each with a path of its own."""

    def __init__(self) -> None:
        self.app = FastAPI(lifespan=self._lifespan)
        self._runtimes: list[CopilotRuntime] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        config = uvicorn.Config(self.app, log_level="error", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()

    def serve(self, runtime: CopilotRuntime, **options: Any) -> str:
        """Mounts a runtime, and returns its URL."""
        self._runtimes.append(runtime)
        path = f"/runtime{len(self._runtimes)}"
        self.app.include_router(create_router(runtime, path=path, **options))
        return f"http://127.0.0.1:{self.address[1]}{path}"

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        yield
        for runtime in self._runtimes:
            await runtime.aclose()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture(scope="session")
def live_server() -> Iterator[LiveServer]:
    server = LiveServer()
    yield server
    server.close()


Serve = Callable[..., str]


@pytest.fixture
def serve(live_server: LiveServer) -> Serve:
    """Serves a new runtime of the given agents and options, and returns its URL."""

    def serve_runtime(agents: Mapping[str, Any], *, identify: Any = None, **options: Any) -> str:
        return live_server.serve(CopilotRuntime(agents=agents, **options), identify=identify)

    return serve_runtime


@pytest.fixture
def agent() -> Iterator[ScriptedAgent]:
    with ScriptedAgent() as server:
        yield server


@pytest.fixture(scope="session")
def node_environment() -> dict[str, str]:
    """Installs the npm packages of package-lock.json, if that has not been done."""
    if shutil.which("npm") is None:
        pytest.skip("Node 20 or newer and npm are needed")
    install(HERE)
    return {**os.environ, **QUIET}


@pytest.fixture(scope="session")
def clients(node_environment: dict[str, str]) -> Iterator[Clients]:
    process = Clients(node_environment)
    yield process
    process.close()


@pytest.fixture(scope="session")
def reference_agent() -> Iterator[ScriptedAgent]:
    """The scripted agent behind the reference runtime."""
    with ScriptedAgent() as server:
        yield server


@pytest.fixture(scope="session")
def reference(node_environment: dict[str, str], reference_agent: ScriptedAgent) -> Iterator[str]:
    """The URL of the reference runtime; an agent's name is appended to it."""
    command = ["node", str(HERE / "reference.mjs"), reference_agent.base_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=node_environment, text=True)
    assert process.stdout
    yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    process.terminate()
    process.wait(10)
    process.stdout.close()
