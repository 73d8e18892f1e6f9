"""A tool-calling agent without a checkpointer: each run starts from what the page sends."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool

from ..animal import say
from ..models import calling, react


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def agent() -> Any:
    return create_agent(react(calling("add", a=2, b=3), then="It is five."), [add])


chat = [say("2 + 3?", shows="It is five."), say("Again", shows="It is five.")]
