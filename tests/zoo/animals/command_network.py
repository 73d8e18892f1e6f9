"""A network of agents that hand over with `Command`, and make messages of each other's answers."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from ..animal import say
from ..models import model, words


async def researcher(state: MessagesState) -> Command[Any]:
    said = await model(words("I have found much.")).ainvoke(state["messages"])
    return Command(goto="writer", update={"messages": [AIMessage(said.content, name="researcher")]})


async def writer(state: MessagesState) -> Command[Any]:
    said = await model(words("I have written it down.")).ainvoke(state["messages"])
    return Command(goto=END, update={"messages": [AIMessage(said.content, name="writer")]})


def agent() -> Any:
    builder = StateGraph(MessagesState).add_node(researcher, destinations=("writer",))
    builder.add_node(writer, destinations=(END,)).add_edge(START, "researcher")
    return builder.compile(InMemorySaver())


chat = [say("Report", shows="I have written it down."), say("More", shows="I have found much.")]
