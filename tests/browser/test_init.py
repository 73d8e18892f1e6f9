"""What `init` writes, in a real browser: the page built with its own configuration, served by its own app."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, expect

from copilotkit_runtime_py.cli import cli
from tests.browser.chat import say
from tests.browser.conftest import PAGES
from tests.npm import install

# The first test also installs the packages of the pages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Runs `uvicorn app:app` in a directory, and yields its URL."""
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--no-access-log"]
    process = subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        lines = iter(process.stderr.readline, "")
        yield next(found[1] for line in lines if (found := re.search(r"running on (\S+)", line)))
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize(("client", "packages"), [("newest", "page-1.74"), ("1.10", "page-1.10")])
def test_the_page_and_the_agent_talk_to_each_other(
    client: str, packages: str, browser: Browser, tmp_path: Path
) -> None:
    assert CliRunner().invoke(cli, ["init", str(tmp_path), "--client", client]).exit_code == 0
    (tmp_path / "web" / "node_modules").symlink_to(install(PAGES / packages))
    subprocess.run(["npm", "run", "build"], cwd=tmp_path / "web", check=True, capture_output=True)

    with served(tmp_path) as url:
        tab = browser.new_page()
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(error.message))
        tab.goto(url)
        say(tab, "Make the page green")
        expect(tab.locator("main")).to_have_css("background-color", "rgb(0, 128, 0)")
        expect(tab.get_by_text("Done. The page says: The background is now green.")).to_be_visible()
        tab.close()

    assert errors == []
