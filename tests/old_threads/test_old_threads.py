"""Threads that an earlier version broke are shown, and go on."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copilotkit_runtime_py.agui.call_ids import repeats
from tests.clients.conftest import Serve
from tests.clients_agui.browser import NEWEST, Client, View, only
from tests.clients_agui.conftest import Visit, agent, browser, live_server, node_environment, serve, visit

from .agents import agents

__all__ = ["agent", "browser", "live_server", "node_environment", "serve", "visit"]

pytestmark = pytest.mark.clients

DATA = Path(__file__).parent / "threads.db.gz"
PAINT = [{"name": "paint", "result": "is painted"}]
everybody = only(
    Client("agui", "1.0.0", "rest"), Client("agui", "0.0.59", "rest"), Client("core", NEWEST, "rest")
)


@pytest.fixture
def url(tmp_path: Path, serve: Serve) -> str:
    """The URL of a runtime on a copy of the stored threads."""
    database = tmp_path / "threads.db"
    database.write_bytes(gzip.decompress(DATA.read_bytes()))
    return serve(agents(), state_store=f"sqlite:///{database}")


def texts(view: View, role: str = "assistant") -> list[Any]:
    return [m["content"] for m in view["messages"] if m["role"] == role and m.get("content")]


def goes_on(visit: Visit, url: str, agent: str, **options: Any) -> Callable[[str], View]:
    """Opens a page on a stored thread, and returns what sends the next message."""
    page = visit(url, **options)
    where = {"agent": agent, "thread": agent}
    shown = page.connect(**where)
    assert shown["errors"] == []
    assert not repeats(shown["messages"])

    def send(text: str) -> View:
        view = page.send(text, id=f"again-{text}", **where)
        assert view["errors"] == []
        again = visit(url).connect(**where)
        assert again["errors"] == []
        assert again["messages"] == view["messages"]
        return view

    return send


@everybody
@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("repeating_ids", ["I heard one yes", "I heard two yes", "I heard three yes"]),
        ("dict_messages", ["First", "Second"]),
        ("reads_tools", ["0 tools"]),
        ("thinker", ["answer"] * 3),
        ("half_an_emoji", ["cut \ud83d"] * 3),
        ("no_id", ["Here I am."]),
    ],
)
def test_a_thread_is_shown_and_goes_on(url: str, visit: Visit, name: str, answers: list[str]) -> None:
    assert texts(goes_on(visit, url, name)("three"))[-len(answers) :] == answers


@everybody
def test_questions_that_could_not_be_answered_one_at_a_time_are_asked_again(url: str, visit: Visit) -> None:
    send = goes_on(visit, url, "two_questions")
    send("three")
    page = visit(url)
    where: dict[str, Any] = {"agent": "two_questions", "thread": "two_questions"}
    view = page.connect(**where)
    for answer in ("Bob", "42"):
        asked = [each["id"] for each in view.get("interrupts") or ()]
        resume = [{"interruptId": id, "status": "resolved", "payload": answer} for id in asked]
        props = {"resume": resume} if asked else {"forwardedProps": {"command": {"resume": answer}}}
        view = page.send(None, **props, **where)

    assert view["errors"] == []
    assert texts(view)[-1] == "Bob is 42"


@only(Client("core", NEWEST, "rest"))
@pytest.mark.parametrize(("name", "answer"), [("long_ids", "Done."), ("breakpoint", "Performed is painted")])
def test_a_thread_with_an_open_call_goes_on_with_the_pages_tools(
    url: str, visit: Visit, name: str, answer: str
) -> None:
    view = goes_on(visit, url, name, tools=PAINT)("three")

    assert texts(view)[-1] == answer
    calls = [call["id"] for m in view["messages"] for call in m.get("toolCalls") or ()]
    results = [m["toolCallId"] for m in view["messages"] if m["role"] == "tool"]
    assert sorted(results) == sorted(calls)
