"""Surfaces and documents that are made to stop a server or a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from copilotkit_runtime_py import A2UI, CopilotRuntime, Recovery
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.generative_ui.a2ui import component_errors
from copilotkit_runtime_py.generative_ui.bounds import MAX_COMPONENTS, excess
from tests.generative_ui.test_runs import SANDBOX, Drawing, Event, asked, emitted, shown

pytestmark = pytest.mark.anyio

DRAWN = "The surface would draw more than 20000 components."
CIRCLES = "The components of a surface are children of each other in many circles."


def node(number: int, **properties: Any) -> dict[str, Any]:
    return {"id": f"c{number}" if number else "root", "component": "Column", **properties}


def text(id: str) -> dict[str, Any]:
    return {"id": id, "component": "Text", "text": "x"}


def laughs(depth: int) -> list[dict[str, Any]]:
    """Components each of which is twice in the one before: the page would draw 2 to the power of `depth`."""
    return [*(node(n, children=[f"c{n + 1}"] * 2) for n in range(depth)), text(f"c{depth}")]


def templates(depth: int, path: str) -> list[dict[str, Any]]:
    """Lists in lists, each of which repeats the next one for each item of the data."""
    lists = (node(n, children={"componentId": f"c{n + 1}", "path": path}) for n in range(depth))
    return [*lists, text(f"c{depth}")]


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


BOMBS = {
    "components": (
        [text(f"c{n}") for n in range(MAX_COMPONENTS + 1)],
        None,
        "A surface may have 1000 components at most.",
    ),
    "laughs": (laughs(30), None, DRAWN),
    "laughs by other properties": (
        [*(node(n, tabs=[{"child": f"c{n + 1}"}] * 3) for n in range(20)), text("c20")],
        None,
        DRAWN,
    ),
    "templates": (templates(4, "/items"), {"items": list(range(100))}, DRAWN),
    "relative templates": (templates(4, "items"), {"items": [{"items": list(range(100))}] * 100}, DRAWN),
    "a chain": (
        [*(node(n, child=f"c{n + 1}") for n in range(200)), text("c200")],
        None,
        "The components are nested more than 100 levels deep.",
    ),
    "children": (
        [node(0, children=["c1"] * 10_001), text("c1")],
        None,
        "The components of a surface may have 10000 children at most.",
    ),
    "missing children": (
        [{"id": "root", "component": "Column", "children": ["gone"] * 10_001}],
        None,
        "The components of a surface may have 10000 children at most.",
    ),
    "circles": ([node(n, children=["root", f"c{n + 1}"]) for n in range(900)], None, CIRCLES),
    "deep data": ([text("root")], {"a": deep(101)}, "The data is nested more than 100 levels deep."),
    "a deep component": (
        [{**text("root"), "style": deep(101)}],
        None,
        "A component is nested more than 100 levels deep.",
    ),
}


@pytest.mark.parametrize(("components", "data", "problem"), BOMBS.values(), ids=BOMBS)
def test_a_surface_that_is_too_much_for_a_page_is_told_from_others(
    components: list[Any], data: Any, problem: str
) -> None:
    assert excess(components, data) == problem
    assert component_errors(components, None, data=data) == [
        {"code": "too_large", "path": "components", "message": problem}
    ]


@pytest.mark.parametrize(
    ("components", "data"),
    [
        ([text("root")], None),
        (laughs(10), None),
        (templates(1, "/items"), {"items": list(range(10_000))}),
        (templates(2, "items"), {"items": [{"items": [1, 2, 3]}] * 50}),
        ([node(0, child="root")], None),
        ([{"id": "root", "component": "Text", "text": "root"}], None),
        ("no list", None),
        ([None, 7, {"id": 7}, {"id": ["a"], "child": {"componentId": {}, "path": 7}}], {"a": [None]}),
        ([node(0, children={"componentId": "c1", "path": "/a/7/b/x"}), text("c1")], {"a": [{"b": "x"}]}),
    ],
)
def test_other_surfaces_are_left_to_validation(components: Any, data: Any) -> None:
    assert excess(components, data) is None


def test_a_model_and_a_page_are_told_of_some_errors_of_many() -> None:
    components = [{"id": "root", "component": "Column", "children": ["gone" * 1000] * 5_000}]

    errors = component_errors(components, None)

    assert len(errors) == 20
    assert max(len(value) for error in errors for value in error.values()) == 300


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_that_a_model_writes_is_not_drawn_and_the_model_is_told(bomb: str) -> None:
    components, data, problem = BOMBS[bomb]
    call = {"surfaceId": "s1", "components": components} | ({} if data is None else {"data": data})
    agent = Drawing(("render_a2ui", call))
    runtime = CopilotRuntime({"a": agent}, a2ui=A2UI(inject_tool=True, recovery=Recovery(max_attempts=2)))

    out = await emitted(runtime, asked())

    (*_, (_, retrying), (_, failed)) = shown(out)
    told = "The JSON is nested too deeply." if "deep" in bomb else problem
    assert (retrying["status"], [each["message"] for each in retrying["errors"]]) == ("retrying", [told])
    assert (failed["status"], failed["error"]) == ("failed", "The surface could not be generated.")
    assert problem in agent.inputs[1].messages[-1].content
    assert out[-1]["type"] == "RUN_FINISHED"


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_in_the_result_of_a_tool_is_not_drawn(bomb: str) -> None:
    components, data, problem = BOMBS[bomb]
    operations = [
        {"version": "v0.9", "updateComponents": {"surfaceId": "s1", "components": components}},
        {"version": "v0.9", "updateDataModel": {"surfaceId": "s1", "path": "/", "value": data}},
    ]

    async def agent(input: Any) -> AsyncIterator[Event]:
        yield events.tool_call_start("c1", "search")
        yield events.tool_call_end("c1")
        yield events.tool_call_result("r1", "c1", json.dumps({"a2ui_operations": operations}))

    out = await emitted(CopilotRuntime({"a": agent}, a2ui=True), asked())

    failure = {"status": "failed", "error": problem, "attempts": [], "maxAttempts": 1}
    assert shown(out) == [("a2ui-surface-c1", failure)]
    assert out[-1]["type"] == "RUN_FINISHED"


async def test_a_result_draws_some_surfaces_and_not_thousands() -> None:
    operations = [
        {"version": "v0.9", "createSurface": {"surfaceId": f"s{n}", "catalogId": "c"}} for n in range(51)
    ]

    async def agent(input: Any) -> AsyncIterator[Event]:
        for id, drawn in (("c1", operations[:50]), ("c2", operations)):
            yield events.tool_call_start(id, "search")
            yield events.tool_call_end(id)
            yield events.tool_call_result(f"r-{id}", id, json.dumps({"a2ui_operations": drawn}))

    out = await emitted(CopilotRuntime({"a": agent}, a2ui=True), asked())

    *surfaces, failure = shown(out)
    assert [id for id, _ in surfaces] == [f"a2ui-surface-s{n}-c1" for n in range(50)]
    problem = "A result may draw 50 surfaces at most."
    failed = {"status": "failed", "error": problem, "attempts": [], "maxAttempts": 1}
    assert failure == ("a2ui-surface-c2", failed)


@pytest.mark.parametrize(
    ("height", "frame"),
    [("260.5", 260.5), ("1e300", 10_000), ("9" * 30, 10_000), ("-5", None), ("0", None), ("true", None)],
)
async def test_a_document_has_a_height_that_a_page_can_show(height: str, frame: float | None) -> None:
    async def agent(input: Any) -> AsyncIterator[Event]:
        yield events.tool_call_start("c0", "generateSandboxedUi")
        yield events.tool_call_args("c0", f'{{"initialHeight":{height},"html":"x"}}')
        yield events.tool_call_end("c0")

    out = await emitted(CopilotRuntime({"a": agent}, open_generative_ui=True), asked())

    content = {"generating": True} if frame is None else {"initialHeight": frame, "generating": True}
    assert shown(out) == [("c0-activity", content)]


async def test_a_surface_whose_data_grows_beyond_a_bound_is_given_up() -> None:
    items = list(range(150))
    call = {"surfaceId": "s1", "components": templates(3, "/items"), "data": {"items": items}}

    async def agent(input: Any) -> AsyncIterator[Event]:
        yield events.tool_call_start("c0", "render_a2ui")
        arguments = json.dumps(call)
        for start in range(0, len(arguments), 20):
            yield events.tool_call_args("c0", arguments[start : start + 20])
        yield events.tool_call_end("c0")

    out = await emitted(CopilotRuntime({"a": agent}, a2ui=True), asked())

    contents = [content for _, content in shown(out)]
    assert "a2ui_operations" in contents[-3]
    assert contents[-2]["errors"] == [{"code": "too_large", "path": "data", "message": DRAWN}]
    assert contents[-1]["status"] == "failed"


async def test_what_a_document_shows_is_bounded() -> None:
    async def agent(input: Any) -> AsyncIterator[Event]:
        yield events.tool_call_start("c0", "generateSandboxedUi")
        yield events.tool_call_args("c0", '{"jsExpressions":[' + ",".join(['"a()"'] * 1_500) + '],"html":"')
        for _ in range(30):
            yield events.tool_call_args("c0", "<p>" * 20_000)
        yield events.tool_call_args("c0", '"}')
        yield events.tool_call_end("c0")

    runtime = CopilotRuntime({"a": agent}, open_generative_ui=True)
    out = await emitted(runtime, asked(tools=[SANDBOX]))

    added = [event["patch"][0] for event in out if event["type"] == "ACTIVITY_DELTA"]
    assert sum(each["path"] == "/jsExpressions/-" for each in added) == 1_000
    html = sum(len(each["value"]) for each in added if each["path"] == "/html/-")
    assert 900_000 < html < 1024 * 1024
    assert added[-1] == {"op": "add", "path": "/generating", "value": False}
    assert out[-1]["type"] == "RUN_FINISHED"


@pytest.mark.parametrize(
    "arguments",
    [
        '{"surfaceId":"s1","components":' + "[" * 100_000,
        '{"surfaceId":"s1","components":[{"id":"root","component":"Text","x":' + "[" * 5_000,
        '{"html":' + "{" * 100_000,
        "]" * 10_000,
        '{"surfaceId":"' + "\\u00" * 1_000,
    ],
)
@pytest.mark.parametrize("tool", ["render_a2ui", "generateSandboxedUi"])
async def test_arguments_that_are_no_document_end_in_a_run_like_others(arguments: str, tool: str) -> None:
    async def agent(input: Any) -> AsyncIterator[Event]:
        yield events.tool_call_start("c0", tool)
        for start in range(0, len(arguments), 4_000):
            yield events.tool_call_args("c0", arguments[start : start + 4_000])
        yield events.tool_call_end("c0")

    runtime = CopilotRuntime({"a": agent}, a2ui=True, open_generative_ui=True)
    out = await emitted(runtime, asked(tools=[SANDBOX]))

    assert out[-1]["type"] == "RUN_FINISHED"
