"""A page on CopilotKit 1.10 that asks the user for approvals, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from copilotkit_runtime_py import CopilotRuntime
from tests.approving_agents import Mails, plain_function
from tests.browser.chat import OpenChat
from tests.clients.conftest import LiveServer, live_server

__all__ = ["live_server"]

# The first test also installs and builds the page.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("button", "words", "sent"),
    [("Yes", "Result: sent to bob", ["bob"]), ("No", "The user denied this call.", [])],
    ids=["granted", "denied"],
)
def test_a_call_waits_for_the_users_answer(
    open_chat: OpenChat, live_server: LiveServer, button: str, words: str, sent: list[str]
) -> None:
    mails = Mails()
    runtime = CopilotRuntime({"clerk": plain_function}, actions=mails.actions)
    chat = open_chat(live_server.serve(runtime), "clerk")
    chat.send("Send it")
    expect(chat.interrupt).to_contain_text("Send it?")
    assert mails.sent == []
    chat.picture(f"approval-{button.lower()}-asked")
    chat.interrupt.get_by_role("button", name=button).click()
    chat.expect_last_answer(words)
    expect(chat.interrupt).to_have_count(0)
    chat.picture(f"approval-{button.lower()}-answered")
    assert mails.sent == sent
    chat.expect_no_trouble()
