"""A feature of the showcase in one browser tab, as a person sees and uses it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Response, expect

from tests.browser.chat import say

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "showcase"


class Tab:
    """One tab that shows a feature.

    Args:
        page: an empty tab.
        url: the URL of the showcase.
        feature: the id of the feature.
        thread_id: the thread to open, or None for a new one.

    Attributes:
        problems: what the browser complained about so far: console errors and warnings, uncaught exceptions,
            failed requests, and requests to other hosts. A request that the page itself gave up is none.
    """

    def __init__(self, page: Page, url: str, feature: str, thread_id: str | None) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error.message}"))
        page.on("request", self._on_request)
        page.on("requestfailed", self._on_request_failed)
        with page.expect_response(_is_connection):
            page.goto(f"{url}/#/{feature}" + (f"/{thread_id}" if thread_id else ""))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in {"127.0.0.1", None}:
            self.problems.append(f"foreign host: {request.url}")

    def _on_request_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed: {request.method} {request.failure}")

    @property
    def thread_id(self) -> str:
        """The thread in the address."""
        return self.page.url.rpartition("/")[2]

    @property
    def answers(self) -> Locator:
        return self.page.get_by_test_id("copilot-assistant-message")

    @property
    def asked(self) -> Locator:
        """What the user said."""
        return self.page.get_by_test_id("copilot-user-message")

    def get(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    def press(self, name: str) -> None:
        """Presses a button."""
        self.page.get_by_role("button", name=name, exact=True).last.click()

    def say(self, text: str) -> None:
        """Sends a message, once the chat takes one."""
        say(self.page, text)
        expect(self.asked.last).to_contain_text(text)

    def stop(self) -> None:
        """Stops the run in progress, and waits until it has ended."""
        self.page.locator("[data-copilot-running=true] [data-testid=copilot-send-button]").click()
        expect(self.page.locator("[data-copilot-running=true]")).to_have_count(0)

    def reload(self) -> None:
        """Loads the page again: everything that it then shows came from the server."""
        with self.page.expect_response(_is_connection):
            self.page.reload()

    def forget_problems(self, known: str) -> None:
        """Forgets the problems with these words, which CopilotKit's own code makes."""
        self.problems = [problem for problem in self.problems if known not in problem]

    def wait_until_idle(self) -> None:
        """Waits until the chat takes the next message."""
        expect(self.page.get_by_test_id("copilot-chat").first).to_be_visible()
        expect(self.page.locator("[data-copilot-running=true]")).to_have_count(0)

    def picture(self, name: str, *, published: bool = False) -> None:
        """Writes a screenshot for people to look at.

        Args:
            name: its file's name without the ending.
            published: the documentation shows it; written to the folder that `PICTURES` names, if any.
        """
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path, animations="disabled")
        if published and (folder := os.environ.get("PICTURES")):
            # A page has few colours, and the repository keeps every version of a picture.
            with Image.open(path) as picture:
                colours = picture.convert("RGB").quantize(
                    256, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE
                )
                colours.save(Path(folder) / path.name, optimize=True)


def _is_connection(response: Response) -> bool:
    return response.url.endswith("/connect") or '"agent/connect"' in (response.request.post_data or "")
