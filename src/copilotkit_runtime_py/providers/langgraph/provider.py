"""Compiled LangGraph graphs as agents."""

from __future__ import annotations

import inspect
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    suppress,
)
from typing import Any, Final, TypeAlias, cast

from ag_ui.core import RunAgentInput
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphRecursionError
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from ...agui.events import Event
from ...context import RequestContext
from ...errors import AgentError, ConfigurationError, ThreadNotFoundError
from ..base import AgentSnapshot, Provider, RememberedThread
from ..function import takes_context
from ..langchain.usage import UsageCallbacks
from .callbacks import RunCallbacks
from .checkpoint import Graph
from .config import USER_KEY, forwarded_props, run_config, run_context
from .factory import ConfiguredFactory
from .listing import count_threads, list_threads
from .mapper import STREAM_MODES, GraphMapper
from .memory import RecentThreads
from .plan import pause, plan_run, remembered
from .savers import check_saver
from .schema import GraphSchema, read_schema
from .snapshot import agent_snapshot
from .stored import StoredThreads
from .subagents import SubagentMode

GraphLike: TypeAlias = Graph | StateGraph[Any, Any, Any, Any]
Made: TypeAlias = GraphLike | Awaitable[GraphLike] | AbstractAsyncContextManager[GraphLike]
GraphFactory: TypeAlias = Callable[[RequestContext], Made] | Callable[[], Made] | ConfiguredFactory

_RECURSION_LIMIT: Final = 1_000
"""After how many supersteps a run ends where neither the graph nor the operator says."""

# What holds of every graph; whether it calls tools or keeps a memory is its own affair.
_CAPABILITIES: Final = {
    "transport": {"streaming": True, "resumable": True},
    "tools": {"clientProvided": True},
    "state": {"snapshots": True, "deltas": False},
    "reasoning": {"supported": True, "streaming": True},
    "humanInTheLoop": {"supported": True, "interrupts": True},
}


class LangGraphProvider(Provider):
    """Runs a compiled LangGraph graph.

    With a checkpointer, the graph's own memory is the truth and a request adds to it what is new in the
    client's history. Without one, every run starts from the history that the client sends.

    A plain message that arrives while an interrupt waits for its answer starts a new turn from the graph's
    entry: it is neither taken as the answer nor lost, and the question lapses. Tool calls that are still
    open then get a result that says so, because model providers reject an unanswered call. A run starts at
    the graph's entry, unless the graph stands at a breakpoint and the request lets it go on.

    Args:
        graph: a graph, or a factory that makes one for each run: a plain or async function, or one that
            returns an async context manager, with the `RequestContext` as its only argument or none.
        description: one sentence for frontends and other agents.
        config: the operator's part of every run's configuration, such as `recursion_limit`, which is 1,000
            unless the graph or LANGGRAPH_DEFAULT_RECURSION_LIMIT says otherwise.
        checkpointer: the memory of graphs that bring none. Without it, they have theirs in the runtime's
            store if that outlasts the process.
        store: the long-term memory of graphs that bring none.
        configurable_headers: which of the request's headers that reach agents are in `configurable`, by their
            names in lower case. LangGraph writes them to its checkpoints. None: none.
        emit_interrupt_outcome: a run that pauses sends its interrupts not only as `on_interrupt` events but
            also by the outcome of its RUN_FINISHED. None: only to clients that declare AG-UI 1.0. Where
            both are sent, `useInterrupt` and `useLangGraphInterrupt` of `@copilotkit/react-core` (1.74)
            render the AG-UI interrupt as `event.value`, in the place of the value that the graph gave.
        subagents: what clients see of named agents that run inside tools, such as those of `deepagents`.
            "inline": their messages and tool calls, as if they were the agent's own. "attributed": the same,
            with `SUBAGENT_*` events and `subagentRunId` for clients that declare AG-UI 1.0. "hidden": nothing
            but the results of the tools that they run in.
        forward_headers: give nodes the request's headers that reach agents, by their names in lower case, as
            the dict `copilotkit_forwarded_headers` in `configurable`, and in the context if the graph's
            context schema declares it. `CopilotKitMiddleware` sends those that begin with `x-` on to the
            model's provider. They are not in checkpoints' metadata.

    Raises:
        ConfigurationError: `graph` is neither a graph nor a factory.
    """

    unique_call_ids = True

    def __init__(
        self,
        graph: GraphLike | GraphFactory,
        *,
        description: str = "",
        config: RunnableConfig | None = None,
        checkpointer: BaseCheckpointSaver[Any] | None = None,
        store: BaseStore | None = None,
        configurable_headers: Callable[[str], bool] | None = None,
        emit_interrupt_outcome: bool | None = None,
        subagents: SubagentMode = "inline",
        forward_headers: bool = False,
    ) -> None:
        self.description = description
        self.capabilities = _CAPABILITIES
        self._config = config
        self._checkpointer = checkpointer
        self._store = store
        self._configurable_headers = configurable_headers
        self._emit_interrupt_outcome = emit_interrupt_outcome
        self._subagents = subagents
        self._forward_headers = forward_headers
        self._memory: StoredThreads | None = None
        self._given = graph
        self._make = self._maker(graph)
        self._schemas: weakref.WeakKeyDictionary[Graph, GraphSchema] = weakref.WeakKeyDictionary()

    def use_store(self, url: str | None, agent_name: str) -> None:
        """Gives graphs that bring no checkpointer one in the runtime's store.

        Raises:
            ConfigurationError: the graph needs one, and the package for it is missing.
        """
        own = self._checkpointer is not None and not isinstance(self._checkpointer, RecentThreads)
        if url is None or own:
            return
        graph: Any = self._given
        if isinstance(graph, StateGraph) or (isinstance(graph, Pregel) and graph.checkpointer is None):
            check_saver(url)
        self._checkpointer = self._memory = StoredThreads(url, agent_name)
        self._make = self._maker(graph)

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams one run of the graph.

        Raises:
            AgentError: the request answers a question that is not open, or the graph reached its recursion
                limit.
            ThreadNotFoundError: the graph's memory of the thread is another user's.
        """
        async with self._graph(context, runs=True) as graph:
            schema = self._schema(graph)
            callbacks = RunCallbacks(schema.tool_nodes)
            config = run_config(
                self._base_config(graph, context),
                input,
                context,
                [callbacks, UsageCallbacks()],
                forward_headers=self._forward_headers,
            )
            plan = await plan_run(graph, schema, input, config, await remembered(graph, config, context))
            callbacks.repetition = plan.repetition
            mapper = GraphMapper(
                input.thread_id,
                input.run_id,
                schema,
                plan.known,
                emit_outcome=self._emits_outcome(input),
                view=plan.view,
                repetition=plan.repetition,
                tool_tasks=callbacks.tool_tasks,
                subagents=self._subagents,
            )
            for event in mapper.start():
                yield event
            stream = graph.astream(
                plan.input,
                plan.config,
                context=run_context(config, schema),
                stream_mode=STREAM_MODES,
                subgraphs=forwarded_props(input).get("streamSubgraphs") is not False,
            )
            try:
                async with aclosing(cast(AsyncGenerator[Any], stream)) as parts:
                    async for part in parts:
                        for event in mapper.feed(part):
                            yield event
            except GraphRecursionError as error:
                raise AgentError("The agent took too many steps.", "GRAPH_RECURSION_LIMIT") from error
            paused = None
            if schema.breakpoints:
                paused = pause(schema, await remembered(graph, config, context))
            for event in mapper.finish(paused):
                yield event

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what the graph's checkpointer holds of a thread.

        None without a checkpointer, and for a thread that it does not know.

        Raises:
            ThreadNotFoundError: it is another user's thread.
        """
        config = merge_configs(self._config, {"configurable": {"thread_id": thread_id}})
        async with self._graph(context) as graph:
            memory = await remembered(graph, config, context)
            if memory is None or memory.metadata is None:
                return None
            owner = memory.metadata.get(USER_KEY)
            return agent_snapshot(memory, self._schema(graph), owner if isinstance(owner, str) else None)

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        """Deletes what the graph's checkpointer holds of a thread, unless it is another user's."""
        config = merge_configs(self._config, {"configurable": {"thread_id": thread_id}})
        async with self._graph(context) as graph:
            with suppress(ThreadNotFoundError, NotImplementedError):
                memory = await remembered(graph, config, context)
                if memory is not None and isinstance(graph.checkpointer, BaseCheckpointSaver):
                    await graph.checkpointer.adelete_thread(thread_id)

    async def remembered_threads(self) -> AsyncIterator[RememberedThread]:
        """Yields the threads that the graph's checkpointer holds."""
        context = RequestContext()
        async with self._graph(context) as graph:
            schema = self._schema(graph)
            async for listed in list_threads(graph.checkpointer):
                config: RunnableConfig = {"configurable": {"thread_id": listed.id}}
                memory = await graph.aget_state(merge_configs(self._config, config))
                metadata = memory.metadata or {}
                owner = metadata.get(USER_KEY)
                yield RememberedThread(
                    id=listed.id,
                    created_at=listed.created_at,
                    updated_at=listed.updated_at,
                    metadata=metadata,
                    snapshot=agent_snapshot(memory, schema, owner if isinstance(owner, str) else None),
                )

    async def count_threads(self) -> int:
        """Returns how many threads the graph's checkpointer holds."""
        async with self._graph(RequestContext()) as graph:
            return await count_threads(graph.checkpointer)

    async def aclose(self) -> None:
        """Closes the checkpointer, if it is in the runtime's store."""
        if self._memory is not None:
            await self._memory.aclose()

    def _emits_outcome(self, input: RunAgentInput) -> bool:
        if self._emit_interrupt_outcome is None:
            return input.protocol_version is not None
        return self._emit_interrupt_outcome

    def _base_config(self, graph: Graph, context: RequestContext) -> RunnableConfig:
        passes = self._configurable_headers
        headers = {name: value for name, value in context.headers.items() if passes and passes(name)}
        base = merge_configs(self._config, {"configurable": headers})
        if "recursion_limit" in (graph.config or {}) or "LANGGRAPH_DEFAULT_RECURSION_LIMIT" in os.environ:
            return base
        return {"recursion_limit": _RECURSION_LIMIT, **base}

    @asynccontextmanager
    async def _graph(self, context: RequestContext, *, runs: bool = False) -> AsyncIterator[Graph]:
        async with AsyncExitStack() as stack:
            graph: Any = self._make(context, runs)
            if inspect.isawaitable(graph):
                graph = await graph
            if isinstance(graph, AbstractAsyncContextManager):
                graph = await stack.enter_async_context(graph)
            yield self._compiled(graph)

    def _schema(self, graph: Graph) -> GraphSchema:
        schema = self._schemas.get(graph)
        if schema is None:
            schema = self._schemas[graph] = read_schema(graph)
        return schema

    def _compiled(self, graph: Any) -> Graph:
        if isinstance(graph, StateGraph):
            return graph.compile(checkpointer=self._checkpointer, store=self._store)
        if not isinstance(graph, Pregel):
            raise ConfigurationError(f"Expected a LangGraph graph, not {type(graph).__name__}")
        given = {"checkpointer": self._checkpointer, "store": self._store}
        missing = {k: v for k, v in given.items() if v is not None and getattr(graph, k) is None}
        return graph.copy(update=missing) if missing else graph

    def _maker(self, graph: Any) -> Callable[[RequestContext, bool], Any]:
        if isinstance(graph, ConfiguredFactory):
            return lambda context, runs: graph.make(context, runs=runs)
        if isinstance(graph, StateGraph | Pregel) or not callable(graph):
            compiled = self._compiled(graph)
            return lambda context, runs: compiled
        if takes_context(graph, 0):
            return lambda context, runs: graph(context)
        return lambda context, runs: graph()
