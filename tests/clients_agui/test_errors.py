"""Runs that fail: what the client is told, and that its page goes on working."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.clients.conftest import Serve
from tests.clients_agui.browser import CORE_CLIENTS, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import event, started
from tests.clients_agui.view import assistant, error, shown, user
from tests.scripted_agent import RUN_FINISHED, RUN_STARTED, Script, ScriptedAgent, run, text

pytestmark = pytest.mark.clients

BROKEN = [RUN_STARTED, *started("m1", "par")]
END_M1 = event("TEXT_MESSAGE_END", messageId="m1")
NO_END = "Run ended without emitting a terminal event"
KABOOM = '{"detail":"kaboom"}'

# What the agent does, and what the page shows of it: the assistant's text, the error.
FAULTS: dict[str, tuple[Script, str, str]] = {
    "error_event": ([*BROKEN, event("RUN_ERROR", message="model exploded")], "par", "model exploded"),
    "error_event_first": ([event("RUN_ERROR", message="no model")], "", "no model"),
    "http_500": ([{"http": {"status": 500, "body": KABOOM}}], "", f"HTTP 500: {KABOOM}"),
    "http_401": ([{"http": {"status": 401, "body": "who are you"}}], "", "HTTP 401: who are you"),
    "not_a_stream": ([{"http": {"status": 200, "body": "{}"}}], "", NO_END),
    "empty": ([{"end": True}], "", NO_END),
    "no_end": (BROKEN, "par", NO_END),
    "malformed": ([*BROKEN, {"raw": "data: {\n\n"}], "par", "The agent sent an event that is not valid JSON"),
    "cut": ([*BROKEN, {"delay": 30}, {"destroy": True}], "par", "terminated"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_agent_is_told_and_the_next_message_is_answered(
    fault: str, mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    script, said, message = FAULTS[fault]
    url = mount({"default": script})
    page = visit(url)
    messages = [user("hi"), *([assistant(said)] if said else [])]
    view = page.send("hi", thread="t1")
    assert view == shown(*messages, errors=[error(message)])
    agent.play("default", run(*text("m2", "better")))
    messages += [user("again", "u2"), assistant("better", "m2")]
    assert page.send("again", id="u2", thread="t1") == shown(*messages, errors=[error(message)])


def test_an_agent_that_cannot_be_reached(serve: Serve, visit: Visit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    url = serve({"default": f"http://127.0.0.1:{port}/"})
    assert visit(url).send("hi", thread="t1") == shown(user("hi"), errors=[error("fetch failed")])
    assert visit(url).connect(thread="t1") == shown(user("hi"))


def test_an_error_of_a_python_agent_is_masked(serve: Serve, visit: Visit) -> None:
    async def broken(input: Any) -> Any:
        yield {"type": "RUN_STARTED", "threadId": input.thread_id, "runId": input.run_id}
        raise RuntimeError("the key is hunter2")

    url = serve({"default": broken})
    view = visit(url).send("hi", thread="t1")
    assert view["messages"] == [user("hi")]
    assert len(view["errors"]) == 1
    assert "hunter2" not in str(view["errors"])


def test_everything_before_a_fault_is_delivered_and_junk_after_the_end_is_ignored(
    mount: Mount, visit: Visit
) -> None:
    url = mount({"default": [*run(*text("m1", "well")), *text("m2", "late"), RUN_FINISHED]})
    assert visit(url).send("hi", thread="t1") == shown(user("hi"), assistant("well"))
    assert visit(url).connect(thread="t1") == shown(user("hi"), assistant("well"))


def test_an_agent_with_windows_line_ends(mount: Mount, visit: Visit) -> None:
    events = [
        '{"type":"RUN_STARTED","threadId":"t","runId":"r"}',
        '{"type":"TEXT_MESSAGE_START","messageId":"m1","role":"assistant"}',
        '{"type":"TEXT_MESSAGE_CONTENT","messageId":"m1","delta":"crlf"}',
        '{"type":"TEXT_MESSAGE_END","messageId":"m1"}',
        '{"type":"RUN_FINISHED","threadId":"t","runId":"r"}',
    ]
    url = mount({"default": [{"raw": "".join(f"data: {line}\r\n\r\n" for line in events)}]})
    assert visit(url).send("hi", thread="t1") == shown(user("hi"), assistant("crlf"))


def test_a_second_run_on_a_busy_thread_is_refused_and_the_first_goes_on(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": [*BROKEN, {"gate": "go"}, END_M1, RUN_FINISHED]})
    first, second = visit(url), visit(url)
    sending = first.sending("one", thread="t1")
    first.shows("par")
    refused = second.send("two", id="u2", thread="t1")
    assert refused == shown(user("two", "u2"), errors=refused["errors"])
    assert refused["errors"]
    agent.open_gate("go")
    assert sending.result(10) == shown(user("one"), assistant("par"))


@only(*CORE_CLIENTS)
def test_an_agent_that_there_is_not(mount: Mount, visit: Visit) -> None:
    url = mount({"default": run(*text("m1", "here"))})
    page = visit(url)
    view = page.do("sendToUnknown", agent="nobody", message=user("hi"))
    assert view["messages"] == [user("hi")]
    answer = '{"error":"Agent not found","message":"Agent \'nobody\' does not exist"}'
    assert {failure["message"] for failure in view["errors"]} == {f"HTTP 404: {answer}"}
    assert page.send("hi", thread="t1")["messages"] == [user("hi"), assistant("here")]
