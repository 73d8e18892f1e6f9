"""Backend tools: an agent of `create_agent` with two tools of its own, called at the same time."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import calling, react


@tool
async def weather(city: str) -> str:
    """Tells the weather."""
    return f"Sunny in {city}."


@tool
def population(city: str) -> str:
    """Tells how many people live somewhere."""
    return f"Many people in {city}."


def agent() -> Any:
    model = react(calling("weather", city="Rome"), calling("population", index=1, city="Rome"))
    return create_agent(model, [weather, population], checkpointer=InMemorySaver())


chat = [say("Rome?", shows="Sunny in Rome."), say("And now?", shows="Done with it.")]
