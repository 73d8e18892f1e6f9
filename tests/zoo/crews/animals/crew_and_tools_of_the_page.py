"""A crew that uses a tool of the page. CrewAI starts it again with the result."""

from collections.abc import Iterable
from typing import Any

from crewai import Crew

from tests.providers.crewai.scripted import Part

from ...animal import say
from ...models import words
from ..models import Messages, call, model, prompt_of, task, worker


def answer(messages: Messages) -> Iterable[Part]:
    last = prompt_of(messages).rpartition("Result of the tool:")[2]
    return words("I have painted it.") if last.startswith(" painted") and "User:" not in last else paint()


def paint() -> list[Part]:
    return [*words("Let me paint. "), *call("paint", colour="green")]


def agent() -> Any:
    painter = worker("Painter", model(answer))
    return Crew(agents=[painter], tasks=[task(painter, "{conversation}")])


tools = {"paint": lambda arguments: f"painted {arguments['colour']}"}
chat = [say("Green", shows="I have painted it.")]
