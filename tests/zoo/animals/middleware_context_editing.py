"""`ContextEditingMiddleware`: the model no longer sees old results; the page does."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ClearToolUsesEdit, ContextEditingMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, react


@tool
def find(what: str) -> str:
    """Finds."""
    return f"much about {what} " * 20


def agent() -> Any:
    edit = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=50, keep=1)])
    model = react(calling("find", what="cats"))
    return create_agent(model, [find], middleware=[edit], checkpointer=InMemorySaver())


chat = [say("Cats", shows="much about cats"), say("More", shows="much about cats"), say("More")]
