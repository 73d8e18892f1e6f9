"""Stopping a run, as every client does it."""

from __future__ import annotations

import pytest

from copilotkit_runtime_py import CopilotRuntime
from tests.clients.conftest import LiveServer
from tests.clients_agui.browser import CORE_CLIENTS, NEWEST_CLIENTS, Client, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import started
from tests.clients_agui.view import assistant, shown, user
from tests.scripted_agent import RUN_STARTED, Script, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients

HANG: Step = {"hang": True}
NEVER_ENDING: Script = [RUN_STARTED, *started("m1", "so ", "far"), HANG]
SO_FAR = shown(user("hi"), assistant("so far"))


def test_a_stop_is_clean_and_reaches_the_agent(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": NEVER_ENDING})
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    page.shows("far")
    page.stop()
    assert sending.result(10) == SO_FAR
    assert agent.wait_for_call("default").played.result(10) is False
    assert page.log()["events"][-2:] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]


def test_a_run_that_has_said_nothing_yet_is_stopped(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": [HANG]})
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    call = agent.wait_for_call("default")
    page.stop()
    assert sending.result(10) == shown(user("hi"))
    assert call.played.result(10) is False


def test_the_next_message_after_a_stop_is_answered(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": NEVER_ENDING})
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    page.shows("far")
    page.stop()
    sending.result(10)
    agent.play("default", run(*text("m2", "here I am")))
    view = page.send("again", id="u2", thread="t1")
    assert view == shown(user("hi"), assistant("so far"), user("again", "u2"), assistant("here I am", "m2"))


def test_a_stop_leaves_the_streams_of_others_alone(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    gate: Step = {"gate": "go"}
    url = mount({"default": NEVER_ENDING, "other": run(*text("m1", "one"), gate, *text("m2", "two"))})
    mine, theirs = visit(url), visit(url)
    sending, answer = mine.sending("hi", thread="mine"), theirs.sending("hi", thread="theirs", agent="other")
    mine.shows("far")
    theirs.shows("one")
    mine.stop()
    assert sending.result(10) == SO_FAR
    agent.open_gate("go")
    assert answer.result(10) == shown(user("hi"), assistant("one"), assistant("two", "m2"))


@only(*CORE_CLIENTS)
def test_a_page_that_joined_the_run_can_stop_it(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": NEVER_ENDING})
    writer, reader = visit(url), visit(url)
    sending = writer.sending("hi", thread="t1")
    writer.shows("far")
    connecting = reader.connecting(thread="t1")
    reader.shows("far")
    reader.stop()
    assert [sending.result(10), connecting.result(10)] == [SO_FAR, SO_FAR]


@only(*NEWEST_CLIENTS)
def test_a_stop_that_comes_too_late_does_no_harm(mount: Mount, visit: Visit) -> None:
    url = mount({"default": run(*text("m1", "done"))})
    page = visit(url)
    expected = shown(user("hi"), assistant("done"))
    assert page.send("hi", thread="t1") == expected
    page.stop()
    assert page.view() == expected
    assert visit(url).connect(thread="t1") == expected


@only(*(Client("agui", version, "rest") for version in ("0.0.57", "0.0.59", "1.0.0")))
def test_a_plain_client_that_leaves_stops_its_run_and_is_answered_when_it_asks_again(
    live_server: LiveServer, visit: Visit, agent: ScriptedAgent
) -> None:
    runtime = CopilotRuntime({"default": agent.play("default", NEVER_ENDING)})
    url = live_server.serve(runtime, stop_unread_runs=True)
    page = visit(url)
    page.sending("hi", thread="t1")
    page.shows("far")
    page.close()
    assert agent.wait_for_call("default").played.result(10) is False
    agent.play("default", run(*text("m2", "here I am")))
    again = visit(url)
    assert again.connect(thread="t1") == SO_FAR
    view = again.send("again", id="u2", thread="t1")
    assert view == shown(user("hi"), assistant("so far"), user("again", "u2"), assistant("here I am", "m2"))
    assert [message["role"] for message in agent.calls[1].input["messages"]] == ["user", "assistant", "user"]
    assert visit(url).connect(thread="t1") == view
