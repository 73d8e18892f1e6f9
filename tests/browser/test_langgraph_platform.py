"""Pages in a real browser, against the demo agent on a LangGraph server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat import Chat, OpenChat
from tests.browser.newest_chat import V1Chat, V2Chat
from tests.browser.server import serving
from tests.langgraph_server import LangGraphDev

# The first test also installs and builds the pages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GREEN = "rgb(0, 128, 0)"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of a runtime before the demo agent on a server."""
    with (
        LangGraphDev({"demo": "copilotkit_runtime_py.demo.agent:graph"}) as server,
        serving("serve", "--agent", f"demo=langgraph+{server.url}/demo") as (_, served),
    ):
        yield served


@pytest.fixture(params=[V1Chat, V2Chat], ids=["v1", "v2"])
def newest(request: pytest.FixtureRequest, browser: Browser, newest_site: str, url: str) -> Iterator[V1Chat]:
    """A page on CopilotKit 1.74."""
    context = browser.new_context(viewport={"width": 1100, "height": 700})
    yield request.param(context.new_page(), newest_site, url, "demo")
    context.close()


def test_a_page_has_tools_state_and_questions_and_a_reload_brings_all_back(newest: V1Chat) -> None:
    newest.send("What is the weather in Paris?")
    newest.expect_last_answer("It is 21 °C and sunny in Paris.")
    newest.send("Please make the page green")
    newest.expect_background(GREEN)
    newest.expect_last_answer("The background is now green.")
    newest.tab.get_by_role("button", name="Add bread").click()
    newest.send("Add milk to my list")
    expect(newest.items).to_have_text(["bread", "milk"])
    newest.send("Book a table")
    expect(newest.question).to_contain_text("Shall I book a table for 2?")
    newest.reload()
    expect(newest.items).to_have_text(["bread", "milk"])
    newest.answer("Yes")
    newest.expect_last_answer("The table for 2 is booked.")
    newest.picture("langgraph-server")
    newest.expect_no_trouble()


def test_an_old_page_has_tools_and_state(open_chat: OpenChat, url: str) -> None:
    chat: Chat = open_chat(url, "demo")
    chat.send("What is the weather in Rome?")
    chat.expect_last_answer("It is 21 °C and sunny in Rome.")
    chat.send("Please make the page green")
    chat.expect_background(GREEN)
    chat.expect_last_answer("The background is now green.")
    chat.send("Add milk to my list")
    expect(chat.items).to_have_text(["milk"])
    chat.expect_no_trouble()
