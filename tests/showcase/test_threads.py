"""Threads and runs in Chromium: the list, and two browsers on one thread."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Open
from .tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_threads_are_named_searched_archived_restored_and_deleted(open_tab: Open) -> None:
    tab = open_tab("threads")
    panel, rows = tab.get("threads"), tab.get("threads").get_by_role("listitem")
    tab.say("Plan the summer party")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Plan the summer party")
    tab.press("New thread")
    expect(tab.asked).to_have_count(0)
    tab.say("Order new chairs")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Order new chairs")

    tab.page.once("dialog", lambda dialog: dialog.accept("Chairs for the office"))
    change(tab, rows.first, "Rename")
    expect(rows.first).to_contain_text("Chairs for the office")
    tab.picture("showcase-threads", published=True)
    tab.reload()
    expect(rows.first).to_contain_text("Chairs for the office")

    search = panel.get_by_placeholder("Search threads")
    search.fill("party")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Plan the summer party")
    search.fill("")

    party = rows.filter(has_text="party")
    change(tab, party, "Archive")
    expect(rows).to_have_count(1)
    panel.get_by_label("Show archived threads").check()
    expect(rows).to_have_count(2)
    change(tab, party, "Restore")
    panel.get_by_label("Show archived threads").uncheck()
    expect(rows).to_have_count(2)

    party.get_by_role("link").click()
    expect(tab.asked).to_have_text(["Plan the summer party"])
    change(tab, rows.filter(has_text="Chairs"), "Delete")
    expect(rows).to_have_count(1)
    tab.reload()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Plan the summer party")


def change(tab: Tab, row: Locator, button: str) -> None:
    """Presses a button of a row, and waits for the server's answer: the page shows the change sooner."""
    with tab.page.expect_request(lambda asked: "/threads/" in asked.url and asked.method != "GET") as sent:
        row.get_by_role("button", name=button).click()
    answer = sent.value.response()
    assert answer is not None
    assert answer.ok


def test_a_page_that_is_reloaded_in_the_middle_of_an_answer_sees_its_rest(open_tab: Open) -> None:
    tab = open_tab("live_run")
    tab.press("Climb the tower")
    expect(tab.answers.last).to_contain_text("Floor 5 of 60")
    tab.reload()
    expect(tab.get("live")).to_have_attribute("data-running", "true")
    expect(tab.answers.last).to_contain_text("Floor 12 of 60")
    expect(tab.answers.last).to_contain_text("Floor 1 of 60")
    tab.stop()


def test_two_browsers_on_one_thread_see_the_same_run_and_either_stops_it(open_tab: Open) -> None:
    first = open_tab("live_run")
    first.press("Climb the tower")
    expect(first.answers.last).to_contain_text("Floor 3 of 60")
    second = open_tab("live_run", first.thread_id)
    expect(second.answers.last).to_contain_text("Floor 8 of 60")
    expect(first.answers.last).to_contain_text("Floor 8 of 60")
    first.picture("live_run")
    second.stop()
    for tab in (first, second):
        expect(tab.get("live")).to_have_attribute("data-running", "false")
    said = first.answers.last.inner_text()
    assert "but here" not in said
    assert second.answers.last.inner_text() == said
    first.reload()
    expect(first.answers.last).to_have_text(said.replace("\n", ""))
