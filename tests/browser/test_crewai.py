"""React pages of both generations in a real browser, against the demo flow of CrewAI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat import Chat, OpenChat
from tests.browser.newest_chat import V2Chat
from tests.browser.server import serving

# The first test also installs and builds the pages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def crew_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The runtime URL of a server with the demo flow."""
    storage: Path = tmp_path_factory.mktemp("crewai")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CREWAI_STORAGE_DIR", str(storage))
        with serving("serve", "--store=memory", "--agent=demo=copilotkit_runtime_py.demo.crew:DemoFlow") as (
            _,
            url,
        ):
            yield url


@pytest.fixture(params=["1.10", "1.74"])
def chat(
    request: pytest.FixtureRequest, open_chat: OpenChat, browser: Browser, crew_demo: str
) -> Iterator[Chat]:
    """A chat with the demo flow."""
    if request.param == "1.10":
        yield open_chat(crew_demo, "demo")
        return
    context = browser.new_context(viewport={"width": 1100, "height": 700})
    yield V2Chat(context.new_page(), request.getfixturevalue("newest_site"), crew_demo, "demo")
    context.close()


def test_a_frontend_tool_changes_the_page_and_state_is_shared_and_comes_back(chat: Chat) -> None:
    chat.send("Please make the page green")
    chat.expect_background("rgb(0, 128, 0)")
    chat.wait_until_idle()
    chat.tab.get_by_role("button", name="Add bread").click()
    chat.send("Add milk to my list")
    chat.expect_last_answer("It has 2 items now.")
    expect(chat.items).to_have_text(["bread", "milk"])
    before = [text for text in chat.conversation if text]
    chat.picture("crewai")
    chat.reload()
    expect(chat.items).to_have_text(["bread", "milk"])
    expect(chat.user_messages).to_have_count(2)
    assert [text for text in chat.conversation if text] == before
    chat.expect_no_trouble()


@pytest.mark.parametrize(("button", "words"), [("Yes", "It is booked."), ("No", "not booked anything")])
def test_human_feedback_is_asked_for_and_its_answer_resumes_the_flow(
    chat: Chat, button: str, words: str
) -> None:
    chat.send("Book a table for 3")
    expect(chat.interrupt).to_contain_text("Shall I book it?")
    chat.interrupt.get_by_role("button", name=button).click()
    chat.expect_last_answer(words)
    expect(chat.interrupt).to_have_count(0)
    chat.expect_no_trouble()
