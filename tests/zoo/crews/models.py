"""Chat models of CrewAI that play a script, and the parts of crews that ask for no network."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chromadb.api.types import EmbeddingFunction
from crewai import Agent, Task
from crewai.rag.embeddings.providers.custom.embedding_callable import CustomEmbeddingFunction

from tests.providers.crewai.scripted import Calling, Part, ScriptedLLM

from ..models import brake, words

Messages = list[dict[str, Any]]


async def _pass_by() -> None:
    """Passes the brake, on the event loop or, as the models of a crew, in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        brake.pass_by_in_a_thread()
    else:
        await brake.pass_by()


def model(script: Callable[[Messages], Iterable[Part]] | str, **fields: Any) -> ScriptedLLM:
    """Returns a model with a script, or one that always says the same."""

    def play(messages: Messages) -> Iterator[Part]:
        for part in words(script) if isinstance(script, str) else script(messages):
            yield part
            yield _pass_by

    return ScriptedLLM(model="scripted", script=play, **fields)


def call(name: str, **arguments: Any) -> list[Part]:
    """Returns a tool call with an id of its own, its arguments in two pieces."""
    text = json.dumps(arguments)
    half = len(text) // 2
    return [Calling(f"call_{uuid.uuid4().hex}", name, (text[:half], text[half:]))]


def react(name: str, *, then: str, **arguments: Any) -> ScriptedLLM:
    """Returns a model that calls a tool when it is asked, and comments on the result."""

    def script(messages: Messages) -> Iterable[Part]:
        answered = any(message["role"] == "tool" for message in _since_the_task(messages))
        return words(then) if answered else call(name, **arguments)

    return model(script)


def _since_the_task(messages: Messages) -> Messages:
    """Returns what follows the last message of the user: the agent's own work."""
    start = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=0)
    return messages[start:]


def silent(answer: Any) -> ScriptedLLM:
    """Returns a model that answers CrewAI's own questions, with data. It passes no brake."""
    text = json.dumps(answer)
    return ScriptedLLM(model="scripted", script=lambda messages: [text])


def prompt_of(messages: Messages) -> str:
    return "\n".join(str(message["content"]) for message in messages)


def worker(role: str, llm: ScriptedLLM, **fields: Any) -> Agent:
    return Agent(role=role, goal="Work", backstory="You work.", llm=llm, **fields)


def task(agent: Agent | None, description: str = "{user_message}", **fields: Any) -> Task:
    return Task(description=description, expected_output="A text.", agent=agent, **fields)


def embedded(texts: list[str]) -> list[list[float]]:
    return [[1.0, float(len(text))] for text in texts]


class _Lengths(CustomEmbeddingFunction, EmbeddingFunction[Any]):
    """Embeds texts by their lengths."""

    def __call__(self, input: Any) -> Any:
        return [[1.0, float(len(text)) / 1000] for text in input]


EMBEDDER: Any = {"provider": "custom", "config": {"embedding_callable": _Lengths}}
