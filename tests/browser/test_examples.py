"""The example pages, built as their users build them, against the demo agent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat import say
from tests.browser.conftest import PAGES
from tests.npm import build
from tests.servers import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGES_OF = {"react-1.10": "page-1.10"}

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(params=PAGES_OF)
def origin(request: pytest.FixtureRequest, demo: str, tmp_path: Path) -> str:
    """The origin of a built page, which passes requests on to the demo server."""
    name = request.param
    page = PAGES / PAGES_OF[name]
    build(page)  # for its packages, which are those of the example
    project = tmp_path / name
    shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (project / "node_modules").symlink_to(page / "node_modules")
    config = (project / "vite.config.ts").read_text(encoding="utf-8")
    runtime = "http://127.0.0.1:8000"
    assert runtime in config
    server = urlsplit(demo)
    config = config.replace(runtime, f"{server.scheme}://{server.netloc}")
    (project / "vite.config.ts").write_text(config, encoding="utf-8")
    subprocess.run(["npm", "run", "build"], cwd=project, check=True, capture_output=True)
    return str(project)


@pytest.mark.parametrize("name", PAGES_OF)
def test_an_example_has_the_packages_that_the_tests_have(name: str) -> None:
    ours, tested = (
        json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        for folder in (EXAMPLES / name, PAGES / PAGES_OF[name])
    )

    assert ours.pop("")["name"] == f"copilotkit-runtime-py-{name}"
    del tested[""]
    assert ours == tested
    assert not any("resolved" in package for package in ours.values())


def test_the_page_of_an_example_chats_and_lets_the_agent_paint_it(origin: str, browser: Browser) -> None:
    port = free_port()
    vite = subprocess.Popen(
        ["node", "node_modules/vite/bin/vite.js", "preview", "--port", str(port), "--host", "127.0.0.1"],
        cwd=origin,
        env={**os.environ, "NO_COLOR": "1"},  # on CI it colours what it prints, even into a pipe
        stdout=subprocess.PIPE,
        text=True,
    )
    assert vite.stdout is not None
    try:
        assert any("Local:" in line for line in vite.stdout)
        tab = browser.new_page()
        tab.goto(f"http://127.0.0.1:{port}")
        say(tab, "Make the page green")
        expect(tab.locator("main")).to_have_css("background-color", "rgb(0, 128, 0)")
        expect(tab.get_by_text("The background is now green")).to_be_visible()
        tab.close()
    finally:
        vite.terminate()
        vite.communicate(timeout=10)
