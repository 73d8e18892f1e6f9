"""A React page on CopilotKit 1.10 in a real browser, against the demo agent."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, OpenChat

# The first test also installs and builds the page.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GREEN = "rgb(0, 128, 0)"
WHITE = "rgb(255, 255, 255)"


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


def test_after_stop_the_answer_stays_as_it_is_and_the_thread_takes_the_next_message(chat: Chat) -> None:
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
    # On every stop this version of the page's own client shows the reason that it gave to its request.
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


def test_an_unknown_agent_is_named_in_a_banner_with_those_that_exist(open_chat: OpenChat, demo: str) -> None:
    chat = open_chat(demo, "ghost")
    expect(chat.banner).to_contain_text("ghost")
    expect(chat.banner).to_contain_text("demo")
    chat.picture("unknown-agent")
