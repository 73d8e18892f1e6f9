"""`PIIMiddleware`: addresses are kept from the model, and from what a tool finds."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import PIIMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, react


@tool
def find() -> str:
    """Finds."""
    return "found nothing"


def agent() -> Any:
    redact = PIIMiddleware("email", strategy="redact", apply_to_tool_results=True)
    return create_agent(react(calling("find")), [find], middleware=[redact], checkpointer=InMemorySaver())


chat = [say("I am ada@example.com", shows="Done with it.")]
