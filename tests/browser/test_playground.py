"""The playground's chat in a real browser, over every contract, with the demo agent and scripted agents."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

import httpx
import pytest
from ag_ui.core import RunAgentInput
from fastapi import Cookie, FastAPI, HTTPException, Response
from playwright.sync_api import Browser, expect
from starlette.types import Message, Receive, Scope, Send

from copilotkit_runtime_py import CopilotRuntime, create_router
from tests.approving_agents import Mails
from tests.browser.agents import echo
from tests.browser.playground import Playground, opened, serve_app
from tests.browser.server import serving
from tests.scripted_agent import Script, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.browser

CONTRACTS = ["rest", "single", "graphql"]
HOSTILE = (
    '<img src=x onerror="document.title=1"> <script>document.title=1</script> **<b>x</b>** '
    "[click](javascript:document.title=1)\n\n```html\n</pre><svg onload=alert(1)>\n```"
)


def reasoning(*deltas: str) -> list[Step]:
    at = {"messageId": "{{runId}}-thought"}
    return [
        {"event": {"type": "REASONING_MESSAGE_START", "role": "reasoning", **at}},
        *({"event": {"type": "REASONING_MESSAGE_CONTENT", "delta": delta, **at}} for delta in deltas),
        {"event": {"type": "REASONING_MESSAGE_END", **at}},
    ]


def ask_two(run_input: dict[str, Any]) -> list[Step]:
    """Ends with two questions of AG-UI 1.0, and says the answers."""
    if run_input.get("resume"):
        return run(*text("{{runId}}", json.dumps(run_input["resume"])))
    asked = [{"id": id, "reason": "confirmation", "message": f"{id}?"} for id in ("Cake", "Tea")]
    outcome = {"type": "interrupt", "interrupts": asked}
    return [*run()[:-1], {"event": {**run()[-1]["event"], "outcome": outcome}}]


def ask_in_the_old_way(run_input: dict[str, Any]) -> list[Step]:
    """Ends with a question that is an event, and says the answer."""
    command = run_input["forwardedProps"].get("command")
    if command:
        return run(*text("{{runId}}", json.dumps(command)))
    return run({"event": {"type": "CUSTOM", "name": "on_interrupt", "value": {"ask": "What colour?"}}})


def hostile(run_input: dict[str, Any]) -> list[Step]:
    """Says markup wherever an agent can say something."""
    call = {"toolCallId": "{{runId}}-c"}
    return run(
        *reasoning(HOSTILE),
        {"event": {"type": "TOOL_CALL_START", "toolCallName": HOSTILE, **call}},
        {"event": {"type": "TOOL_CALL_ARGS", "delta": json.dumps({HOSTILE: HOSTILE}), **call}},
        {"event": {"type": "TOOL_CALL_END", **call}},
        {"event": {"type": "TOOL_CALL_RESULT", "messageId": "{{runId}}-r", "content": HOSTILE, **call}},
        {"event": {"type": "STATE_SNAPSHOT", "snapshot": {HOSTILE: HOSTILE}}},
        *text("{{runId}}-m", HOSTILE),
        {"event": {"type": "CUSTOM", "name": "on_interrupt", "value": HOSTILE}},
    )


def gated(run_input: dict[str, Any]) -> list[Step]:
    """Says its second half when the gate that the user named opens."""
    gate = {"gate": run_input["messages"][-1]["content"]}
    steps = text("{{runId}}", "The first half, ", "the second half.")
    return run(*reasoning("Let me ", "think."), *steps[:2], {**steps[2], **gate}, steps[3])


def sharing(run_input: dict[str, Any]) -> list[Step]:
    """Changes state and an activity by patches."""
    patch = [
        {"op": "add", "path": "/list/1", "value": "x"},
        {"op": "move", "from": "/old", "path": "/new"},
        {"op": "copy", "from": "/list/0", "path": "/list/-"},
        {"op": "replace", "path": "/a~1b/~0", "value": 2},
        {"op": "remove", "path": "/gone"},
    ]
    state = {"list": ["a", "b"], "old": True, "a/b": {"~": 1}, "gone": 0}
    activity = {"messageId": "{{runId}}-a", "activityType": "PLAN"}
    step = {"op": "add", "path": "/steps/-", "value": "taste"}
    return run(
        {"event": {"type": "STATE_SNAPSHOT", "snapshot": state}},
        {"event": {"type": "STATE_DELTA", "delta": patch}},
        {"event": {"type": "ACTIVITY_SNAPSHOT", "content": {"steps": ["stir"]}, **activity}},
        {"event": {"type": "ACTIVITY_DELTA", "patch": [step], **activity}},
    )


def calling(run_input: dict[str, Any]) -> list[Step]:
    """Calls a tool of the page while the gate is open, and says what it got."""
    last = run_input["messages"][-1]
    if last["role"] == "tool":
        return run(*text("{{runId}}", last["content"]))
    call = {"toolCallId": "{{runId}}-c"}
    return run(
        {"event": {"type": "TOOL_CALL_START", "toolCallName": "set_theme", **call}},
        {"event": {"type": "TOOL_CALL_ARGS", "delta": '{"theme": "dark"}', **call}},
        {"event": {"type": "TOOL_CALL_END", **call}, "gate": last["content"]},
    )


def failing_once() -> Script:
    """Fails when it is called first."""
    answers = iter([[{"http": {"status": 500, "body": "{}"}}], run(*text("{{runId}}", "Here I am."))])
    return lambda run_input: next(answers)


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedAgent]:
    with ScriptedAgent(
        {
            "gated": gated,
            "ask_two": ask_two,
            "ask_old": ask_in_the_old_way,
            "hostile": hostile,
            "sharing": sharing,
            "calling": calling,
            "failing": failing_once(),
            "broken": lambda run_input: [{"http": {"status": 500, "body": "{}"}}],
        }
    ) as agent:
        yield agent


@pytest.fixture(scope="module")
def url(scripted: ScriptedAgent) -> Iterator[str]:
    """The endpoint of a server with the scripted agents."""
    agents = [word for name in scripted.scripts for word in ("--agent", f"{name}={scripted.url(name)}")]
    with serving("serve", *agents) as (_, url):
        yield url


@pytest.fixture
def playground(browser: Browser, demo: str) -> Iterator[Playground]:
    """The page with the demo agent."""
    with opened(browser, demo) as page:
        yield Playground(page)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_tool_call_of_the_agent_changes_the_page(playground: Playground, contract: str) -> None:
    playground.speak(contract)

    playground.send("make the page rgb(10, 200, 30)")
    playground.expect_answer("is not a CSS colour.")  # the demo's model takes the last word
    playground.send("make the page teal")
    playground.expect_answer("Done. Your page answered: The background is teal now.")

    tint = playground.page.locator("html").evaluate("root => root.style.getPropertyValue('--tint')")
    assert tint == "teal"
    expect(playground.calls.last).to_contain_text("set_background_color")
    expect(playground.calls.last).to_contain_text("done")


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_question_of_a_graph_is_answered_in_the_page(playground: Playground, contract: str) -> None:
    playground.speak(contract)
    playground.send("book a table for two")

    expect(playground.question).to_contain_text("Shall I book a table for 2?")
    playground.page.keyboard.type("yes")
    playground.page.keyboard.press("Enter")

    playground.expect_answer("The table for 2 is booked.")
    expect(playground.question).to_have_count(0)
    expect(playground.answered).to_contain_text("Shall I book a table for 2?")
    expect(playground.answered).to_contain_text("You answered yes")
    playground.page.reload()
    playground.expect_answer("The table for 2 is booked.")
    expect(playground.answered).to_contain_text("You answered yes")


def test_the_timeline_shows_the_frames_of_both_contracts(playground: Playground) -> None:
    page = playground.page
    playground.send("weather in Oslo")
    playground.expect_answer("sunny in Oslo")
    types = playground.event_types
    assert types.index("Run") < types.index("RUN_STARTED") < types.index("TOOL_CALL")
    assert types.index("TOOL_CALL") < types.index("TEXT_MESSAGE") < types.index("RUN_FINISHED")
    assert "TEXT_MESSAGE_CONTENT" not in types
    run = page.locator("#timeline .run > details > summary")
    expect(run).to_contain_text("weather in Oslo")
    expect(run.locator(".outcome")).to_have_text(re.compile(r"^finished · \d+\.\d\d s · \d+$"))
    expect(page.locator("#timeline .request", has_text="/agent/demo/run").locator(".outcome")).to_have_text(
        re.compile(r"^200 · \d+ ms$")
    )
    folded = page.locator("#timeline .event", has_text="TEXT_MESSAGE")
    expect(folded).to_contain_text("It is 21 °C and sunny in Oslo.")
    folded.locator("summary").click()
    parts = folded.locator(".folded .type")
    expect(parts.first).to_have_text("TEXT_MESSAGE_START")
    expect(parts.last).to_have_text("TEXT_MESSAGE_END")
    expect(folded.locator(".count").first).to_have_text(f"{parts.count()} events")
    page.get_by_label("Clear the events").click()
    playground.speak("graphql")
    playground.send("weather in Rome")
    playground.expect_answer("sunny in Rome")
    types = playground.event_types
    assert types[:3] == ["POST generateCopilotResponse", "Run", "data"]
    assert {"messages", "messages.content"} < set(types)
    assert types.count("messages.content") < 3
    [last] = [type for type in types if type.endswith("(last)")]

    page.get_by_label("Kind of events").select_option("requests")
    expect(page.locator("#timeline .type", has_text="messages.content")).to_have_count(0)
    page.get_by_label("Kind of events").select_option("all")
    page.get_by_label("Filter events").fill("no such frame")
    expect(page.locator("#timeline-empty")).to_have_text("No event matches the filter.")
    page.get_by_label("Filter events").fill('"hasnext":false')
    expect(page.locator("#timeline .event .type")).to_have_text([last])
    page.locator("#timeline .event summary").press("Enter")
    expect(page.locator("#timeline pre")).to_contain_text('\n  "hasNext": false\n')
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("Copy the events").click()
    expect(page.locator("#timeline-copied")).to_have_text("1 event copied.")
    assert page.evaluate("() => navigator.clipboard.readText()").endswith('"hasNext":false}')


@pytest.mark.parametrize("contract", ["rest", "graphql"])
def test_shared_state_shows_and_what_is_edited_goes_with_the_next_message(
    playground: Playground, contract: str
) -> None:
    page = playground.page
    playground.speak(contract)
    playground.send("add milk to my list")
    playground.expect_answer("It has 1 item now.")
    page.get_by_role("tab", name="State").click()
    expect(playground.state).to_contain_text('"items": [ "milk" ]')

    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Shared state, as JSON").fill("{")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#state-problem")).to_contain_text("This is not valid JSON")
    page.get_by_label("Shared state, as JSON").fill('{"items": ["milk", "eggs"]}')
    page.keyboard.press("Control+Enter")
    expect(page.locator("#state-note")).to_have_text("Goes with your next message.")
    playground.send("add bread to my list")

    playground.expect_answer("It has 3 items now.")
    expect(playground.state).to_contain_text('"items": [ "milk", "eggs", "bread" ]')


@pytest.mark.parametrize("contract", ["single", "graphql"])
def test_stop_ends_the_run_and_keeps_what_was_said(playground: Playground, contract: str) -> None:
    playground.speak(contract)
    playground.send("tell me a long story")
    expect(playground.answers.last).to_contain_text("Once upon a time")
    if contract == "single":
        playground.page.keyboard.press("Escape")
    else:
        playground.stop.click()

    playground.wait_until_idle()
    expect(playground.page.locator("#failure")).to_be_hidden()
    assert "know when to stop" not in playground.answers.last.inner_text()
    expect(playground.page.locator(".stopped")).to_have_text("Stopped")
    playground.page.reload()
    expect(playground.page.locator(".message.assistant + .stopped")).to_have_text("Stopped")
    playground.send("weather in Rome")
    playground.expect_answer("sunny in Rome")


def test_threads_are_opened_renamed_archived_and_deleted(playground: Playground) -> None:
    page = playground.page
    playground.send("add first to my list")
    playground.expect_answer("I have put first on your list.")
    page.keyboard.press("Alt+n")
    expect(playground.users).to_have_count(0)
    playground.send("add second to my list")
    playground.expect_answer("I have put second on your list.")
    second = playground.threads.filter(has_text="add second to my list")
    expect(second.locator(".open")).to_have_attribute("aria-current", "true")

    page.get_by_role("button", name="add first to my list demo").first.click()
    playground.expect_answer("I have put first on your list.")
    expect(playground.said).to_have_text(["add first to my list"])
    page.get_by_label("Rename add second to my list").click()
    page.keyboard.type("<b>Shopping</b>")
    page.keyboard.press("Enter")
    renamed = playground.threads.filter(has_text="<b>Shopping</b>")
    expect(renamed).to_have_count(1)
    page.get_by_label("Archive <b>Shopping</b>", exact=True).click()
    expect(renamed).to_have_count(0)
    page.get_by_label("Show archived").check()
    expect(renamed).to_contain_text("archived")
    page.get_by_label("Delete <b>Shopping</b>").click()
    expect(page.get_by_role("heading", name="Delete “<b>Shopping</b>”?")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(renamed).to_have_count(0)
    expect(playground.said).to_have_text(["add first to my list"])


def test_two_questions_of_one_run_are_answered_together(browser: Browser, url: str) -> None:
    with opened(browser, url) as page:
        playground = Playground(page)
        playground.choose_agent("ask_two")
        playground.send("Ask me")
        expect(playground.question).to_have_count(2)
        playground.question.first.get_by_label("Your answer").fill('{"slices": 2}')
        playground.question.first.get_by_role("button", name="Answer").click()
        expect(playground.question).to_have_count(1)
        playground.question.get_by_role("button", name="Cancel").click()

        answered = [
            {"interruptId": "Cake", "status": "resolved", "payload": {"slices": 2}},
            {"interruptId": "Tea", "status": "cancelled"},
        ]
        playground.expect_answer("cancelled")
        assert json.loads(playground.answers.last.inner_text()) == answered


def test_a_question_of_the_old_kind_waits_through_a_reload(browser: Browser, url: str) -> None:
    with opened(browser, url) as page:
        playground = Playground(page)
        playground.choose_agent("ask_old")
        playground.send("Ask me")
        expect(playground.question).to_contain_text('"ask": "What colour?"')
        page.reload()
        expect(playground.question).to_contain_text('"ask": "What colour?"')
        playground.question.get_by_role("button", name="No").click()

        playground.expect_answer("resume")
        answered = {"resume": "no", "interruptEvent": {"ask": "What colour?"}}
        assert json.loads(playground.answers.last.inner_text()) == answered


def test_a_page_that_is_reloaded_follows_the_run_that_goes_on(
    browser: Browser, url: str, scripted: ScriptedAgent
) -> None:
    with opened(browser, url) as page:
        playground = Playground(page)
        playground.choose_agent("gated")
        playground.send("reloaded")
        expect(playground.answers.last).to_have_text("The first half, ")
        expect(page.locator(".message.reasoning")).to_contain_text("Let me think.")
        expect(playground.threads.first.locator(".name")).to_have_text("reloaded")
        page.reload()
        expect(playground.answers.last).to_have_text("The first half, ")
        expect(playground.stop).to_be_visible()
        scripted.open_gate("reloaded")

        playground.expect_answer("The first half, the second half.")
        expect(playground.said).to_have_text(["reloaded"])


def test_a_call_that_came_while_the_page_was_away_waits_for_a_person(
    browser: Browser, url: str, scripted: ScriptedAgent
) -> None:
    with opened(browser, url) as page:
        playground = Playground(page)
        playground.choose_agent("calling")
        playground.send("call")
        expect(playground.calls).to_contain_text("set_theme")
        page.reload()
        expect(playground.stop).to_be_visible()
        scripted.open_gate("call")
        expect(playground.calls).to_contain_text("waiting")
        page.get_by_role("button", name="Run it in this page").click()

        playground.expect_answer("The theme is dark now.")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_patches_change_state_and_activities(browser: Browser, url: str) -> None:
    with opened(browser, url) as page:
        playground = Playground(page)
        playground.choose_agent("sharing")
        playground.send("Share")
        expect(page.locator(".message.activity pre")).to_have_text('{\n  "steps": [ "stir", "taste" ]\n}')
        page.get_by_role("tab", name="State").click()

        expect(playground.state).to_contain_text('"new": true')
        shared = {"list": ["a", "x", "b", "a"], "a/b": {"~": 2}, "new": True}
        assert json.loads(playground.state.inner_text()) == shared


def test_a_run_that_failed_can_be_tried_again(browser: Browser, url: str) -> None:
    with opened(browser, url) as page:
        playground = Playground(page)
        playground.choose_agent("failing")
        playground.send("Are you there?")
        expect(page.locator("#failure-text")).not_to_be_empty()
        page.get_by_role("button", name="Try again").click()

        playground.expect_answer("Here I am.")
        expect(page.locator("#failure")).to_be_hidden()
        expect(playground.users).to_have_count(1)


def test_a_connection_that_breaks_is_taken_up_where_it_was(browser: Browser) -> None:
    seen, reconnected = asyncio.Event(), asyncio.Event()

    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        at = {"messageId": input.run_id}
        yield {"type": "TEXT_MESSAGE_CHUNK", "delta": "The first half, ", **at}
        await reconnected.wait()
        yield {"type": "TEXT_MESSAGE_CHUNK", "delta": "the second half.", **at}

    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"agent": agent})))

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path", "").endswith("/connect"):
            reconnected.set()
        elif scope.get("path") == "/cut":
            seen.set()

        async def send_half(message: Message) -> None:
            await send(message)
            if b"first half" in message.get("body", b"") and scope["path"].endswith("/run"):
                await seen.wait()
                raise ConnectionError("the cable was cut")

        await app(scope, receive, send_half)

    with serve_app(cut) as origin, opened(browser, f"{origin}/api/copilotkit", complains=True) as page:
        playground = Playground(page)
        playground.send("Go on")
        expect(playground.answers.last).to_have_text("The first half, ")
        with page.expect_request(re.compile("connect$")) as connected:
            page.request.get(f"{origin}/cut")

        playground.expect_answer("The first half, the second half.")
        assert re.fullmatch(r"1:\d+", connected.value.headers["last-event-id"])
        folded = page.locator("#timeline .event", has_text="TEXT_MESSAGE")
        expect(folded).to_contain_text("The first half, the second half.")
        expect(folded.locator(".count")).to_have_text("4 events")


@pytest.mark.parametrize("contract", ["rest", "graphql"])
def test_nothing_that_an_agent_says_becomes_markup(browser: Browser, url: str, contract: str) -> None:
    with opened(browser, url) as page:
        playground = Playground(page)
        playground.speak(contract)
        playground.choose_agent("hostile")
        playground.send(HOSTILE)
        expect(playground.question).to_contain_text("<script>document.title=1</script>")
        playground.calls.locator("summary").click()
        page.get_by_role("tab", name="State").click()
        expect(playground.state).to_contain_text("onerror=")
        page.get_by_role("tab", name="Events").click()
        for summary in page.locator("#timeline summary").all()[-4:]:
            summary.click()

        shown = page.locator("#view-chat")
        expect(shown.locator("img, script, b, a, svg[onload], [onerror]")).to_have_count(0)
        expect(playground.answers.last.locator("strong")).to_have_text("<b>x</b>")
        expect(playground.answers.last.locator("pre")).to_have_text("</pre><svg onload=alert(1)>")
        assert page.title().startswith("<img src=x")


def test_a_page_behind_a_cookie_works_and_sends_the_header_that_is_set(browser: Browser) -> None:
    app = FastAPI()

    def identify(session: Annotated[str | None, Cookie()] = None) -> str:
        if session != "ada":
            raise HTTPException(401, "Please sign in.")
        return session

    @app.get("/sign-in")
    def sign_in(response: Response) -> None:
        response.set_cookie("session", "ada", httponly=True, samesite="strict")

    app.include_router(create_router(CopilotRuntime(agents={"echo": echo}), identify=identify))
    with serve_app(app) as origin, opened(browser, f"{origin}/sign-in", complains=True) as page:
        page.goto(f"{origin}/api/copilotkit")
        playground = Playground(page)
        page.get_by_role("button", name="Request header").click()
        page.get_by_label("Value").fill("Bearer secret")
        page.get_by_role("button", name="Use it").click()
        page.reload()
        playground.send("Who am I?")

        playground.expect_answer("authorization is Bearer secret")
        assert "secret" in page.evaluate("() => JSON.stringify(sessionStorage)")
        assert "secret" not in page.evaluate("() => JSON.stringify(localStorage)")
        page.context.clear_cookies()
        playground.send("Who am I now?")
        expect(page.locator("#failure")).to_contain_text("Please sign in.")
        assert page.goto(f"{origin}/api/copilotkit").status == 401  # type: ignore[union-attr]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_suits_the_theme_and_a_narrow_screen(
    browser: Browser, demo: str, scheme: Literal["light", "dark"]
) -> None:
    with opened(browser, demo, color_scheme=scheme) as page:
        playground = Playground(page)
        playground.send("add milk to my list")
        playground.expect_answer("It has 1 item now.")
        playground.send("book a table for two")
        expect(playground.question).to_be_visible()
        playground.picture(f"chat-{scheme}")
        page.set_viewport_size({"width": 360, "height": 740})
        playground.picture(f"narrow-{scheme}")
        for drawer in ("Threads", "Events and state"):
            toggle = page.get_by_role("button", name=drawer, exact=True)
            toggle.click()
            expect(toggle).to_have_attribute("aria-expanded", "true")
            playground.picture(f"narrow-{drawer.split()[0].lower()}-{scheme}")
            assert page.locator("html").evaluate("root => root.scrollWidth") == 360
            page.keyboard.press("Escape")
            expect(toggle).to_have_attribute("aria-expanded", "false")
        page.get_by_role("tab", name="GraphQL").click()
        playground.picture(f"narrow-graphql-{scheme}")
        assert page.locator("html").evaluate("root => root.scrollWidth") == 360

        shade = "root => getComputedStyle(root).colorScheme"
        assert page.locator("html").evaluate(shade) == "light dark"
        page.get_by_role("button", name="Theme: auto").click()
        page.reload()
        assert page.locator("html").evaluate(shade) == "light"


def test_the_page_can_be_used_with_the_keyboard_alone(playground: Playground) -> None:
    page = playground.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the message box")).to_be_focused()
    page.keyboard.press("Enter")
    expect(playground.box).to_be_focused()
    page.keyboard.type("Hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("you")
    page.keyboard.press("Enter")
    expect(playground.said.last).to_have_text("Hello\nyou")
    expect(page.locator("#announcer")).to_contain_text("I am the demo agent")
    page.keyboard.press("Alt+s")
    expect(page.get_by_role("button", name="Edit", exact=True)).to_be_focused()
    page.keyboard.press("Alt+e")
    expect(page.get_by_label("Filter events")).to_be_focused()
    page.keyboard.press("Alt+t")
    expect(playground.threads.first.locator(".open")).to_be_focused()
    page.keyboard.press("/")
    expect(playground.box).to_be_focused()
    outline = playground.page.locator("#composer").evaluate("form => getComputedStyle(form).boxShadow")
    assert outline != "none"


def test_the_page_may_not_be_framed_and_runs_its_own_scripts_only(demo: str) -> None:
    answer = httpx.get(demo, headers={"accept": "text/html"})

    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'; trusted-types dompurify" in policy
    assert answer.headers["vary"].lower().startswith("accept")


def test_modules_are_cached_for_good_and_only_those_of_the_page_are_served(demo: str) -> None:
    page = httpx.get(demo, headers={"accept": "text/html"}).text
    folder = re.search(r"/(playground/\w+)/main\.js", page)
    assert folder is not None

    module = httpx.get(f"{demo}/{folder[1]}/session.js")
    others = [
        httpx.get(f"{demo}/{path}").status_code
        for path in (f"{folder[1]}/index.html", f"{folder[1]}/../__init__.py", "playground/0/session.js")
    ]

    assert module.headers["content-type"].startswith("text/javascript")
    assert module.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert module.headers["x-content-type-options"] == "nosniff"
    assert others == [404, 404, 404]


def test_a_thread_has_an_address_and_back_leads_to_the_one_before(playground: Playground) -> None:
    page = playground.page
    playground.send("weather in Oslo")
    playground.expect_answer("sunny in Oslo")
    oslo = page.url
    expect(page).to_have_title(re.compile("^weather in Oslo · "))
    page.keyboard.press("Alt+n")
    playground.send("weather in Rome")
    playground.expect_answer("sunny in Rome")
    expect(page.get_by_role("heading", name="weather in Rome")).to_be_visible()
    rome = page.url
    page.get_by_role("tab", name="GraphQL").click()
    expect(page).to_have_url(re.compile("#graphql$"))

    page.go_back()
    expect(page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    expect(playground.said).to_have_text(["weather in Rome"])
    page.go_back()
    expect(playground.said).to_have_text(["weather in Oslo"])
    assert page.url == oslo
    page.go_forward()
    expect(playground.said).to_have_text(["weather in Rome"])
    assert page.url == rome != oslo
    other = page.context.new_page()
    other.goto(oslo)
    expect(Playground(other).said).to_have_text(["weather in Oslo"])


@pytest.mark.parametrize("contract", ["rest", "graphql"])
def test_messages_are_copied_edited_and_answered_again(playground: Playground, contract: str) -> None:
    page = playground.page
    playground.speak(contract)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    playground.send("weather in Oslo")
    playground.expect_answer("sunny in Oslo")
    playground.send("weather in Rome")
    playground.expect_answer("sunny in Rome")
    page.get_by_role("button", name="Copy this message").last.click()
    expect(page.locator("#announcer")).to_have_text("Copied.")
    assert page.evaluate("() => navigator.clipboard.readText()") == "It is 21 °C and sunny in Rome."

    page.get_by_role("button", name="Edit this message").first.click()
    page.get_by_label("Edit the message").fill("weather in Bergen")
    page.keyboard.press("Enter")
    playground.expect_answer("sunny in Bergen")
    expect(playground.said).to_have_text(["weather in Bergen"])
    expect(playground.answers).to_have_count(1)
    # To its end: a page of the GraphQL contract that reloads earlier stops the run.
    with page.expect_request_finished(lambda request: "Bergen" in (request.post_data or "")) as sent:
        page.get_by_role("button", name="Answer again").click()
    assert "sunny in Bergen" not in (sent.value.post_data or "")
    playground.expect_answer("sunny in Bergen")
    expect(playground.answers).to_have_count(1)
    page.reload()
    playground.expect_answer("sunny in Bergen")
    expect(playground.said).to_have_text(["weather in Bergen"])


def test_an_edit_is_left_with_escape(playground: Playground) -> None:
    playground.send("weather in Oslo")
    playground.expect_answer("sunny in Oslo")
    playground.page.get_by_role("button", name="Edit this message").click()
    playground.page.keyboard.type("!")
    playground.page.keyboard.press("Escape")

    expect(playground.said).to_have_text(["weather in Oslo"])
    expect(playground.page.get_by_role("button", name="Edit this message")).to_be_focused()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_agent_suggests_what_to_say(playground: Playground, contract: str) -> None:
    playground.speak(contract)
    playground.page.get_by_role("button", name="Suggestions").click()
    playground.page.locator(".chip", has_text="Weather in Paris").click()

    playground.expect_answer("sunny in Paris")
    expect(playground.said).to_have_text(["What is the weather in Paris?"])
    expect(playground.page.locator(".chip")).to_have_count(3)
    playground.page.get_by_role("button", name="Suggestions").click()
    expect(playground.page.locator(".chip")).to_have_count(0)
    expect(playground.threads.filter(has_text="Suggest")).to_have_count(0)


def test_an_agent_without_suggestions_is_named_as_such(browser: Browser, url: str) -> None:
    with opened(browser, url) as page:
        Playground(page).choose_agent("sharing")
        page.get_by_role("button", name="Suggestions").click()

        expect(page.locator("#suggestions-note")).to_have_text("The agent made no suggestions.")


def test_the_panes_are_resized_by_pointer_and_keyboard(playground: Playground) -> None:
    page = playground.page
    edge = page.get_by_role("separator", name="Width of events and state")
    box = edge.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 4, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] - 96, box["y"] + 300)
    page.mouse.up()
    expect(edge).to_have_attribute("aria-valuenow", "500")
    edge.press("ArrowRight")
    page.reload()

    expect(edge).to_have_attribute("aria-valuenow", "484")
    assert page.locator("#inspector").evaluate("pane => pane.clientWidth") in range(480, 485)
    edge.dblclick()
    expect(edge).to_have_attribute("aria-valuenow", "400")


def test_a_run_that_fails_and_a_request_that_is_refused_are_red(browser: Browser, url: str) -> None:
    with opened(browser, url, complains=True) as page:
        playground = Playground(page)
        page.route("**/threads?*", lambda route: route.fulfill(status=503, body="{}"))
        playground.choose_agent("broken")
        playground.send("Are you there?")
        expect(page.locator("#failure-text")).not_to_be_empty()

        failed = page.locator("#timeline [data-kind=errors] > details > summary")
        expect(failed.filter(has_text="RUN_ERROR")).to_have_count(1)
        refused = failed.filter(has_text="/threads").first
        expect(refused.locator(".outcome")).to_have_text(re.compile("^503 · "))
        expect(page.locator("#timeline .run.failed .outcome").first).to_have_text(re.compile("^failed · "))
        red = refused.locator(".type").evaluate("node => getComputedStyle(node).color")
        assert red == "rgb(189, 28, 58)"


async def mailing(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Calls the server's tool `send`, and says its result."""
    last = input.messages[-1]
    if last.role == "tool":
        yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": input.run_id, "delta": f"Result: {last.content}"}
    else:
        call = {"toolCallId": input.run_id, "toolCallName": "send", "delta": '{"to": "bob"}'}
        yield {"type": "TOOL_CALL_CHUNK", **call}


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_a_tool_call_is_approved_or_denied_with_a_button(
    browser: Browser, contract: str, answer: str
) -> None:
    mails = Mails()
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"mail": mailing}, actions=mails.actions)))
    with serve_app(app) as origin, opened(browser, f"{origin}/api/copilotkit") as page:
        playground = Playground(page)
        playground.speak(contract)
        playground.send("Write to Bob")
        expect(playground.question).to_contain_text("Send it?")
        expect(playground.question).to_contain_text("Approval of a tool call")
        playground.question.get_by_role("button", name=answer).click()

        playground.expect_answer("Result: ")
        expect(playground.answered).to_contain_text("Send it?")
        expect(playground.answered).to_contain_text(f"You answered {answer.lower()}")
        assert mails.sent == (["bob"] if answer == "Yes" else [])
