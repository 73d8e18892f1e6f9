"""A question in a subgraph and an edited message, with a checkpointer in Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langgraph.checkpoint.redis.aio import AsyncRedisSaver
from langgraph.store.memory import InMemoryStore

from copilotkit_runtime_py.providers.langgraph import LangGraphProvider

from .checkpointer_in_postgres import build, chat

__all__ = ["chat"]


def agent(url: str) -> Any:
    # The store of langgraph-checkpoint-redis 0.5 cannot be made with the redisvl that it installs.
    store, ready = InMemoryStore(), False

    @asynccontextmanager
    async def make() -> AsyncIterator[Any]:
        nonlocal ready
        async with AsyncRedisSaver.from_conn_string(url) as saver:
            if not ready:
                await saver.asetup()
                ready = True
            yield build(saver, store)

    return LangGraphProvider(make)


marks = [
    pytest.mark.redis,
    pytest.mark.filterwarnings("ignore:get_async_redis_connection will become:DeprecationWarning"),
]
fixture = "redis_url"
