"""What clients learn of a runtime before anything else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients_agui.browser import CORE_CLIENTS, NEWEST, NEWEST_CLIENTS, Browser, Client, Transport, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.view import assistant, shown, user
from tests.scripted_agent import ScriptedAgent, run, text

pytestmark = pytest.mark.clients


def requests(page: Any) -> list[tuple[str, str, int]]:
    return [(made["method"], made["path"], made["status"]) for made in page.log()["requests"]]


@pytest.mark.parametrize(
    ("transport", "resolved", "asked"),
    [
        ("auto", "rest", [("GET", "/info", 200)]),
        ("rest", "rest", [("GET", "/info", 200)]),
        ("single", "single", [("POST", "", 200)]),
    ],
)
def test_the_newest_client_learns_what_there_is(
    transport: Transport, resolved: str, asked: list[tuple[str, str, int]], mount: Mount, browser: Browser
) -> None:
    url = mount({"default": run(), "other": run()})
    page = browser.open(Client("core", NEWEST, transport), url)
    endpoints = {"list": True, "inspect": True, "mutations": True, "realtimeMetadata": False}
    assert page.info == {
        "status": "connected",
        "transport": resolved,
        "version": NEWEST,
        "agents": ["default", "other"],
        "threadEndpoints": endpoints,
        "suggestions": True,
        "transcription": False,
        "errors": [],
    }
    assert requests(page) == asked
    page.close()


@only(*CORE_CLIENTS)
def test_every_version_finds_the_agents(mount: Mount, visit: Visit) -> None:
    page = visit(mount({"default": run(), "other": run()}))
    assert (page.info["status"], page.info["agents"]) == ("connected", ["default", "other"])


@only(*CORE_CLIENTS)
def test_the_only_agent_answers_a_page_that_names_none(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"concierge": run(*text("m1", "at your service"))})
    expected = shown(user("hi"), assistant("at your service"))
    assert visit(url).send("hi", thread="t1") == expected
    assert visit(url).connect(thread="t1") == expected
    assert visit(url).connect(agent="concierge", thread="t1") == expected


@only(*CORE_CLIENTS)
def test_a_named_agent_answers_a_page_that_names_none(mount: Mount, visit: Visit) -> None:
    url = mount({"a": run(*text("m1", "I am a")), "b": run(*text("m1", "I am b"))}, default_agent="b")
    assert visit(url).send("hi", thread="t1") == shown(user("hi"), assistant("I am b"))


@only(*CORE_CLIENTS)
def test_a_page_that_looks_in_the_wrong_place_says_so(mount: Mount, visit: Visit) -> None:
    url = mount({"default": run()})
    page = visit(url.rpartition("/")[0] + "/nowhere")
    assert page.info["status"] == "error"
    assert len(page.info["errors"]) == 1


@only(*CORE_CLIENTS)
def test_headers_and_properties_reach_the_agent(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": run(*text("m1", "ok"))})
    headers = {
        "authorization": "Bearer token",
        "x-tenant": "acme",
        "x-request-id": "r-1",
        "accept-language": "nl",
    }
    page = visit(url, headers=headers, properties={"plan": "pro"})
    page.send("hi", thread="t1")
    (call,) = agent.calls
    assert call.input["forwardedProps"] == {"plan": "pro"}
    got = {name: call.headers.get(name) for name in headers}
    assert got == {
        "authorization": "Bearer token",
        "x-tenant": "acme",
        "x-request-id": None,
        "accept-language": None,
    }


@only(*NEWEST_CLIENTS)
def test_the_servers_own_properties_reach_the_agent_and_no_page(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": run(*text("m1", "ok"))}, properties={"key": "hunter2"})
    page, reloaded = visit(url, properties={"plan": "pro"}), visit(url)
    page.send("hi", thread="t1")
    reloaded.connect(thread="t1")
    assert agent.calls[0].input["forwardedProps"] == {"plan": "pro", "key": "hunter2"}
    assert "hunter2" not in str([page.log(), reloaded.log()])
    assert '"plan":"pro"' in reloaded.log()["requests"][-1]["text"]
