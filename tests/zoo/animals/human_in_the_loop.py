"""Human in the loop: a tool of the page asks the user, and the agent goes on with the choice."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from ..animal import say
from ..models import calling, react


class State(MessagesState):
    copilotkit: dict[str, Any]


async def chat_node(state: State) -> dict[str, Any]:
    (tool,) = state["copilotkit"]["actions"]
    model = react(calling(tool["name"], steps=["one", "two"]), then="I do what you have chosen.")
    return {"messages": [await model.ainvoke(state["messages"])]}


def agent() -> Any:
    return StateGraph(State).add_node(chat_node).add_edge(START, "chat_node").compile(InMemorySaver())


tools = {"choose_steps": lambda arguments: f"Chosen: {arguments.get('steps', [''])[-1]}"}
chat = [say("Plan it", shows="I do what you have chosen."), say("Again", shows="Chosen: two")]
