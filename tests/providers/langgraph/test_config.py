from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel
from typing_extensions import TypedDict

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError, ConfigurationError, ThreadNotFoundError
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, snapshots

from .scripted import request, user

pytestmark = pytest.mark.anyio


class Seen:
    """What the node of a graph was called with."""

    config: RunnableConfig
    context: Any

    @property
    def configurable(self) -> dict[str, Any]:
        return self.config["configurable"]


def looking(seen: Seen, context_schema: Any = None) -> StateGraph[Any, Any, Any, Any]:
    async def look(state: Any, runtime: Runtime[Any]) -> dict[str, Any]:
        seen.config, seen.context = get_config(), runtime.context
        return {}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=context_schema)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    return builder


@pytest.mark.parametrize(("asked", "used"), [(9, 7), (5, 5), (None, 7)])
async def test_a_client_may_lower_the_operators_recursion_limit(asked: int | None, used: int) -> None:
    seen = Seen()
    provider = LangGraphProvider(looking(seen).compile(), config={"recursion_limit": 7})
    config = {} if asked is None else {"recursion_limit": asked}

    await collect(provider, request(user("hi", "u1"), forwardedProps={"config": config}))

    assert seen.config["recursion_limit"] == used


async def test_a_graph_that_says_nothing_ends_after_a_thousand_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    graph = looking(seen).compile()

    await collect(LangGraphProvider(graph), request(user("hi", "u1")))
    assert seen.config["recursion_limit"] == 1_000
    await collect(LangGraphProvider(graph.with_config(recursion_limit=2_000)), request(user("hi", "u1")))
    assert seen.config["recursion_limit"] == 2_000
    monkeypatch.setenv("LANGGRAPH_DEFAULT_RECURSION_LIMIT", "30")
    await collect(LangGraphProvider(graph), request(user("hi", "u1")))
    assert "recursion_limit" not in seen.config


async def test_properties_and_the_clients_config_reach_the_graph() -> None:
    seen = Seen()
    provider = LangGraphProvider(looking(seen).compile(), config={"tags": ["ours"]})
    config = {
        "configurable": {"model": "small"},
        "recursion_limit": 9,
        "tags": ["theirs"],
        "metadata": {"campaign": "x"},
    }
    input = request(user("hi", "u1"), forwardedProps={"config": config, "locale": "de"})

    await collect(provider, input, RequestContext(properties={"tenant": "acme"}))

    assert {key: seen.configurable[key] for key in ("model", "locale", "tenant", "thread_id")} == {
        "model": "small",
        "locale": "de",
        "tenant": "acme",
        "thread_id": "t",
    }
    assert seen.config["recursion_limit"] == 9
    assert {"ours", "theirs"} <= set(seen.config["tags"])
    assert seen.config["metadata"]["campaign"] == "x"


async def test_a_client_cannot_choose_the_thread_the_checkpoint_or_the_user() -> None:
    seen = Seen()
    provider = LangGraphProvider(looking(seen).compile(checkpointer=InMemorySaver()))
    forged = {
        "thread_id": "other",
        "checkpoint_id": "1",
        "checkpoint_ns": "x",
        "langgraph_auth_user_id": "admin",
        "__pregel_resuming": True,
    }
    input = request(user("hi", "u1"), forwardedProps={"config": {"configurable": forged}, **forged})

    await collect(provider, input, RequestContext(owner="ada", properties=forged))

    assert seen.configurable["thread_id"] == "t"
    assert seen.configurable["langgraph_auth_user_id"] == "ada"


async def test_credentials_among_the_properties_stay_out_of_the_checkpoints() -> None:
    seen, saver = Seen(), InMemorySaver()
    provider = LangGraphProvider(looking(seen).compile(checkpointer=saver))

    await collect(
        provider, request(user("hi", "u1")), RequestContext(properties={"authorization": "Bearer s3cret"})
    )

    assert seen.configurable["copilotkit"]["properties"] == {"authorization": "Bearer s3cret"}
    checkpoints = [checkpoint async for checkpoint in saver.alist(None)]
    assert len(checkpoints) > 0
    assert all("s3cret" not in str(checkpoint.metadata) for checkpoint in checkpoints)


async def test_the_frontends_tools_are_in_the_configuration_for_subgraphs_and_tools() -> None:
    seen = Seen()
    tool = {"name": "paint", "description": "Paints"}
    fact = {"description": "user", "value": "Ada"}

    await collect(
        LangGraphProvider(looking(seen).compile()), request(user("hi", "u1"), tools=[tool], context=[fact])
    )

    assert seen.configurable["copilotkit"] == {"actions": [tool], "context": [fact], "properties": {}}


@dataclass
class DataclassContext:
    tenant: str
    limit: int = 3


class ModelContext(BaseModel):
    tenant: str
    limit: int = 3


class DictContext(TypedDict):
    tenant: str


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (DataclassContext, DataclassContext("acme")),
        (ModelContext, ModelContext(tenant="acme")),
        (DictContext, {"tenant": "acme"}),
    ],
)
async def test_the_context_schema_gets_the_keys_that_it_declares(schema: Any, expected: Any) -> None:
    seen = Seen()
    provider = LangGraphProvider(looking(seen, schema).compile(checkpointer=InMemorySaver()))

    await collect(
        provider, request(user("hi", "u1")), RequestContext(properties={"tenant": "acme", "other": 1})
    )

    assert seen.context == expected


async def test_a_graph_whose_context_is_incomplete_runs_without_one() -> None:
    seen = Seen()

    await collect(LangGraphProvider(looking(seen, DataclassContext).compile()), request(user("hi", "u1")))

    assert seen.context is None


async def test_a_recursion_limit_is_an_error_that_a_client_may_read() -> None:
    class Count(TypedDict):
        n: int

    builder = StateGraph(Count)
    builder.add_node("again", lambda state: {"n": state["n"] + 1})
    builder.add_edge(START, "again")
    builder.add_edge("again", "again")
    provider = LangGraphProvider(builder.compile())

    with pytest.raises(AgentError) as caught:
        await collect(provider, request(state={"n": 0}, forwardedProps={"config": {"recursion_limit": 3}}))

    assert caught.value.agent_code == "GRAPH_RECURSION_LIMIT"


async def test_the_memory_of_another_users_thread_is_not_found() -> None:
    provider = LangGraphProvider(looking(Seen()).compile(checkpointer=InMemorySaver()))
    ada, bob = RequestContext(owner="ada"), RequestContext(owner="bob")
    await collect(provider, request(user("secret", "u1")), ada)

    with pytest.raises(ThreadNotFoundError):
        await collect(provider, request(user("tell me", "u2")), bob)

    with pytest.raises(ThreadNotFoundError):
        await provider.snapshot("t", bob)
    known = await provider.snapshot("t", ada)
    assert known is not None
    assert known.owner == "ada"


# Where the graph comes from


async def test_a_factory_makes_a_graph_for_each_run() -> None:
    made: list[str] = []

    def make(context: RequestContext) -> Any:
        made.append(context.owner)
        return looking(Seen()).compile()

    provider = LangGraphProvider(make)

    await collect(provider, request(), RequestContext(owner="ada"))
    await collect(provider, request(), RequestContext(owner="bob"))

    assert made == ["ada", "bob"]


async def test_a_factory_may_be_async_or_a_context_manager_or_take_nothing() -> None:
    log: list[str] = []

    async def make_async() -> Any:
        return looking(Seen()).compile()

    @asynccontextmanager
    async def opened(context: RequestContext) -> AsyncIterator[Any]:
        log.append("open")
        yield looking(Seen()).compile()
        log.append("closed")

    factories: list[Any] = [make_async, opened, lambda: looking(Seen())]
    for factory in factories:
        events = await collect(LangGraphProvider(factory), request(user("hi", "u1")))
        assert events[-1]["type"] == "RUN_FINISHED"

    assert log == ["open", "closed"]


async def test_a_graph_builder_is_compiled() -> None:
    events = await collect(LangGraphProvider(looking(Seen())), request(user("hi", "u1")))

    assert events[-1]["type"] == "RUN_FINISHED"


def test_something_that_is_no_graph_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Expected a LangGraph graph, not int"):
        LangGraphProvider(5)  # type: ignore[arg-type]


async def test_a_workflow_of_the_functional_api_runs() -> None:
    @entrypoint()
    async def workflow(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"asked": inputs["messages"][-1].text, "n": inputs["n"]}

    events = await collect(LangGraphProvider(workflow), request(user("hi", "u1"), state={"n": 2}))

    assert snapshots(events)[-1] == {"asked": "hi", "n": 2}


class Counted(dict[Any, Any]):
    """A mapping that counts how often it is read."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        self.read += 1
        return super().__getitem__(key)


async def test_the_declarations_of_a_graph_are_read_once_and_not_for_every_run() -> None:
    builder = looking(Seen())
    graph = builder.compile()
    builder.schemas = schemas = Counted(builder.schemas)
    provider = LangGraphProvider(graph)

    await collect(provider, request(user("hi", "u1")))
    after_one = schemas.read
    await collect(provider, request(user("hi", "u1")))

    assert schemas.read == after_one > 0


async def test_a_graph_without_a_checkpointer_can_be_given_one() -> None:
    own, given = InMemorySaver(), InMemorySaver()
    plain, equipped = looking(Seen()).compile(), looking(Seen()).compile(checkpointer=own)

    for graph in (plain, equipped, looking(Seen()), looking(Seen()).compile):
        provider = LangGraphProvider(graph, checkpointer=given)
        await collect(provider, request(user("hi", "u1"), thread=str(id(graph))))

    assert plain.checkpointer is None
    assert [len(own.storage), len(given.storage)] == [1, 3]
