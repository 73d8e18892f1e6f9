"""Tools of the agent and of the page, one after the other, and two at the same time."""

from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from ..animal import say
from ..models import call, model, words


class State(MessagesState):
    copilotkit: dict[str, Any]


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


async def talk(state: State) -> dict[str, Any]:
    names = [action["name"] for action in state["copilotkit"]["actions"]]
    results = 0
    for message in reversed(state["messages"]):
        if message.type == "human":
            break
        results += message.type == "tool"
    script: Any = words("All is done.")
    if results == 0:
        script = call("add", a=2, b=3)
    elif results == 1:
        script = [*call(names[0], color="red"), *call(names[1], index=1, text="hi")]
    return {"messages": [await model(script).ainvoke(state["messages"])]}


def route(state: State) -> str:
    calls = getattr(state["messages"][-1], "tool_calls", [])
    return "tools" if any(call["name"] == "add" for call in calls) else END


def agent() -> Any:
    builder = StateGraph(State).add_node(talk).add_node("tools", ToolNode([add])).add_edge(START, "talk")
    builder.add_conditional_edges("talk", route, ["tools", END]).add_edge("tools", "talk")
    return builder.compile(InMemorySaver())


tools = {"paint": lambda arguments: "painted", "write": lambda arguments: "written"}
chat = [say("Do it", shows="painted")]
