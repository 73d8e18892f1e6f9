"""The situations of the AG-UI dojo on the newest page, with graphs that declare what the page may lack."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.newest_chat import V2Chat
from tests.browser.server import serving
from tests.browser.test_attachments import png

# The first test also installs and builds the pages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AGENTS = ("chats", "backend", "undemanding", "reasons", "travel", "shared", "progress", "foresees", "sees")
Open = Callable[..., V2Chat]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    agents = [f"--agent={name}=tests/browser/dojo_agents.py:{name}" for name in AGENTS]
    with serving("serve", *agents) as (_, served):
        yield served


@pytest.fixture
def open_page(browser: Browser, newest_site: str, url: str) -> Iterator[Open]:
    """Opens the page with an agent. It offers no tools, unless a setting asks for one."""
    context = browser.new_context(viewport={"width": 1100, "height": 700})

    def open_page(agent: str, *settings: str) -> V2Chat:
        return V2Chat(
            context.new_page(), newest_site, url, agent, **dict.fromkeys(settings or ("noTools",), "")
        )

    yield open_page
    context.close()


def expect_the_same_after_a_reload(chat: V2Chat) -> None:
    chat.wait_until_idle()
    shown = chat.conversation
    chat.reload()
    expect(chat.answers).to_have_count(len(chat.answers.all()))
    chat.expect_last_answer(shown[-1])
    assert chat.conversation == shown
    chat.expect_no_trouble()


@pytest.mark.parametrize(
    ("agent", "turns"),
    [
        ("backend", [("Rome?", "Done with it."), ("And now?", "Done with it.")]),
        ("undemanding", [("Hi", "You offer 0 tools."), ("Again", "You offer 0 tools.")]),
        ("reasons", [("2 + 3?", "It is five."), ("Sure?", "It is five.")]),
    ],
)
def test_an_agent_answers_a_page_without_tools(
    open_page: Open, agent: str, turns: list[tuple[str, str]]
) -> None:
    chat = open_page(agent)
    for text, answer in turns:
        chat.send(text)
        chat.expect_last_answer(answer)
    chat.picture(f"dojo-{agent}")
    expect_the_same_after_a_reload(chat)


def test_an_agent_changes_the_page(open_page: Open) -> None:
    chat = open_page("chats", "colorful")
    chat.send("Paint it")
    chat.expect_background("rgb(0, 128, 0)")
    chat.expect_last_answer("The background is now green. That is all.")
    expect_the_same_after_a_reload(chat)


def test_the_user_decides_about_a_call(open_page: Open) -> None:
    chat = open_page("chats", "asksFirst")
    chat.send("Paint it")
    expect(chat.question).to_contain_text("Paint the page green?")
    chat.answer("No")
    chat.expect_last_answer("The user keeps the background as it is. That is all.")
    expect_the_same_after_a_reload(chat)


def test_the_chat_shows_what_the_agent_calls(open_page: Open) -> None:
    chat = open_page("chats", "noTools", "showsHaiku")
    chat.send("A haiku")
    card = chat.tab.get_by_test_id("haiku")
    expect(card).to_have_text("old pond / a frog / splash")
    chat.expect_last_answer("Shown: old pond That is all.")
    chat.picture("dojo-haiku")
    expect_the_same_after_a_reload(chat)
    expect(card).to_have_text("old pond / a frog / splash")


def test_an_agent_sees_a_picture(open_page: Open) -> None:
    chat = open_page("sees")
    with chat.tab.expect_response("**/attachments"):
        chat.tab.locator("input[type=file]").set_input_files(
            {"name": "plan.png", "mimeType": "image/png", "buffer": png(40, 30)}
        )
    chat.send("What is this?")
    chat.expect_last_answer("I see image.")
    expect_the_same_after_a_reload(chat)


def test_subgraphs_ask_and_go_on(open_page: Open) -> None:
    chat = open_page("travel")
    chat.send("Plan a trip")
    expect(chat.question).to_contain_text("Which flight?")
    chat.answer("Yes")
    chat.expect_last_answer("Your trip is planned.")
    chat.picture("dojo-travel")
    expect_the_same_after_a_reload(chat)


def test_page_and_agent_share_a_list(open_page: Open) -> None:
    chat = open_page("shared")
    chat.tab.get_by_role("button", name="Add bread").click()
    chat.send("Add milk")
    chat.expect_last_answer("Now 2.")
    expect(chat.items).to_have_text(["bread", "milk"])
    chat.tab.get_by_role("button", name="Add bread").click()
    chat.send("Add milk")
    chat.expect_last_answer("Now 4.")
    expect(chat.items).to_have_text(["bread", "milk", "bread", "milk"])
    expect_the_same_after_a_reload(chat)


@pytest.mark.parametrize(
    ("agent", "answer", "items"),
    [
        ("progress", "All planted.", ["dig", "plant", "water"]),
        ("foresees", "Written.", ["once", "upon"]),
    ],
)
def test_the_state_shows_what_the_agent_does(
    open_page: Open, agent: str, answer: str, items: list[str]
) -> None:
    chat = open_page(agent)
    chat.send("Go")
    expect(chat.items.first).to_have_text(items[0])
    chat.expect_last_answer(answer)
    expect(chat.items).to_have_text(items)
    expect_the_same_after_a_reload(chat)
