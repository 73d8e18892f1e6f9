"""Graphs on a LangGraph server as agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from ag_ui.core import RunAgentInput
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk.client import LangGraphClient

from ...agui.events import Event
from ...context import RequestContext
from ..base import AgentSnapshot, Provider, RememberedThread
from ..langchain.usage import StreamedUsage
from ..langgraph.config import forwarded_props, run_config
from ..langgraph.mapper import GraphMapper
from ..langgraph.plan import messages_of, pause, plan_run
from ..langgraph.snapshot import agent_snapshot
from ..langgraph.subagents import SubagentMode
from .memory import Memory, snapshot_of
from .message_ids import MESSAGE_IDS, MessageIds
from .parts import Parts
from .request import run_request
from .run import ServerRun, cancel_leftovers
from .schema import Declarations
from .server import Server
from .threads import Threads, owner_of, thread_id_of

_CAPABILITIES: Final = {
    "transport": {"streaming": True, "resumable": True},
    "tools": {"clientProvided": True},
    "state": {"snapshots": True, "deltas": False, "persistentState": True},
    "reasoning": {"supported": True, "streaming": True},
    "humanInTheLoop": {"supported": True, "interrupts": True},
}


class LangGraphPlatform(Provider):
    """Runs a graph on a server of LangGraph's API: LangGraph Platform, `langgraph dev`, or Aegra.

    The server's memory of a thread is the truth, and a request adds to it what is new in the client's
    history. A thread whose id is a UUID has the same id on the server; any other id stands for a UUID that
    is made of it. The owner is stored in the thread's metadata, and a thread of another owner cannot be
    reached.

    A connection to the server that breaks is replaced, and the run joined where it left off. A run that is
    stopped, or that has no reader any more, is cancelled on the server.

    Args:
        url: the base URL of the server.
        graph: the name of the graph, or the id of an assistant.
        api_key: sent as `x-api-key`. Without it, the key in the environment variable `LANGGRAPH_API_KEY`,
            `LANGSMITH_API_KEY` or `LANGCHAIN_API_KEY`, if there is one.
        headers: sent with every request. They win over those that the caller's request passes on.
        assistant_config: the operator's part of every run's configuration, such as `recursion_limit`.
        description: one sentence for frontends and other agents.
        emit_interrupt_outcome: see `LangGraphProvider`.
        subagents: see `LangGraphProvider`.
        client: an SDK client to use instead of `api_key` and `headers`.

    Raises:
        ValueError: the URL is not http(s), or holds credentials.
    """

    unique_call_ids = True

    is_remote = True

    def __init__(
        self,
        url: str,
        *,
        graph: str,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        assistant_config: RunnableConfig | None = None,
        description: str = "",
        emit_interrupt_outcome: bool | None = None,
        subagents: SubagentMode = "inline",
        client: LangGraphClient | None = None,
    ) -> None:
        self.description = description
        self.capabilities = _CAPABILITIES
        self._server = Server(url, api_key=api_key, headers=headers or {}, client=client)
        self._graph = graph
        self._config = assistant_config
        self._emit_interrupt_outcome = emit_interrupt_outcome
        self._subagents = subagents
        self._declarations = Declarations(self._server, graph)
        self._in_progress: set[str] = set()

    @classmethod
    def from_remote_graph(cls, graph: RemoteGraph) -> LangGraphPlatform:
        """Returns the provider that runs a `RemoteGraph`, with its client and configuration.

        Raises:
            ValueError: the graph has no asynchronous client.
        """
        client = graph.client
        if client is None:
            raise ValueError("the RemoteGraph has no asynchronous client: give it a url or a client")
        return cls(
            str(client.http.client.base_url),
            graph=graph.assistant_id,
            assistant_config=graph.config,
            client=client,
        )

    def __repr__(self) -> str:
        return f"LangGraphPlatform({self._server.url!r}, graph={self._graph!r})"

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams one run of the graph.

        Raises:
            AgentError: the server refuses, cannot be reached or ends the run, or the request answers a
                question that is not open.
            ThreadBusyError: the thread has a run in progress that another program started on the server.
            ThreadNotFoundError: the thread is another owner's.
            GraphFailedError: the graph raised an exception.
        """
        graph = await self._declarations.read(context)
        headers = self._server.headers(context)
        metadata = forwarded_props(input).get("threadMetadata")
        threads = Threads(self._server, graph.graph_id)
        thread = await threads.open(
            input.thread_id, context, metadata if isinstance(metadata, Mapping) else None
        )
        ids = MessageIds(thread["metadata"])
        memory = Memory(self._server, thread, headers, ids)
        state = await memory.aget_state()
        schema = await self._declarations.with_reducers(graph, context) if state.values else graph.schema
        # A function whose result holds what the user said goes on with it.
        if any(isinstance(message, HumanMessage) for message in messages_of(state)):
            schema = replace(schema, remembers=True)
        memory.reduced = schema.reduced
        config = run_config(self._config, input, context, [])
        plan = await plan_run(memory, schema, input, config, state)
        parts = Parts(ids, plan.repetition)
        mapper = GraphMapper(
            input.thread_id,
            input.run_id,
            schema,
            plan.known,
            emit_outcome=self._emits_outcome(input),
            view=plan.view,
            repetition=plan.repetition,
            tool_tasks=parts.tool_tasks,
            subagents=self._subagents,
            unwritten=memory.unwritten,
        )
        for event in mapper.start():
            yield event
        run = ServerRun(self._server, input.thread_id, thread["thread_id"], headers, self._in_progress)
        usage = StreamedUsage()
        try:
            async with run.following(run_request(plan, graph.assistant_id, input, ids)) as stream:
                async for raw in stream:
                    for part in parts.translate(raw):
                        _, mode, data = part
                        if mode == "messages":
                            usage.add(*data)
                        for event in mapper.feed(part):
                            yield event
        finally:
            usage.record()
        if ids.changed:
            await threads.note(thread, {MESSAGE_IDS: ids.all}, context)
        paused = pause(schema, await memory.aget_state()) if schema.breakpoints else None
        for event in mapper.finish(paused):
            yield event

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what the server holds of a thread, or None if it has no such thread.

        Raises:
            ThreadNotFoundError: it is another owner's.
            AgentError: the server refuses, or cannot be reached.
        """
        graph = await self._declarations.read(context)
        thread = await Threads(self._server, graph.graph_id).find(thread_id, context)
        if thread is None:
            return None
        ids = MessageIds(thread["metadata"])
        state = await Memory(self._server, thread, self._server.headers(context), ids).aget_state()
        if state.metadata is None:
            return None
        return agent_snapshot(state, graph.schema, owner_of(thread))

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        """Deletes a thread on the server, unless it is another owner's."""
        graph = await self._declarations.read(context)
        await Threads(self._server, graph.graph_id).delete(thread_id, context)

    async def abandon(self, thread_id: str, context: RequestContext) -> None:
        """Cancels what a process that was killed has left running on a thread."""
        graph = await self._declarations.read(context)
        thread = await Threads(self._server, graph.graph_id).find(thread_id, context)
        if thread is not None:
            headers = self._server.headers(context)
            await cancel_leftovers(self._server, thread["thread_id"], headers, self._in_progress)

    async def remembered_threads(self) -> AsyncIterator[RememberedThread]:
        """Yields the threads of the graph on the server, but for those with a run in progress.

        Raises:
            AgentError: the server refuses, or cannot be reached.
        """
        context = RequestContext()
        graph = await self._declarations.read(context)
        async for thread in Threads(self._server, graph.graph_id).search(context):
            if thread["status"] != "busy":
                yield RememberedThread(
                    id=thread_id_of(thread),
                    created_at=_time(thread["created_at"]),
                    updated_at=_time(thread["updated_at"]),
                    metadata=thread["metadata"] or {},
                    snapshot=agent_snapshot(snapshot_of(thread), graph.schema, owner_of(thread)),
                )

    async def count_threads(self) -> int:
        """Returns how many threads the graph has on the server.

        Raises:
            AgentError: the server refuses, or cannot be reached.
        """
        context = RequestContext()
        graph = await self._declarations.read(context)
        return await Threads(self._server, graph.graph_id).count(context)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._server.aclose()

    def _emits_outcome(self, input: RunAgentInput) -> bool:
        if self._emit_interrupt_outcome is None:
            return input.protocol_version is not None
        return self._emit_interrupt_outcome


def _time(time: datetime | str) -> datetime:
    """Returns a time of the server's, which the SDK leaves as text."""
    read = datetime.fromisoformat(time) if isinstance(time, str) else time
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
