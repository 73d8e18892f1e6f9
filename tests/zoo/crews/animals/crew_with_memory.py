"""A crew that remembers what was said in a chat."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crewai import Crew
from crewai.memory.unified_memory import Memory

from tests.providers.crewai.scripted import Part

from ...animal import say
from ...models import words
from ..models import Messages, embedded, model, prompt_of, silent, task, worker

FOLDER = tempfile.TemporaryDirectory()


def answer(messages: Messages) -> Iterable[Part]:
    prompt = prompt_of(messages)
    return words("I remember Ada." if "Who am I?" in prompt and "Ada" in prompt else "Nice to meet you.")


def agent() -> Any:
    analyst = silent({"memories": ["INTERNAL note"]})
    storage = str(Path(tempfile.mkdtemp(dir=FOLDER.name)) / "memory")
    memory = Memory(storage=storage, embedder=embedded, llm=analyst)
    friend = worker("Friend", model(answer))
    return Crew(agents=[friend], tasks=[task(friend)], memory=memory)


chat = [say("I am Ada", shows="Nice to meet you."), say("Who am I?", shows="I remember Ada.")]
hidden = ["INTERNAL"]
