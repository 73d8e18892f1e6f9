"""An agent that calls one tool after the other before it answers."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import Chunk, call, model, words


@tool
def step(number: int) -> str:
    """Takes a step."""
    return f"Step {number} taken."


def script(messages: list[BaseMessage]) -> list[Chunk]:
    taken = 0
    for message in reversed(messages):
        if message.type == "human":
            break
        taken += message.type == "tool"
    if taken == 3:
        return list(words("We have arrived."))
    return [*words(f"Now step {taken}."), *call("step", number=taken)]


def agent() -> Any:
    return create_agent(model(script), [step], checkpointer=InMemorySaver())


chat = [say("Walk", shows="We have arrived."), say("Again", shows="Step 2 taken.")]
