"""The page in one browser tab, as a person sees and uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeAlias
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "browser"

# Keeps every text that the first answer showed in a painted frame, in order.
_RECORD_FIRST_ANSWER = """
window.shownTexts = [];
const look = () => {
  const text = document.querySelector("%s")?.textContent ?? "";
  if (text && text !== window.shownTexts.at(-1)) window.shownTexts.push(text);
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


class Chat:
    """One tab with the page open on a thread of its own.

    Attributes:
        tab: The tab.
        thread_id: The thread.
        problems: Everything the browser complained about so far: console errors and warnings, uncaught
            exceptions, failed requests, and requests to any host but this one. A request that the page itself
            gave up is no problem: the client does so on stop, and also with every streamed answer whose last
            part it has read before the end of the body.
    """

    PAGE: ClassVar[str] = "index.html"
    USER_MESSAGE: ClassVar[str] = ".copilotKitUserMessage"
    ANSWER: ClassVar[str] = ".copilotKitAssistantMessage"
    IDLE: ClassVar[str] = "[data-test-id=copilot-chat-ready]"
    STOP: ClassVar[str] = "[data-test-id=copilot-chat-request-in-progress]"
    BANNER: ClassVar[str] = "div:has(> div > button[title=Dismiss])"

    def __init__(self, tab: Page, site: str, runtime_url: str, agent: str, **settings: str) -> None:
        """Opens the page on a new thread and waits until the chat can be used.

        Args:
            tab: an empty tab.
            site: the origin that serves the page.
            runtime_url: the endpoint of the runtime.
            agent: the name of the agent to talk to.
            settings: what else the page takes in its query.
        """
        self.tab = tab
        self.thread_id = f"thread-{uuid4()}"
        self.problems: list[str] = []
        tab.add_init_script(_RECORD_FIRST_ANSWER % self.ANSWER)
        tab.on("console", self._on_console)
        tab.on("pageerror", lambda error: self.problems.append(f"uncaught: {error.message}"))
        tab.on("request", self._on_request)
        tab.on("requestfailed", self._on_request_failed)
        query = {"runtimeUrl": runtime_url, "threadId": self.thread_id, "agent": agent, **settings}
        self._open(f"{site}/{self.PAGE}?{urlencode(query)}")

    def _open(self, url: str) -> None:
        self.tab.goto(url)
        self.wait_until_idle()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in {"127.0.0.1", None}:
            self.problems.append(f"foreign host: {request.url}")

    def _on_request_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed: {request.method} {request.failure}")

    def reload(self) -> None:
        """Reloads the page; everything it then shows came from the server."""
        self.tab.reload()
        self.wait_until_idle()

    def send(self, text: str) -> None:
        """Types a message and sends it, once the chat takes one."""
        say(self.tab, text)
        expect(self.user_messages.last).to_have_text(text)

    def stop(self) -> None:
        """Presses the stop button of the chat."""
        self.busy.click()

    def regenerate(self) -> None:
        """Asks for the last answer again."""
        self.answers.last.get_by_label("Regenerate response").click()

    def wait_until_idle(self) -> None:
        """Waits until the chat takes the next message."""
        expect(self.tab.locator(self.IDLE)).to_be_visible()

    def picture(self, name: str) -> None:
        """Writes a screenshot for people to look at."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.tab.screenshot(path=ARTIFACTS / f"{name}.png")

    @property
    def busy(self) -> Locator:
        """The stop button, there only while an answer is under way."""
        return self.tab.locator(self.STOP)

    @property
    def user_messages(self) -> Locator:
        return self.tab.locator(self.USER_MESSAGE)

    @property
    def answers(self) -> Locator:
        return self.tab.locator(self.ANSWER)

    @property
    def conversation(self) -> list[str]:
        """The text of every message shown, in order."""
        texts = self.tab.locator(f"{self.USER_MESSAGE}, {self.ANSWER}").all_text_contents()
        return [text.strip() for text in texts]

    @property
    def interrupt(self) -> Locator:
        return self.tab.get_by_role("alertdialog")

    @property
    def items(self) -> Locator:
        """The entries of the list shared with the agent."""
        return self.tab.get_by_test_id("shared-state").get_by_role("listitem")

    @property
    def banner(self) -> Locator:
        """CopilotKit's error banner."""
        return self.tab.locator(self.BANNER)

    @property
    def shown_texts(self) -> list[str]:
        """What the first answer showed from frame to frame."""
        texts: list[str] = self.tab.evaluate("window.shownTexts")
        return texts

    def expect_background(self, color: str) -> None:
        """Waits until the page has this background (a CSS ``rgb()``)."""
        expect(self.tab.get_by_test_id("page")).to_have_css("background-color", color)

    def expect_last_answer(self, words: str) -> None:
        """Waits until the last answer holds these words and is complete."""
        expect(self.answers.last).to_contain_text(re.compile(re.escape(words), re.IGNORECASE))
        self.wait_until_idle()

    def wait_until_written(self, words: int) -> None:
        """Waits until the first answer has that many words on the screen."""
        expect(self.answers.first).to_have_text(re.compile(rf"^(\S+\s+){{{words},}}"))

    def expect_no_trouble(self) -> None:
        """Nothing went wrong so far that a person or a developer could see."""
        expect(self.banner).to_have_count(0)
        assert self.problems == []


def say(tab: Page, text: str) -> None:
    """Types a message into the chat of any version, and sends it once the chat takes one.

    Before the chat has its agent, the Enter key does nothing and the button is off. During a run, the button
    stops the run.
    """
    idle = "[data-testid=copilot-chat][data-copilot-running=false], [data-test-id=copilot-chat-ready]"
    expect(tab.locator(idle)).to_be_visible()
    tab.get_by_placeholder("Type a message...").fill(text)
    tab.locator("[data-testid=copilot-send-button], [data-test-id=copilot-chat-ready]").click()


OpenChat: TypeAlias = Callable[[str, str], Chat]
"""Opens a tab: takes the runtime URL and the name of the agent."""
