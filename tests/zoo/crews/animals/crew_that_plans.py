"""A crew that plans before it works."""

from collections.abc import Iterable
from typing import Any

from crewai import Crew

from tests.providers.crewai.scripted import Part

from ...animal import say
from ...models import words
from ..models import Messages, model, prompt_of, silent, task, worker

PLAN = {"list_of_plans_per_task": [{"task_number": 1, "task": "Hi", "plan": "SECRET PLAN"}]}


def answer(messages: Messages) -> Iterable[Part]:
    return words("As planned." if "SECRET PLAN" in prompt_of(messages) else "Without a plan.")


def agent() -> Any:
    builder = worker("Builder", model(answer))
    return Crew(agents=[builder], tasks=[task(builder)], planning=True, planning_llm=silent(PLAN))


chat = [say("Build", shows="As planned.")]
hidden = ["SECRET"]
