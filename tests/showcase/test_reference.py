"""The same page with the same agents behind the Node runtime 1.75: it draws the same."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Locator, expect

from copilotkit_runtime_py import CopilotRuntime, create_router
from showcase.app import load_agents
from tests.clients_agui import node
from tests.mcp_server import served
from tests.npm import install

from .conftest import Open
from .tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# Of each feature: what to press, what is drawn, and how many of it.
SURFACES = {
    "reasoning": ("A riddle", "[data-testid=copilot-assistant-message]", 1),
    "tool_rendering": ("Compare two places", "[data-testid=weather]:has(strong)", 2),
    "subagents": ("A panel about bees", "[data-testid=task][data-done=true]", 2),
    "human_by_tool": ("Upgrade the service", "[data-testid=review]:has(footer)", 1),
    "human_by_interrupt": ("A train to Munich", "[role=alertdialog] .train", 3),
    "shared_state": ("Make it better", "[data-testid=recipe] li:nth-child(4)", 1),
    "predictive_state": ("Write a story", "[data-testid=document][data-writing=false] p:nth-child(3)", 1),
    "tool_ui": ("Show our sales", "[data-testid=chart] li:nth-child(6)", 1),
    "agentic_ui": ("Fix the build", "[data-testid=steps] [data-status=done]", 5),
    "a2ui_fixed": ("A concert", "[data-testid=copilot-message-list] button:has-text('Book a seat')", 1),
    "a2ui_dynamic": ("How is the shop doing?", "[data-testid=metric]", 3),
    "mcp_apps": ("Go to the cinema", "[data-testid=mcp-app-iframe]", 1),
    "open_ui": ("A coffee timer", "[data-testid=copilot-message-list] iframe", 1),
}


@pytest.fixture(scope="module")
def reference(page: Path, showcase: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the showcase in front of the Node runtime, with agents that do what the showcase's do."""
    install(node.HERE)
    agents = load_agents()
    # The Node runtime has to draw itself.
    runtime = CopilotRuntime(
        agents,
        default_agent="chat",
        a2ui=False,
        state_store=f"sqlite:///{tmp_path_factory.mktemp('reference')}/threads.db",
    )
    app = FastAPI()
    app.include_router(create_router(runtime, path="/agents"))
    with served(app) as port:
        command = ["node", str(node.HERE / "showcase_reference.mjs"), str(page)]
        base = f"http://127.0.0.1:{port}/agents/agent/"
        process = subprocess.Popen(
            [*command, base, f"{showcase}/cinema/mcp", *agents],
            stdout=subprocess.PIPE,
            env={**os.environ, **node.ENVIRONMENT},
            text=True,
        )
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()
        process.wait(10)
        process.stdout.close()


def drawn(tab: Tab, feature: str, surface: Locator) -> list[str]:
    """What the feature's surface shows."""
    if feature == "mcp_apps":
        seats = surface.content_frame.locator("iframe").content_frame.locator("#seats button")
        expect(seats).to_have_count(18)
        # Other tests may have taken seats.
        return [seat.strip() for seat in seats.all_text_contents()]
    if feature == "open_ui":
        body = surface.content_frame.locator("body")
        expect(body.locator("output")).to_have_text("3:00")
        return [body.inner_text()]
    if feature == "shared_state":
        return [field.input_value() for field in tab.get("recipe").locator("input").all()]
    if feature == "a2ui_fixed":
        return [surface.locator("xpath=ancestor::*[.//h3]").last.inner_text()]
    return surface.all_inner_texts()


@pytest.mark.parametrize("feature", SURFACES)
def test_both_runtimes_have_the_page_draw_the_same(open_tab: Open, reference: str, feature: str) -> None:
    button, selector, count = SURFACES[feature]
    shown = []
    for url in (None, reference):
        tab = open_tab(feature, **({} if url is None else {"url": url}))
        tab.press(button)
        surface = tab.page.locator(selector)
        expect(surface).to_have_count(count, timeout=30_000)
        expect(tab.page.locator("[data-copilot-running=true]")).to_have_count(0)
        live = drawn(tab, feature, surface)
        tab.reload()
        expect(surface).to_have_count(count)
        shown += [live, drawn(tab, feature, surface)]
        tab.forget_problems("An iframe which has both allow-scripts and allow-same-origin")

    assert shown[0]
    assert shown == [shown[0]] * 4
