"""The features with a human in the loop, in Chromium, live and after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_what_the_user_approves_is_the_result_of_the_tool(open_tab: Open) -> None:
    tab = open_tab("human_by_tool")
    tab.press("Upgrade the service")
    review = tab.get("review")
    expect(review.get_by_role("checkbox")).to_have_count(4)
    expect(tab.page.get_by_role("button", name="Approve 4")).to_be_visible()
    review.get_by_label("Stop the old workers").uncheck()
    tab.picture("human_by_tool")
    tab.press("Approve 3")
    for _ in range(2):
        steps = tab.answers.last.get_by_role("listitem")
        expect(steps).to_have_text(["Back up the database", "Migrate the tables", "Start the new workers"])
        expect(review).to_contain_text("You approved 3 of 4.")
        expect(review.get_by_label("Stop the old workers")).not_to_be_checked()
        tab.reload()


def test_a_question_that_is_open_at_a_reload_can_be_answered_then(open_tab: Open) -> None:
    tab = open_tab("human_by_interrupt", color_scheme="dark")
    tab.press("A train to Munich")
    question = tab.page.get_by_role("alertdialog", name="Which train to Munich?")
    expect(question).to_be_visible()
    tab.picture("showcase-interrupt", published=True)
    tab.reload()
    question.get_by_role("button", name="ICE 1105").click()
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("Booked ICE 1105 to Munich. The ticket is in your mail.")
        expect(question).to_have_count(0)
        tab.reload()


def test_the_tool_that_asked_can_be_refused(open_tab: Open) -> None:
    tab = open_tab("human_by_interrupt")
    tab.say("Book me a train to Hamburg")
    tab.press("None of these")
    expect(tab.answers.last).to_contain_text("Maybe another day.")
