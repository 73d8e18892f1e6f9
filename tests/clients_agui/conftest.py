"""Our server and the reference runtime in front of the same scripted agent, and a browser."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import pytest

from tests.clients.conftest import Serve, agent, live_server, serve
from tests.clients_agui.browser import CLIENTS, Browser, Client, Page
from tests.clients_agui.node import ENVIRONMENT, HERE
from tests.clients_agui.oracles import Oracles
from tests.npm import install
from tests.scripted_agent import Script, ScriptedAgent

__all__ = ["agent", "live_server", "serve"]

Mount: TypeAlias = Callable[..., str]
Visit: TypeAlias = Callable[..., Page]


class Reference(NamedTuple):
    """A process with the reference runtime; the route mode is appended to its URL."""

    url: str
    process: subprocess.Popen[str]


@pytest.fixture
def mount(agent: ScriptedAgent, serve: Serve) -> Mount:
    """Serves a runtime whose agents play scripts, and returns its URL."""

    def mount_scripts(scripts: Mapping[str, Script], **options: Any) -> str:
        return serve({name: agent.play(name, script) for name, script in scripts.items()}, **options)

    return mount_scripts


@pytest.fixture(scope="session")
def node_environment() -> dict[str, str]:
    """Installs the npm packages of package-lock.json, if that has not been done."""
    if shutil.which("npm") is None:
        pytest.skip("Node 20 or newer and npm are needed")
    install(HERE)
    return {**os.environ, **ENVIRONMENT}


@pytest.fixture(scope="session")
def browser(node_environment: dict[str, str]) -> Iterator[Browser]:
    process = Browser(node_environment)
    yield process
    process.close()


@pytest.fixture(scope="session")
def oracles(node_environment: dict[str, str]) -> Iterator[Oracles]:
    process = Oracles(node_environment)
    yield process
    process.close()


@pytest.fixture(params=CLIENTS, ids=str)
def visit(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Visit]:
    """Opens pages of one client after the other; those of the test's `only(...)`, else of every client."""
    client: Client = request.param
    opened: list[Page] = []

    def open_page(url: str, **options: Any) -> Page:
        page = browser.open(client, url, **options)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()


@pytest.fixture(scope="session")
def reference_agent() -> Iterator[ScriptedAgent]:
    """The scripted agent behind the reference runtime."""
    with ScriptedAgent() as server:
        yield server


@contextlib.contextmanager
def reference_runtime(environment: dict[str, str], *arguments: str) -> Iterator[Reference]:
    """Runs the reference runtime with one agent, `default`."""
    command = ["node", str(HERE / "reference.mjs"), *arguments, "default"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert process.stdout
    yield Reference(f"http://127.0.0.1:{int(process.stdout.readline())}/", process)
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="session")
def reference(node_environment: dict[str, str], reference_agent: ScriptedAgent) -> Iterator[str]:
    """The URL of a reference runtime that survives its own errors; the route mode is appended to it."""
    with reference_runtime(node_environment, reference_agent.base_url) as runtime:
        yield runtime.url


@pytest.fixture
def reference_as_shipped(
    node_environment: dict[str, str], reference_agent: ScriptedAgent
) -> Iterator[Reference]:
    """A reference runtime of this test's own, which its errors may end."""
    with reference_runtime(node_environment, "--as-shipped", reference_agent.base_url) as runtime:
        yield runtime
