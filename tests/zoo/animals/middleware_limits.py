"""`ToolCallLimitMiddleware` and `ModelCallLimitMiddleware`: an agent that would go on and on."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import call, model


@tool
def dig() -> str:
    """Digs."""
    return "dug"


def agent() -> Any:
    limits: list[Any] = [ToolCallLimitMiddleware(run_limit=2), ModelCallLimitMiddleware(run_limit=4)]
    again = model(lambda messages: call("dig"))
    return create_agent(again, [dig], middleware=limits, checkpointer=InMemorySaver())


chat = [say("Dig", shows="limit")]
