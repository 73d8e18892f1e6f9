"""A graph that remembers facts across threads in a store."""

import uuid
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore

from ..animal import say
from ..models import model, words


def agent() -> Any:
    facts = ("facts", uuid.uuid4().hex)

    async def talk(state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        assert runtime.store is not None
        await runtime.store.aput(facts, state["messages"][-1].id or "", {"text": state["messages"][-1].text})
        known = len(await runtime.store.asearch(facts))
        return {"messages": [await model(words(f"I know {known} facts.")).ainvoke("?")]}

    builder = StateGraph(MessagesState).add_node(talk).add_edge(START, "talk")
    return builder.compile(InMemorySaver(), store=InMemoryStore())


chat = [say("One", shows="I know 1 facts."), say("Two", shows="I know 2 facts.")]
