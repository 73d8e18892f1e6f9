"""`ModelRetryMiddleware`: a model that breaks off in the middle of its answer, and says it anew."""

from collections.abc import Iterator
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import Chunk, model


def agent() -> Any:
    tries: list[int] = []

    def flaky(messages: list[BaseMessage]) -> Iterator[Chunk]:
        tries.append(1)
        yield "The answer "
        if len(tries) % 2:
            raise ConnectionError("internal trouble")
        yield "is forty-two."

    retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)
    return create_agent(model(flaky), middleware=[retry], checkpointer=InMemorySaver())


hidden = ["internal trouble"]
chat = [say("Hi", shows="The answer is forty-two.")]
