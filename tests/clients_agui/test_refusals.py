"""A user who may not come in: what the page shows, and that it goes on when they may."""

from __future__ import annotations

import pytest
from fastapi import HTTPException

from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.view import assistant, error, shown, user
from tests.scripted_agent import run, text

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("status", [401, 403])
def test_a_session_that_ended_is_told_in_words_and_the_chat_goes_on_after_signing_in(
    status: int, mount: Mount, visit: Visit
) -> None:
    signed_in = [True]

    def current_user() -> str:
        if not signed_in:
            raise HTTPException(status, "Please sign in again.")
        return "ada"

    url = mount({"default": run(*text("m1", "hello"))}, identify=current_user)
    page = visit(url)
    signed_in.clear()
    refused = page.send("hi", thread="t1")
    assert refused == shown(user("hi"), errors=[error("Please sign in again.")])
    signed_in.append(True)
    view = page.send("again", id="u2", thread="t1")
    assert view["messages"] == [user("hi"), user("again", "u2"), assistant("hello", "m1")]
    assert view["errors"] == refused["errors"]
