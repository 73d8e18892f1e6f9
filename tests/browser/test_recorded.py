"""Pages in a real browser, driven by a recording: no model, no key, no agent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat import Chat
from tests.browser.newest_chat import V1Chat, V2Chat
from tests.browser.server import serving

# The first test also installs and builds the pages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GREEN = "rgb(0, 128, 0)"
COMMAND = Path(sys.executable).with_name("copilotkit-runtime-py")
STORY = "Tell me a long story"
KINDS = [Chat, V1Chat, V2Chat]

Open = Callable[[type[Chat], str], Chat]


@pytest.fixture(scope="module")
def open_page(browser: Browser, site: str, newest_site: str) -> Iterator[Open]:
    context = browser.new_context(viewport={"width": 1100, "height": 700})

    def open_page(kind: type[Chat], url: str) -> Chat:
        return kind(context.new_page(), site if kind is Chat else newest_site, url, "demo")

    yield open_page
    context.close()


def answer(chat: Chat, button: str) -> None:
    if isinstance(chat, V1Chat):
        chat.answer(button)
    else:
        chat.interrupt.get_by_role("button", name=button).click()


def order(chat: Chat) -> list[str]:
    """Has a conversation: a frontend tool, an interrupt, a state, a text. Returns what was said."""
    chat.send("Please make the page green")
    chat.expect_background(GREEN)
    chat.expect_last_answer("The background is now green.")
    chat.send("Book a table")
    answer(chat, "Yes")
    chat.expect_last_answer("The table for 2 is booked.")
    chat.send("Add milk to my list")
    chat.expect_last_answer("It has 1 item now.")
    expect(chat.items).to_have_text(["milk"])
    chat.send("What is the weather in Paris?")
    chat.expect_last_answer("Paris")
    return [text for text in chat.conversation if text]


@pytest.fixture(scope="module", params=[Chat, V2Chat], ids=["recorded-on-1.10", "recorded-on-1.74"])
def recorded(
    request: pytest.FixtureRequest, open_page: Open, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The recording of a conversation with the demo agent, and what was said."""
    folder = tmp_path_factory.mktemp("recorded")
    store = f"sqlite:///{folder / 'threads.db'}"
    with serving("demo", f"--store={store}") as (_, url):
        chat = open_page(request.param, url)
        said = order(chat)
        chat.send(STORY)
        chat.expect_last_answer("when to stop.")
    path = folder / "order.jsonl"
    export: list[str | Path] = [
        COMMAND,
        "threads",
        "export",
        chat.thread_id,
        "--store",
        store,
        "--output",
        path,
    ]
    subprocess.run(export, check=True, capture_output=True)
    return path, said


@pytest.fixture(scope="module")
def player(recorded: tuple[Path, list[str]]) -> Iterator[str]:
    with serving("serve", "--store=memory", f"--agent=demo={recorded[0]}") as (_, url):
        yield url


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_shows_what_was_recorded_and_again_after_a_reload(
    kind: type[Chat], open_page: Open, recorded: tuple[Path, list[str]], player: str
) -> None:
    chat = open_page(kind, player)

    assert order(chat) == recorded[1]
    chat.picture("recorded")
    chat.reload()
    chat.expect_last_answer("Paris")
    assert [text for text in chat.conversation if text] == recorded[1]
    chat.expect_no_trouble()


@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_answer_grows_and_can_be_stopped(
    kind: type[Chat], open_page: Open, recorded: tuple[Path, list[str]], player: str
) -> None:
    chat = open_page(kind, player)
    order(chat)
    chat.send(STORY)
    expect(chat.answers.last).to_contain_text("Once")
    chat.stop()
    chat.wait_until_idle()
    assert "when to stop." not in (chat.answers.last.text_content() or "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_that_departs_is_told_what_the_recording_has(
    kind: type[Chat], open_page: Open, recorded: tuple[Path, list[str]], player: str
) -> None:
    chat = open_page(kind, player)
    chat.send("Please make the page blue")
    words = "The recording continues with the message “Please make the page green”"
    expect(chat.banner).to_contain_text(words)
    expect(chat.answers.last).to_contain_text(words)
    chat.picture("recording-departed")
    chat.wait_until_idle()
    chat.send("Please make the page green")
    chat.expect_background(GREEN)
    chat.expect_last_answer("The background is now green.")
