"""The pages and the server of the README and the docs, as pasted, in a browser with Vite's server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat import ARTIFACTS, say
from tests.browser.conftest import PAGES
from tests.npm import install
from tests.servers import free_port
from tests.test_docs import ROOT, Block, blocks, modules

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SHOWN = [ROOT / "README.md", ROOT / "docs" / "frontends.md"]
RUNTIME = "http://127.0.0.1:8000"
CONFIG = """
import react from "@vitejs/plugin-react";

export default {
  plugins: [react()],
  cacheDir: "cache",
  // The packages are a link to those of the tests.
  server: { fs: { strict: false } },
};
"""
MAIN = """
import { createRoot } from "react-dom/client";
import Page from "./App";

createRoot(document.getElementById("root")!).render(<Page />);
"""
HTML = (
    '<link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/src/main.tsx"></script>'
)


def snippets() -> Iterator[object]:
    """Each page, with the packages of each version of CopilotKit that has what it imports."""
    for shown in SHOWN:
        for block in blocks(shown):
            if block.language == "tsx":
                newest = "/v2" in block.text
                for packages in ["page-1.74"] if newest else ["page-1.10", "page-1.74"]:
                    yield pytest.param(block, packages, id=f"{shown.name}:{block.line} {packages}")


@contextmanager
def started(command: list[str], directory: Path, ready: str) -> Iterator[str]:
    """Runs a command in a directory, and yields what `ready` matched in its output."""
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.search(ready, line):
                yield found[1]
                break
        else:
            pytest.fail(f"{command} ended and said:\n{''.join(said)}", pytrace=False)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The README's server, in an app of its own: its origin."""
    directory = tmp_path_factory.mktemp("server")
    for name, text in modules(ROOT / "README.md").items():
        (directory / f"{name}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", "0"]
    with started(command, directory, r"running on (http://\S+)") as origin:
        yield origin


@pytest.mark.parametrize(("block", "packages"), list(snippets()))
def test_the_page_and_the_server_talk_as_pasted(
    block: Block, packages: str, server: str, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(install(PAGES / packages))
    (tmp_path / "src").mkdir()
    assert RUNTIME in block.text
    (tmp_path / "src" / "App.tsx").write_text(block.text.replace(RUNTIME, server), encoding="utf-8")
    (tmp_path / "src" / "main.tsx").write_text(MAIN, encoding="utf-8")
    (tmp_path / "index.html").write_text(HTML, encoding="utf-8")
    (tmp_path / "vite.config.mjs").write_text(CONFIG, encoding="utf-8")
    vite = ["node", "node_modules/vite/bin/vite.js", "--port", str(free_port())]

    with started(vite, tmp_path, r"Local: +(http://localhost:\d+)") as page:
        tab = browser.new_page(viewport={"width": 1000, "height": 700})
        problems: list[str] = []
        tab.on("console", lambda line: problems.append(line.text) if "CORS" in line.text else None)
        tab.goto(page)
        for message, answer in (("Hello", "What can I do for you?"), ("What is new?", "Tell me more.")):
            say(tab, message)
            expect(tab.get_by_text(answer).last).to_be_visible()
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=ARTIFACTS / f"snippet-{block.page.stem}-{block.line}-{packages}.png")
        tab.close()

    assert problems == []
