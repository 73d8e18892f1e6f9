r"""A LangGraph graph that shares a list with the page, and uses the tools that the page offers.

    uv run --no-dev --extra langgraph \
        copilotkit-runtime-py serve --agent demo=examples/langgraph_tools.py:graph

Both React examples have a page for it. Try "add milk to my list" and "paint the page green".
"""

from typing import Any, Literal

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, ToolRuntime
from langgraph.types import Command

# It follows a script. For a real model: langchain.chat_models.init_chat_model("openai:gpt-5-mini").
from copilotkit_runtime_py.demo.model import ScriptedChatModel


class State(MessagesState):
    """`items` is what the page sees and sets as the agent's state. `copilotkit` is what the page offers."""

    items: list[str]
    copilotkit: dict[str, Any]


@tool
def add_item(item: str, runtime: ToolRuntime[None, State]) -> Command[Any]:
    """Put an item on the user's list."""
    items = [*runtime.state.get("items", []), item]
    result = ToolMessage(f"The list has {len(items)} items.", tool_call_id=runtime.tool_call_id)
    return Command(update={"items": items, "messages": [result]})


async def chat(state: State) -> dict[str, Any]:
    tools = [add_item, *state.get("copilotkit", {}).get("actions", [])]
    return {"messages": [await ScriptedChatModel().bind_tools(tools).ainvoke(state["messages"])]}


def route(state: State) -> Literal["tools", "__end__"]:
    """The graph's own tool is run here. A call of a page's tool ends the run, and the page calls back."""
    last = state["messages"][-1]
    calls = last.tool_calls if isinstance(last, AIMessage) else []
    return "tools" if any(call["name"] == "add_item" for call in calls) else "__end__"


builder = StateGraph(State).add_node("chat", chat).add_node("tools", ToolNode([add_item]))
builder.add_edge(START, "chat").add_conditional_edges("chat", route).add_edge("tools", "chat")
# Its memory is where the runtime keeps threads.
graph = builder.compile()
