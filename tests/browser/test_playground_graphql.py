"""The GraphQL editor of the playground in a real browser, on the demo server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from copilotkit_runtime_py import CopilotRuntime, create_router
from tests.browser.agents import echo
from tests.browser.playground import opened, serve_app

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, demo: str) -> Iterator[Page]:
    """The editor, freshly opened. No test may leave a complaint or a request to another host."""
    with opened(browser, f"{demo}#graphql") as page:
        expect(page.locator("#variables")).to_have_value(re.compile('"agentName": "demo"'))
        yield page


def run(page: Page) -> str:
    page.keyboard.press("Control+Enter")
    expect(page.locator("#status")).to_contain_text("HTTP")
    return page.locator("#merged").inner_text()


def choose(page: Page, example: str) -> None:
    page.get_by_label("Example").select_option(label=example)


def test_the_first_example_streams_a_reply_of_the_agent(page: Page) -> None:
    page.locator("#query").focus()

    merged = run(page)

    assert '"__typename": "TextMessageOutput"' in merged
    assert '"code": "Success"' in merged
    page.get_by_role("tab", name="Parts").click()
    assert page.locator("#parts li").count() > 5
    assert page.locator("#parts li").last.inner_text().endswith('"hasNext": false }')


@pytest.mark.parametrize(
    ("example", "shown"),
    [
        ("hello", '"hello": "Hello World"'),
        ("availableAgents", '"name": "demo"'),
        ("loadAgentState", '"threadExists": false'),
    ],
)
def test_every_other_example_runs(page: Page, example: str, shown: str) -> None:
    choose(page, example)

    assert shown in run(page)


def test_a_thread_that_streamed_can_be_loaded(page: Page) -> None:
    run(page)
    choose(page, "loadAgentState")

    assert '"threadExists": true' in run(page)


def test_the_schema_can_be_read_and_filtered_with_the_keyboard(page: Page) -> None:
    page.get_by_role("button", name="Schema", exact=True).press("Enter")
    mutation = page.locator("#type-Mutation")
    expect(mutation).to_contain_text("generateCopilotResponse(properties: JSONObject, data: ")

    page.keyboard.type("interrupt")
    expect(mutation).to_be_hidden()
    expect(page.locator("#type-LangGraphInterruptEvent")).to_be_visible()

    page.keyboard.press("Escape")
    expect(page.locator("#schema")).to_be_hidden()
    expect(page.get_by_role("button", name="Schema", exact=True)).to_be_focused()


def test_the_editor_indents_and_can_be_left_with_the_keyboard(page: Page) -> None:
    query = page.locator("#query")
    query.fill("")

    query.press_sequentially("{")
    query.press("Enter")
    query.press_sequentially("hello")
    query.press("Enter")
    query.press("Shift+Tab")
    query.press_sequentially("}")
    query.press("Tab")

    assert query.input_value() == "{\n  hello\n}  "
    query.press("Escape")
    query.press("Tab")
    expect(page.get_by_role("tab", name="Variables")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel", name="Headers")).to_be_visible()


def test_variables_that_are_no_json_are_told_before_anything_is_sent(page: Page) -> None:
    page.locator("#variables").fill("{")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#status")).to_have_text("The variables are not a JSON object")
    assert page.locator("#parts li").count() == 0


def test_an_error_of_the_operation_is_shown(page: Page) -> None:
    page.locator("#query").fill("{ nothing }")

    assert "Cannot query field" in run(page)


def test_stop_ends_a_stream(page: Page) -> None:
    page.keyboard.press("Control+Enter")
    page.locator("#run").click()

    expect(page.locator("#status")).to_contain_text("Stopped after")
    expect(page.locator("#run")).to_have_text("Run")


def test_what_was_written_survives_a_reload_and_headers_do_not(page: Page) -> None:
    page.locator("#query").fill("{ hello }")
    page.get_by_role("tab", name="Headers").click()
    page.locator("#headers").fill('{"authorization": "Bearer secret"}')

    page.reload()

    expect(page.locator("#query")).to_have_value("{ hello }")
    expect(page.locator("#headers")).to_have_value("")
    assert "secret" not in page.evaluate_handle("sessionStorage").evaluate(
        "storage => JSON.stringify(storage)"
    )


def test_a_schema_that_the_server_keeps_to_itself_is_told_as_such(browser: Browser) -> None:
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"echo": echo}), introspection=False))
    with serve_app(app) as origin, opened(browser, f"{origin}/api/copilotkit#graphql") as page:
        page.get_by_role("button", name="Schema", exact=True).click()

        expect(page.locator("#types")).to_contain_text("This server does not tell its schema: ")
