"""What graphs are given to draw A2UI surfaces, in this process and on a LangGraph server."""

from __future__ import annotations

from typing import Any

import pytest
from ag_ui_a2ui_toolkit import A2UI_SCHEMA_CONTEXT_DESCRIPTION
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from copilotkit_runtime_py.providers.langgraph.plan import plan_run
from copilotkit_runtime_py.providers.langgraph.schema import read_schema
from copilotkit_runtime_py.providers.langgraph_platform.message_ids import MessageIds
from copilotkit_runtime_py.providers.langgraph_platform.request import run_request
from tests.providers.emitted import collect

from .scripted import request, user

pytestmark = pytest.mark.anyio

CATALOG = '{"catalogId": "shop", "components": {}}'
FACT = {"description": "user", "value": "Ada"}
CONTEXT = [FACT, {"description": A2UI_SCHEMA_CONTEXT_DESCRIPTION, "value": CATALOG}]
GIVEN = [
    ([FACT], {}, {"tools": [], "context": [FACT]}),
    (CONTEXT, {}, {"tools": [], "context": [FACT], "a2ui_schema": CATALOG}),
    (
        CONTEXT,
        {"injectA2UITool": "draw"},
        {"tools": [], "context": [FACT], "a2ui_schema": CATALOG, "inject_a2ui_tool": "draw"},
    ),
    ([], {"injectA2UITool": True}, {"tools": [], "context": [], "inject_a2ui_tool": True}),
]


class Native(MessagesState):
    pass


Native.__annotations__["ag-ui"] = dict[str, Any]


def looking(seen: list[Any]) -> Any:
    def look(state: Any) -> dict[str, Any]:
        seen.append(state["ag-ui"])
        return {}

    return StateGraph(Native).add_node("look", look).add_edge(START, "look").compile()


@pytest.mark.parametrize(("context", "props", "channel"), GIVEN)
async def test_the_native_channel_has_the_component_schema_and_the_offer_of_a_tool(
    context: Any, props: Any, channel: Any
) -> None:
    seen: list[Any] = []
    input = request(user("hi", "u1"), context=context, forwardedProps=props)

    await collect(LangGraphProvider(looking(seen)), input)

    assert seen == [channel]


@pytest.mark.parametrize(("context", "props", "channel"), GIVEN)
async def test_a_server_is_sent_the_same_channel(context: Any, props: Any, channel: Any) -> None:
    graph = looking([])
    input = request(user("hi", "u1"), context=context, forwardedProps=props)

    plan = await plan_run(graph, read_schema(graph), input, {"configurable": {"thread_id": "t"}}, None)

    assert run_request(plan, "assistant", input, MessageIds({}))["input"]["ag-ui"] == channel
