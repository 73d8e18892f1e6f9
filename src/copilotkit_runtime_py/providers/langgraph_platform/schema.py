"""What the graph on the server declares."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Assistant

from ...context import RequestContext
from ...errors import AgentError
from ...logs.records import get_logger
from ..langgraph.schema import GraphSchema
from .server import FAULT, Server
from .threads import PROBE

logger = get_logger(__name__)

_FRESH_SECONDS: Final = 60.0
# What is written to find out which channels have a reducer.
_OVERWRITE: Final[dict[str, Any]] = {"__overwrite__": []}


@dataclass(frozen=True, slots=True)
class ServerGraph:
    """A graph on the server.

    Attributes:
        assistant_id: what a run is started with.
        graph_id: the graph's name.
        schema: its declarations. Which channels have a reducer is known only after `with_reducers`.
        declared: the declarations as the server has them, to notice a change.
    """

    assistant_id: str
    graph_id: str
    schema: GraphSchema
    declared: Mapping[str, Any]


class Declarations:
    """Reads the declarations of one graph, and keeps them for a minute: a server may get a new version of it.

    Args:
        server: the server.
        graph: the name of the graph, or the id of an assistant.
    """

    def __init__(self, server: Server, graph: str) -> None:
        self._server = server
        self._graph = graph
        self._read: ServerGraph | None = None
        self._read_at = 0.0
        self._probed: tuple[Mapping[str, Any], frozenset[str]] | None = None

    async def read(self, context: RequestContext) -> ServerGraph:
        """Returns the graph.

        Raises:
            AgentError: the server has no such graph, refuses, or cannot be reached.
        """
        now = asyncio.get_running_loop().time()
        if self._read is None or now - self._read_at > _FRESH_SECONDS:
            assistant = await self._assistant(context)
            headers = self._server.headers(context)
            client = self._server.client
            id = assistant["assistant_id"]
            declared = await self._described(lambda: client.assistants.get_schemas(id, headers=headers))
            drawn = await self._described(lambda: client.assistants.get_graph(id, xray=True, headers=headers))
            self._read_at = now
            self._read = ServerGraph(id, assistant["graph_id"], _schema(declared, drawn), declared)
        return self._read

    async def with_reducers(self, graph: ServerGraph, context: RequestContext) -> GraphSchema:
        """Returns the schema with the channels that have a reducer.

        No server lists them. So a thread is made, LangGraph's `Overwrite` is written to every
        channel, and those that took it for an instruction, not for a value, have one. It is done once for
        each version of the graph. Where the server does not allow it, only `messages` is taken to have one.
        The functional API has none.
        """
        if not graph.schema.remembers:
            return graph.schema
        if self._probed is None or self._probed[0] != graph.declared:
            try:
                reduced = await self._probe(graph, context)
            except (httpx.HTTPError, AgentError) as error:
                logger.warning("the reducers of graph %s cannot be found out: %r", graph.graph_id, error)
                reduced = frozenset({"messages"})
            self._probed = (graph.declared, reduced)
        return replace(graph.schema, reduced=self._probed[1])

    async def _described(self, call: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
        """Returns a description of the graph; an empty one where the server cannot make one of this graph.

        Not every type has a JSON schema, and LangGraph's JavaScript server makes one of TypeScript only.
        """
        try:
            return await self._server.ask(call)
        except AgentError as error:
            if error.status_code in (404, 422, 500):
                logger.warning("graph %s is run without knowing what it declares", self._graph)
                return {}
            raise

    async def _probe(self, graph: ServerGraph, context: RequestContext) -> frozenset[str]:
        channels = graph.schema.inputs or frozenset({"messages"})
        client, headers = self._server.client, self._server.headers(context)
        id = str(uuid.uuid4())
        await client.threads.create(
            thread_id=id, metadata={"graph_id": graph.graph_id, PROBE: True}, headers=headers
        )
        try:
            values = dict.fromkeys(channels, _OVERWRITE)
            await client.threads.update_state(id, values, as_node="__start__", headers=headers)
            state = await client.threads.get_state(id, headers=headers)
            found = state["values"] if isinstance(state["values"], dict) else {}
            return frozenset(channel for channel in channels if found.get(channel) == [])
        finally:
            with contextlib.suppress(httpx.HTTPError):
                await client.threads.delete(id, headers=headers)

    async def _assistant(self, context: RequestContext) -> Assistant:
        client, headers = self._server.client, self._server.headers(context)
        with contextlib.suppress(ValueError):
            id = str(uuid.UUID(self._graph))
            return await self._server.ask(lambda: client.assistants.get(id, headers=headers))

        async def search() -> list[Assistant]:
            with contextlib.suppress(NotFoundError):
                return await client.assistants.search(graph_id=self._graph, limit=100, headers=headers)
            return []

        found = await self._server.ask(search)
        own = [assistant for assistant in found if assistant["graph_id"] == self._graph]
        if not own:
            raise AgentError(f"The LangGraph server has no graph '{self._graph}'.", FAULT, status_code=404)
        # Beside those that people made, each graph has one of its name, made by the server.
        made = [each for each in own if (each.get("metadata") or {}).get("created_by") == "system"]
        return (made or own)[0]


def _schema(declared: Mapping[str, Any], drawn: Mapping[str, Any]) -> GraphSchema:
    nodes = drawn.get("nodes") or ()
    states = _properties(declared.get("state_schema")) or frozenset({"messages"})
    context = _properties(declared.get("context_schema"))
    return GraphSchema(
        inputs=_properties(declared.get("input_schema")),
        outputs=_properties(declared.get("output_schema")),
        reduced=frozenset(),
        context_keys=context,
        context_required=frozenset(),
        # The only channel of a function is its result.
        remembers=states != {"__end__"},
        breakpoints=any("__interrupt" in (node.get("metadata") or {}) for node in nodes),
    )


def _properties(schema: Any) -> frozenset[str] | None:
    """Returns the properties of a JSON schema, or None where it does not list them."""
    if not isinstance(schema, Mapping):
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        inner = (schema.get("$defs") or {}).get(reference.rpartition("/")[2])
        return _properties(inner)
    properties = schema.get("properties")
    return frozenset(properties) if isinstance(properties, Mapping) and properties else None
