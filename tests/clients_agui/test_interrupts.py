"""Runs that pause for an answer of the user: by AG-UI 1.0, and by the custom event of older agents."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients_agui.browser import CLIENTS, Client, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import event
from tests.clients_agui.view import assistant, shown, user
from tests.scripted_agent import RUN_STARTED, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients

INTERRUPT = {"id": "i1", "reason": "approval", "message": "Send it?", "responseSchema": {"type": "object"}}
OLD_AGUI = Client("agui", "0.0.57", "rest")
with_interrupts = only(
    OLD_AGUI, *(client for client in CLIENTS if client.version not in ("1.50.0", "1.56.5"))
)


def approve(run_input: dict[str, Any]) -> list[Step]:
    """Asks for an approval, and says what came of it."""
    if answers := run_input.get("resume"):
        return run(*text("m2", f"{answers[0]['status']}: {answers[0].get('payload')}"))
    if len(run_input["messages"]) > 1:
        return run(*text("m3", "never mind"))
    outcome = {"type": "interrupt", "interrupts": [INTERRUPT]}
    finished = event("RUN_FINISHED", threadId="{{threadId}}", runId="{{runId}}", outcome=outcome)
    return [RUN_STARTED, *text("m1", "May I?"), finished]


ASKED = [user("send"), assistant("May I?")]
ANSWERED = [*ASKED, assistant("resolved: {'ok': True}", "m2")]
RESUME = [{"interruptId": "i1", "status": "resolved", "payload": {"ok": True}}]


@with_interrupts
def test_an_interrupt_is_answered(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": approve})
    page = visit(url)
    assert page.send("send", thread="t1") == shown(*ASKED, interrupts=[INTERRUPT])
    assert page.send(None, thread="t1", resume=RESUME) == shown(*ANSWERED)
    assert agent.calls[1].input["resume"] == RESUME
    assert agent.calls[1].input["messages"] == ASKED
    assert visit(url).connect(thread="t1") == shown(*ANSWERED)


@with_interrupts
def test_an_interrupt_is_answered_under_the_id_of_its_run(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": approve})
    page = visit(url)
    page.send("send", thread="t1", runId="r1")
    assert page.send(None, thread="t1", runId="r1", resume=RESUME) == shown(*ANSWERED)
    assert [call.input["runId"] for call in agent.calls] == ["r1", "r1"]
    assert visit(url).connect(thread="t1") == shown(*ANSWERED)


@with_interrupts
def test_an_interrupt_is_announced_again_after_a_reload_and_answered_there(
    mount: Mount, visit: Visit
) -> None:
    url = mount({"default": approve})
    visit(url).send("send", thread="t1")
    page = visit(url)
    assert page.connect(thread="t1") == shown(*ASKED, interrupts=[INTERRUPT])
    assert page.send(None, thread="t1", resume=RESUME) == shown(*ANSWERED)


@with_interrupts
def test_an_interrupt_is_cancelled(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": approve})
    page = visit(url)
    page.send("send", thread="t1")
    cancel = [{"interruptId": "i1", "status": "cancelled"}]
    assert page.send(None, thread="t1", resume=cancel) == shown(*ASKED, assistant("cancelled: None", "m2"))
    assert agent.calls[1].input["resume"] == cancel


@only(*(client for client in CLIENTS if client.version in ("1.50.0", "1.56.5")))
@pytest.mark.parametrize("reloads", [False, True])
def test_a_client_that_knows_no_interrupts_answers_the_event(
    mount: Mount, visit: Visit, agent: ScriptedAgent, reloads: bool
) -> None:
    url = mount({"default": approve})
    page = visit(url)
    assert page.send("send", thread="t1") == shown(*ASKED)
    if reloads:
        page = visit(url)
        page.connect(thread="t1")
    asked = {"name": "on_interrupt", "value": "Send it?"}
    assert page.log()["customs"] == [asked]
    command = {"resume": {"ok": True}, "interruptEvent": asked["value"]}
    assert page.send(None, thread="t1", forwardedProps={"command": command}) == shown(*ANSWERED)
    assert agent.calls[1].input["resume"] == RESUME
    assert agent.calls[1].input["forwardedProps"] == {}
    assert visit(url).connect(thread="t1") == shown(*ANSWERED)


@only(*(client for client in CLIENTS if client.version in ("1.50.0", "1.56.5")))
def test_a_client_that_knows_no_interrupts_goes_on_with_a_message(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": approve})
    page = visit(url)
    assert page.send("send", thread="t1") == shown(*ASKED)
    expected = shown(*ASKED, user("do not", "u2"), assistant("never mind", "m3"))
    assert page.send("do not", id="u2", thread="t1") == expected
    assert "resume" not in agent.calls[1].input
    assert visit(url).connect(thread="t1") == expected


def ask_name(run_input: dict[str, Any]) -> list[Step]:
    """Asks for a name by the custom event of LangGraph agents, and says the answer."""
    command = run_input["forwardedProps"].get("command")
    if command is not None:
        return run(*text("m2", f"Hello {command['resume']}"))
    return run(*text("m1", "Well,"), event("CUSTOM", name="on_interrupt", value='{"question":"Your name?"}'))


QUESTION = {"name": "on_interrupt", "value": '{"question":"Your name?"}'}
NAME = {"command": {"resume": "Ada", "interruptEvent": '{"question":"Your name?"}'}}


def test_a_custom_interrupt_is_answered_after_a_reload(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": ask_name})
    visit(url).send("hi", thread="t1")
    page = visit(url)
    assert page.connect(thread="t1") == shown(user("hi"), assistant("Well,"))
    assert page.log()["customs"] == [QUESTION]
    answered = shown(user("hi"), assistant("Well,"), assistant("Hello Ada", "m2"))
    assert page.send(None, thread="t1", forwardedProps=NAME) == answered
    assert agent.calls[1].input["forwardedProps"] == NAME
    later = visit(url)
    assert later.connect(thread="t1") == answered
    assert later.log()["customs"] == []
