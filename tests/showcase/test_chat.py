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


def test_what_subagents_say_stands_below_the_call_that_asked_them(open_tab: Open) -> None:
    tab = open_tab("subagents")
    tab.press("A text on bees")
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("There you are: one fact, one picture")
        expect(tab.page.locator("[data-testid=task][data-done=true] b")).to_have_text(
            ["Researcher", "Writer"]
        )
        shown = tab.get("copilot-message-list").inner_text()
        order = [
            "Researcher",
            "Bees see ultraviolet light.",
            "Writer",
            "A meadow is an airport",
            "There you are",
        ]
        places = [shown.index(words) for words in order]
        assert places == sorted(places)
        tab.picture("subagents")
        tab.reload()


def test_the_page_carries_a_draft_from_one_agent_to_the_other(open_tab: Open) -> None:
    tab = open_tab("multi_agent")
    tab.press("Advertise the kettle")
    writer, editor = (tab.page.get_by_role("region", name=name) for name in ("Writer", "Editor"))
    expect(writer.get_by_test_id("copilot-assistant-message")).to_contain_text("very unique")
    tab.press("Hand the draft over")
    for _ in range(2):
        expect(editor.get_by_test_id("copilot-user-message")).to_contain_text(
            "Please edit this: Our new kettle"
        )
        expect(editor.get_by_test_id("copilot-assistant-message")).to_contain_text("boils fast")
        expect(writer.get_by_test_id("copilot-user-message")).to_have_text(
            "Write a line about our new kettle"
        )
        tab.picture("multi_agent")
        tab.reload()
