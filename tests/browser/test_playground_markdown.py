"""What the playground makes of an agent's Markdown, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from copilotkit_runtime_py import CopilotRuntime, create_router
from tests.browser.playground import Playground, opened, serve_app

pytestmark = pytest.mark.browser

MARKDOWN = """# Report

Some **bold**, *emphasised*, ~~deleted~~ and `inline` text,
with a [link](https://example.com/docs "Docs") and https://example.com/plain.

| City | Degrees |
| --- | ---: |
| Paris | 21 |
| Rome<br>(south) | 28 |

> A quote
> > within a quote

- [x] done
- [ ] open
- outer
  1. inner one
  2. inner two
     - innermost

```python
def answer() -> int:
    return 42  # always
```

---

![A chart](https://example.com/chart.png)
"""

PAYLOADS = [
    "<script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "<svg onload=\"document.title='run'\">",
    "<svg><script>document.title='run'</script></svg>",
    "<iframe src=\"javascript:parent.document.title='run'\"></iframe>",
    "<iframe srcdoc=\"<script>parent.document.title='run'</script>\"></iframe>",
    "<body onload=\"document.title='run'\">",
    "<details open ontoggle=\"document.title='run'\">x</details>",
    "<input autofocus onfocus=\"document.title='run'\">",
    "<video><source onerror=\"document.title='run'\"></video>",
    "<math><mtext><table><mglyph><style><img src=x onerror=\"document.title='run'\">",
    "<noscript><p title=\"</noscript><img src=x onerror=document.title='run'>\">",
    "<a href=\"javascript:document.title='run'\">x</a>",
    "<form action=\"javascript:document.title='run'\"><button>x</button></form>",
    "<object data=\"javascript:document.title='run'\"></object>",
    "<base href=\"javascript:document.title='run'//\">",
    "<meta http-equiv=refresh content=\"0;url=javascript:document.title='run'\">",
    "<style>@import 'javascript:run';</style><style>*{background:url(https://evil.example/x)}</style>",
    "[click](javascript:document.title='run')",
    "[click](  JaVaScRiPt&#58;document.title='run')",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "![x](x\"onerror=\"document.title='run')",
    "<https://example.com/\"onclick=document.title='run'>",
    "```\"><img src=x onerror=document.title='run'>\n</code></pre><svg onload=\"document.title='run'\">\n```",
]


async def parrot(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Says what the user has said, in pieces."""
    said = str(getattr(input.messages[-1], "content", ""))
    for at in range(0, len(said), 7):
        yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": input.run_id, "delta": said[at : at + 7]}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"parrot": parrot})))
    with serve_app(app) as origin:
        yield f"{origin}/api/copilotkit"


def say(page: Page, text: str) -> Playground:
    """Has the agent say something."""
    playground = Playground(page)
    playground.wait_until_idle()
    playground.box.fill(text)
    playground.box.press("Enter")
    expect(playground.users.last).to_be_visible()
    expect(page.locator(".message.assistant .prose:not(.open)").last).to_be_attached()
    playground.wait_until_idle()
    return playground


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_markdown_of_an_agent_is_shown_in_full(browser: Browser, origin: str, scheme: Any) -> None:
    with opened(browser, origin, color_scheme=scheme) as page:
        playground = say(page, MARKDOWN)
        shown = playground.answers.last

        expect(shown.locator("h1")).to_have_text("Report")
        expect(shown.locator("strong")).to_have_text("bold")
        expect(shown.locator("em")).to_have_text("emphasised")
        expect(shown.locator("del")).to_have_text("deleted")
        expect(shown.locator("p > code")).to_have_text("inline")
        links = shown.locator("a")
        assert [link.get_attribute("href") for link in links.all()] == [
            "https://example.com/docs",
            "https://example.com/plain",
            "https://example.com/chart.png",
        ]
        assert {link.get_attribute("rel") for link in links.all()} == {"noopener noreferrer"}
        expect(shown.locator("td")).to_have_text(["Paris", "21", "Rome(south)", "28"])
        expect(shown.locator("blockquote blockquote")).to_have_text("within a quote")
        boxes = shown.get_by_role("checkbox")
        assert [box.is_checked() for box in boxes.all()] == [True, False]
        expect(shown.locator("ul > li > ol > li > ul > li")).to_have_text("innermost")
        expect(shown.locator("pre .hljs-keyword").first).to_have_text("def")
        expect(shown.locator("pre .hljs-comment")).to_have_text("# always")
        expect(shown.locator("hr")).to_have_count(1)
        expect(shown.locator("img")).to_have_count(0)
        playground.picture(f"markdown-{scheme}")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_markup_of_an_agent_runs(browser: Browser, origin: str, payload: str) -> None:
    with opened(browser, origin) as page:
        playground = say(page, payload)
        answer = playground.answers.last
        for link in answer.locator("a").all():
            assert str(link.get_attribute("href")).startswith("https://")
        page.evaluate("() => new Promise(requestAnimationFrame)")

        assert page.title() != "run"
        expect(
            answer.locator("script, img, svg, iframe, object, style, form, base, meta, video")
        ).to_have_count(0)
        handlers = answer.evaluate(
            "root => [...root.querySelectorAll('*')].flatMap(node => [...node.attributes])"
            ".filter(({ name }) => name.startsWith('on')).length"
        )
        assert handlers == 0


def test_a_picture_within_the_message_is_shown(browser: Browser, origin: str) -> None:
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    with opened(browser, origin) as page:
        playground = say(page, f"![A dot](data:image/png;base64,{dot})")

        picture = playground.answers.last.get_by_alt_text("A dot")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") == 1


def test_without_the_libraries_the_text_is_shown_as_it_came(browser: Browser, origin: str) -> None:
    with opened(browser, "about:blank", complains=True) as page:
        page.route("**/vendor/*", lambda route: route.fulfill(status=404))
        page.goto(origin)
        playground = say(page, "**bold** <b>x</b>\n- item")

        expect(playground.answers.last).to_have_text("**bold** <b>x</b>\n- item")
        page.get_by_role("tab", name="GraphQL").click()
        frame = page.frame_locator("iframe")
        expect(frame.locator("body")).to_contain_text("built without access to npm")
