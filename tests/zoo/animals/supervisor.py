"""Two agents under a supervisor of `langgraph-supervisor`."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_supervisor import create_supervisor

from ..animal import say
from ..models import Chunk, call, calling, model, react, words


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def supervise(messages: list[BaseMessage]) -> list[Chunk]:
    since = [message for message in messages if isinstance(message, ToolMessage)]
    if messages[-1].type == "human" or not since:
        return list(call("transfer_to_counter"))
    return list(words("The counter says five."))


def agent() -> Any:
    counter = create_agent(react(calling("add", a=2, b=3), then="That is five."), [add], name="counter")
    poet = create_agent(model(words("Roses are red.")), name="poet")
    builder = create_supervisor([counter, poet], model=model(supervise), prompt="Delegate.")
    return builder.compile(checkpointer=InMemorySaver())


chat = [say("2 + 3?", shows="The counter says five."), say("Again", shows="The counter says five.")]
marks = [pytest.mark.filterwarnings("ignore:create_react_agent has been moved")]
