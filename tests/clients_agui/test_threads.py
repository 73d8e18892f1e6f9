"""Threads that are loaded again: while their run goes on, and after it has failed or was stopped."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients_agui.browser import CORE_CLIENTS, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import event, started, tool_call
from tests.clients_agui.view import assistant, shown, user
from tests.scripted_agent import RUN_FINISHED, RUN_STARTED, Script, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients

END_M1 = event("TEXT_MESSAGE_END", messageId="m1")


def content(delta: str) -> Step:
    return event("TEXT_MESSAGE_CONTENT", messageId="m1", delta=delta)


IN_TWO_PARTS: Script = [
    RUN_STARTED,
    *started("m1", "one ", "two "),
    {"gate": "go"},
    content("three "),
    content("four"),
    END_M1,
    RUN_FINISHED,
]
WHOLE = shown(user("hi"), assistant("one two three four"))


def test_a_page_that_is_loaded_again_in_the_middle_of_a_run_shows_the_rest(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": IN_TWO_PARTS})
    page = visit(url)
    page.sending("hi", thread="t1")
    page.shows("two ")
    page.close()
    reloaded = visit(url)
    connecting = reloaded.connecting(thread="t1")
    assert reloaded.shows("two ")["messages"] == [user("hi"), assistant("one two ")]
    agent.open_gate("go")
    assert connecting.result(10) == WHOLE
    assert visit(url).connect(thread="t1") == WHOLE
    assert len(agent.calls) == 1


def test_every_reader_of_a_run_sees_the_same(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": IN_TWO_PARTS})
    writer, readers = visit(url), [visit(url), visit(url)]
    sending = writer.sending("hi", thread="t1")
    writer.shows("two ")
    connecting = [reader.connecting(thread="t1") for reader in readers]
    for reader in readers:
        reader.shows("two ")
    agent.open_gate("go")
    assert [answer.result(10) for answer in (sending, *connecting)] == [WHOLE] * 3
    told = [reader.log()["events"] for reader in (writer, *readers)]
    assert told == [told[0]] * 3


def test_a_page_that_is_closed_does_not_stop_the_run(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": IN_TWO_PARTS})
    page = visit(url)
    page.sending("hi", thread="t1")
    page.shows("two ")
    page.close()
    agent.open_gate("go")
    assert agent.wait_for_call("default").played.result(10) is True
    assert visit(url).connect(thread="t1") == WHOLE


def test_a_thread_with_several_runs_and_one_in_progress(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    def answer(run_input: dict[str, Any]) -> list[Step]:
        number = len(run_input["messages"])
        gate: list[Step] = [{"gate": "go"}] if number == 3 else []
        return [RUN_STARTED, *text(f"m{number}", f"answer {number}"), *gate, RUN_FINISHED]

    url = mount({"default": answer})
    page = visit(url)
    page.send("a", id="ua", thread="t1")
    sending = page.sending("b", id="ub", thread="t1")
    page.shows("answer 3")
    reloaded = visit(url)
    connecting = reloaded.connecting(thread="t1")
    reloaded.shows("answer 3")
    agent.open_gate("go")
    assert connecting.result(10) == sending.result(10)
    assert sending.result()["messages"] == [
        user("a", "ua"),
        assistant("answer 1", "m1"),
        user("b", "ub"),
        assistant("answer 3", "m3"),
    ]


@only(*CORE_CLIENTS)
def test_switching_threads_leaves_the_run_of_the_first_alone(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": IN_TWO_PARTS})
    page = visit(url)
    page.sending("hi", thread="t1")
    page.shows("two ")
    assert page.connect(thread="other") == shown()
    back = page.connecting(thread="t1")
    assert page.shows("two ")["messages"] == [user("hi"), assistant("one two ")]
    agent.open_gate("go")
    assert back.result(10) == WHOLE


# Ends of a run that are not good ones, and how the open message looks afterwards.
FAILURES: dict[str, list[Step]] = {
    "error_event": [*started("m1", "par"), event("RUN_ERROR", message="model exploded", code="BOOM")],
    "no_end": started("m1", "par"),
    "cut": [*started("m1", "par"), {"delay": 30}, {"destroy": True}],
    "malformed": [*started("m1", "par"), {"delay": 30}, {"raw": "data: {nope\n\n"}],
}


def then_better(first: list[Step]) -> Script:
    """A run that goes wrong, and after it good ones."""

    def script(run_input: dict[str, Any]) -> list[Step]:
        number = len([message for message in run_input["messages"] if message["role"] == "user"])
        return [RUN_STARTED, *first] if number == 1 else run(*text("m2", "better"))

    return script


AFTERWARDS = [user("hi"), assistant("par"), user("again", "u2"), assistant("better", "m2")]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_thread_with_a_failed_run_is_shown_again_whole_and_without_an_alarm(
    failure: str, mount: Mount, visit: Visit
) -> None:
    url = mount({"default": then_better(FAILURES[failure])})
    page = visit(url)
    failed = page.send("hi", thread="t1")
    assert failed == shown(*AFTERWARDS[:2], errors=failed["errors"])
    assert len(failed["errors"]) == 1
    assert visit(url).connect(thread="t1") == shown(*AFTERWARDS[:2])
    assert page.send("again", id="u2", thread="t1") == shown(*AFTERWARDS, errors=failed["errors"])
    assert visit(url).connect(thread="t1") == shown(*AFTERWARDS)


def test_a_thread_with_a_stopped_run_is_shown_again_whole(mount: Mount, visit: Visit) -> None:
    url = mount({"default": then_better([*started("m1", "par"), {"hang": True}])})
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    page.shows("par")
    page.stop()
    assert sending.result(10) == shown(user("hi"), assistant("par"))
    assert visit(url).connect(thread="t1") == shown(user("hi"), assistant("par"))
    page.send("again", id="u2", thread="t1")
    assert page.view() == shown(*AFTERWARDS)
    assert visit(url).connect(thread="t1") == shown(*AFTERWARDS)


def test_a_tool_call_that_was_cut_off_does_not_break_the_thread(mount: Mount, visit: Visit) -> None:
    cut = tool_call("c1", "search", '{"q":')[:-1]
    url = mount({"default": then_better(cut)})
    page = visit(url)
    failed = page.send("hi", thread="t1")
    again = visit(url).connect(thread="t1")
    assert again == {**failed, "errors": []}
    page.send("again", id="u2", thread="t1")
    view = page.view()
    assert view["messages"][-2:] == [user("again", "u2"), assistant("better", "m2")]
    assert visit(url).connect(thread="t1") == {**view, "errors": []}


def test_the_message_of_a_run_that_failed_at_once_is_still_there_after_a_reload(
    mount: Mount, visit: Visit
) -> None:
    url = mount({"default": [{"http": {"status": 500, "body": '{"detail":"kaboom"}'}}]})
    view = visit(url).send("hi", thread="t1")
    assert view["messages"] == [user("hi")]
    assert len(view["errors"]) == 1
    assert visit(url).connect(thread="t1") == shown(user("hi"))
