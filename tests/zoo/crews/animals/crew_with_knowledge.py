"""A crew that knows a document."""

from collections.abc import Iterable
from typing import Any

from crewai import Crew
from crewai.knowledge.source.string_knowledge_source import StringKnowledgeSource

from tests.providers.crewai.scripted import Part

from ...animal import say
from ...models import words
from ..models import EMBEDDER, Messages, model, prompt_of, task, worker

KNOWN = "HANDBOOK: returns within 30 days."


def answer(messages: Messages) -> Iterable[Part]:
    prompt = prompt_of(messages)
    if "The original query is" in prompt:
        return ["REWRITTEN query"]
    return words("You have 30 days." if KNOWN in prompt else "I do not know.")


def agent() -> Any:
    clerk = worker("Clerk", model(answer))
    source = StringKnowledgeSource(content=KNOWN)
    return Crew(agents=[clerk], tasks=[task(clerk)], knowledge_sources=[source], embedder=EMBEDDER)


chat = [say("May I return it?", shows="You have 30 days.")]
hidden = ["HANDBOOK", "REWRITTEN"]
