"""Where this server does better than the reference runtime on purpose, and why.

Each case holds both to what they do, so that the list stays true.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.clients_agui.browser import NEWEST, Browser, Client, View
from tests.clients_agui.conftest import Mount, Reference
from tests.clients_agui.steps import event, started, tool_call
from tests.clients_agui.view import assistant, calls, error, result, shown, user
from tests.scripted_agent import RUN_STARTED, Script, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients

CLIENT = Client("core", NEWEST, "rest")
HI, AGAIN = user("hi"), user("again", "u2")
PART, BETTER = assistant("par"), assistant("better", "m9")
AWAY: Step = {**event("RUN_ERROR", message="away"), "delay": 30}
IS_AWAY = [error("away")]
THEN_BETTER = run(*text("m9", "better"))
PATCH = event("STATE_DELTA", delta=[{"op": "add", "path": "/count", "value": 2}])
CUT_CALL = tool_call("c1", "f", '{"q":')[:-1]
CALL = calls("c1", ("c1", "f", '{"q":'))
CALL_READ_TWICE = calls("c1", ("c1", "f", '{"q":{"q":'))
CALL_RESULT = result(
    '{"status":"error","reason":"missing_terminal_event","message":"away"}', "c1", "c1-result"
)
KABOOM: Step = {"http": {"status": 500, "body": "kaboom"}}
IS_KABOOM = [error("HTTP 500: kaboom")]
CRLF = 'data: {"type":"RUN_STARTED","threadId":"t","runId":"r"}\r\n\r\n'
CRLF += 'data: {"type":"RUN_FINISHED","threadId":"t","runId":"r"}\r\n\r\n'
NO_CRLF = [error("Unexpected non-whitespace character after JSON at position 51")]


class Deviation(NamedTuple):
    """Runs on one thread that the two servers treat in different ways.

    Attributes:
        reason: why ours is better.
        runs: what the agent does, run by run.
        theirs: what the page shows in the end, and after a reload, through the reference runtime.
        ours: the same through ours.
    """

    reason: str
    runs: tuple[Script, ...]
    theirs: tuple[View, View]
    ours: tuple[View, View]


DEVIATIONS = {
    "failed_with_an_open_message": Deviation(
        "a thread looks the same after a reload, and what failed long ago raises no alarm again",
        ([RUN_STARTED, *started("m1", "par"), AWAY], THEN_BETTER),
        theirs=(
            shown(HI, PART, AGAIN, BETTER, errors=IS_AWAY),
            shown(HI, AGAIN, BETTER, PART, errors=IS_AWAY),
        ),
        ours=(shown(HI, PART, AGAIN, BETTER, errors=IS_AWAY), shown(HI, PART, AGAIN, BETTER)),
    ),
    "failed_with_an_open_tool_call": Deviation(
        "a call without a result stays open in the page for ever, and most models refuse such a history",
        ([RUN_STARTED, *CUT_CALL, AWAY], THEN_BETTER),
        theirs=(
            shown(HI, CALL, AGAIN, BETTER, errors=IS_AWAY),
            shown(HI, CALL_READ_TWICE, AGAIN, BETTER, errors=IS_AWAY),
        ),
        ours=(
            shown(HI, CALL, CALL_RESULT, AGAIN, BETTER, errors=IS_AWAY),
            shown(HI, CALL, CALL_RESULT, AGAIN, BETTER),
        ),
    ),
    "failed_at_once": Deviation(
        "what the user wrote is not lost",
        ([KABOOM],),
        theirs=(shown(HI, errors=IS_KABOOM), shown()),
        ours=(shown(HI, errors=IS_KABOOM), shown(HI)),
    ),
    "patched_the_state_that_the_page_sent": Deviation(
        "the state after a reload is the one that the page had",
        (run(event("STATE_SNAPSHOT", snapshot={"keep": "me"})), run(PATCH)),
        theirs=(shown(HI, AGAIN, state={"keep": "me", "count": 2}), shown(HI, AGAIN, state={"count": 2})),
        ours=(
            shown(HI, AGAIN, state={"keep": "me", "count": 2}),
            shown(HI, AGAIN, state={"keep": "me", "count": 2}),
        ),
    ),
    "windows_line_ends": Deviation(
        "server-sent events may end their lines like that",
        ([{"raw": CRLF}],),
        theirs=(shown(HI, errors=NO_CRLF), shown()),
        ours=(shown(HI), shown(HI)),
    ),
}


def talk(
    browser: Browser, url: str, thread: str, agent: ScriptedAgent, runs: tuple[Script, ...]
) -> tuple[View, View]:
    page, view = browser.open(CLIENT, url), shown()
    for script, message in zip(runs, (HI, AGAIN), strict=False):
        agent.play("default", script)
        view = page.send(message["content"], id=message["id"], thread=thread)
    page.close()
    reloaded = browser.open(CLIENT, url)
    again = reloaded.connect(thread=thread)
    reloaded.close()
    return view, again


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_deviation(
    name: str,
    mount: Mount,
    agent: ScriptedAgent,
    browser: Browser,
    reference: str,
    reference_agent: ScriptedAgent,
) -> None:
    deviation = DEVIATIONS[name]
    theirs = talk(browser, reference + "rest", name, reference_agent, deviation.runs)
    ours = talk(browser, mount({"default": []}), name, agent, deviation.runs)
    assert (theirs, ours) == (deviation.theirs, deviation.ours)


# What an agent does in the second run on a thread, after one that left the state {"count": 1}.
DEADLY: dict[str, Script] = {
    "cut": [RUN_STARTED, *started("m1", "par"), {"delay": 30}, {"destroy": True}],
    "patch_without_a_snapshot": run(
        event("STATE_DELTA", delta=[{"op": "replace", "path": "/count", "value": 2}]), *text("m1", "par")
    ),
    "patch_that_does_not_apply": run(
        event("STATE_DELTA", delta=[{"op": "replace", "path": "/not/there", "value": 2}]), *text("m1", "par")
    ),
}


@pytest.mark.parametrize("fault", DEADLY)
def test_an_agent_ends_the_process_of_the_reference_runtime_and_not_ours(
    fault: str,
    mount: Mount,
    agent: ScriptedAgent,
    browser: Browser,
    reference_as_shipped: Reference,
    reference_agent: ScriptedAgent,
) -> None:
    runs: tuple[Script, ...] = (run(event("STATE_SNAPSHOT", snapshot={"count": 1})), DEADLY[fault])
    page = browser.open(CLIENT, reference_as_shipped.url + "rest")
    for number, script in enumerate(runs):
        reference_agent.play("default", script)
        page.send("hi", id=f"u{number}", thread="t1")
    assert reference_as_shipped.process.wait(10) == 1
    page.close()

    url = mount({"default": []})
    _, again = talk(browser, url, "t1", agent, runs)
    state = {"count": 2 if fault == "patch_without_a_snapshot" else 1}
    assert again == shown(HI, AGAIN, PART, state=state)


def test_a_busy_thread_is_told_by_ours_and_passed_over_by_the_reference_runtime(
    mount: Mount, agent: ScriptedAgent, browser: Browser, reference: str, reference_agent: ScriptedAgent
) -> None:
    script: Script = [RUN_STARTED, *started("m1", "par"), {"gate": "busy"}]
    views = []
    for playing, url in ((reference_agent, reference + "rest"), (agent, mount({"default": script}))):
        playing.play("default", script)
        first, second = browser.open(CLIENT, url), browser.open(CLIENT, url)
        sending = first.sending("hi", thread="busy")
        first.shows("par")
        views.append(second.send("again", id="u2", thread="busy"))
        playing.open_gate("busy")
        sending.result(10)
        first.close()
        second.close()
    busy = error("Thread 'busy' has a run in progress. Stop it, or wait for its end.")
    assert views == [shown(AGAIN), shown(AGAIN, errors=[busy])]
