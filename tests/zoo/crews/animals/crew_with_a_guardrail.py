"""A crew whose guardrail refuses the agent's first answer."""

import itertools
from collections.abc import Iterable
from typing import Any

from crewai import Crew

from tests.providers.crewai.scripted import Part

from ...animal import say
from ...models import words
from ..models import Messages, model, task, worker


def agent() -> Any:
    numbers = itertools.count()

    def answer(messages: Messages) -> Iterable[Part]:
        return words("Too short." if next(numbers) % 2 == 0 else "This is long enough for everybody.")

    def is_long(output: Any) -> tuple[bool, Any]:
        return (True, output) if len(output.raw) > 20 else (False, "Make it longer.")

    writer = worker("Writer", model(answer))
    return Crew(agents=[writer], tasks=[task(writer, guardrail=is_long)])


chat = [say("Write", shows="This is long enough")]
