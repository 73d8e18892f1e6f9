"""An A2A agent behind a URL, and the real clients of the AG-UI contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.conftest import Serve
from tests.clients_agui.browser import NEWEST, Client, only
from tests.clients_agui.conftest import Visit
from tests.providers.a2a.server import Server, a2a_server

pytestmark = pytest.mark.clients

clients = only(
    Client("core", NEWEST, "auto"),
    Client("core", "1.56.5", "single"),
    Client("agui", "0.0.57", "rest"),
    Client("agui", "1.0.0", "rest"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a2a_server() as server:
        yield server


@clients
def test_an_answer_is_shown_again_after_a_reload(server: Server, serve: Serve, visit: Visit) -> None:
    url = serve({"default": f"a2a+{server.url}"})
    view = visit(url).send("stream", thread="t1")
    assert view["messages"][-1]["content"] == "one two three"
    assert view["errors"] == []
    assert visit(url).connect(thread="t1") == view


@clients
@pytest.mark.parametrize("reloads", [False, True])
def test_a_question_is_answered_and_its_task_goes_on(
    server: Server, serve: Serve, visit: Visit, reloads: bool
) -> None:
    url = serve({"default": f"a2a+{server.url}"})
    page = visit(url)
    view = page.send("ask", thread="t1")
    if reloads:
        page = visit(url)
        view = page.connect(thread="t1")
    if page.client.version == "1.56.5":
        (asked,) = page.log()["customs"]
        answer = {"resume": "two", "interruptEvent": asked["value"]}
        view = page.send(None, thread="t1", forwardedProps={"command": answer})
    else:
        (question,) = view["interrupts"]
        resume = [{"interruptId": question["id"], "status": "resolved", "payload": "two"}]
        view = page.send(None, thread="t1", resume=resume)
    assert view["messages"][-1]["content"] == "booked for two"
    assert (view["errors"], view["interrupts"]) == ([], [])
    asked_task, continued = server.agent.heard[-2:]
    assert continued.context_id == asked_task.context_id
    assert visit(url).connect(thread="t1")["messages"] == view["messages"]
