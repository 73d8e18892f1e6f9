"""Request headers inside the nodes of a graph."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect

from .scripted import request, user

pytestmark = pytest.mark.anyio

HEADERS = {"authorization": "Bearer s3cret", "x-tenant": "acme"}


class Declared(TypedDict, total=False):
    copilotkit_forwarded_headers: dict[str, str]


def looking(seen: dict[str, Any], context_schema: Any = None) -> Any:
    async def look(state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        seen["configurable"] = get_config()["configurable"].get("copilotkit_forwarded_headers")
        seen["context"] = runtime.context
        return {}

    builder: Any = StateGraph(MessagesState, context_schema=context_schema)
    builder.add_node("look", look).add_edge(START, "look")
    return builder.compile(checkpointer=InMemorySaver())


async def test_headers_reach_nodes_as_one_dict_and_no_checkpoints_metadata() -> None:
    seen: dict[str, Any] = {}
    graph = looking(seen, Declared)
    provider = LangGraphProvider(graph, forward_headers=True)

    await collect(provider, request(user("hi", "u1")), RequestContext(headers=HEADERS))

    assert seen == {"configurable": HEADERS, "context": {"copilotkit_forwarded_headers": HEADERS}}
    checkpoints = [saved async for saved in graph.checkpointer.alist(None)]
    assert checkpoints
    for saved in checkpoints:
        assert "s3cret" not in repr((saved.metadata, saved.config, saved.checkpoint))
        assert "acme" not in repr((saved.metadata, saved.config, saved.checkpoint))


async def test_headers_do_not_reach_nodes_unless_the_operator_asks() -> None:
    seen: dict[str, Any] = {}

    await collect(
        LangGraphProvider(looking(seen)), request(user("hi", "u1")), RequestContext(headers=HEADERS)
    )

    assert seen == {"configurable": None, "context": None}


@pytest.mark.parametrize("forward_headers", [False, True])
async def test_a_client_cannot_write_forwarded_headers_itself(forward_headers: bool) -> None:
    seen: dict[str, Any] = {}
    forged = {"copilotkit_forwarded_headers": {"x-tenant": "other"}}
    props = {"config": {"configurable": forged}, **forged}
    provider = LangGraphProvider(looking(seen), forward_headers=forward_headers)

    await collect(
        provider,
        request(user("hi", "u1"), forwardedProps=props),
        RequestContext(headers=HEADERS, properties=forged),
    )

    assert seen["configurable"] == (HEADERS if forward_headers else None)
