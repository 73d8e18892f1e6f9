"""Our server and the reference runtime in front of the same scripted agent, and a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pytest

from tests.clients.conftest import Serve, agent, live_server, serve
from tests.clients_agui.browser import CLIENTS, Browser, Client, Page
from tests.clients_agui.node import ENVIRONMENT, install
from tests.scripted_agent import Script, ScriptedAgent

__all__ = ["agent", "live_server", "serve"]

Mount: TypeAlias = Callable[..., str]
Visit: TypeAlias = Callable[..., Page]


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
    install()
    return {**os.environ, **ENVIRONMENT}


@pytest.fixture(scope="session")
def browser(node_environment: dict[str, str]) -> Iterator[Browser]:
    process = Browser(node_environment)
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
