"""A tool that asks a model of its own."""

from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from ..animal import say
from ..models import calling, model, react, words


@tool
async def summarize(text: str) -> str:
    """Summarizes."""
    said = await model(words("Internal summary of it.")).ainvoke(text)
    return f"{len(said.text)} letters"


async def talk(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await react(calling("summarize", text="long")).ainvoke(state["messages"])]}


def agent() -> Any:
    builder = StateGraph(MessagesState).add_node(talk).add_node("tools", ToolNode([summarize]))
    builder.add_edge(START, "talk").add_conditional_edges("talk", tools_condition).add_edge("tools", "talk")
    return builder.compile(InMemorySaver())


hidden = ["Internal "]
chat = [say("Summarize", shows="23 letters")]
