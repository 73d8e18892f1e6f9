"""Generative UI in Chromium, live and after a reload: surfaces, frames and documents."""

from __future__ import annotations

import pytest
from playwright.sync_api import FrameLocator, expect

from .conftest import Open
from .tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_click_on_a_surface_reaches_the_agent(open_tab: Open) -> None:
    tab = open_tab("a2ui_fixed")
    tab.press("A concert")
    book = tab.page.get_by_role("button", name="Book a seat")
    expect(tab.page.get_by_role("heading", name="Bach by candlelight")).to_be_visible()
    expect(tab.answers.last).to_contain_text("There is one on Friday.")
    tab.picture("a2ui_fixed")
    tab.reload()
    book.click()
    for _ in range(2):
        booked = tab.answers.filter(has_text="Your seat at Bach by candlelight is booked.")
        expect(booked).to_be_visible()
        expect(book).to_have_count(1)
        tab.reload()


def test_a_surface_of_the_pages_components_grows_as_the_model_writes_it(open_tab: Open) -> None:
    tab = open_tab("a2ui_dynamic")
    tab.press("How is the shop doing?")
    expect(tab.get("meter")).to_be_visible()
    for _ in range(2):
        expect(tab.get("metric")).to_have_text(["Revenue12.4 k€", "Orders318", "Returns9"])
        expect(tab.get("meter")).to_have_text("Orders of the plan 72 %")
        expect(tab.answers.last).to_contain_text("Revenue and orders are up")
        tab.picture("showcase-a2ui", published=True)
        tab.reload()


def test_an_invalid_surface_is_drawn_again(open_tab: Open) -> None:
    tab = open_tab("a2ui_recovery")
    tab.press("Opening hours")
    expect(tab.page.get_by_text("Retrying", exact=False)).to_be_visible()
    tab.picture("a2ui_recovery")
    for _ in range(2):
        expect(tab.page.get_by_text("Monday to Friday, 9:00 to 18:00")).to_have_count(1)
        expect(tab.answers.last).to_contain_text("We are open on weekdays.")
        tab.reload()


def test_a_frame_of_an_mcp_server_calls_its_tools_and_speaks_to_the_agent(open_tab: Open) -> None:
    tab = open_tab("mcp_apps")
    tab.press("Go to the cinema")
    seats = frame(tab)
    expect(seats.get_by_role("button", name="A2", exact=True)).to_be_disabled()
    for seat in ("B2", "B3"):
        seats.get_by_role("button", name=seat, exact=True).click()
    expect(tab.answers.last).to_contain_text("Choose your seats above, then press Reserve.")
    tab.picture("showcase-mcp-apps", published=True)
    seats.get_by_role("button", name="Reserve").click()
    for _ in range(2):
        expect(tab.asked.last).to_have_text("I have reserved B2 and B3.")
        expect(tab.answers.last).to_contain_text("Enjoy the film from B2 and B3!")
        tab.reload()
    # Someone else sees that they are taken.
    other = open_tab("mcp_apps")
    other.press("Go to the cinema")
    expect(frame(other).get_by_role("button", name="B2", exact=True)).to_be_disabled()
    other.forget_problems("An iframe which has both allow-scripts and allow-same-origin")
    tab.forget_problems("An iframe which has both allow-scripts and allow-same-origin")


def frame(tab: Tab) -> FrameLocator:
    """What the MCP server's frame shows: a frame in the page's own sandbox."""
    return tab.page.frame_locator("[data-testid=mcp-app-iframe]").last.frame_locator("iframe")


def test_a_document_runs_in_a_sandbox_and_calls_what_the_page_lets_it(open_tab: Open) -> None:
    tab = open_tab("open_ui")
    tab.press("A coffee timer")
    document = tab.get("copilot-message-list").frame_locator("iframe")
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("Move the slider")
        document.get_by_label("Grams of coffee").fill("30")
        expect(document.locator("output")).to_have_text("4:30")
        document.get_by_role("button", name="Keep this recipe").click()
        expect(tab.get("kept")).to_have_text("30 g, 4:30 min")
        tab.picture("showcase-open-ui", published=True)
        tab.reload()
