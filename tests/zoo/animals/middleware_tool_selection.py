"""`LLMToolSelectorMiddleware`: a model chooses the tools for another one."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import LLMToolSelectorMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import call, calling, model, react


@tool
def look() -> str:
    """Looks."""
    return "seen"


def agent() -> Any:
    chooser = model(lambda messages: call("ToolSelectionResponse", tools=["look"]))
    selection = LLMToolSelectorMiddleware(model=chooser)
    return create_agent(react(calling("look")), [look], middleware=[selection], checkpointer=InMemorySaver())


hidden = ["ToolSelectionResponse"]
chat = [say("Look", shows="seen")]
