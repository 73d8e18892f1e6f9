"""The threads that a graph's checkpointer holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider, listing
from copilotkit_runtime_py.providers.langgraph.savers import open_saver

from .scripted import request, user

pytestmark = pytest.mark.anyio

BUILDER = StateGraph(MessagesState).add_node("reply", lambda state: {"messages": [("ai", "Yes.")]})
BUILDER.add_edge(START, "reply")
# What a pattern, a comparison or an encoding could get wrong.
IDS = ["a", "A", "b%", "b_", "ü", "chat:a", "z" * 100]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_PAGE", 2)


async def talk(provider: LangGraphProvider, *threads: str, owner: str = "anonymous") -> None:
    for thread in threads:
        for number in range(2):
            sent = request(user(f"{thread} {number}", f"u{number}"), thread=thread)
            async for _ in provider.run(sent, RequestContext(owner=owner)):
                pass


async def check(provider: LangGraphProvider, began: datetime, *, owner: str | None = "alice") -> None:
    found = {thread.id: thread async for thread in provider.remembered_threads()}

    assert sorted(found) == sorted(IDS)
    assert await provider.count_threads() == len(IDS)
    for id, thread in found.items():
        assert began <= thread.created_at < thread.updated_at <= datetime.now(UTC)
        assert thread.snapshot.messages[0]["content"] == f"{id} 0"
        assert thread.snapshot.owner == (owner if id == "a" else None)


async def has_all(saver: BaseCheckpointSaver[Any], *, owner: str | None = "alice") -> None:
    began = datetime.now(UTC)
    provider = LangGraphProvider(BUILDER.compile(checkpointer=saver))
    await talk(provider, *IDS[1:])
    await talk(provider, "a", owner="alice")
    await check(provider, began, owner=owner)


async def test_a_checkpointer_in_memory_lists_its_threads() -> None:
    await has_all(InMemorySaver())


async def test_a_checkpointer_in_a_database_lists_its_threads(url: str) -> None:
    async with open_saver(url) as saver:
        # LangGraph's saver for Redis does not add the configuration to a checkpoint's metadata.
        await has_all(saver, owner=None if url.startswith("redis") else "alice")


async def test_a_graph_lists_the_threads_that_it_has_in_the_runtimes_store_and_no_other_agents(
    url: str,
) -> None:
    began = datetime.now(UTC)
    provider, other = LangGraphProvider(BUILDER.compile()), LangGraphProvider(BUILDER.compile())
    provider.use_store(url, "chat")
    other.use_store(url, "chat2")
    await talk(other, "others")
    await talk(provider, *IDS[1:])
    await talk(provider, "a", owner="alice")

    await check(provider, began)
    await provider.aclose()
    await other.aclose()


async def test_a_graph_without_a_checkpointer_lists_none() -> None:
    provider = LangGraphProvider(BUILDER.compile())

    assert [thread async for thread in provider.remembered_threads()] == []
    assert await provider.count_threads() == 0
