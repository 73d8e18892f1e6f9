"""Generative UI in whole runs: what agents get, what pages see, live and after a reload."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import A2UI, CopilotRuntime, MCPServer, Recovery, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.runs.replay import replay
from tests.mcp_server import served
from tests.protocols.agui.served import Served
from tests.tools.test_mcp_apps import URI, make_apps_server

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
ANN = RequestContext(owner="ann")
VALID = {"surfaceId": "s1", "components": [{"id": "root", "component": "Text", "text": "Hi"}]}
INVALID = {"surfaceId": "s1", "components": [{"id": "root", "component": "Column", "children": ["gone"]}]}
SURFACE = {
    "a2ui_operations": [
        {
            "version": "v0.9",
            "createSurface": {
                "surfaceId": "s1",
                "catalogId": "https://a2ui.org/specification/v0_9/basic_catalog.json",
            },
        },
        {"version": "v0.9", "updateComponents": {"surfaceId": "s1", "components": VALID["components"]}},
    ]
}


def asked(**fields: Any) -> RunAgentInput:
    said = [{"id": "u1", "role": "user", "content": "hi"}]
    body = {"messages": said, "tools": [], "context": [], "state": {}, "forwardedProps": {}, **fields}
    return RunAgentInput.model_validate({"threadId": "t1", "runId": "r1"} | body)


class Drawing:
    """An agent that calls tools, one after the other, and then says that it is done."""

    def __init__(self, *calls: tuple[str, Any]) -> None:
        self.inputs: list[Any] = []
        self._calls = calls

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        self.inputs.append(input)
        place = len(self.inputs) - 1
        if place < len(self._calls):
            name, arguments = self._calls[place]
            yield events.tool_call_start(f"c{place}", name)
            yield events.tool_call_args(f"c{place}", json.dumps(arguments))
            yield events.tool_call_end(f"c{place}")
        else:
            yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "delta": "Done."}


SANDBOX = {"name": "generateSandboxedUi", "description": "", "parameters": {}}


def writing() -> Drawing:
    """An agent that writes a document."""
    return Drawing(("generateSandboxedUi", {"html": "<p>"}))


async def emitted(runtime: CopilotRuntime, input: RunAgentInput) -> list[Event]:
    run = await runtime.start("a", input, ANN)
    await run.wait()
    return [entry.event for entry in run.entries]


def shown(emitted: Sequence[Event]) -> list[tuple[str, Any]]:
    """What the page shows of activities, each as its message's id and content."""
    return [
        (event["messageId"], event["content"]) for event in emitted if event["type"] == "ACTIVITY_SNAPSHOT"
    ]


async def test_an_agent_draws_a_surface_and_goes_on() -> None:
    agent = Drawing(("render_a2ui", VALID))
    runtime = CopilotRuntime({"a": agent}, a2ui=A2UI(inject_tool=True))

    out = await emitted(runtime, asked())

    assert [tool.name for tool in agent.inputs[0].tools or ()] == ["render_a2ui"]
    assert [entry.description for entry in agent.inputs[0].context or ()] == [
        "A2UI render tool usage guide — how to call render_a2ui with valid arguments."
    ]
    assert agent.inputs[0].forwarded_props == {"injectA2UITool": True}
    assert shown(out) == [
        ("a2ui-surface-c0", {"status": "building"}),
        ("a2ui-surface-c0", {"status": "building", "progressTokens": 22}),
        ("a2ui-surface-c0", SURFACE),
    ]
    assert [event["content"] for event in out if event["type"] == "TOOL_CALL_RESULT"] == [
        '{"status":"rendered"}'
    ]
    assert agent.inputs[1].messages[-1].content == '{"status":"rendered"}'
    assert [event["type"] for event in out[-2:]] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]


async def test_a_reload_shows_the_surface_as_it_was_last() -> None:
    runtime = CopilotRuntime({"a": Drawing(("render_a2ui", VALID))}, a2ui=A2UI(inject_tool=True))
    await emitted(runtime, asked())

    view = await runtime.connect("a", "t1", ANN)

    assert shown(replay(view.logs)) == [("a2ui-surface-c0", SURFACE)]


async def test_an_invalid_surface_is_drawn_again_in_the_same_place() -> None:
    agent = Drawing(("render_a2ui", INVALID), ("render_a2ui", VALID))
    runtime = CopilotRuntime({"a": agent}, a2ui=A2UI(inject_tool=True))

    out = await emitted(runtime, asked())

    error = {
        "code": "unresolved_child",
        "path": "components[0].children[0]",
        "message": "Child reference 'gone' does not match any component id",
    }
    states = [content for id, content in shown(out) if id == "a2ui-surface-c0"]
    assert states[-2] == {"status": "retrying", "attempt": 2, "maxAttempts": 3, "errors": [error]}
    assert states[-1] == SURFACE
    assert {id for id, _ in shown(out)} == {"a2ui-surface-c0"}
    assert json.loads(agent.inputs[1].messages[-1].content)["errors"] == [error]


async def test_an_agent_that_fails_too_often_leaves_a_failure() -> None:
    agent = Drawing(*[("render_a2ui", INVALID)] * 2)
    runtime = CopilotRuntime({"a": agent}, a2ui=A2UI(inject_tool=True, recovery=Recovery(max_attempts=2)))

    out = await emitted(runtime, asked())

    id, content = shown(out)[-1]
    assert (id, content["status"], content["maxAttempts"]) == ("a2ui-surface-c0", "failed", 2)
    assert [attempt["attempt"] for attempt in content["attempts"]] == [1, 2]


@pytest.mark.parametrize(
    ("a2ui", "properties", "offered"),
    [
        (None, {}, []),
        (None, {"a2uiCatalogAvailable": True}, ["render_a2ui"]),
        (None, {"a2uiCatalogAvailable": "yes"}, []),
        (False, {"a2uiCatalogAvailable": True}, []),
        (True, {}, []),
        (A2UI(inject_tool="draw"), {}, ["draw"]),
        (A2UI(inject_tool=False), {"a2uiCatalogAvailable": True}, []),
        (A2UI(agents=["b"]), {"a2uiCatalogAvailable": True}, []),
    ],
)
async def test_the_tool_is_offered_where_the_page_or_the_operator_wants_it(
    a2ui: A2UI | bool | None, properties: dict[str, Any], offered: list[str]
) -> None:
    agent = Drawing()
    runtime = CopilotRuntime({"a": agent}, a2ui=a2ui)

    await emitted(runtime, asked(forwardedProps=properties))

    assert [tool.name for tool in agent.inputs[0].tools or ()] == offered


async def test_the_operators_schema_takes_the_place_of_the_pages() -> None:
    from ag_ui_a2ui_toolkit import A2UI_SCHEMA_CONTEXT_DESCRIPTION as DESCRIPTION

    page = {"description": DESCRIPTION, "value": '{"catalogId":"page","components":{}}'}
    agent = Drawing(("render_a2ui", VALID))
    schema = {"catalogId": "own", "components": {"Card": {"required": ["child"]}}}
    runtime = CopilotRuntime({"a": agent}, a2ui=A2UI(schema=schema, inject_tool=True))

    out = await emitted(runtime, asked(context=[page]))

    assert {entry.description: entry.value for entry in agent.inputs[0].context or ()}[
        DESCRIPTION
    ] == json.dumps(schema, separators=(",", ":"))
    assert shown(out)[-2][1]["errors"][0]["code"] == "unknown_component"
    assert shown(out)[-1][1]["status"] == "failed"


async def test_surfaces_use_the_catalog_of_the_page() -> None:
    from ag_ui_a2ui_toolkit import A2UI_SCHEMA_CONTEXT_DESCRIPTION as DESCRIPTION

    page = {"description": DESCRIPTION, "value": '{"catalogId":"page","components":{}}'}
    runtime = CopilotRuntime({"a": Drawing(("render_a2ui", VALID))})

    out = await emitted(runtime, asked(context=[page], forwardedProps={"a2uiCatalogAvailable": True}))

    assert shown(out)[-1][1]["a2ui_operations"][0]["createSurface"]["catalogId"] == "page"


async def test_an_agent_learns_what_the_user_did_on_a_surface() -> None:
    action = {"name": "click", "surfaceId": "flights", "sourceComponentId": "b", "context": {"x": 1}}
    agent = Drawing()
    runtime = CopilotRuntime({"a": agent}, a2ui=True)

    await emitted(runtime, asked(forwardedProps={"a2uiAction": {"userAction": action}}))

    user, call, result = agent.inputs[0].messages
    assert user.role == "user"
    assert call.tool_calls[0].function.name == "log_a2ui_event"
    assert json.loads(call.tool_calls[0].function.arguments) == action
    assert result.content == (
        'User performed action "click" on surface "flights" (component: b). Context: {"x":1}'
    )
    assert result.tool_call_id == call.tool_calls[0].id


async def test_a_render_call_inside_a_tool_of_the_agent_is_left_to_that_tool() -> None:
    async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.tool_call_start("outer", "generate_a2ui", "m1")
        yield events.tool_call_args("outer", "{}")
        yield events.tool_call_end("outer")
        yield events.tool_call_start("inner", "render_a2ui", "m2")
        yield events.tool_call_args("inner", json.dumps(VALID))
        yield events.tool_call_end("inner")
        yield events.tool_call_result("r", "outer", json.dumps(SURFACE))

    runtime = CopilotRuntime({"a": agent}, a2ui=A2UI(inject_tool=True))

    out = await emitted(runtime, asked())

    assert shown(out)[-1] == ("a2ui-surface-outer", SURFACE)
    assert [e["type"] for e in out if e.get("toolCallId") == "inner"] == []
    assert [e["content"] for e in out if e["type"] == "TOOL_CALL_RESULT"] == [json.dumps(SURFACE)]
    assert out[-1]["type"] == "RUN_FINISHED"


async def test_a_document_appears_while_the_model_writes_it() -> None:
    runtime = CopilotRuntime({"a": writing()}, open_generative_ui=["a"])

    out = await emitted(runtime, asked(tools=[SANDBOX]))

    patches = [event["patch"][0] for event in out if event["type"] == "ACTIVITY_DELTA"]
    assert shown(out) == [("c0-activity", {"generating": True})]
    assert [(patch["path"], patch["value"]) for patch in patches] == [
        ("/html", []),
        ("/html/-", "<p>"),
        ("/htmlComplete", True),
        ("/generating", False),
    ]


async def test_a_reload_shows_the_document_as_one_snapshot() -> None:
    runtime = CopilotRuntime({"a": writing()}, open_generative_ui=True)
    await emitted(runtime, asked(tools=[SANDBOX]))

    view = await runtime.connect("a", "t1", ANN)

    replayed = replay(view.logs)
    assert shown(replayed) == [("c0-activity", {"generating": False, "html": ["<p>"], "htmlComplete": True})]
    assert [event for event in replayed if event["type"] == "ACTIVITY_DELTA"] == []


async def test_documents_of_other_agents_are_plain_tool_calls() -> None:
    runtime = CopilotRuntime({"a": writing()}, open_generative_ui=["b"])

    out = await emitted(runtime, asked())

    assert shown(out) == []


async def test_a_run_goes_on_although_a_transform_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from copilotkit_runtime_py.generative_ui import open_generative_ui

    monkeypatch.setattr(open_generative_ui, "activity_snapshot", None)
    runtime = CopilotRuntime({"a": writing()}, open_generative_ui=True)

    out = await emitted(runtime, asked())

    assert out[-1]["type"] == "RUN_FINISHED"


@pytest.fixture(scope="module")
def mcp_url() -> Iterator[str]:
    with served(make_apps_server().streamable_http_app()) as port:
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.mark.processes
async def test_a_tool_of_an_mcp_server_brings_its_frame_and_the_agent_goes_on(mcp_url: str) -> None:
    server = MCPServer("clock", url=mcp_url, apps=True)
    agent = Drawing(("show_clock", {"zone": "UTC"}))
    runtime = CopilotRuntime({"a": agent}, mcp_servers=[server])

    out = await emitted(runtime, asked())
    await runtime.aclose()

    assert shown(out) == [
        (
            "activity-c0",
            {
                "result": {"content": [{"type": "text", "text": "12:00 UTC"}], "isError": False},
                "resourceUri": URI,
                "serverId": "clock",
                "serverHash": server.hash,
                "toolInput": {"zone": "UTC"},
            },
        )
    ]
    types = [event["type"] for event in out]
    assert types.index("ACTIVITY_SNAPSHOT") == types.index("TOOL_CALL_RESULT") + 1
    assert agent.inputs[1].messages[-1].content == "12:00 UTC"


@pytest.mark.processes
async def test_a_frame_is_answered_without_the_agent_while_its_thread_has_a_run(mcp_url: str) -> None:
    server = MCPServer("clock", url=mcp_url, apps=True)
    agent = Drawing()
    runtime = CopilotRuntime({"a": agent}, mcp_servers=[server])
    asked_ = {"serverHash": server.hash, "method": "tools/call", "params": {"name": "tick"}}

    client = Served(runtime)
    answer = await client.events(client.run("a", forwardedProps={"__proxiedMCPRequest": asked_}))
    await runtime.aclose()

    assert answer == [
        {"type": "RUN_STARTED", "threadId": "t1", "runId": "r1"},
        {
            "type": "RUN_FINISHED",
            "threadId": "t1",
            "runId": "r1",
            "result": {"content": [{"type": "text", "text": "tock"}], "isError": False},
        },
    ]
    assert agent.inputs == []
    assert await runtime.state_store.list_threads("anonymous") == []


@pytest.mark.parametrize("asked_", [{"serverId": "clock", "method": "ping"}, "ping", 1, []])
async def test_a_frames_request_never_starts_an_agent(asked_: Any) -> None:
    agent = Drawing()
    runtime = CopilotRuntime({"a": agent})

    client = Served(runtime)
    answer = await client.events(client.run("a", forwardedProps={"__proxiedMCPRequest": asked_}))

    assert set(answer[-1]["result"]) == {"error"}
    assert agent.inputs == []
