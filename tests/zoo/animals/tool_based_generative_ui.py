"""Tool-based generative UI: the page renders the call of a tool of its own, and answers it."""

from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import call, model, words


class State(MessagesState):
    tools: list[Any]


async def chat_node(state: State) -> dict[str, Any]:
    offered = [tool["name"] for tool in state["tools"]]
    answered = isinstance(state["messages"][-1], ToolMessage)
    script = words("Here is your haiku.") if answered else call(offered[0], lines=["old pond"])
    return {"messages": [await model(script).ainvoke(state["messages"])]}


def agent() -> Any:
    return StateGraph(State).add_node(chat_node).add_edge(START, "chat_node").compile()


tools = {"write_haiku": lambda arguments: f"Shown: {arguments.get('lines', [''])[0]}"}
chat = [say("A haiku", shows="Here is your haiku."), say("Another", shows="Shown: old pond")]
