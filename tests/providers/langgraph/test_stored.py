import asyncio
import operator
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import ConfigurationError, StoreUnavailableError, ThreadNotFoundError
from copilotkit_runtime_py.providers.base import Provider
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider, stored
from copilotkit_runtime_py.providers.langgraph.memory import RecentThreads
from copilotkit_runtime_py.providers.resolve import as_provider
from tests.providers.emitted import collect, interrupts, of_type, text_of
from tests.servers import Postgres, Redis

from .scripted import in_turn, request, says, user

pytestmark = pytest.mark.anyio


class Shopping(MessagesState):
    items: Annotated[list[str], operator.add]


def shopping() -> StateGraph[Any, Any, Any, Any]:
    """Returns a graph whose node asks before it puts what the user says on the list."""

    def node(state: Shopping) -> dict[str, Any]:
        text = state["messages"][-1].text
        if text == "ask":
            text = interrupt("What shall I add?")
        return {"items": [text]}

    return StateGraph(Shopping).add_node("node", node).add_edge(START, "node")


@asynccontextmanager
async def serving(url: str | None, agent: Any = None, name: str = "shop") -> AsyncIterator[Provider]:
    """Serves an agent, by default the shop, as one process would."""
    provider = as_provider(agent if agent is not None else shopping().compile())
    provider.use_store(url, name)
    try:
        yield provider
    finally:
        await provider.aclose()


async def test_a_graph_remembers_its_state_and_conversation_after_a_restart(url: str) -> None:
    async with serving(url) as provider:
        await collect(provider, request(user("milk", "1")))
    async with serving(url) as provider:
        await collect(provider, request(user("milk", "1"), user("eggs", "2")))
    async with serving(url) as provider:
        snapshot = await provider.snapshot("t", RequestContext())

    assert snapshot is not None
    assert snapshot.state == {"items": ["milk", "eggs"]}
    assert [message["content"] for message in snapshot.messages] == ["milk", "eggs"]


async def test_a_question_waits_for_its_answer_over_a_restart(url: str) -> None:
    async with serving(url) as provider:
        asked = interrupts(await collect(provider, request(user("ask", "1"))))
    async with serving(url) as provider:
        before = await provider.snapshot("t", RequestContext())
        answer = {"interruptId": asked[0]["id"], "status": "resolved", "payload": "bread"}
        await collect(provider, request(user("ask", "1"), resume=[answer]))
        after = await provider.snapshot("t", RequestContext())

    assert before is not None
    assert before.interrupts == asked
    assert after is not None
    assert (after.state, after.interrupts) == ({"items": ["bread"]}, [])


async def test_a_message_is_edited_after_a_restart(url: str) -> None:
    async with serving(url) as provider:
        await collect(provider, request(user("milk", "1")))
        await collect(provider, request(user("milk", "1"), user("eggs", "2")))
    async with serving(url) as provider:
        await collect(provider, request(user("milk", "1"), user("ham", "2")))
        snapshot = await provider.snapshot("t", RequestContext())

    assert snapshot is not None
    assert snapshot.state == {"items": ["milk", "ham"]}


async def test_agents_remember_the_same_thread_each_for_themselves(url: str) -> None:
    async with serving(url, name="a") as one, serving(url, name="a:t") as other:
        await collect(one, request(user("milk", "1"), thread="t:t"))
        await collect(other, request(user("eggs", "2"), thread="t"))
        first = await one.snapshot("t:t", RequestContext())
        second = await other.snapshot("t", RequestContext())

    assert first is not None
    assert second is not None
    assert (first.state, second.state) == ({"items": ["milk"]}, {"items": ["eggs"]})


async def test_a_deleted_thread_is_forgotten(url: str) -> None:
    async with serving(url) as provider:
        await collect(provider, request(user("milk", "1")))
        await collect(provider, request(user("eggs", "2"), thread="other"))
        await provider.forget("t", RequestContext())
        deleted = await provider.snapshot("t", RequestContext())
        kept = await provider.snapshot("other", RequestContext())

    assert deleted is None
    assert kept is not None


async def test_another_users_thread_is_neither_shown_nor_forgotten(url: str) -> None:
    async with serving(url) as provider:
        await collect(provider, request(user("milk", "1")), RequestContext(owner="alice"))
        await provider.forget("t", RequestContext(owner="bob"))
        with pytest.raises(ThreadNotFoundError):
            await provider.snapshot("t", RequestContext(owner="bob"))
        to_alice = await provider.snapshot("t", RequestContext(owner="alice"))

    assert to_alice is not None


async def test_processes_that_start_at_once_set_the_place_up_once(url: str) -> None:
    async with serving(url, name="a") as one, serving(url, name="b") as two, serving(url, name="c") as three:
        runs = await asyncio.gather(
            *(collect(each, request(user("milk", "1"))) for each in (one, two, three))
        )

    assert [events[-1]["type"] for events in runs] == ["RUN_FINISHED"] * 3


async def test_a_plain_node_may_run_a_graph_that_remembers(url: str) -> None:
    inner = shopping().compile()

    def outer(state: Shopping) -> dict[str, Any]:
        return {"items": inner.invoke({"messages": state["messages"], "items": []})["items"]}

    graph = StateGraph(Shopping).add_node("outer", outer).add_edge(START, "outer").compile()
    async with serving(url, graph) as provider:
        asked = interrupts(await collect(provider, request(user("ask", "1"))))
    async with serving(url, graph) as provider:
        answer = {"interruptId": asked[0]["id"], "status": "resolved", "payload": "bread"}
        await collect(provider, request(user("ask", "1"), resume=[answer]))
        snapshot = await provider.snapshot("t", RequestContext())

    assert snapshot is not None
    assert snapshot.state == {"items": ["bread"]}


async def test_a_graph_made_for_each_run_remembers(tmp_path: Path) -> None:
    async with serving(f"sqlite:///{tmp_path}/db", lambda: shopping().compile()) as provider:
        await collect(provider, request(user("milk", "1")))
        await collect(provider, request(user("milk", "1"), user("eggs", "2")))
        snapshot = await provider.snapshot("t", RequestContext())

    assert snapshot is not None
    assert snapshot.state == {"items": ["milk", "eggs"]}


async def test_the_graph_sees_the_threads_own_id(tmp_path: Path) -> None:
    def tell(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        return {"messages": [says(config["configurable"]["thread_id"]).invoke("")]}

    graph = StateGraph(MessagesState).add_node(tell).add_edge(START, "tell").compile()
    async with serving(f"sqlite:///{tmp_path}/db", graph) as provider:
        events = await collect(provider, request(user("Which?", "1"), thread="mine"))

    assert text_of(events) == "mine"


@pytest.mark.parametrize("given", ["graph", "argument"])
async def test_a_checkpointer_of_ones_own_is_kept(given: str, tmp_path: Path) -> None:
    own = InMemorySaver()
    agent: Any = shopping().compile(checkpointer=own)
    if given == "argument":
        agent = LangGraphProvider(shopping(), checkpointer=own)
    async with serving(f"sqlite:///{tmp_path}/db", agent) as provider:
        await collect(provider, request(user("milk", "1")))

    assert own.get_tuple({"configurable": {"thread_id": "t"}}) is not None
    assert os.listdir(tmp_path) == []


async def test_a_graph_that_declines_a_checkpointer_gets_none(tmp_path: Path) -> None:
    graph = shopping().compile(checkpointer=False)
    async with serving(f"sqlite:///{tmp_path}/db", graph) as provider:
        await collect(provider, request(user("milk", "1")))

        assert await provider.snapshot("t", RequestContext()) is None
    assert os.listdir(tmp_path) == []


async def test_the_memory_of_langgraph_json_gives_way_to_the_store(tmp_path: Path) -> None:
    def agent() -> LangGraphProvider:
        return LangGraphProvider(shopping(), checkpointer=RecentThreads())

    async with serving(f"sqlite:///{tmp_path}/db", agent()) as provider:
        await collect(provider, request(user("milk", "1")))
    async with serving(f"sqlite:///{tmp_path}/db", agent()) as provider:
        assert await provider.snapshot("t", RequestContext()) is not None


async def test_without_a_place_a_graph_without_checkpointer_has_no_memory() -> None:
    async with serving(None) as provider:
        await collect(provider, request(user("milk", "1")))

        assert await provider.snapshot("t", RequestContext()) is None


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("sqlite:///x.db", "langgraph.checkpoint.sqlite.aio", "langgraph"),
        ("postgresql://h/d", "langgraph.checkpoint.postgres.aio", "langgraph,postgres"),
        ("redis://h/0", "langgraph.checkpoint.redis.aio", "langgraph-redis"),
    ],
)
def test_a_missing_package_is_named_before_anything_runs(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ConfigurationError, match=rf"copilotkit-runtime-py\[{extra}\]"):
        as_provider(shopping().compile()).use_store(url, "shop")

    as_provider(shopping().compile(checkpointer=InMemorySaver())).use_store(url, "shop")


async def test_a_missing_package_fails_the_run_of_a_graph_made_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("psycopg", "psycopg_pool", "langgraph.checkpoint.postgres.aio"):
        monkeypatch.setitem(sys.modules, name, None)
    async with serving("postgresql://h/d", LangGraphProvider(lambda: shopping().compile())) as provider:
        with pytest.raises(ConfigurationError, match=r"copilotkit-runtime-py\[langgraph,postgres\]"):
            await collect(provider, request(user("milk", "1")))


async def test_a_database_that_stays_away_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "RETRY_SECONDS", (0.0,))
    async with serving(f"sqlite:///{tmp_path}/missing/db") as provider:
        with pytest.raises(StoreUnavailableError):
            await collect(provider, request(user("milk", "1")))


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("own_postgres", marks=pytest.mark.postgres),
        pytest.param("own_redis", marks=pytest.mark.redis),
    ],
)
async def test_a_run_outlives_a_restart_of_the_database(server: str, request_: Any) -> None:
    database: Postgres | Redis = request_.getfixturevalue(server)

    async def restart() -> None:
        database.stop()
        await asyncio.to_thread(database.start)

    model = in_turn(["Hel", restart, "lo"], ["Again"])

    async def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node(chat).add_edge(START, "chat").compile()
    async with serving(database.url, graph) as provider:
        events = await collect(provider, request(user("Hi", "1")))
        snapshot = await provider.snapshot("t", RequestContext())

    assert text_of(events) == "Hello"
    assert of_type(events, "RUN_ERROR") == []
    assert snapshot is not None
    assert [message["content"] for message in snapshot.messages] == ["Hi", "Hello"]


@pytest.fixture(name="request_")
def _request(request: pytest.FixtureRequest) -> pytest.FixtureRequest:
    return request


class PlainRedis(Redis):
    """A server without modules."""

    def command(self) -> list[str]:
        whole = super().command()
        return whole[: whole.index("--loadmodule")] if "--loadmodule" in whole else whole


@pytest.mark.redis
async def test_a_redis_server_without_modules_is_told_with_the_ways_out() -> None:
    with PlainRedis() as server:
        async with serving(server.url) as provider:
            with pytest.raises(ConfigurationError, match=r"Redis 8 has them\. Or compile the graph with"):
                await collect(provider, request(user("milk", "1")))


@pytest.mark.redis
async def test_a_redis_database_without_search_is_told_with_the_ways_out(redis_url: str) -> None:
    async with serving(redis_url.rpartition("/")[0] + "/1") as provider:
        with pytest.raises(ConfigurationError, match=r"database 0 only.* Or compile the graph with"):
            await collect(provider, request(user("milk", "1")))
