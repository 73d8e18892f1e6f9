"""A crew whose result is data in a schema, which another model makes of the agent's text."""

from collections.abc import Iterable
from typing import Any

from crewai import Crew
from pydantic import BaseModel

from tests.providers.crewai.scripted import Part

from ...animal import say
from ...models import words
from ..models import Messages, model, prompt_of, task, worker


class Sky(BaseModel):
    colour: str


def answer(messages: Messages) -> Iterable[Part]:
    if "Current Task" not in prompt_of(messages):
        return ['{"colour": "INTERNAL green"}']
    return words("The sky is green.")


def agent() -> Any:
    painter = worker("Painter", model(answer))
    return Crew(agents=[painter], tasks=[task(painter, output_pydantic=Sky)])


chat = [say("The sky?", shows="The sky is green.")]
hidden = ["INTERNAL"]
