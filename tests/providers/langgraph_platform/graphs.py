"""Graphs that the tests run on a LangGraph server, and in this process to compare."""

from __future__ import annotations

import asyncio
import operator
import uuid
from collections.abc import Iterator
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.callbacks.manager import adispatch_custom_event
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from tests.providers.langgraph.scripted import ScriptedModel, calling, says


class Shared(MessagesState):
    copilotkit: dict[str, Any]
    tools: list[Any]
    steps: Annotated[list[str], operator.add]
    note: str


def _graph(state: type, **nodes: Any) -> StateGraph[Any, Any, Any, Any]:
    """Returns a graph whose nodes run one after the other."""
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(state)
    before = START
    for name, node in nodes.items():
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph


def _said(state: MessagesState) -> str:
    last = [m for m in state["messages"] if isinstance(m, HumanMessage)][-1]
    return str(last.content)


# Text, state and steps


async def _answer(state: Shared) -> dict[str, Any]:
    number = sum(isinstance(message, HumanMessage) for message in state["messages"])
    reply = await says("Reply ", f"{number} to ", _said(state)).ainvoke(state["messages"])
    return {"messages": [reply], "steps": ["answer"]}


async def _note(state: Shared) -> dict[str, Any]:
    return {"note": f"{len(state['messages'])} messages", "steps": ["note"]}


chat = _graph(Shared, answer=_answer, note=_note).compile()


# Questions


async def _ask(state: Shared) -> dict[str, Any]:
    name = interrupt({"message": "Name?", "kind": "name"})
    age = interrupt("Age?")
    return {"messages": [AIMessage(f"{name} is {age}")], "steps": ["ask"]}


questions = _graph(Shared, ask=_ask).compile()


def _left(state: Shared) -> dict[str, Any]:
    return {"steps": [f"left {interrupt('Left?')}"]}


def _right(state: Shared) -> dict[str, Any]:
    return {"steps": [f"right {interrupt('Right?')}"]}


parallel_questions = (
    StateGraph(Shared)
    .add_node("left", _left)
    .add_node("right", _right)
    .add_edge(START, "left")
    .add_edge(START, "right")
).compile()


# Tools


@tool
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return str(a + b)


async def _call(state: Shared, config: RunnableConfig) -> dict[str, Any]:
    if isinstance(state["messages"][-1], ToolMessage):
        text = f"It is {state['messages'][-1].content}"
        return {"messages": [await says(text).ainvoke(state["messages"], config)]}
    chunks = calling("call-1", "add", '{"a": 1,', ' "b": 2}')
    return {"messages": [await says(*chunks).ainvoke(state["messages"], config)]}


def _needs_tools(state: Shared) -> str:
    last = state["messages"][-1]
    return "run" if isinstance(last, AIMessage) and last.tool_calls else END


tools = (
    StateGraph(Shared)
    .add_node("call", _call)
    .add_node("run", ToolNode([add]))
    .add_edge(START, "call")
    .add_conditional_edges("call", _needs_tools, ["run", END])
    .add_edge("run", "call")
).compile()


async def _call_page(state: Shared, config: RunnableConfig) -> dict[str, Any]:
    if isinstance(state["messages"][-1], ToolMessage):
        return {"messages": [AIMessage(f"The page said {state['messages'][-1].content}")]}
    names = [each["name"] for each in state["tools"]]
    assert names == [each["name"] for each in state["copilotkit"]["actions"]]
    chunks = calling("page-1", names[0], '{"color": "red"}')
    return {"messages": [await says(*chunks).ainvoke(state["messages"], config)]}


page_tools = _graph(Shared, call=_call_page).compile()


# What a node sees of the request


async def _tell(state: Shared, config: RunnableConfig) -> dict[str, Any]:
    payload = config["configurable"]["copilotkit"]
    seen = {
        "context": state["copilotkit"]["context"],
        "properties": payload["properties"],
        "color": config["configurable"].get("color"),
    }
    return {"note": repr(seen), "messages": [AIMessage("seen")]}


request_seen = _graph(Shared, tell=_tell).compile()


# Custom events


async def _emit(state: Shared, config: RunnableConfig) -> dict[str, Any]:
    reply = await says("Model ", "text").ainvoke(state["messages"], config)
    message = {"message": "by hand", "message_id": "manual-1", "role": "assistant"}
    await adispatch_custom_event("copilotkit_manually_emit_message", message, config=config)
    call = {"name": "show", "args": {"x": 1}, "id": "manual-2"}
    await adispatch_custom_event("copilotkit_manually_emit_tool_call", call, config=config)
    await adispatch_custom_event(
        "copilotkit_manually_emit_intermediate_state", {"note": "half"}, config=config
    )
    await adispatch_custom_event("my_event", {"n": 1}, config=config)
    await adispatch_custom_event("copilotkit_exit", {}, config=config)
    # A server sends what is written after the events that a node dispatches.
    get_stream_writer()({"progress": 50})
    return {"messages": [reply], "note": "whole"}


emits = _graph(Shared, emit=_emit).compile()


# Reasoning


async def _reason(state: Shared) -> dict[str, Any]:
    thought = AIMessageChunk(content=[{"type": "thinking", "thinking": "Hm.", "index": 0}])
    text = AIMessageChunk(content=[{"type": "text", "text": "Yes.", "index": 1}])
    return {"messages": [await says(thought, text).ainvoke(state["messages"])]}


reasons = _graph(Shared, reason=_reason).compile()


# What models use


async def _use(state: Shared) -> dict[str, Any]:
    def used(input: int, output: int) -> AIMessageChunk:
        usage: Any = {"input_tokens": input, "output_tokens": output, "total_tokens": input + output}
        return AIMessageChunk(content="", usage_metadata=usage, response_metadata={"model_name": "m1"})

    replies = [await says("Yes. ", used(7, 3)).ainvoke(state["messages"]) for _ in range(2)]
    return {"messages": replies}


uses = _graph(Shared, use=_use).compile()


# Subgraphs, and workers


_inner = _graph(Shared, inner=_answer).compile()
subgraphs = _graph(Shared, outer=_inner, note=_note).compile()


# Agents inside tools, one of which asks


def _acts(name: str, then: str) -> ScriptedModel:
    """Returns a model that calls a tool, and says something about its result."""

    def play(messages: list[BaseMessage]) -> list[Any]:
        done = isinstance(messages[-1], ToolMessage)
        return [then] if done else list(calling(uuid.uuid4().hex, name, "{}"))

    return ScriptedModel(script=play)


def _asking(name: str, agent: Any) -> BaseTool:
    """Returns a tool that hands over to an agent."""

    @tool(name, description="Asks.")
    async def ask() -> str:
        result = await agent.ainvoke({"messages": [("user", "Do it")]})
        return str(result["messages"][-1].text)

    return ask


@tool
def confirm() -> str:
    """Asks the user."""
    return f"user said {interrupt('Sure?')}"


def _agents(deepest: Any) -> Any:
    """Returns an agent with a subagent that has one itself."""
    middle: Any = create_agent(_acts("dig", "Dug"), [_asking("dig", deepest)], name="middle")
    return create_agent(_acts("delegate", "Done"), [_asking("delegate", middle)])


subagents = _agents(create_agent(says("Found"), name="deepest"))
subagent_asks = _agents(create_agent(_acts("confirm", "I am sure."), [confirm], name="deepest"))


# Failures


async def _fail(state: Shared) -> dict[str, Any]:
    raise ValueError("secret detail of the graph")


fails = _graph(Shared, fail=_fail).compile()


async def _loop(state: Shared) -> Command[Any]:
    return Command(goto="loop", update={"steps": ["again"]})


loops = StateGraph(Shared).add_node("loop", _loop).add_edge(START, "loop").compile()


# Slow graphs


async def _count(state: Shared, config: RunnableConfig) -> dict[str, Any]:
    """Says numbers, one every 50 ms; how many is in the user's message."""

    async def pause() -> None:
        await asyncio.sleep(0.05)

    def script() -> Iterator[Any]:
        for number in range(int(_said(state))):
            yield f"{number} "
            yield pause

    return {"messages": [await says(*script()).ainvoke(state["messages"], config)]}


counts = _graph(Shared, count=_count).compile()
