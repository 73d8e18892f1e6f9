"""Makes the README's picture of the playground: `python -m tests.browser.playground_picture`."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.browser.playground import Playground
from tests.browser.server import serving

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "playground.png"


def make_picture() -> None:
    """Talks to the demo agent and takes the picture in the middle of it."""
    with serving("demo") as (_, url), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 760}, color_scheme="light")
        page.goto(url)
        playground = Playground(page)
        for asked, answer in (
            ("weather in Paris", "sunny in Paris"),
            ("add milk to my list", "It has 1 item now."),
            ("make the page skyblue", "The background is skyblue now."),
        ):
            playground.send(asked)
            playground.expect_answer(answer)
        playground.send("book a table for two")
        expect(playground.question).to_be_visible()
        PICTURE.parent.mkdir(exist_ok=True)
        page.screenshot(path=PICTURE, animations="disabled")
        browser.close()


if __name__ == "__main__":
    make_picture()
