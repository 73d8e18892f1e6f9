"""The tutorial, followed to the letter: its files, written as it says, in a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat import ARTIFACTS, say
from tests.browser.conftest import PAGES, serve_folder
from tests.test_docs import ROOT, blocks

# The first test also installs the packages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TUTORIAL = ROOT / "docs" / "tutorial.md"
LAST_STEP = 5
RUNTIME = "http://127.0.0.1:8000"
MAIN = """
import { createRoot } from "react-dom/client";
import App from "./App";

createRoot(document.getElementById("root")!).render(<App />);
"""
HTML = (
    '<link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/src/main.tsx"></script>'
)
CONFIG = {
    "vite.config.ts": 'import react from "@vitejs/plugin-react";\n'
    "export default { plugins: [react()], build: { chunkSizeWarningLimit: 8192 } };\n",
    "tsconfig.json": '{"compilerOptions": {"strict": true, "jsx": "react-jsx", "module": "esnext", '
    '"moduleResolution": "bundler", "target": "es2022", "lib": ["es2023", "dom"], "noEmit": true, '
    '"skipLibCheck": true, "types": ["vite/client"]}, "include": ["src"]}',
}


def files(last_step: int) -> dict[str, str]:
    """What a reader has after a step: the files by their paths."""
    line = TUTORIAL.read_text(encoding="utf-8").splitlines().index
    end = line(f"## {last_step + 1}. A tool of the server, drawn by the page") if last_step == 1 else None
    found: dict[str, str] = {}
    for block in blocks(TUTORIAL):
        named = re.match(r"(?:#|//) ([\w/]+\.(?:py|tsx))\n", block.text)
        if named and (end is None or block.line <= end):
            found[named[1]] = block.text
    return found


@contextmanager
def following(step: int, directory: Path, browser: Browser, newest_site: str) -> Iterator[Page]:
    """Yields the page as it is after a step."""
    written = files(step)
    page = directory / "page"
    (page / "src").mkdir(parents=True)
    (page / "node_modules").symlink_to(PAGES / "page-1.74" / "node_modules")
    for name, text in written.items():
        if name.endswith(".py"):
            (directory / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", "0", "--no-access-log"]
    server = subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        lines = iter(server.stderr.readline, "")
        origin = next(found[1] for line in lines if (found := re.search(r"running on (\S+)", line)))
        sources = {name: text.replace(RUNTIME, origin) for name, text in written.items() if ".tsx" in name}
        for name, text in {**sources, "src/main.tsx": MAIN, "index.html": HTML, **CONFIG}.items():
            (page / name).write_text(text, encoding="utf-8")
        for tool in (["tsc"], ["vite", "build", "--logLevel", "error"]):
            done = subprocess.run(
                ["npx", "--no-install", *tool], cwd=page, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        with serve_folder(page / "dist") as site:
            tab = browser.new_page(viewport={"width": 1000, "height": 900})
            errors: list[str] = []
            tab.on("pageerror", lambda error: errors.append(error.message))
            tab.goto(site)
            yield tab
            ARTIFACTS.mkdir(parents=True, exist_ok=True)
            tab.screenshot(path=ARTIFACTS / f"tutorial-{step}.png")
            tab.close()
            assert errors == []
    finally:
        server.terminate()
        server.communicate(timeout=20)


def test_after_the_first_step_the_agent_answers(browser: Browser, newest_site: str, tmp_path: Path) -> None:
    with following(1, tmp_path, browser, newest_site) as tab:
        say(tab, "Hello")
        expect(tab.get_by_text("I am the demo agent")).to_be_visible()


def test_after_the_last_step_everything_works(browser: Browser, newest_site: str, tmp_path: Path) -> None:
    with following(LAST_STEP, tmp_path, browser, newest_site) as tab:
        say(tab, "What is the weather in Paris?")
        expect(tab.get_by_role("heading", name="Weather in Paris")).to_be_visible()
        expect(tab.get_by_role("article").get_by_text("It is 21 °C and sunny in Paris.")).to_be_visible()

        say(tab, "Make the page green")
        expect(tab.locator("body")).to_have_css("background-color", "rgb(0, 128, 0)")
        expect(tab.get_by_text("The background is now green.").last).to_be_visible()
        expect(tab.get_by_text("setBackgroundColor")).to_be_visible()

        tab.get_by_role("button", name="Add bread").click()
        say(tab, "Add milk to my list")
        items = tab.get_by_role("region", name="Shopping list").get_by_role("listitem")
        expect(items).to_have_text(["bread", "milk"])
        expect(tab.get_by_text("milk is on the list.").last).to_be_visible()

        say(tab, "Book a table for two")
        question = tab.get_by_role("alertdialog")
        expect(question).to_contain_text("Shall I book a table for 2?")
        yes = question.get_by_role("button", name="Yes")
        expect(yes).to_have_css("border-top-style", "solid")
        yes.click()
        expect(tab.get_by_text("The table for 2 is booked.").last).to_be_visible()
