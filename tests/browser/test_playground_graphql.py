"""GraphiQL in the playground, in a real browser, on the demo server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, FrameLocator, Page, expect

from copilotkit_runtime_py import CopilotRuntime, create_router
from tests.browser.agents import echo
from tests.browser.playground import opened, serve_app

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, demo: str) -> Iterator[Page]:
    """The editor, freshly opened. No test may leave a complaint or a request to another host."""
    with opened(browser, f"{demo}#graphql") as page:
        yield page


def editor(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='GraphQL editor']")


def write(page: Page, operation: str) -> None:
    """Puts an operation in the place of the one in the editor."""
    editor(page).locator(".graphiql-query-editor .CodeMirror").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(operation)


def run(page: Page) -> None:
    editor(page).get_by_role("button", name=re.compile("Execute query")).click()


def test_the_first_example_streams_a_reply_of_the_agent(page: Page) -> None:
    expect(editor(page).get_by_role("tab")).to_contain_text(
        ["generateCopilotResponse", "availableAgents", "loadAgentState"]
    )
    run(page)

    result = editor(page).locator(".result-window")
    expect(result).to_contain_text('"__typename": "TextMessageOutput"')
    expect(result).to_contain_text('"code": "Success"', timeout=20_000)


def test_the_schema_can_be_read_and_completes_what_is_written(page: Page) -> None:
    editor(page).get_by_role("button", name="Show Documentation Explorer").click()
    expect(editor(page).locator(".graphiql-doc-explorer")).to_contain_text("Mutation")
    write(page, "")
    page.keyboard.type("{ hel")
    expect(editor(page).locator(".CodeMirror-hint", has_text="hello")).to_be_visible()
    page.keyboard.press("Enter")
    run(page)

    expect(editor(page).locator(".result-window")).to_contain_text('"hello": "Hello World"')


def test_an_error_of_the_operation_is_shown(page: Page) -> None:
    write(page, "{ nothing }")
    run(page)

    expect(editor(page).locator(".result-window")).to_contain_text("Cannot query field")


def test_what_was_written_survives_a_reload_and_the_request_header_goes_along(
    browser: Browser,
) -> None:
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"echo": echo})))
    with serve_app(app) as origin, opened(browser, f"{origin}/api/copilotkit#graphql") as page:
        write(page, "{ hello }")
        expect(editor(page).locator(".graphiql-query-editor")).to_contain_text("hello")
        page.get_by_role("button", name="Request header").click()
        page.get_by_label("Value").fill("Bearer secret")
        page.get_by_role("button", name="Use it").click()
        page.wait_for_function("() => sessionStorage.getItem('graphiql:query') === '{ hello }'")
        page.reload()

        expect(editor(page).locator(".graphiql-query-editor")).to_contain_text("{ hello }")
        with page.expect_request(lambda sent: "{ hello }" in (sent.post_data or "")) as sent:
            run(page)
        assert sent.value.headers["authorization"] == "Bearer secret"
        assert page.evaluate("() => localStorage.length") <= 1
        assert "secret" not in page.evaluate("() => JSON.stringify(localStorage)")


def test_a_schema_that_the_server_keeps_to_itself_leaves_the_editor_usable(browser: Browser) -> None:
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"echo": echo}), introspection=False))
    with serve_app(app) as origin, opened(browser, f"{origin}/api/copilotkit#graphql") as page:
        write(page, "{ hello }")
        run(page)

        expect(editor(page).locator(".result-window")).to_contain_text('"hello": "Hello World"')


def test_the_editor_follows_the_theme_of_the_page(page: Page) -> None:
    body = editor(page).locator("body")
    expect(body).not_to_have_class(re.compile("graphiql-(dark|light)"))
    page.get_by_role("button", name="Theme: auto").click()
    expect(body).to_have_class(re.compile("graphiql-light"))
    page.get_by_role("button", name="Theme: light").click()

    expect(body).to_have_class(re.compile("graphiql-dark"))


def test_the_editor_has_a_policy_of_its_own_and_only_the_playground_may_frame_it(
    page: Page, demo: str
) -> None:
    expect(editor(page).get_by_role("tab").first).to_be_visible()
    [frame] = [frame for frame in page.frames if "graphiql" in frame.url]
    policy = page.request.get(frame.url).headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-eval" not in policy
