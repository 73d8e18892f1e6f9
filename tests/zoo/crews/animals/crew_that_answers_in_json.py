"""A crew whose agent answers in the schema of its task."""

from typing import Any

from crewai import Crew
from pydantic import BaseModel

from ...animal import say
from ..models import model, task, worker


class Sky(BaseModel):
    colour: str


def agent() -> Any:
    painter = worker("Painter", model('{"colour": "light blue"}'))
    return Crew(agents=[painter], tasks=[task(painter, output_pydantic=Sky)])


chat = [say("The sky?", shows="light blue")]
