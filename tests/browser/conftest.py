"""The built page, a static server for it on a port of its own, the demo server, and the browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.chat import Chat, OpenChat
from tests.browser.server import serving
from tests.npm import build

PAGES = Path(__file__).parent
CHROMIUM_ARGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A microphone for pages that have the permission.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The origin of the 1.10 page: not the runtime's, so that every request of the page crosses origins."""
    with serve_folder(build(PAGES / "page-1.10")) as origin:
        yield origin


@pytest.fixture(scope="session")
def older_site() -> Iterator[str]:
    """The origin of the same page on other versions of CopilotKit, each in a folder named after it."""
    build(PAGES / "page-1.10")  # which checks the types of the sources
    with serve_folder(build(PAGES / "page-older")) as origin:
        yield origin


@pytest.fixture(scope="session")
def newest_site() -> Iterator[str]:
    """The origin of the 1.74 pages."""
    with serve_folder(build(PAGES / "page-1.74")) as origin:
        yield origin


# Package scope: while Playwright's synchronous API is open, its thread counts as running an event loop,
# and no asynchronous test could start one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("The browser tests need Chromium on the PATH.", pytrace=False)
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def demo() -> Iterator[str]:
    """The runtime URL of the demo server."""
    with serving("demo") as (_, url):
        yield url


@pytest.fixture
def open_chat(browser: Browser, site: str) -> Iterator[OpenChat]:
    """Opens tabs of one browser window, each on a thread of its own."""
    context = browser.new_context(viewport={"width": 1100, "height": 700})

    def open_chat(runtime_url: str, agent: str) -> Chat:
        return Chat(context.new_page(), site, runtime_url, agent)

    yield open_chat
    context.close()


@pytest.fixture
def chat(open_chat: OpenChat, demo: str) -> Chat:
    """A chat with the demo agent."""
    return open_chat(demo, "demo")
