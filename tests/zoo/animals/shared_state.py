"""Shared state: the page and the agent both write the recipe."""

from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from ..animal import say
from ..models import call, model, words


class State(MessagesState):
    recipe: dict[str, Any]


async def chat_node(state: State) -> Command[Any]:
    if isinstance(state["messages"][-1], ToolMessage):
        text = f"You need {', '.join(state['recipe']['ingredients'])}."
        return Command(goto=END, update={"messages": [await model(words(text)).ainvoke("?")]})
    known = state.get("recipe") or {"ingredients": []}
    recipe = {"ingredients": [*known["ingredients"], "salt"]}
    response = await model(call("generate_recipe", recipe=recipe)).ainvoke("?")
    result = ToolMessage("Generated.", tool_call_id=response.tool_calls[0]["id"])
    return Command(goto="chat_node", update={"messages": [response, result], "recipe": recipe})


def agent() -> Any:
    builder = StateGraph(State).add_node(chat_node, destinations=("chat_node", END))
    return builder.add_edge(START, "chat_node").compile(InMemorySaver())


chat = [
    say("Cook", shows="You need salt."),
    say("More", shows="You need flour, salt.", recipe={"ingredients": ["flour"]}),
]
