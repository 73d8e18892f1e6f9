"""The functional API: an entrypoint that returns its answer alone."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task

from ..animal import say
from ..models import model, words


@task
async def think(messages: list[Any]) -> Any:
    return await model(words(f"I have read {len(messages)} messages.")).ainvoke(messages)


def agent() -> Any:
    @entrypoint(checkpointer=InMemorySaver())
    async def assistant(input: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [await think(input["messages"])]}

    return assistant


chat = [say("Hi", shows="I have read 1 messages."), say("And?", shows="I have read 3 messages.")]
