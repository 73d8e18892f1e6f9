"""The chat features of the showcase in Chromium, live and after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_the_agent_paints_the_page_and_sees_its_colour(open_tab: Open) -> None:
    tab = open_tab("chat")
    tab.press("Paint the page")
    expect(tab.get("canvas")).to_have_css("background-color", "rgb(230, 230, 250)")
    expect(tab.answers.last).to_contain_text("Done.")
    tab.say("Which colour has the page?")
    expect(tab.answers.last).to_contain_text("As far as I can see: lavender.")
    tab.picture("chat")
    tab.reload()
    expect(tab.answers.last).to_contain_text("As far as I can see: lavender.")
    # A reload repeats no call of a tool.
    expect(tab.get("canvas")).not_to_have_css("background-color", "rgb(230, 230, 250)")


def test_thoughts_stand_above_the_answer_and_can_be_read_again(open_tab: Open) -> None:
    tab = open_tab("reasoning")
    tab.press("A riddle")
    thoughts = tab.page.get_by_role("button", name="Thought for")
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("and together they are 1.10.")
        thoughts.click()
        expect(tab.page.get_by_text("The tempting answer is ten cents.")).to_be_visible()
        tab.picture("reasoning")
        tab.reload()
