"""The features with state, in Chromium, live and after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Open
from .tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def ingredients(tab: Tab) -> list[str]:
    return [field.input_value() for field in tab.get("recipe").get_by_label("Ingredient").all()]


def test_the_user_and_the_agent_edit_one_recipe(open_tab: Open) -> None:
    tab = open_tab("shared_state")
    recipe = tab.get("recipe")
    tab.press("More")
    tab.press("Add salt")
    tab.press("Make it better")
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("It is 3 servings of Lemon and fennel pasta now.")
        expect(recipe.get_by_label("Title")).to_have_value("Lemon and fennel pasta")
        assert ingredients(tab) == ["Spaghetti", "Olive oil", "Salt", "Fennel seeds", "Zest of a lemon"]
        tab.picture("shared_state")
        tab.reload()
    recipe.get_by_label("Title").fill("Dinner")
    tab.press("Fewer")
    tab.say("Once more, please")
    expect(tab.answers.last).to_contain_text("It is 2 servings of Lemon and fennel pasta now.")
    assert len(ingredients(tab)) == 7


def growth(document: Locator) -> list[int]:
    """The lengths of the document that the page showed, for a moment each."""
    lengths: list[int] = document.page.evaluate("window.lengths")
    assert lengths == sorted(lengths)
    return lengths


def test_the_document_grows_with_each_token_of_the_call_that_writes_it(open_tab: Open) -> None:
    tab = open_tab("predictive_state")
    document = tab.get("document")
    tab.page.evaluate(
        """() => {
            window.lengths = [];
            const panel = document.querySelector("[data-testid=document]");
            new MutationObserver(() => window.lengths.push(panel.textContent.length)).observe(
                panel, { childList: true, subtree: true, characterData: true });
        }"""
    )
    tab.press("Write a story")
    expect(document).to_contain_text("The lighthouse at Cape Orr had been dark for forty years when Maren")
    expect(document).to_have_attribute("data-writing", "true")
    tab.picture("predictive_state")
    expect(tab.answers.last).to_contain_text("It is in the document.")
    assert len(growth(document)) > 15
    for _ in range(2):
        expect(document.get_by_role("paragraph")).to_have_count(3)
        tab.reload()
    tab.press("Continue it")
    expect(document.get_by_role("paragraph")).to_have_count(4)


def test_the_steps_of_the_agents_work_are_drawn_as_it_takes_them(open_tab: Open) -> None:
    tab = open_tab("agentic_ui")
    tab.press("Fix the build")
    steps = tab.get("steps")
    expect(steps.locator("li[data-status=running]")).to_have_text("Find the first error")
    expect(steps.locator("li[data-status=done]")).to_have_count(1)
    tab.picture("agentic_ui")
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("All green again")
        expect(steps).to_contain_text("5 of 5 steps")
        tab.reload()
