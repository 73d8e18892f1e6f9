"""The Next.js page that `init` writes, built as its users do, against the server that `init` writes."""

from __future__ import annotations

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, expect

from copilotkit_runtime_py.cli import cli
from tests.browser.chat import ARTIFACTS, say
from tests.browser.test_init import served
from tests.browser.test_snippets import started
from tests.servers import free_port

pytestmark = [pytest.mark.next_js, pytest.mark.timeout(1800)]

RUN = {"threadId": "t1", "runId": "r1", "messages": [{"id": "u1", "role": "user", "content": "Hello"}]}


@pytest.mark.parametrize("client", ["newest", "1.10"])
def test_the_page_chats_through_its_rewrites_and_the_answer_streams(
    client: str, browser: Browser, tmp_path: Path
) -> None:
    written = CliRunner().invoke(cli, ["init", str(tmp_path), "--page", "next", "--client", client])
    assert written.exit_code == 0
    web = tmp_path / "web"
    subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=web, check=True, capture_output=True)
    with served(tmp_path) as runtime:
        environment = {**os.environ, "RUNTIME_URL": runtime, "NEXT_TELEMETRY_DISABLED": "1"}
        subprocess.run(["npx", "next", "build"], cwd=web, check=True, capture_output=True, env=environment)
        command = ["node", "node_modules/next/dist/bin/next", "start", "--port", str(free_port())]
        with started(command, web, r"Local: +(http://localhost:\d+)") as page:
            with httpx.stream("POST", f"{page}/api/copilotkit/agent/assistant/run", json=RUN) as answer:
                pieces = list(answer.iter_raw())
            tab = browser.new_page(viewport={"width": 1000, "height": 700})
            tab.goto(page)
            say(tab, "Make the page green")
            expect(tab.locator("main")).to_have_css("background-color", "rgb(0, 128, 0)")
            expect(tab.get_by_text("Done. The page says")).to_be_visible()
            ARTIFACTS.mkdir(parents=True, exist_ok=True)
            tab.screenshot(path=ARTIFACTS / f"next-{client}.png")
            tab.close()

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert len(pieces) > 5
    assert all(b"data: " in first + second for first, second in pairwise(pieces))
