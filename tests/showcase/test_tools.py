"""The tool features of the showcase in Chromium, live and after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_results_of_tools_on_the_server_are_cards_in_the_chat(open_tab: Open) -> None:
    tab = open_tab("tool_rendering")
    tab.press("Compare two places")
    for _ in range(2):
        expect(tab.get("weather")).to_have_text(["Oslo9°Wind 31 km/h", "Cairo33°Wind 8 km/h"])
        expect(tab.answers.last).to_contain_text("It is warmer in the south today.")
        tab.picture("tool_rendering")
        tab.reload()


def test_the_arguments_of_a_pages_tool_become_a_component(open_tab: Open) -> None:
    tab = open_tab("tool_ui")
    tab.press("Show our sales")
    for _ in range(2):
        expect(tab.get("chart").get_by_role("listitem")).to_have_text(
            ["31Jan", "28Feb", "42Mar", "47Apr", "58May", "66Jun"]
        )
        expect(tab.answers.last).to_contain_text("The second quarter sold 70 % more than the first.")
        tab.picture("tool_ui")
        tab.reload()
