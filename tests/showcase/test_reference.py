"""The same page and agents behind the Node runtime 1.75: the page gets the same frames and draws the same.

The open-source Node runtime has two of the features in part, and they are compared as far as it has them:

- Thread list: it lists the threads in its memory. Without the paid platform, it refuses to rename, archive
  or delete one.
- Attachments: it takes no uploads, so its pages send files as base64 in the message.

The two differ on purpose in these points, and the tests hold both to them:

- `GOES_ON`: our runtime runs the call that draws, so the model learns what became of it, and answers.
- `a2ui_recovery`: so it also learns that a surface is invalid.
- Activities of a page that is loaded again: ours sends how each ended, the Node runtime what it went through.
- MCP Apps: ours takes the page's origin from the document (`tests/browser/test_hostile_frames.py`).
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest
from fastapi import FastAPI
from jsonpatch import JsonPatch
from playwright.sync_api import FilePayload, Locator, Route, expect

from copilotkit_runtime_py import CopilotRuntime, create_router
from showcase.app import load_agents
from tests.clients_agui import node
from tests.mcp_server import served
from tests.npm import install

from .conftest import Open
from .tab import Tab
from .test_chat import PNG

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

Event: TypeAlias = dict[str, Any]
OpenBoth: TypeAlias = Callable[..., tuple[Tab, Tab]]


class Surface(NamedTuple):
    """What a feature draws: what to press for it, where it is, and how many of it there are."""

    buttons: Sequence[str]
    selector: str
    number: int = 1


CHAT = "[data-testid=copilot-message-list]"
ANSWER = "[data-testid=copilot-assistant-message]"
SURFACES = {
    "chat": Surface(["Paint the page"], f"{ANSWER}:has-text('Done.')"),
    "reasoning": Surface(["A riddle"], ANSWER),
    "suggestions": Surface(
        ["Tell me about Kyoto"], "[data-testid=copilot-suggestions] button:has-text('?')", 2
    ),
    "tool_rendering": Surface(["Compare two places"], "[data-testid=weather]:has(strong)", 2),
    "subagents": Surface(["A panel about bees"], "[data-testid=task][data-done=true]", 2),
    "multi_agent": Surface(["Advertise the kettle", "Hand the draft over"], f"[aria-label=Editor] {ANSWER}"),
    "human_by_tool": Surface(["Upgrade the service"], "[data-testid=review]:has(footer)"),
    "human_by_interrupt": Surface(["A train to Munich"], "[role=alertdialog] .train", 3),
    "shared_state": Surface(["Make it better"], "[data-testid=recipe] li:nth-child(4)"),
    "predictive_state": Surface(
        ["Write a story"], "[data-testid=document][data-writing=false] p:nth-child(3)"
    ),
    "tool_ui": Surface(["Show our sales"], "[data-testid=chart] li:nth-child(6)"),
    "agentic_ui": Surface(["Fix the build"], "[data-testid=steps] [data-status=done]", 5),
    "a2ui_fixed": Surface(["A concert"], f"{CHAT} button:has-text('Book a seat')"),
    "a2ui_dynamic": Surface(["How is the shop doing?"], "[data-testid=metric]", 3),
    "mcp_apps": Surface(["Go to the cinema"], "[data-testid=mcp-app-iframe]"),
    "open_ui": Surface(["A coffee timer"], f"{CHAT} iframe"),
    "threads": Surface(["Start a conversation"], ANSWER),
}
# What the model says only in front of our runtime: the Node runtime ends the run with the call that draws.
GOES_ON = {
    "a2ui_dynamic": "Revenue and orders are up; fewer customers send things back.",
    "mcp_apps": "Choose your seats above, then press Reserve.",
}


# Keeps the events that the page gets: the browser itself does not hold the body of each stream. Streams stand
# in the order of the requests, for answers may come in any order.
RECORD = """
window.wire = [];
const { fetch } = window;
window.fetch = (...request) => {
  const response = fetch(...request);
  const isStream = ({ headers }) => headers.get("content-type")?.startsWith("text/event-stream");
  wire.push(response.then((answer) => (isStream(answer) ? answer.clone().text() : "")).catch(() => ""));
  return response;
};
"""


def received(tab: Tab) -> list[Event]:
    """The events that a tab got since it was loaded, in the form that `comparable` gives them."""
    streams: list[str] = tab.page.evaluate("Promise.all(wire)")
    lines = [line for stream in streams for line in stream.splitlines()]
    return comparable(json.loads(line[5:]) for line in lines if line.startswith("data:"))


# Ids are drawn at random. What embeds one, as activities do, is compared with it.
ID = re.compile(r"call_[0-9a-f]{32}|(?:lc_run-+)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# What is the same for each feature, and what a framework says of itself.
NOT_COMPARED = {
    *("RUN_STARTED", "RUN_FINISHED", "STEP_STARTED", "STEP_FINISHED", "RAW"),
    *("MESSAGES_SNAPSHOT", "STATE_SNAPSHOT"),
}
GROWING = {"TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT", "TOOL_CALL_ARGS"}
DEFAULTS: dict[str, Event] = {
    "ACTIVITY_SNAPSHOT": {"replace": True},
    "TOOL_CALL_RESULT": {"role": "tool", "messageId": "drawn at random"},
}
RANDOM_IDS = {"mcp-apps": {"messageId": "drawn at random"}}


def comparable(emitted: Iterable[Event]) -> list[Event]:
    """Returns events with ids in the order of their appearance, and with the pieces of each text joined."""
    joined: list[Event] = []
    for event in emitted:
        # A page is told that it waits for a slow disk.
        if event["type"] in NOT_COMPARED or event.get("name") == "saving":
            continue
        event = {name: value for name, value in event.items() if name not in ("timestamp", "rawEvent")}
        event |= DEFAULTS.get(event["type"], {}) | RANDOM_IDS.get(event.get("activityType", ""), {})
        if joined and event["type"] in GROWING and same_text(joined[-1], event):
            joined[-1]["delta"] += event["delta"]
        else:
            joined.append(event)
    seen: dict[str, str] = {}
    text = ID.sub(lambda found: seen.setdefault(found[0], f"id-{len(seen)}"), json.dumps(joined))
    return in_order_of_calls(json.loads(text))


def in_order_of_calls(emitted: list[Event]) -> list[Event]:
    """Returns events with the results of tools that ran side by side in the order of their calls."""
    runs = itertools.groupby(emitted, lambda event: bool(event["type"] == "TOOL_CALL_RESULT"))
    return [
        event
        for are_results, run in runs
        for event in (sorted(run, key=lambda result: str(result["toolCallId"])) if are_results else run)
    ]


def same_text(event: Event, other: Event) -> bool:
    return {**event, "delta": ""} == {**other, "delta": ""}


def settled(emitted: Sequence[Event]) -> list[Event]:
    """Returns events with each activity as it is in the end, in the place of its first event."""
    shown: dict[str, Event] = {}
    events: list[Event] = []
    for event in emitted:
        if event["type"] == "ACTIVITY_DELTA":
            content = shown[event["messageId"]]["content"]
            shown[event["messageId"]]["content"] = JsonPatch(event["patch"]).apply(content)
        elif event["type"] != "ACTIVITY_SNAPSHOT":
            events.append(event)
        elif event["messageId"] in shown:
            shown[event["messageId"]]["content"] = event["content"]
        else:
            shown[event["messageId"]] = copy.deepcopy(event)
            events.append(shown[event["messageId"]])
    return events


@pytest.fixture(scope="module")
def reference(page: Path, showcase: str) -> Iterator[str]:
    """The URL of the showcase in front of the Node runtime, with agents that do what the showcase's do."""
    install(node.HERE)
    agents = load_agents()
    # The Node runtime has to draw itself.
    runtime = CopilotRuntime(agents, default_agent="chat", a2ui=False)
    app = FastAPI()
    app.include_router(create_router(runtime, path="/agents"))
    with served(app) as port:
        command = ["node", str(node.HERE / "showcase_reference.mjs"), str(page)]
        base = f"http://127.0.0.1:{port}/agents/agent/"
        process = subprocess.Popen(
            [*command, base, f"{showcase}/cinema/mcp", *agents],
            stdout=subprocess.PIPE,
            env={**os.environ, **node.ENVIRONMENT},
            text=True,
        )
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def open_both(open_tab: Open, showcase: str, reference: str) -> OpenBoth:
    """Opens a feature in front of our runtime and in front of the Node runtime."""

    def open_both(feature: str, **options: Any) -> tuple[Tab, Tab]:
        ours, theirs = (open_tab(feature, url=url, script=RECORD, **options) for url in (showcase, reference))
        return ours, theirs

    return open_both


def drawn(tab: Tab, feature: str, surface: Locator) -> list[str]:
    """What the feature's surface shows."""
    if feature == "mcp_apps":
        seats = surface.content_frame.locator("iframe").content_frame.locator("#seats button")
        expect(seats).to_have_count(18)
        # Other tests may have taken seats.
        return [seat.strip() for seat in seats.all_text_contents()]
    if feature == "open_ui":
        body = surface.content_frame.locator("body")
        expect(body.locator("output")).to_have_text("3:00")
        return [body.inner_text()]
    if feature == "shared_state":
        return [field.input_value() for field in tab.get("recipe").locator("input").all()]
    if feature == "a2ui_fixed":
        return [surface.locator("xpath=ancestor::*[.//h3]").last.inner_text()]
    return surface.all_inner_texts()


def without_answer(feature: str, emitted: Sequence[Event]) -> list[Event]:
    """Returns our events without what only our runtime's model says."""
    if feature not in GOES_ON:
        return list(emitted)
    *before, start, content, end = emitted
    assert [start["type"], content.get("delta"), end["type"]] == [
        "TEXT_MESSAGE_START",
        GOES_ON[feature],
        "TEXT_MESSAGE_END",
    ]
    return before


@pytest.mark.parametrize("feature", SURFACES)
def test_both_runtimes_have_the_page_draw_the_same(open_both: OpenBoth, feature: str) -> None:
    buttons, selector, count = SURFACES[feature]
    tabs = open_both(feature)
    for button in buttons:
        for tab in tabs:
            tab.press(button)
    shown, wires = [], []
    for is_live in (True, False):
        for tab in tabs:
            surface = tab.page.locator(selector)
            expect(surface).to_have_count(count, timeout=30_000)
            expect(tab.page.locator("[data-copilot-running=true]")).to_have_count(0)
            shown.append(drawn(tab, feature, surface))
            wires.append(received(tab))
            if is_live:
                tab.reload()
            else:
                tab.forget_problems("An iframe which has both allow-scripts and allow-same-origin")
                if tab is tabs[1]:
                    # The page names a new thread.
                    tab.forget_problems("Thread mutations are not available")

    assert shown[0]
    assert shown == [shown[0]] * 4
    live, live_of_node, reloaded, reloaded_of_node = wires
    assert without_answer(feature, live) == live_of_node
    # What an activity went through is of no use to a page that comes later: ours sends how it ended.
    assert without_answer(feature, reloaded) == settled(reloaded_of_node)
    assert settled(reloaded) == reloaded


def test_only_our_runtime_has_the_model_draw_an_invalid_surface_again(open_both: OpenBoth) -> None:
    """The Node runtime tells the model that its surface was rendered, and the page waits for another one."""
    ours, theirs = open_both("a2ui_recovery")
    for tab in (ours, theirs):
        tab.press("Opening hours")
    expect(ours.answers.last).to_contain_text("We are open on weekdays.")
    expect(theirs.page.get_by_text("Retrying", exact=False)).to_be_visible()
    for tab in (ours, theirs):
        expect(tab.page.locator("[data-copilot-running=true]")).to_have_count(0)
    frames, (*frames_of_node, result) = received(ours), received(theirs)

    assert frames[: len(frames_of_node)] == frames_of_node
    assert result["content"] == '{"status":"rendered"}'
    assert "Child reference 'hours' does not match" in frames[len(frames_of_node)]["content"]
    surface = frames[0]["messageId"]
    assert [event["messageId"] for event in settled(frames) if "activityType" in event] == [surface]


PNG_BASE64 = base64.b64encode(PNG).decode()


def test_a_file_that_is_uploaded_reaches_the_agent_as_one_that_is_sent(open_both: OpenBoth) -> None:
    ours, theirs = open_both("attachments")
    theirs.page.route(re.compile(r"/assets/.*\.js"), without_uploads)
    theirs.reload()
    for tab in (ours, theirs):
        file: FilePayload = {"name": "dot.png", "mimeType": "image/png", "buffer": PNG}
        tab.page.locator("input[type=file]").set_input_files([file])
        with tab.page.expect_request("**/agent/attachments/run") as sent:
            tab.say("What is this?")
        assert (PNG_BASE64 in (sent.value.post_data or "")) == (tab is theirs)
    for is_live in (True, False):
        for tab in (ours, theirs):
            expect(tab.answers.last).to_contain_text(f"A PNG picture of 4 by 3 pixels, {len(PNG)} bytes")
            tab.wait_until_idle()
            picture = tab.asked.last.get_by_role("img").first
            assert picture.evaluate("image => image.naturalWidth") == 4
        assert received(ours) == received(theirs)
        if is_live:
            for tab in (ours, theirs):
                tab.reload()


def without_uploads(route: Route) -> None:
    """Serves the page as it is for a runtime that takes no uploads."""
    response = route.fetch()
    route.fulfill(response=response, body=re.sub(r",onUpload:\w+\}", "}", response.text()))


def test_both_runtimes_turn_a_recording_into_text(open_both: OpenBoth) -> None:
    for tab in open_both("voice", permissions=["microphone"]):
        tab.page.get_by_test_id("copilot-start-transcribe-button").click()
        tab.page.get_by_test_id("copilot-finish-transcribe-button").wait_for()
        tab.page.wait_for_timeout(500)  # of a recording
        tab.page.get_by_test_id("copilot-finish-transcribe-button").click()
        expect(tab.page.get_by_placeholder("Type a message...")).to_have_value("How far is the moon?")


def test_a_second_browser_joins_a_run_and_stops_it_on_both_runtimes(
    open_tab: Open, open_both: OpenBoth
) -> None:
    first = open_both("live_run")
    for tab in first:
        tab.press("Climb the tower")
    for tab in first:
        expect(tab.answers.last).to_contain_text("Floor 3 of 60")
        other = open_tab("live_run", tab.thread_id, url=tab.page.url.partition("/#")[0])
        expect(other.answers.last).to_contain_text("Floor 8 of 60")
        other.stop()
        expect(tab.get("live")).to_have_attribute("data-running", "false")
        said = tab.answers.last.inner_text()
        assert other.answers.last.inner_text() == said
        tab.reload()
        expect(tab.answers.last).to_have_text(said.replace("\n", ""))
