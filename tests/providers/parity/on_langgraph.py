"""The agents as graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

from tests.providers.langgraph.scripted import Chunk, ScriptedModel, calling
from tests.providers.parity.script import Call, Script


class PageState(MessagesState):
    copilotkit: dict[str, Any]


class ShoppingState(MessagesState):
    items: list[str]


def chat(script: Script) -> Any:
    model = _model(script)

    async def answer(state: PageState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return _compiled(StateGraph(PageState).add_node(answer).add_edge(START, "answer"))


def weather(script: Script) -> Any:
    model = _model(script)

    @tool
    def get_weather(city: str) -> str:
        """Look up the weather in a city."""
        return f"sunny in {city}"

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node(answer).add_node("tools", ToolNode([get_weather]))
    builder.add_edge(START, "answer").add_conditional_edges("answer", tools_condition)
    return _compiled(builder.add_edge("tools", "answer"))


def shopping() -> Any:
    def add(state: ShoppingState) -> dict[str, Any]:
        return {"items": [*state.get("items", []), state["messages"][-1].text]}

    def count(state: ShoppingState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{len(state['items'])} items")]}

    builder = StateGraph(ShoppingState).add_node(add).add_node(count)
    return _compiled(builder.add_edge(START, "add").add_edge("add", "count"))


def booking() -> Any:
    def book(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"You said {interrupt('Book it?')}")]}

    return _compiled(StateGraph(MessagesState).add_node(book).add_edge(START, "book"))


def reading() -> Any:
    def read(state: PageState, config: RunnableConfig) -> dict[str, Any]:
        page = [item["value"] for item in state["copilotkit"]["context"]]
        return {"messages": [AIMessage(f"{page} {config['configurable']['plan']}")]}

    return _compiled(StateGraph(PageState).add_node(read).add_edge(START, "read"))


def _compiled(builder: Any) -> Any:
    return builder.compile(checkpointer=InMemorySaver())


def _model(script: Script) -> ScriptedModel:
    def chunks(messages: list[BaseMessage]) -> Iterator[Chunk]:
        for part in script([message.text for message in messages]):
            if isinstance(part, Call):
                yield from calling(part.id, part.name, *part.pieces)
            else:
                yield part

    return ScriptedModel(script=chunks)
