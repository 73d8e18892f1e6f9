"""The playground in one browser tab, as a person uses it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, Locator, Page, expect
from starlette.types import ASGIApp

PICTURES = os.environ.get("PLAYGROUND_PICTURES")
"""The folder for screenshots, if any are wanted."""


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    complains: bool = False,
    color_scheme: Literal["light", "dark"] = "light",
) -> Iterator[Page]:
    """Opens the page in a window of its own.

    Args:
        browser: the browser.
        url: the endpoint.
        complains: the test breaks things, of which the browser's console may tell.
        color_scheme: what the person's system prefers.

    Raises:
        AssertionError: the browser complained, or the page asked another host.
    """
    context = browser.new_context(
        viewport={"width": 1360, "height": 820}, color_scheme=color_scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: hosts.add(urlsplit(sent.url).netloc))
    page.goto(url)
    yield page
    context.close()
    assert complains or not complaints, complaints
    assert len(hosts - {""}) <= 1


@contextmanager
def serve_app(app: ASGIApp) -> Iterator[str]:
    """Serves an application in a thread; gives its origin."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Playground:
    """What a person sees and does.

    Attributes:
        page: The tab.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        expect(self.box).to_be_enabled()

    @property
    def box(self) -> Locator:
        return self.page.get_by_label("Message", exact=True)

    @property
    def answers(self) -> Locator:
        """The texts of the agent."""
        return self.page.locator(".message.assistant .prose")

    @property
    def users(self) -> Locator:
        return self.page.locator(".message.user")

    @property
    def said(self) -> Locator:
        """The texts of the user."""
        return self.page.locator(".message.user .bubble")

    @property
    def calls(self) -> Locator:
        return self.page.locator(".card.call")

    @property
    def question(self) -> Locator:
        return self.page.locator(".question")

    @property
    def answered(self) -> Locator:
        """The questions that were answered, with their answers."""
        return self.page.locator(".answered")

    @property
    def stop(self) -> Locator:
        return self.page.get_by_role("button", name="Stop")

    @property
    def threads(self) -> Locator:
        return self.page.locator("#thread-list li")

    @property
    def state(self) -> Locator:
        return self.page.locator("#state-view")

    @property
    def event_types(self) -> list[str]:
        """What the timeline lists."""
        return self.page.locator("#timeline .type").all_text_contents()

    def speak(self, contract: str) -> None:
        """Chooses the contract of the runs to come."""
        self.page.locator("#wire").select_option(value=contract)

    def choose_agent(self, name: str) -> None:
        """Chooses an agent, with which a new thread begins."""
        self.page.locator("#agents").select_option(value=name)

    def send(self, text: str) -> None:
        """Sends a message, once the page takes one."""
        self.wait_until_idle()
        self.box.fill(text)
        self.box.press("Enter")
        expect(self.users.last.locator(".bubble")).to_have_text(text)

    def expect_answer(self, text: str) -> None:
        """Waits for the last text of the agent, to its end."""
        expect(self.answers.last).to_contain_text(text)
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Waits until no run is in progress."""
        expect(self.page.get_by_role("button", name="Send")).to_be_visible()

    def picture(self, name: str) -> None:
        """Writes a screenshot for people to look at, if they have named a folder for it."""
        if PICTURES:
            self.page.screenshot(path=Path(PICTURES) / f"{name}.png", animations="disabled")
