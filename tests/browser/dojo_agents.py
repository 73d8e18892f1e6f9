"""Graphs in the shape of the situations of the AG-UI dojo, for pages that share a list with their agent."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from tests.zoo.animals import backend_tools, page_without_tools, reasoning, subgraphs
from tests.zoo.models import call, model, words


class Shared(MessagesState):
    tools: list[Any]
    copilotkit: dict[str, Any]
    items: list[str]


def _graph(node: Any, **options: Any) -> Any:
    return (
        StateGraph(Shared).add_node("node", node, **options).add_edge(START, "node").compile(InMemorySaver())
    )


async def _add(state: Shared) -> dict[str, Any]:
    items = [*(state.get("items") or []), "milk"]
    return {"items": items, "messages": [await model(words(f"Now {len(items)}.")).ainvoke("?")]}


async def _chat(state: Shared) -> dict[str, Any]:
    """Calls the tool that the page offers."""
    last = state["messages"][-1]
    if isinstance(last, ToolMessage):
        return {"messages": [await model(words(f"{last.text} That is all.")).ainvoke("?")]}
    (tool,) = state["tools"]
    poem = tool["name"] == "showHaiku"
    arguments: dict[str, Any] = {"lines": ["old pond", "a frog", "splash"]} if poem else {"color": "green"}
    script = call(tool["name"], **arguments)
    return {"messages": [await model(script).ainvoke("?")]}


async def _look(state: Shared) -> dict[str, Any]:
    blocks = state["messages"][-1].content_blocks
    return {"messages": [await model(words(f"I see {blocks[-1]['type']}.")).ainvoke("?")]}


async def _progress(state: Shared, config: RunnableConfig) -> dict[str, Any]:
    for done in (["dig"], ["dig", "plant"]):
        await adispatch_custom_event("manually_emit_state", {"items": done}, config=config)
        await asyncio.sleep(0.3)
    return {"items": ["dig", "plant", "water"], "messages": [AIMessage("All planted.")]}


async def _foresee(state: Shared, config: RunnableConfig) -> Command[Any]:
    if isinstance(state["messages"][-1], ToolMessage):
        return Command(goto=END, update={"messages": [await model(words("Written.")).ainvoke("?")]})
    predicted = [{"state_key": "items", "tool": "write", "tool_argument": "items"}]
    config["metadata"] = {**config.get("metadata", {}), "predict_state": predicted}
    made = await model(lambda messages: call("write", items=["once", "upon"])).ainvoke("?", config)
    result = ToolMessage("ok", tool_call_id=made.tool_calls[0]["id"])
    return Command(goto="node", update={"messages": [made, result], "items": ["once", "upon"]})


backend = backend_tools.agent()
undemanding = page_without_tools.agent()
reasons = reasoning.agent()
travel = subgraphs.agent()
shared = _graph(_add)
chats = _graph(_chat)
sees = _graph(_look)
progress = _graph(_progress)
foresees = _graph(_foresee, destinations=("node", END))
