"""LangGraph agents that run inside a tool, as every client sees them: live, stopped, and after a reload."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain_core.tools import tool

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from copilotkit_runtime_py.providers.langgraph.subagents import SubagentMode
from tests.clients.conftest import Serve
from tests.clients_agui.browser import NEWEST, OLDEST, Client, only
from tests.clients_agui.conftest import Visit
from tests.providers.langgraph.scripted import Chunk, calling, in_turn, says

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

MODES: list[SubagentMode] = ["inline", "attributed", "hidden"]

clients = only(
    Client("core", NEWEST, "auto"),
    Client("core", OLDEST, "single"),
    Client("agui", "0.0.57", "rest"),
    Client("agui", "0.0.59", "rest"),
    Client("agui", "1.0.0", "rest"),
)


def deep_agent(*last: Chunk) -> Any:
    researcher = {
        "name": "researcher",
        "description": "Researches.",
        "system_prompt": "Research.",
        "model": says("I have ", *last),
    }
    task = calling("outer", "task", '{"description": "go", "subagent_type": "researcher"}')
    model = in_turn(task, ["Summary"])
    return create_deep_agent(model=model, subagents=[researcher])  # type: ignore[list-item]


def nested_agent(*last: Chunk) -> Any:
    helper: Any = create_agent(says("I have ", *last), name="helper")

    @tool
    async def delegate() -> str:
        """Delegates."""
        result = await helper.ainvoke({"messages": [("user", "Do it")]})
        return str(result["messages"][-1].text)

    return create_agent(in_turn(calling("outer", "delegate", "{}"), ["Summary"]), tools=[delegate])


def family() -> Any:
    """An agent with a subagent that has a subagent."""
    helper: Any = create_agent(says("The helper found it."), name="helper")

    @tool
    async def ask_helper() -> str:
        """Asks the helper."""
        result = await helper.ainvoke({"messages": [("user", "Find it")]})
        return str(result["messages"][-1].text)

    model = in_turn(calling("inner", "ask_helper", "{}"), ["The researcher knows it."])
    researcher: Any = create_agent(model, tools=[ask_helper], name="researcher")

    @tool
    async def research() -> str:
        """Researches."""
        result = await researcher.ainvoke({"messages": [("user", "Do it")]})
        return str(result["messages"][-1].text)

    return create_agent(in_turn(calling("outer", "research", "{}"), ["Summary"]), tools=[research])


async def forever() -> None:
    await asyncio.Event().wait()


def spoken(view: Any) -> list[tuple[str, str, bool]]:
    """Returns who said what, and whether it is a subagent's."""
    return [
        (message["role"], message.get("content") or "", "subagentRunId" in message)
        for message in view["messages"]
    ]


@clients
@pytest.mark.parametrize("build", [deep_agent, nested_agent])
@pytest.mark.parametrize("mode", MODES)
def test_what_a_subagent_says_is_the_same_after_a_reload(
    serve: Serve, visit: Visit, build: Any, mode: SubagentMode
) -> None:
    url = serve({"default": LangGraphProvider(build("worked."), subagents=mode)})
    page = visit(url)

    view = page.send("hi", thread="t1")
    again = visit(url).connect(thread="t1")

    tagged = mode == "attributed" and page.client.version == "1.0.0"
    said = [] if mode == "hidden" else [("assistant", "I have worked.", tagged)]
    assert view["errors"] == []
    between = [*said, ("tool", "I have worked.", False)]
    if page.client.version != OLDEST:  # newer clients show a result directly after its call
        between.reverse()
    assert spoken(view) == [
        ("user", "hi", False),
        ("assistant", "", False),
        *between,
        ("assistant", "Summary", False),
    ]
    assert again == view


@clients
@pytest.mark.parametrize("mode", MODES[:2])
def test_a_stop_while_a_subagent_speaks_leaves_what_it_said(
    serve: Serve, visit: Visit, mode: SubagentMode
) -> None:
    url = serve({"default": LangGraphProvider(deep_agent(forever), subagents=mode)})
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    page.shows("I have ")

    page.stop()
    stopped = sending.result(10)
    again = visit(url).connect(thread="t1")

    tagged = mode == "attributed" and page.client.version == "1.0.0"
    assert (stopped["errors"], again["errors"]) == ([], [])
    assert ("assistant", "I have ", tagged) in spoken(stopped)
    assert ("assistant", "I have ", tagged) in spoken(again)


@clients
@pytest.mark.parametrize("mode", MODES)
def test_a_tree_of_subagents_is_the_same_after_a_reload(
    serve: Serve, visit: Visit, mode: SubagentMode
) -> None:
    url = serve({"default": LangGraphProvider(family(), subagents=mode)})
    page = visit(url)

    view = page.send("hi", thread="t1")
    reloaded = visit(url)
    again = reloaded.connect(thread="t1")

    assert (view["errors"], again) == ([], view)
    assert view["messages"][-1]["content"] == "Summary"
    inner, outer = "The helper found it.", "The researcher knows it."
    said = [message for message in view["messages"] if message["role"] == "assistant"]
    speakers = {message.get("content"): message.get("subagentRunId") for message in said}
    assert [text in speakers for text in (inner, outer)] == [mode != "hidden"] * 2
    events = [page.log()["events"], reloaded.log()["events"]]
    if mode == "attributed" and page.client.version == "1.0.0":
        assert len({speakers[inner], speakers[outer], None}) == 3
        assert [kinds.count("SUBAGENT_STARTED") for kinds in events] == [2, 2]
        started = [
            json.loads(line.removeprefix("data: "))
            for line in page.log()["requests"][-1]["text"].splitlines()
            if '"SUBAGENT_STARTED"' in line
        ]
        outermost, nested = started
        assert (outermost["name"], nested["name"]) == ("researcher", "helper")
        assert nested["parentSubagentRunId"] == outermost["subagentRunId"]
    else:
        assert not any(message.get("subagentRunId") for message in view["messages"])
        assert not any(kind.startswith("SUBAGENT_") for kinds in events for kind in kinds)
