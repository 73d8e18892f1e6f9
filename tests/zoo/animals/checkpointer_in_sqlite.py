"""A graph with a SQLite checkpointer of its own, opened for each run."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider

from ..animal import say
from ..models import model, words


async def talk(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model(words(f"Message {len(state['messages'])}.")).ainvoke("?")]}


def agent() -> Any:
    folder = tempfile.TemporaryDirectory()

    @asynccontextmanager
    async def make() -> AsyncIterator[Any]:
        async with AsyncSqliteSaver.from_conn_string(str(Path(folder.name) / "checkpoints.db")) as saver:
            yield StateGraph(MessagesState).add_node(talk).add_edge(START, "talk").compile(saver)

    return LangGraphProvider(make)


chat = [say("One", shows="Message 1."), say("Two", shows="Message 3.")]
