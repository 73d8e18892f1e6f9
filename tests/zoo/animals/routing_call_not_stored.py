"""A supervisor that routes by a tool call which it does not store."""

from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from ..animal import say
from ..models import call, model, words


def route(messages: list[BaseMessage]) -> Any:
    return call("transfer_to_poet", reason="a poem is wanted")


async def supervise(state: MessagesState) -> Command[Any]:
    choice: Any = await model(route).ainvoke(state["messages"])
    return Command(goto=choice.tool_calls[0]["name"].removeprefix("transfer_to_"))


async def poet(state: MessagesState) -> Command[Any]:
    said = await model(words("Roses are red.")).ainvoke(state["messages"])
    return Command(goto=END, update={"messages": [said]})


def agent() -> Any:
    builder = StateGraph(MessagesState).add_node(supervise, destinations=("poet",))
    builder.add_node(poet, destinations=(END,)).add_edge(START, "supervise")
    return builder.compile(InMemorySaver())


chat = [say("A poem", shows="Roses are red."), say("Another", shows="Roses are red.")]
