"""`LLMToolEmulator`: a model plays the tool."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import LLMToolEmulator
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, model, react, words


@tool
def weather(city: str) -> str:
    """Tells the weather."""
    raise NotImplementedError


def agent() -> Any:
    emulator = LLMToolEmulator(tools=["weather"], model=model(words("Rain, so they say.")))
    return create_agent(
        react(calling("weather", city="Oslo")), [weather], middleware=[emulator], checkpointer=InMemorySaver()
    )


chat = [say("Oslo?", shows="Rain, so they say.")]
