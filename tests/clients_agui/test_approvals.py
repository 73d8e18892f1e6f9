"""Calls that the user has to approve, and the real clients of the AG-UI contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from copilotkit_runtime_py.agui.events import as_text
from tests.approving_agents import AGENTS, Mails
from tests.clients.conftest import Serve
from tests.clients_agui.browser import CLIENTS, CORE_CLIENTS, NEWEST, Client, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import tool_call
from tests.clients_agui.view import assistant, calls, result, shown, user
from tests.providers.parity.conftest import storage
from tests.scripted_agent import ScriptedAgent, Step, run, text

__all__ = ["storage"]

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

# The clients before 1.62 know no interrupts but the `on_interrupt` event.
BY_EVENT = ("1.50.0", "1.56.5")
OLD_AGUI = Client("agui", "0.0.57", "rest")
with_interrupts = only(OLD_AGUI, *(client for client in CLIENTS if client.version not in BY_EVENT))
without_interrupts = only(*(client for client in CLIENTS if client.version in BY_EVENT))
hooks = only(Client("react", "v2", "auto"), Client("react", "v2", "single"))

QUESTION = {
    "id": "c1",
    "reason": "tool_call",
    "message": "Send it?",
    "toolCallId": "c1",
    "responseSchema": {
        "type": "object",
        "properties": {
            "approved": {"type": "boolean"},
            "editedArgs": {"type": "object"},
            "reason": {"type": "string"},
        },
        "required": ["approved"],
    },
    "metadata": {"approval": {"toolName": "send"}},
}
ASKED = [user("send"), calls("m0", ("c1", "send", '{"to":"bob"}'))]
DENIED = as_text({"error": {"code": "DENIED", "message": "The user denied this call."}, "result": ""})


def clerk(run_input: dict[str, Any]) -> list[Step]:
    """Calls the tool, and then says what came of it."""
    last = run_input["messages"][-1]
    if last["role"] == "user" and last["content"] == "send":
        steps = tool_call("c1", "send", '{"to":', '"bob"}', parent="m0")
        if any(tool["name"] == "setTheme" for tool in run_input["tools"]):
            steps += tool_call("c2", "setTheme", "{}", parent="m0")
        return run(*steps)
    results = [message["content"] for message in run_input["messages"] if message["role"] == "tool"]
    return run(*text("m1", f"{len(results)}: {results[-1]}"))


def answer(payload: Any) -> list[dict[str, Any]]:
    return [{"interruptId": "c1", "status": "resolved", "payload": payload}]


@with_interrupts
@pytest.mark.parametrize(
    ("payload", "outcome", "sent"),
    [({"approved": True}, "sent to bob", ["bob"]), ({"approved": False}, DENIED, [])],
    ids=["granted", "denied"],
)
def test_an_approval_is_answered_and_shown_again_after_a_reload(
    mount: Mount, visit: Visit, agent: ScriptedAgent, payload: Any, outcome: str, sent: list[str]
) -> None:
    mails = Mails()
    url = mount({"default": clerk}, actions=mails.actions)
    page = visit(url)
    assert page.send("send", thread="t1") == shown(*ASKED, interrupts=[QUESTION])
    assert mails.sent == []
    expected = shown(*ASKED, result(outcome, "c1", "result-c1"), assistant(f"1: {outcome}"))
    assert page.send(None, thread="t1", resume=answer(payload)) == expected
    assert (mails.sent, len(agent.calls)) == (sent, 2)
    assert visit(url).connect(thread="t1") == expected
    again = visit(url)
    again.connect(thread="t1")
    again.send(None, thread="t1", resume=answer({"approved": True}))
    assert mails.sent == sent


@with_interrupts
def test_an_approval_is_asked_again_after_a_restart_and_answered_there(
    mount: Mount, visit: Visit, tmp_path: Path
) -> None:
    mails = Mails()
    options: dict[str, Any] = {"actions": mails.actions, "state_store": f"sqlite:///{tmp_path}/threads.db"}
    visit(mount({"default": clerk}, **options)).send("send", thread="t1")
    page = visit(mount({"default": clerk}, **options))
    assert page.connect(thread="t1") == shown(*ASKED, interrupts=[QUESTION])
    granted = page.send(None, thread="t1", resume=answer({"approved": True}))
    assert granted["messages"][-1] == assistant("1: sent to bob")
    assert mails.sent == ["bob"]


@without_interrupts
@pytest.mark.parametrize("reloads", [False, True])
def test_a_client_that_knows_no_interrupts_answers_the_event(
    mount: Mount, visit: Visit, reloads: bool
) -> None:
    mails = Mails()
    url = mount({"default": clerk}, actions=mails.actions)
    page = visit(url)
    assert page.send("send", thread="t1") == shown(*ASKED)
    if reloads:
        page = visit(url)
        assert page.connect(thread="t1") == shown(*ASKED)
    (asked,) = page.log()["customs"]
    assert (asked["name"], json.loads(asked["value"])) == ("on_interrupt", QUESTION)
    command = {"resume": {"approved": True}, "interruptEvent": asked["value"]}
    view = page.send(None, thread="t1", forwardedProps={"command": command})
    assert view == shown(*ASKED, result("sent to bob", "c1", "result-c1"), assistant("1: sent to bob"))
    assert mails.sent == ["bob"]


@without_interrupts
def test_a_message_instead_of_an_answer_leaves_a_valid_conversation(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    mails = Mails()
    url = mount({"default": clerk}, actions=mails.actions)
    page = visit(url)
    page.send("send", thread="t1")
    view = page.send("never mind", id="u2", thread="t1")
    assert (view["messages"][-1]["role"], view["errors"], mails.sent) == ("assistant", [], [])
    reloaded = visit(url).connect(thread="t1")
    assert {message["id"]: message for message in reloaded["messages"]} == {
        message["id"]: message for message in view["messages"]
    }
    page.send("thanks", id="u3", thread="t1")
    # These clients show a result where it comes. Models take it behind its call only.
    roles = ["user", "assistant", "tool", "user"]
    for call, more in zip(agent.calls[1:], ([], ["assistant", "user"]), strict=True):
        assert [message["role"] for message in call.input["messages"]] == [*roles, *more]


@only(*CORE_CLIENTS)
def test_the_pages_own_tool_is_run_before_the_user_is_asked(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    mails = Mails()
    url = mount({"default": clerk}, actions=mails.actions)
    page = visit(url, tools=[{"name": "setTheme", "result": "dark"}])
    view = page.send("send", thread="t1")
    assert (view["errors"], len(agent.calls)) == ([], 1)
    assert [name["name"] for name in page.log()["toolCalls"]] == ["setTheme"]
    (asked,) = page.log()["customs"]
    if page.client.version in BY_EVENT:
        command = {"resume": {"approved": True}, "interruptEvent": asked["value"]}
        view = page.send(None, thread="t1", forwardedProps={"command": command})
    else:
        assert view["interrupts"] == [QUESTION]
        view = page.send(None, thread="t1", resume=answer({"approved": True}))
    assert view["messages"][-1] == assistant("2: sent to bob")
    assert (mails.sent, view["errors"]) == (["bob"], [])
    assert visit(url).connect(thread="t1")["messages"] == view["messages"]


@hooks
@pytest.mark.parametrize("reloads", [False, True])
def test_the_hook_of_the_newest_page_shows_one_question_and_the_tools_own_result(
    mount: Mount, visit: Visit, reloads: bool
) -> None:
    mails = Mails()
    url = mount({"default": clerk}, actions=mails.actions)
    page = visit(url, thread="t1")
    page.send("send")
    if reloads:
        page.close()
        page = visit(url, thread="t1")
    asked = page.do("asked")
    assert asked["interrupts"] == [QUESTION]
    assert asked["event"]["value"] == QUESTION
    page.do("resolve", payload={"approved": True})
    page.shows("1: sent to bob")
    expected = [*ASKED, result("sent to bob", "c1", "result-c1"), assistant("1: sent to bob")]
    assert page.do("idle")["messages"] == expected
    page.close()
    assert visit(url, thread="t1").view()["messages"] == expected
    assert mails.sent == ["bob"]


def told(messages: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """What messages say, without the ids that frameworks give them."""
    return [
        (message["role"], [call["function"] for call in message.get("toolCalls", ())] or message["content"])
        for message in messages
    ]


@only(Client("core", NEWEST, "auto"), Client("agui", "1.0.0", "rest"))
@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("approved", [True, False], ids=["granted", "denied"])
def test_agents_of_every_framework_go_on_after_the_answer(
    serve: Serve, visit: Visit, storage: Any, name: str, approved: bool
) -> None:
    mails = Mails()
    url = serve({"default": AGENTS[name]()}, actions=mails.actions)
    page = visit(url)
    page.send("send", thread="t1")
    page = visit(url)
    (asked,) = page.connect(thread="t1")["interrupts"]
    assert (asked["message"], asked["reason"], mails.sent) == ("Send it?", "tool_call", [])
    payload = {"approved": approved}
    resume = [{"interruptId": asked["id"], "status": "resolved", "payload": payload}]
    view = page.send(None, thread="t1", resume=resume)
    outcome = "sent to bob" if approved else DENIED
    assert told(view["messages"]) == [
        ("user", "send"),
        ("assistant", [{"name": "send", "arguments": '{"to":"bob"}'}]),
        ("tool", outcome),
        ("assistant", f"Result: {outcome}"),
    ]
    assert (view["errors"], view["interrupts"], mails.sent) == ([], [], ["bob"] if approved else [])
    assert told(visit(url).connect(thread="t1")["messages"]) == told(view["messages"])


@only(Client("core", "1.56.5", "single"))
@pytest.mark.parametrize("name", AGENTS)
def test_agents_of_every_framework_go_on_after_a_message_instead_of_the_answer(
    serve: Serve, visit: Visit, storage: Any, name: str
) -> None:
    mails = Mails()
    url = serve({"default": AGENTS[name]()}, actions=mails.actions)
    page = visit(url)
    page.send("send", thread="t1")
    view = page.send("stop", id="u2", thread="t1")
    (given,) = [message for message in view["messages"] if message["role"] == "tool"]
    assert json.loads(given["content"])["error"]["code"] == "NOT_ANSWERED"
    assert (view["messages"][-1]["role"], view["errors"], mails.sent) == ("assistant", [], [])
