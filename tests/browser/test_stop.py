"""What a person does in the browser reaches the agent's task: stop, and leaving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chat import OpenChat
from tests.browser.server import Server, serving

# The first test also installs and builds the page.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ticking() -> Iterator[tuple[Server, str]]:
    """A server with an agent that never ends by itself."""
    agent = Path(__file__).with_name("ticker.py")
    with serving("serve", "--agent", f"ticker={agent}:ticker") as served:
        yield served


def test_stop_cancels_the_agent_of_this_tab_and_no_other(
    ticking: tuple[Server, str], open_chat: OpenChat
) -> None:
    server, url = ticking
    stopped, running = open_chat(url, "ticker"), open_chat(url, "ticker")
    for chat in (stopped, running):
        chat.send("Tick")
        chat.wait_until_written(5)
    stopped.stop()
    server.wait_for(f"cancelled: {stopped.thread_id}")
    stopped.wait_until_idle()
    text = stopped.conversation
    running.wait_until_written(5 + len(running.conversation[1].split()))
    assert f"cancelled: {running.thread_id}" not in server.output
    assert stopped.conversation == text
    running.expect_no_trouble()


@pytest.mark.parametrize("way", ["close", "reload"])
def test_a_page_that_goes_away_cancels_the_agent(
    ticking: tuple[Server, str], open_chat: OpenChat, way: str
) -> None:
    server, url = ticking
    chat = open_chat(url, "ticker")
    chat.send("Tick")
    chat.wait_until_written(5)
    getattr(chat.tab, way)()
    server.wait_for(f"cancelled: {chat.thread_id}")
