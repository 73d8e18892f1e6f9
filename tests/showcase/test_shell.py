"""The showcase's own frame: navigation, code, themes, small screens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import SHOWCASE, Open

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AGENTS = sorted(path.stem for path in (SHOWCASE / "agents").glob("*.py") if path.stem != "__init__")
PAGES = sorted(path.stem for path in (SHOWCASE / "page" / "src" / "features").glob("*.tsx"))


def test_every_page_and_every_agent_belongs_to_a_feature(open_tab: Open) -> None:
    tab = open_tab("chat")
    links = tab.page.locator("nav .line a")
    features = [(link.get_attribute("href") or "").removeprefix("#/") for link in links.all()]

    assert sorted(features) == PAGES
    assert sorted(set(AGENTS) - set(PAGES)) == []


def test_the_code_of_a_feature_is_what_runs(open_tab: Open) -> None:
    tab = open_tab("tool_rendering")
    tab.page.get_by_role("tab", name="Code").click()
    for name, path in (
        ("agents/tool_rendering.py", SHOWCASE / "agents" / "tool_rendering.py"),
        ("page/src/features/tool_rendering.tsx", SHOWCASE / "page/src/features/tool_rendering.tsx"),
    ):
        figure = tab.get("code").locator("figure", has_text=name)
        expect(figure.locator("pre")).to_have_text(path.read_text(encoding="utf-8").strip())
        assert figure.evaluate("figure => figure.scrollHeight - figure.clientHeight") <= 0
    tab.picture("code")


def test_the_theme_is_the_systems_until_the_user_chooses(open_tab: Open) -> None:
    tab = open_tab("chat", color_scheme="dark")
    expect(tab.page.locator("html")).to_have_class("dark")
    tab.press("Theme")
    expect(tab.page.locator("html")).not_to_have_class("dark")
    tab.reload()
    expect(tab.page.locator("html")).not_to_have_class("dark")


def test_a_small_screen_has_the_features_in_a_drawer(open_tab: Open) -> None:
    tab = open_tab("chat", viewport={"width": 390, "height": 844})
    link = tab.page.get_by_role("link", name="Tool rendering")
    expect(link).not_to_be_visible()
    tab.press("Features")
    tab.picture("phone-navigation")
    link.click()
    expect(tab.page.get_by_role("heading", name="Tool rendering")).to_be_visible()
    expect(link).not_to_be_visible()
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_new_thread_leaves_the_old_one_at_its_address(open_tab: Open) -> None:
    tab = open_tab("chat")
    first = tab.page.url
    tab.say("Hello, who are you?")
    expect(tab.answers.last).to_contain_text("Hello!")
    tab.press("New thread")
    expect(tab.asked).to_have_count(0)
    assert tab.page.url != first
    tab.page.go_back()
    expect(tab.answers.last).to_contain_text("Hello!")
