"""The demo agent: an ordinary LangGraph graph with a chat node and a tool node.

It shows what a frontend can do with an agent: chat, tools on the server and in the page, shared state, and
questions that the agent asks before it acts. With `OPENAI_API_KEY` or `ANTHROPIC_API_KEY` in the environment
it talks to a real model (install the `chat` extra and the provider's LangChain package), otherwise it follows
a script.
"""

from __future__ import annotations

import os
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, ToolRuntime
from langgraph.types import Command, interrupt

from ..providers.langgraph.memory import RecentThreads
from ..providers.langgraph.provider import LangGraphProvider
from . import script
from .model import ScriptedChatModel

INSTRUCTIONS = (
    "You are the demo agent of a web application. Be brief. You can look up the weather, keep a shopping "
    "list, book tables, and use the tools that the user's page offers."
)

MODELS = {"OPENAI_API_KEY": "openai:gpt-4.1-mini", "ANTHROPIC_API_KEY": "anthropic:claude-haiku-4-5"}


class DemoState(MessagesState):
    """The conversation, the list that the agent shares with the page, and what the page offers."""

    items: list[str]
    copilotkit: dict[str, Any]


@tool
def get_weather(location: str) -> str:
    """Look up the weather in a place."""
    return script.weather(location)


@tool
def add_item(item: str, runtime: ToolRuntime[None, DemoState]) -> Command[Any]:
    """Put an item on the user's shopping list."""
    items = [*runtime.state.get("items", []), item]
    result = ToolMessage(script.added(item, items), name="add_item", tool_call_id=runtime.tool_call_id)
    return Command(update={"items": items, "messages": [result]})


@tool
def book_table(people: int) -> str:
    """Book a table in the restaurant, after the user has confirmed."""
    answer = interrupt(f"Shall I book a table for {people}? (yes or no)")
    if str(answer).strip().lower() in ("yes", "y", "true", "ok", "confirm"):
        return f"The table for {people} is booked. Enjoy your meal!"
    return "All right, I have not booked anything."


TOOLS: list[BaseTool] = [get_weather, add_item, book_table]


def chat_model() -> BaseChatModel:
    """Returns the model that the environment has a key for, or the scripted one."""
    for key, name in MODELS.items():
        if os.environ.get(key):
            from langchain.chat_models import init_chat_model

            return init_chat_model(name)
    return ScriptedChatModel()


model = chat_model()


async def chat(state: DemoState) -> dict[str, Any]:
    """Let the model answer, with the page's tools and our own."""
    page_tools = state.get("copilotkit", {}).get("actions", [])
    answer = await model.bind_tools([*TOOLS, *page_tools]).ainvoke(
        [SystemMessage(INSTRUCTIONS), *state["messages"]]
    )
    return {"messages": [answer]}


def route(state: DemoState) -> Literal["tools", "__end__"]:
    """Run our own tools; a call of a page's tool ends the run, and the page calls back with the result."""
    last = state["messages"][-1]
    calls = last.tool_calls if isinstance(last, AIMessage) else []
    ours = {tool.name for tool in TOOLS}
    return "tools" if calls and all(call["name"] in ours for call in calls) else "__end__"


builder = StateGraph(DemoState)
builder.add_node("chat", chat)
builder.add_node("tools", ToolNode(TOOLS))
builder.add_edge(START, "chat")
builder.add_conditional_edges("chat", route)
builder.add_edge("tools", "chat")

graph = builder.compile(name="demo")
# It remembers in the runtime's store, and in memory where the threads are.
agent = LangGraphProvider(graph, checkpointer=RecentThreads())
