"""A React page on CopilotKit 1.8 to 1.10 in a real browser, against the demo agent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat import Chat, OpenChat
from tests.browser.server import serving

# The first test also installs and builds the page.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GREEN = "rgb(0, 128, 0)"
WHITE = "rgb(255, 255, 255)"


class Page(NamedTuple):
    """A page on one version of CopilotKit, with or without an agent lock: it names the agent that answers."""

    version: str
    locked: bool

    @property
    def has_banner(self) -> bool:
        """Whether it shows errors in a banner: from 1.9.2 on."""
        return self.version not in ("1.8.5", "1.8.14", "1.9.0")

    def __str__(self) -> str:
        return self.version if self.locked else f"{self.version}-unlocked"


NEWEST = Page("1.10.6", locked=True)
PAGES = [
    Page(version, locked)
    for version in ("1.10.6", "1.10.1", "1.9.3", "1.9.0", "1.8.14", "1.8.5")
    for locked in (True, False)
]


# `make test` runs what has no mark: everything on the newest page, a conversation on the others.
MARKED = [pytest.param(page, marks=() if page == NEWEST else pytest.mark.older_pages) for page in PAGES]
# Without the lock, a page asks for no conversation when it is loaded.
restoring = pytest.mark.parametrize(
    "page",
    [param for page, param in zip(PAGES, MARKED, strict=True) if page.locked],
    indirect=True,
    ids=str,
)
on_every_page = pytest.mark.parametrize("page", PAGES, indirect=True, ids=str)


@pytest.fixture(params=MARKED, ids=str)
def page(request: pytest.FixtureRequest) -> Page:
    found: Page = request.param
    return found


@pytest.fixture
def open_chat(page: Page, browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenChat]:
    """Opens tabs of one browser window, each on a thread of its own."""
    if page.version == NEWEST.version:
        site = request.getfixturevalue("site")
    else:
        site = f"{request.getfixturevalue('older_site')}/{page.version}"
    context = browser.new_context(viewport={"width": 1100, "height": 700})

    def open_chat(runtime_url: str, agent: str) -> Chat:
        return Chat(context.new_page(), site, runtime_url, agent, lock="yes" if page.locked else "no")

    yield open_chat
    context.close()


@pytest.fixture(scope="module")
def overloaded() -> Iterator[str]:
    """The runtime URL of a server whose agent fails."""
    agent = Path(__file__).with_name("overloaded.py")
    with serving("serve", "--store=memory", "--agent", f"overloaded={agent}:overloaded") as (_, url):
        yield url


def test_an_answer_grows_on_the_screen_while_it_is_written(chat: Chat) -> None:
    chat.send("Tell me a long story")
    expect(chat.busy).to_be_visible()
    chat.expect_last_answer("when to stop.")
    shown = chat.shown_texts
    assert len(shown) >= 5
    assert all(later.startswith(earlier.rstrip()) for earlier, later in pairwise(shown))
    assert [shown[-1].strip()] == chat.conversation[1:]
    chat.picture("story")
    chat.expect_no_trouble()


def test_the_answer_after_a_backend_tool_uses_its_result(chat: Chat) -> None:
    chat.send("What is the weather in Paris?")
    chat.expect_last_answer("Paris")
    chat.picture("backend-tool")
    chat.expect_no_trouble()


def test_a_frontend_tool_changes_the_page_and_the_agent_goes_on(chat: Chat) -> None:
    chat.expect_background(WHITE)
    chat.send("Please make the page green")
    chat.expect_background(GREEN)
    chat.expect_last_answer("green")
    chat.picture("frontend-tool")
    chat.expect_no_trouble()


def test_shared_state_shows_on_the_page(chat: Chat) -> None:
    expect(chat.items).to_have_count(0)
    chat.send("Add milk to my list")
    expect(chat.items).to_have_text(["milk"])
    chat.expect_last_answer("milk")
    expect(chat.items).to_have_text(["milk"])
    chat.picture("shared-state")
    chat.expect_no_trouble()


def test_the_agent_works_on_with_state_that_the_page_changed(chat: Chat) -> None:
    chat.tab.get_by_role("button", name="Add bread").click()
    chat.send("Add milk to my list")
    chat.expect_last_answer("milk")
    expect(chat.items).to_have_text(["bread", "milk"])
    chat.expect_no_trouble()


@pytest.mark.parametrize(("button", "words"), [("Yes", "is booked"), ("No", "not booked anything")])
def test_an_interrupt_is_shown_and_its_answer_resumes_the_agent(chat: Chat, button: str, words: str) -> None:
    chat.send("Book a table")
    expect(chat.interrupt).to_be_visible()
    chat.picture(f"interrupt-{button.lower()}-asked")
    chat.interrupt.get_by_role("button", name=button).click()
    chat.expect_last_answer(words)
    expect(chat.interrupt).to_have_count(0)
    chat.picture(f"interrupt-{button.lower()}-answered")
    chat.send("Hello")
    expect(chat.answers).to_have_count(2)
    chat.wait_until_idle()
    chat.expect_no_trouble()


def test_after_stop_the_answer_stays_as_it_is_and_the_thread_takes_the_next_message(
    chat: Chat, page: Page
) -> None:
    chat.send("Tell me a long story")
    chat.wait_until_written(5)
    chat.stop()
    chat.wait_until_idle()
    stopped = chat.conversation
    chat.picture("stopped")
    chat.send("Add milk to my list")
    chat.expect_last_answer("milk")
    assert chat.conversation[:2] == stopped
    assert len(chat.conversation) == 4
    chat.picture("after-stop")
    if page.has_banner:
        # On every stop the page's own client shows the reason that it gave to its request.
        expect(chat.banner).to_contain_text("[Network] undefined")
        assert chat.problems == []


def test_a_message_that_does_not_answer_the_interrupt_is_no_answer_to_it(chat: Chat) -> None:
    chat.send("Book a table")
    expect(chat.interrupt).to_be_visible()
    # This version of the page learns of interrupts only while they happen.
    chat.reload()
    expect(chat.interrupt).to_have_count(0)
    chat.send("Add milk to my list")
    chat.expect_last_answer("milk")
    expect(chat.items).to_have_text(["milk"])
    assert len(chat.conversation) == 3
    chat.expect_no_trouble()


@on_every_page
def test_a_conversation_goes_on(chat: Chat) -> None:
    chat.send("Please make the page green")
    chat.expect_background(GREEN)
    chat.expect_last_answer("green")
    chat.send("Add milk to my list")
    chat.expect_last_answer("milk")
    expect(chat.items).to_have_text(["milk"])
    assert len(chat.conversation) == 4
    chat.expect_no_trouble()


@restoring
def test_a_reload_brings_the_conversation_and_the_state_back_and_repeats_no_tool(chat: Chat) -> None:
    chat.send("Please make the page green")
    chat.expect_last_answer("green")
    chat.send("Add milk to my list")
    chat.expect_last_answer("milk")
    before = chat.conversation
    chat.reload()
    expect(chat.items).to_have_text(["milk"])
    expect(chat.answers).to_have_count(2)
    assert chat.conversation == before
    chat.picture("reloaded")
    chat.send("Add milk to my list")
    expect(chat.items).to_have_text(["milk", "milk"])
    chat.expect_last_answer("milk")
    assert chat.conversation[: len(before)] == before
    assert len(chat.conversation) == len(before) + 2
    chat.expect_background(WHITE)
    chat.expect_no_trouble()


@restoring
def test_regenerating_replaces_the_answer(chat: Chat) -> None:
    chat.send("Hello")
    expect(chat.answers).to_have_count(1)
    chat.wait_until_idle()
    before = chat.conversation
    chat.regenerate()
    expect(chat.busy).to_be_visible()
    chat.wait_until_idle()
    assert chat.conversation == before
    chat.reload()
    expect(chat.answers).to_have_count(1)
    assert chat.conversation == before
    chat.expect_no_trouble()


@restoring
def test_two_tabs_keep_to_their_threads(open_chat: OpenChat, demo: str) -> None:
    one, other = open_chat(demo, "demo"), open_chat(demo, "demo")
    one.send("Add milk to my list")
    other.send("Add eggs to my list")
    one.expect_last_answer("milk")
    other.expect_last_answer("eggs")
    for chat, item in ((one, "milk"), (other, "eggs")):
        expect(chat.items).to_have_text([item])
        chat.reload()
        expect(chat.items).to_have_text([item])
        expect(chat.answers).to_have_count(1)
        assert chat.conversation[0] == f"Add {item} to my list"
        chat.expect_no_trouble()


@on_every_page
def test_a_page_shows_why_a_run_failed(open_chat: OpenChat, page: Page, overloaded: str) -> None:
    chat = open_chat(overloaded, "overloaded")
    chat.send("Hello")
    shown = chat.banner if page.has_banner else chat.answers.last
    expect(shown).to_contain_text("The model is overloaded.")
    chat.wait_until_idle()
    chat.picture(f"failed-{page}")


def test_an_unknown_agent_is_named_with_those_that_exist(open_chat: OpenChat, page: Page, demo: str) -> None:
    chat = open_chat(demo, "ghost")
    if page.has_banner:
        expect(chat.banner).to_contain_text("ghost")
        expect(chat.banner).to_contain_text("demo")
    else:
        expect(chat.tab.get_by_text('Agent "ghost" not found').first).to_be_visible()
    chat.picture("unknown-agent")
