"""The functional API: an entrypoint that remembers the conversation itself, and asks."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import add_messages
from langgraph.types import interrupt

from ..animal import answer, say
from ..models import model, words


@task
async def think(count: int) -> Any:
    return await model(words(f"I have read {count} messages.")).ainvoke("?")


def agent() -> Any:
    @entrypoint(checkpointer=InMemorySaver())
    async def assistant(input: dict[str, Any], *, previous: Any = None) -> Any:
        messages: Any = add_messages((previous or {"messages": []})["messages"], input["messages"])
        said = await think(len(messages))
        likes = interrupt("Do you like it?")
        return {"messages": [*messages, said, AIMessage(f"You said {likes}.", id=f"a{len(messages)}")]}

    return assistant


chat = [say("Hi", shows="Do you like it?"), answer("yes", shows="You said yes.")]
