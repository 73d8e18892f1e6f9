"""`TodoListMiddleware`: a list of things to do in the shared state."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import TodoListMiddleware
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, react


def agent() -> Any:
    model = react(calling("write_todos", todos=[{"content": "eat", "status": "pending"}]), then="Planned.")
    return create_agent(model, middleware=[TodoListMiddleware()], checkpointer=InMemorySaver())


chat = [say("Plan", shows="Planned.")]
