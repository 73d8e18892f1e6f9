"""The two pages on CopilotKit 1.74 in one browser tab."""

from __future__ import annotations

from typing import ClassVar

from playwright.sync_api import Locator, Response

from tests.browser.chat import Chat


class V1Chat(Chat):
    """The page with the v1 provider and the chat of `@copilotkit/react-ui`."""

    PAGE: ClassVar[str] = "v1.html"
    BANNER: ClassVar[str] = "[data-testid=copilot-error-banner]"

    def _open(self, url: str) -> None:
        # Only then does the chat have the agent that it talks to.
        with self.tab.expect_response(_is_connection):
            self.tab.goto(url)

    def reload(self) -> None:
        """Reloads the page; everything it then shows came from the server."""
        with self.tab.expect_response(_is_connection):
            self.tab.reload()

    def switch(self, thread_id: str) -> None:
        """Opens another thread on the page."""
        self.tab.get_by_label("Thread").fill(thread_id)
        with self.tab.expect_response(_is_connection):
            self.tab.get_by_role("button", name="Open", exact=True).click()

    def picture(self, name: str) -> None:
        """Writes a screenshot for people to look at."""
        super().picture(f"1.74-{self.PAGE.removesuffix('.html')}-{name}")

    @property
    def question(self) -> Locator:
        """What waits in the chat for the user's answer."""
        return self.tab.get_by_role("alertdialog")

    def answer(self, button: str) -> None:
        """Answers the question."""
        self.question.last.get_by_role("button", name=button).click()


class V2Chat(V1Chat):
    """The page with the v2 provider and chat."""

    PAGE: ClassVar[str] = "v2.html"
    USER_MESSAGE: ClassVar[str] = "[data-testid=copilot-user-message]"
    ANSWER: ClassVar[str] = "[data-testid=copilot-assistant-message]"
    IDLE: ClassVar[str] = "[data-testid=copilot-chat][data-copilot-running=false]"
    STOP: ClassVar[str] = "[data-copilot-running=true] [data-testid=copilot-send-button]"
    # What the page itself shows of an error.
    BANNER: ClassVar[str] = "[role=alert]"


def _is_connection(response: Response) -> bool:
    return response.url.endswith("/connect") or '"agent/connect"' in (response.request.post_data or "")
