"""The activities of generative UI are those that upstream's own middleware makes of the same events."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.generative_ui.a2ui import A2UI, Recovery
from copilotkit_runtime_py.generative_ui.features import EventTransform
from copilotkit_runtime_py.generative_ui.open_generative_ui import OpenGenerativeUI
from copilotkit_runtime_py.generative_ui.surfaces import Surfaces
from tests.clients_agui.node import HERE

pytestmark = pytest.mark.clients

COMPONENTS = [
    {"id": "root", "component": "Column", "children": {"componentId": "card", "path": "/rows"}},
    {"id": "card", "component": "Text", "text": {"path": "name"}},
]
ROWS = [{"name": "Ann"}, {"name": "Ben"}, {"name": 'Cid, "the" {third}'}]
INVALID = [{"id": "root", "component": "Column", "children": ["missing"]}]
SURFACE = {"surfaceId": "s1", "components": COMPONENTS, "data": {"rows": ROWS, "title": "People"}}
OPERATIONS = [
    {"version": "v0.9", "createSurface": {"surfaceId": "s2", "catalogId": "c"}},
    {"version": "v0.9", "updateComponents": {"surfaceId": "s2", "components": COMPONENTS}},
]
DOCUMENT = {
    "initialHeight": 200,
    "placeholderMessages": ["Thinking", "Drawing"],
    "css": "p { color: red }",
    "html": '<p class="a">Hi {you}</p>\n' * 4,
    "jsFunctions": "function f() {}",
    "jsExpressions": ["f()", "f(1)"],
}


def run(*parts: Iterable[Event]) -> list[Event]:
    body = [event for part in parts for event in part]
    return [events.run_started("t", "r"), *body, events.run_finished("t", "r")]


def call(
    id: str, name: str, arguments: Any, *, size: int = 7, result: str | None = None, parent: str | None = None
) -> list[Event]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    deltas = [text[at : at + size] for at in range(0, len(text), size)]
    emitted = [
        events.tool_call_start(id, name, parent),
        *(events.tool_call_args(id, delta) for delta in deltas),
        events.tool_call_end(id),
    ]
    return emitted if result is None else [*emitted, events.tool_call_result(f"m-{id}", id, result)]


def upstream(environment: dict[str, str], cases: list[dict[str, Any]]) -> list[list[Event]]:
    done = subprocess.run(
        ["node", "transforms.mjs"],
        cwd=HERE,
        env=environment,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    results: list[list[Event]] = json.loads(done.stdout)
    return results


def case(emitted: list[Event], **options: Any) -> dict[str, Any]:
    input = {
        "threadId": "t",
        "runId": "r",
        "messages": [],
        "tools": [],
        "context": [],
        "state": {},
        "forwardedProps": {},
    }
    return {"input": input, "events": emitted, "options": options}


def comparable(emitted: Iterable[Event]) -> list[Event]:
    """Without the ids of results, which upstream draws at random, and with the default of `replace`."""
    result: Event = {"messageId": "any", "role": "tool"}
    snapshot: Event = {"replace": True}
    defaults = {"TOOL_CALL_RESULT": result, "ACTIVITY_SNAPSHOT": snapshot}
    return [event | defaults.get(event["type"], {}) for event in emitted]


def transformed(transform: EventTransform, emitted: list[Event]) -> list[Event]:
    """What a run makes of its events, of which the last one ends it."""
    *others, terminal = emitted
    shown = [each for event in others for each in transform.push(event)]
    return [*shown, *transform.end(terminal), terminal]


def activities(emitted: Iterable[Event]) -> list[Event]:
    """The activity events; upstream's parser reports some of them a character later than ours."""
    return [event for event in comparable(emitted) if event["type"].startswith("ACTIVITY_")]


def test_open_generative_ui(node_environment: dict[str, str]) -> None:
    shuffled = list(DOCUMENT.items())
    random.Random(7).shuffle(shuffled)
    runs = [
        *(run(call("c1", "generateSandboxedUi", DOCUMENT, size=size)) for size in (1, 5, 64, 10_000)),
        run(call("c1", "generateSandboxedUi", dict(shuffled), size=9)),
        run(call("c1", "generateSandboxedUi", {"html": ""})),
        run(call("c1", "generateSandboxedUi", {"initialHeight": "tall", "html": "<b>x</b>"})),
        run(call("c1", "search", DOCUMENT), call("c2", "generateSandboxedUi", {"html": "é😀"}, result="ok")),
    ]
    theirs = upstream(node_environment, [case(each, openGenerativeUI=True) for each in runs])

    for emitted, expected in zip(runs, theirs, strict=True):
        transform = OpenGenerativeUI()
        ours = transformed(transform, emitted)
        assert activities(ours) == activities(expected)
        assert [event for event in ours if not event["type"].startswith("ACTIVITY_")] == emitted


def test_the_events_of_a_call_follow_the_first_sign_of_its_document() -> None:
    transform = OpenGenerativeUI()
    start, *rest = call("c1", "generateSandboxedUi", {"html": "<p>"}, size=7)

    assert list(transform.push(start)) == []
    assert [event["type"] for event in transform.push(rest[0])] == []
    assert [event["type"] for event in transform.push(rest[1])] == [
        "ACTIVITY_SNAPSHOT",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_ARGS",
        "ACTIVITY_DELTA",
        "ACTIVITY_DELTA",
        "ACTIVITY_DELTA",
    ]
    assert [event["type"] for event in transform.push(rest[-1])] == ["ACTIVITY_DELTA", "TOOL_CALL_END"]


def is_failure(event: Event) -> bool:
    return bool(event["type"] == "ACTIVITY_SNAPSHOT" and event["content"].get("status") == "failed")


@pytest.mark.parametrize("size", [1, 6, 50, 10_000])
def test_surfaces_that_stream(node_environment: dict[str, str], size: int) -> None:
    runs = [
        run(call("c1", "render_a2ui", SURFACE, size=size)),
        run(call("c1", "render_a2ui", {"surfaceId": "s", "components": COMPONENTS}, size=size)),
        run(call("c1", "render_a2ui", {**SURFACE, "data": {}}, size=size, result='{"status":"rendered"}')),
        run(call("c1", "render_a2ui", {**SURFACE, "components": INVALID}, size=size)),
    ]
    theirs = upstream(node_environment, [case(each, a2ui={"defaultCatalogId": "c"}) for each in runs])

    for emitted, expected in zip(runs, theirs, strict=True):
        transform = Surfaces(A2UI(default_catalog_id="c"), "c", None)
        ours = transformed(transform, emitted)
        # A surface that stays invalid is reported as failed at the end; upstream leaves the page waiting.
        shown = [each for each in ours if not is_failure(each)]
        assert comparable(shown) == comparable(expected)


def test_surfaces_from_results_and_failures(node_environment: dict[str, str]) -> None:
    other = [{"version": "v0.9", "createSurface": {"surfaceId": "s3", "catalogId": "c"}}]
    exhausted = {"error": "no", "code": "a2ui_recovery_exhausted", "attempts": [{"attempt": 1}]}
    envelope = json.dumps({"a2ui_operations": OPERATIONS})
    runs = [
        run(call("c1", "flights", {}, result=envelope)),
        run(call("c1", "flights", {}, result=json.dumps(envelope))),
        run(call("c1", "flights", {}, result=json.dumps({"a2ui_operations": [*OPERATIONS, *other, 1]}))),
        run(call("c1", "flights", {}, result=json.dumps(exhausted))),
        run(call("c1", "flights", {}, result='{"a2ui_operations": 1}'), call("c2", "x", {}, result="a2ui_")),
    ]
    options = {"recovery": {"debugExposure": "verbose", "maxAttempts": 5}}
    theirs = upstream(node_environment, [case(each, a2ui=options) for each in runs])

    for emitted, expected in zip(runs, theirs, strict=True):
        transform = Surfaces(A2UI(recovery=Recovery(debug_exposure="verbose", max_attempts=5)), "c", None)
        ours = transformed(transform, emitted)
        assert comparable(ours) == comparable(expected)


def test_a_render_call_inside_a_tool_is_shown_by_its_surface_alone(node_environment: dict[str, str]) -> None:
    outer = call("c1", "generate_a2ui", {"intent": "create"})
    inner = call("c2", "render_a2ui", SURFACE)
    answer = events.tool_call_result("m1", "c1", json.dumps({"a2ui_operations": OPERATIONS}))
    emitted = run(outer, inner, [answer])
    (expected,) = upstream(node_environment, [case(emitted, a2ui={"defaultCatalogId": "c"})])

    transform = Surfaces(A2UI(default_catalog_id="c"), "c", None)
    ours = transformed(transform, emitted)

    assert ours == [event for event in expected if event.get("toolCallId") != "c2"]


def drawn(emitted: Iterable[Event]) -> dict[str, list[str]]:
    """The surfaces that a page shows in the end, by the activity that holds them."""
    shown = {event["messageId"]: event["content"] for event in activities(emitted)}
    return {
        id: [each["createSurface"]["surfaceId"] for each in content["a2ui_operations"][:1]]
        for id, content in shown.items()
    }


def envelope_of(surface: str) -> str:
    create = {"version": "v0.9", "createSurface": {"surfaceId": surface, "catalogId": "c"}}
    return json.dumps({"a2ui_operations": [create]})


def side_by_side(first: list[Event], second: list[Event]) -> list[Event]:
    return [event for pair in zip(first, second, strict=True) for event in pair]


RESULTS = [
    events.tool_call_result("m-c1", "c1", envelope_of("s1")),
    events.tool_call_result("m-c2", "c2", envelope_of("s2")),
]
BESIDE = {
    "results": run(call("c1", "flights", {}, parent="m1"), call("c2", "flights", {}, parent="m1"), RESULTS),
    "render_calls": run(
        call("c1", "generate_a2ui", {}, parent="m1"),
        call("c2", "generate_a2ui", {}, parent="m1"),
        side_by_side(
            call("r1", "render_a2ui", {"surfaceId": "s1", "components": COMPONENTS}, parent="m2"),
            call("r2", "render_a2ui", {"surfaceId": "s2", "components": COMPONENTS}, parent="m3"),
        ),
        RESULTS,
    ),
}


@pytest.mark.parametrize("name", BESIDE)
def test_each_of_two_tools_that_run_side_by_side_has_its_surface(
    name: str, node_environment: dict[str, str]
) -> None:
    (theirs,) = upstream(node_environment, [case(BESIDE[name], a2ui={"defaultCatalogId": "c"})])
    ours = transformed(Surfaces(A2UI(default_catalog_id="c"), "c", None), BESIDE[name])

    # Upstream gives both the place of the later call, so that one surface takes the place of the other.
    assert drawn(theirs) == {"a2ui-surface-c2": ["s2"]}
    assert drawn(ours) == {"a2ui-surface-c1": ["s1"], "a2ui-surface-c2": ["s2"]}


def test_a_tool_that_is_done_leaves_the_render_call_of_another_one_inside_it() -> None:
    beside = call("c2", "weather", {}, parent="m1", result="sunny")
    inner = call("r1", "render_a2ui", SURFACE, parent="m2")
    emitted = run(call("c1", "generate_a2ui", {}, parent="m1"), beside, inner, RESULTS[:1])

    ours = transformed(Surfaces(A2UI(default_catalog_id="c"), "c", None), emitted)

    assert drawn(ours) == {"a2ui-surface-c1": ["s1"]}
    assert [event for event in ours if event.get("toolCallId") == "r1"] == []


def test_no_render_call_is_inside_a_tool_of_the_page() -> None:
    emitted = run(
        call("c1", "paint", {}, parent="m1"), call("r1", "render_a2ui", SURFACE, parent="m2", result="ok")
    )

    ours = transformed(Surfaces(A2UI(default_catalog_id="c"), "c", None, {"paint"}), emitted)

    assert drawn(ours) == {"a2ui-surface-r1": ["s1"]}
    assert [event["type"] for event in ours if event.get("toolCallId") == "r1"] == [
        event["type"] for event in emitted if event.get("toolCallId") == "r1"
    ]


def test_a_call_whose_result_only_the_messages_have_is_over() -> None:
    snapshot = {
        "type": "MESSAGES_SNAPSHOT",
        "messages": [{"id": "m-c1", "role": "tool", "toolCallId": "c1", "content": "sunny"}],
    }
    emitted = run(
        call("c1", "weather", {}, parent="m1"), [snapshot], call("r1", "render_a2ui", SURFACE, parent="m2")
    )

    ours = transformed(Surfaces(A2UI(default_catalog_id="c"), "c", None), emitted)

    assert drawn(ours) == {"a2ui-surface-r1": ["s1"]}
    assert [event["type"] for event in ours if event.get("toolCallId") == "r1"][-1] == "TOOL_CALL_RESULT"


def test_a_tool_that_gives_up_takes_its_own_surface_away_and_no_other() -> None:
    exhausted = json.dumps({"error": "no", "code": "a2ui_recovery_exhausted", "attempts": []})
    emitted = run(
        call("c1", "generate_a2ui", {}, parent="m1"),
        call("c2", "generate_a2ui", {}, parent="m1"),
        call("r1", "render_a2ui", {"surfaceId": "s1", "components": COMPONENTS}, parent="m2"),
        call("r2", "render_a2ui", {"surfaceId": "s2", "components": INVALID}, parent="m3"),
        [events.tool_call_result("m-c1", "c1", exhausted)],
    )

    ours = activities(transformed(Surfaces(A2UI(default_catalog_id="c"), "c", None), emitted))

    assert [event["messageId"] for event in ours if is_failure(event)] == ["a2ui-surface-c2"]
