"""`create_agent` with a structured response by a tool call."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from ..animal import say
from ..models import call, model


class Weather(BaseModel):
    """The weather."""

    degrees: int


def agent() -> Any:
    answers = model(lambda messages: call("Weather", degrees=21))
    return create_agent(answers, response_format=ToolStrategy(Weather), checkpointer=InMemorySaver())


chat = [say("Weather?", shows="degrees=21")]
