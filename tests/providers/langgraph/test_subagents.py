"""Agents that run inside an agent's tools, in the three modes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.generative_ui.a2ui import A2UI
from copilotkit_runtime_py.generative_ui.surfaces import Surfaces
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from copilotkit_runtime_py.providers.langgraph.subagents import SubagentMode
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import ScriptedModel, calling, in_turn, request, says, user

pytestmark = pytest.mark.anyio

MODES: list[SubagentMode] = ["inline", "attributed", "hidden"]
SURFACE = '{"surfaceId": "s", "components": [{"id": "root", "component": "Text", "text": "Hi"}]}'


@tool
def look() -> str:
    """Looks."""
    get_stream_writer()("looking")
    return "looked"


def asking(name: str, agent: Any) -> BaseTool:
    """Returns a tool that hands over to an agent."""

    @tool(name, description="Asks.")
    async def ask() -> str:
        result = await agent.ainvoke({"messages": [("user", "Do it")]})
        return str(result["messages"][-1].text)

    return ask


def delegating(model: ScriptedModel, **options: Any) -> Any:
    researcher = {
        "name": "researcher",
        "description": "Researches.",
        "system_prompt": "Research.",
        "tools": [look],
        "model": in_turn(calling("inner", "look", "{}"), ["I have ", "researched."]),
    }
    return create_deep_agent(model=model, subagents=[researcher], **options)  # type: ignore[list-item]


def deep_agent(**options: Any) -> Any:
    task = calling("outer", "task", '{"description": "go", "subagent_type": "researcher"}')
    return delegating(in_turn(task, ["Summary"], ["Bye"]), **options)


def tree() -> Any:
    """Returns an agent that asks one that asks another one."""
    deepest = create_agent(says("Found"), name="deepest")
    middle = create_agent(
        in_turn(calling("c2", "dig", "{}"), ["Dug"]), tools=[asking("dig", deepest)], name="middle"
    )
    return create_agent(
        in_turn(calling("c1", "delegate", "{}"), ["Done"]), tools=[asking("delegate", middle)]
    )


def spoken(events: list[Event]) -> list[Any]:
    return [(each["role"], each.get("content") or "") for each in messages(events)]


def brackets(events: list[Event]) -> list[Event]:
    return [event for event in events if event["type"].startswith("SUBAGENT_")]


@pytest.mark.parametrize("mode", MODES[:2])
async def test_what_a_deep_agents_subagent_streams_stays(mode: SubagentMode) -> None:
    events = await collect(LangGraphProvider(deep_agent(), subagents=mode), request(user("hi", "u1")))

    assert text_of(events) == "I have researched.Summary"
    assert [event["toolCallId"] for event in of_type(events, "TOOL_CALL_START")] == ["outer", "inner"]
    assert [event["toolCallId"] for event in of_type(events, "TOOL_CALL_RESULT")] == ["inner", "outer"]
    assert spoken(events) == [
        ("user", "hi"),
        ("assistant", ""),
        ("assistant", ""),
        ("tool", "looked"),
        ("assistant", "I have researched."),
        ("tool", "I have researched."),
        ("assistant", "Summary"),
    ]


async def test_inline_is_the_default_and_names_no_subagent() -> None:
    events = await collect(LangGraphProvider(deep_agent()), request(user("hi", "u1")))

    assert text_of(events) == "I have researched.Summary"
    assert "subagent" not in repr(events).replace("subagent_type", "")


async def test_a_hidden_subagent_shows_its_tools_result_only() -> None:
    events = await collect(LangGraphProvider(deep_agent(), subagents="hidden"), request(user("hi", "u1")))

    assert text_of(events) == "Summary"
    assert spoken(events)[2:] == [("tool", "I have researched."), ("assistant", "Summary")]
    assert of_type(events, "CUSTOM") == []


async def test_an_attributed_subagent_owns_all_that_it_emits() -> None:
    provider = LangGraphProvider(deep_agent(), subagents="attributed")

    events = await collect(provider, request(user("hi", "u1")))

    started, finished = brackets(events)
    id = started["subagentRunId"]
    assert started == {
        "type": "SUBAGENT_STARTED",
        "subagentRunId": id,
        "name": "researcher",
        "parentToolCallId": "outer",
    }
    assert finished == {"type": "SUBAGENT_FINISHED", "subagentRunId": id}
    assert id.startswith("tools:")
    between = events[events.index(started) + 1 : events.index(finished)]
    own = [event for event in between if event["type"].startswith(("TEXT_", "TOOL_"))]
    assert own == [event for event in events if event.get("subagentRunId") == id and event in own]
    assert next(event["type"] for event in events[events.index(finished) + 1 :]) == "TOOL_CALL_RESULT"
    tags = [message.get("subagentRunId") for message in messages(events)]
    assert tags == [None, None, id, id, id, None, None]


async def test_subagents_of_subagents_name_their_parents() -> None:
    events = await collect(LangGraphProvider(tree(), subagents="attributed"), request(user("hi", "u1")))

    middle, deepest, *ends = brackets(events)
    assert (middle["name"], middle["parentToolCallId"]) == ("middle", "c1")
    assert "parentSubagentRunId" not in middle
    assert (deepest["name"], deepest["parentToolCallId"]) == ("deepest", "c2")
    assert deepest["parentSubagentRunId"] == middle["subagentRunId"]
    assert ends == [
        {"type": "SUBAGENT_FINISHED", "subagentRunId": each["subagentRunId"]} for each in (deepest, middle)
    ]
    assert text_of(events) == "FoundDugDone"


async def test_two_agents_in_one_tool_are_two_subagents() -> None:
    @tool
    async def twice() -> str:
        """Asks twice."""
        for text in ("one", "two"):
            agent: Any = create_agent(says(text), name=text)
            await agent.ainvoke({"messages": [("user", "x")]})
        return "both"

    agent = create_agent(in_turn(calling("c1", "twice", "{}"), ["Done"]), tools=[twice])

    events = await collect(LangGraphProvider(agent, subagents="attributed"), request(user("hi", "u1")))

    started = of_type(events, "SUBAGENT_STARTED")
    assert [each["name"] for each in started] == ["one", "two"]
    assert len({each["subagentRunId"] for each in started}) == 2
    assert len(of_type(events, "SUBAGENT_FINISHED")) == 2
    assert text_of(events) == "onetwoDone"


@pytest.mark.parametrize("name", [None, "main"])
async def test_a_plain_graph_inside_a_tool_is_internal(name: str | None) -> None:
    async def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says("Thinking").ainvoke("?")]}

    graph = StateGraph(MessagesState).add_node("think", think).add_edge(START, "think").compile()
    agent = create_agent(
        in_turn(calling("c1", "ask", "{}"), ["Done"]), tools=[asking("ask", graph)], name=name
    )

    events = await collect(LangGraphProvider(agent), request(user("hi", "u1")))

    assert text_of(events) == "Done"


@pytest.mark.parametrize("mode", MODES)
async def test_the_next_turn_does_not_tell_the_agent_what_its_subagent_said(mode: SubagentMode) -> None:
    task = calling("outer", "task", '{"description": "go", "subagent_type": "researcher"}')
    model = in_turn(task, ["Summary"], ["Bye"])
    provider = LangGraphProvider(delegating(model, checkpointer=InMemorySaver()), subagents=mode)

    first = messages(await collect(provider, request(user("hi", "u1"))))
    events = await collect(provider, request(*first, user("bye", "u2")))

    assert messages(events)[: len(first)] == first
    assert [message.type for message in model.calls[-1]] == ["system", "human", "ai", "tool", "ai", "human"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_surface_that_a_tool_lets_a_model_draw_streams_and_its_call_is_hidden(
    mode: SubagentMode,
) -> None:
    painter = ScriptedModel(
        script=lambda messages: ["Let me see. ", *calling("inner", "render_a2ui", SURFACE[:60], SURFACE[60:])]
    )

    @tool
    async def generate_a2ui() -> str:
        """Generates a surface."""

        async def draw() -> None:
            async for _ in painter.astream("Draw"):
                pass

        # As the toolkit's recovery loop does it.
        await asyncio.to_thread(lambda: asyncio.run(draw()))
        return "drawn"

    artist = create_agent(
        in_turn(calling("outer", "generate_a2ui", "{}"), ["Here."]), tools=[generate_a2ui], name="artist"
    )
    agent = create_agent(in_turn(calling("c1", "ask", "{}"), ["Done"]), tools=[asking("ask", artist)])
    surfaces = Surfaces(A2UI(), "catalog", None)

    events = await collect(LangGraphProvider(agent, subagents=mode), request(user("hi", "u1")))
    seen = [each for event in events for each in surfaces.push(event)]

    drawn = [event for event in of_type(events, "TOOL_CALL_ARGS") if event["toolCallId"] == "inner"]
    assert "".join(event["delta"] for event in drawn) == SURFACE
    assert len(drawn) == 2
    assert "Let me see" not in text_of(events)
    key = "c1" if mode == "hidden" else "outer"
    assert of_type(seen, "ACTIVITY_SNAPSHOT")[-1]["messageId"] == f"a2ui-surface-{key}"
    assert "render_a2ui" not in repr([event for event in seen if event["type"] != "ACTIVITY_SNAPSHOT"])


async def test_a_subagent_in_a_tool_that_reports_an_error_fails() -> None:
    broken: Any = create_agent(in_turn(["Trying"]), name="broken")

    @tool
    async def attempt() -> str:
        """Tries."""
        await broken.ainvoke({"messages": [("user", "x")]})
        raise ToolException("s3cret")

    attempt.handle_tool_error = True
    agent = create_agent(in_turn(calling("c1", "attempt", "{}"), ["Sorry"]), tools=[attempt])

    events = await collect(LangGraphProvider(agent, subagents="attributed"), request(user("hi", "u1")))

    (error,) = of_type(events, "SUBAGENT_ERROR")
    assert error["message"] == "The subagent failed."
    assert of_type(events, "SUBAGENT_FINISHED") == []
    assert text_of(events) == "TryingSorry"
