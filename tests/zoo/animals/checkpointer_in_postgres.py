"""A question in a subgraph, facts in a store, and an edited message: PostgreSQL stores all of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.postgres.aio import AsyncPostgresStore
from langgraph.types import interrupt

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider

from ..animal import answer, edit, say
from ..models import model, words


async def ask(state: MessagesState) -> dict[str, Any]:
    return {"messages": [("ai", f"You want {interrupt('What?')}.")]}


async def remember(state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
    assert runtime.store is not None
    await runtime.store.aput(("facts",), state["messages"][-1].id or "", {"text": state["messages"][-1].text})
    known = await runtime.store.asearch(("facts",), limit=100)
    said = "I remember." if known else "I forgot."
    return {"messages": [await model(words(said)).ainvoke("?")]}


def build(saver: Any, store: Any) -> Any:
    """Returns the graph around a checkpointer and a store."""
    inner = StateGraph(MessagesState).add_node(ask).add_edge(START, "ask").compile()
    builder = StateGraph(MessagesState).add_node("inner", inner).add_node(remember)
    return builder.add_edge(START, "inner").add_edge("inner", "remember").compile(saver, store=store)


def agent(url: str) -> Any:
    ready = False

    @asynccontextmanager
    async def make() -> AsyncIterator[Any]:
        nonlocal ready
        async with AsyncExitStack() as stack:
            saver = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(url))
            store = await stack.enter_async_context(AsyncPostgresStore.from_conn_string(url))
            if not ready:
                await saver.setup()
                await store.setup()
                ready = True
            yield build(saver, store)

    return LangGraphProvider(make)


chat = [
    say("Hi", shows="What?"),
    answer("tea", shows="You want tea."),
    say("More", shows="What?"),
    edit(2, "Hello", shows="What?"),
    answer("milk", shows="I remember."),
]
marks = [pytest.mark.postgres]
fixture = "postgres_url"
