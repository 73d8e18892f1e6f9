"""`ModelFallbackMiddleware`: the first model fails before it says anything."""

from collections.abc import Iterator
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import Chunk, model, words


def broken(messages: list[BaseMessage]) -> Iterator[Chunk]:
    raise ConnectionError("internal trouble")
    yield ""


def agent() -> Any:
    fallback = ModelFallbackMiddleware(model(words("I am the second.")))
    return create_agent(model(broken), middleware=[fallback], checkpointer=InMemorySaver())


hidden = ["internal trouble"]
chat = [say("Hi", shows="I am the second.")]
