"""An agent of a crew that reflects on its task first, with CrewAI's own prompts."""

from collections.abc import Iterable
from typing import Any

from crewai import Crew

from tests.providers.crewai.scripted import Part

from ...animal import say
from ...models import words
from ..models import Messages, model, prompt_of, task, worker


def answer(messages: Messages) -> Iterable[Part]:
    if "execution plan" in prompt_of(messages):
        return ['{"plan": "INTERNAL plan", "steps": [], "ready": true}']
    return words("Thought through.")


def agent() -> Any:
    thinker = worker("Thinker", model(answer), reasoning=True)
    return Crew(agents=[thinker], tasks=[task(thinker)])


chat = [say("Think", shows="Thought through.")]
hidden = ["INTERNAL"]
