"""A crew whose agent uses a tool here."""

from typing import Any

from crewai import Crew
from crewai.tools import tool

from ...animal import say
from ..models import react, task, worker


@tool
def get_weather(city: str) -> str:
    """Returns the weather."""
    return f"It is sunny in {city}."


def agent() -> Any:
    llm = react("get_weather", city="Rome", then="Take a hat.")
    forecaster = worker("Forecaster", llm, tools=[get_weather])
    return Crew(agents=[forecaster], tasks=[task(forecaster)])


chat = [say("Rome?", shows="It is sunny in Rome."), say("And now?", shows="Take a hat.")]
