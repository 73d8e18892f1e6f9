"""The real clients in front of LangGraph and of CrewAI."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Serve
from tests.clients_agui.browser import NEWEST, OLDEST, Client, only
from tests.clients_agui.conftest import Visit
from tests.providers.parity.conftest import framework, storage
from tests.providers.parity.script import Framework

__all__ = ["framework", "storage"]

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@only(Client("core", NEWEST, "auto"), Client("agui", "1.0.0", "rest"))
def test_the_page_and_the_agent_share_their_state_and_a_reload_brings_it_back(
    framework: Framework, serve: Serve, visit: Visit
) -> None:
    url = serve({"default": framework.shopping()})
    page = visit(url)

    page.send("milk", thread="t1")
    view = page.send("bread", id="u2", thread="t1")
    again = visit(url).connect(thread="t1")

    assert [(message["role"], message["content"]) for message in view["messages"]] == [
        ("user", "milk"),
        ("assistant", "1 items"),
        ("user", "bread"),
        ("assistant", "2 items"),
    ]
    assert (view["state"], view["errors"]) == ({"items": ["milk", "bread"]}, [])
    assert again == view


@only(Client("agui", "1.0.0", "rest"))
def test_an_interrupt_is_answered_after_a_reload(framework: Framework, serve: Serve, visit: Visit) -> None:
    url = serve({"default": framework.booking()})

    (asked,) = visit(url).send("a table, please", thread="t1")["interrupts"]
    page = visit(url)
    (announced,) = page.connect(thread="t1")["interrupts"]
    resume = [{"interruptId": announced["id"], "status": "resolved", "payload": "yes"}]
    view = page.send(None, thread="t1", resume=resume)

    assert (asked["message"], announced) == ("Book it?", asked)
    assert (view["messages"][-1]["content"], view["interrupts"], view["errors"]) == ("You said yes", [], [])


@only(Client("core", NEWEST, "auto"), Client("core", OLDEST, "single"), Client("core", OLDEST, "rest"))
def test_a_page_that_sent_an_image_can_show_the_agents_snapshot_of_the_conversation(
    framework: Framework, serve: Serve, visit: Visit
) -> None:
    url = serve({"default": framework.chat(lambda messages: ["nice"])})
    page = visit(url)
    text = {"type": "text", "text": "Look:"}
    picture = {"type": "binary", "mimeType": "image/png", "data": "aGk=", "filename": "hi.png"}

    view = page.send([text, picture], thread="t1")
    view = page.send("And now?", id="u2", thread="t1")

    assert view["errors"] == []
    assert [(message["role"], message["content"]) for message in view["messages"]] == [
        ("user", [text, picture]),
        ("assistant", "nice"),
        ("user", "And now?"),
        ("assistant", "nice"),
    ]
    assert visit(url).connect(thread="t1") == view
