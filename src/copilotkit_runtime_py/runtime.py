"""The runtime: starts and stops runs of the registered agents, and reads and deletes threads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from ag_ui.core import RunAgentInput

from . import telemetry
from .agui.run_input import RunInput
from .attachments.files import Attachments
from .attachments.media_types import ATTACHMENT_TYPES
from .context import RequestContext
from .errors import CopilotKitError, masked
from .generative_ui.app_request import AppRequest
from .generative_ui.features import GenerativeUI
from .guardrails.policy import Guardrails
from .hooks import (
    AfterRequest,
    BeforeRequest,
    Hook,
    Hooks,
    RequestFailed,
    StopGeneration,
    call_hook,
    tell_hook,
)
from .limits import Limits
from .logs.records import get_logger, scope
from .providers.directory import AgentDirectory, AgentsOf, Authorize, AvailableAgents, ResolvedAgent
from .providers.resolve import AgentLike
from .runs.agent_run import AgentRun, ServerSide
from .runs.answers import with_answers
from .runs.capacity import Capacity, Slot
from .runs.journal import Journal
from .runs.journal_writer import JournalWriter
from .runs.lifecycle import EphemeralRun, PersistedRun, forget
from .runs.log_memory import LogMemory
from .runs.request import RunRequest
from .runs.run import EventSource, Run, RunLifecycle
from .runs.thread_locks import BusyThreadPolicy, ThreadLocks
from .runs.thread_view import ThreadReader, ThreadView
from .runs.title import title_of
from .state_store.base import AgentState, RunRecord, StateStore
from .state_store.from_url import open_state_store
from .state_store.memory import MemoryStateStore
from .tools.actions import Tool
from .tools.loop import ActionSource
from .tools.registry import ToolRegistry
from .transcription import TranscriptionService

if TYPE_CHECKING:
    from .generative_ui.a2ui import A2UI

logger = get_logger(__name__)


class CopilotRuntime:
    """Runs agents for CopilotKit frontends. It knows no HTTP: `create_router` puts it on a URL.

    Args:
        agents: what can be run, by name: a LangGraph graph, the URL of an AG-UI agent, an async generator
            function, an object with `run(RunAgentInput)`, a `Provider`, or a function that makes one of
            these for each run.
            Or a function of the `RequestContext` that returns such agents: each caller then has their own.
            It may return the same objects again; make agents that hold connections once.
        agents_cache_key: what the result of that function depends on, such as the user's tenant. Requests
            with the same key get the same agents, and the function is not called again.
        default_agent: the agent for frontends that name none. Without it, that is the agent named `default`,
            or the only one.
        actions: what agents may call besides the frontend's tools: functions, `Action`s, and `AgentTool`s.
            `action` and `agent_tool` add more.
        mcp_servers: MCP servers with tools that agents may call: `MCPServer`s, and `ClientMCPServers`.
        guardrails: checks what users say before an agent gets it. Without them, users may say anything, and
            a frontend that asks for guardrails is refused.
        authorize: decides whether the caller of a request may use an agent; a plain or an async function of
            the request and the agent's name. To a caller who may not use it, an agent does not exist.
            Without it, every caller may use all agents.
        state_store: where threads are stored: a store, or the URL of one (`sqlite:///threads.db`,
            `postgresql://...`, `redis://...`). The default is in memory, with bounds.
        limits: what a client or an agent may ask of the process.
        properties: the server's own properties. Agents get them with the frontend's, which they override.
        on_busy_thread: what a new run on a thread with a run in progress does: `reject` refuses it,
            `supersede` stops the other run, `enqueue` waits for its end.
        on_before_request: called before a run starts. Raising refuses the run.
        on_after_request: called after a run ended well, with the messages that it added.
        on_stop_generation: called once after a run was stopped.
        on_error: called after a request failed.
        transcription_service: turns recordings into text for frontends with a microphone button.
        attachment_types: the media types of files that pages may upload, such as `image/*`. By default
            images, audio, video, PDF, plain text and office documents.
        a2ui: lets agents draw A2UI surfaces: `A2UI(...)`, or True for its defaults. Without it, they can on
            pages that bring a component catalog; False switches that off, too.
        open_generative_ui: lets agents write HTML documents for a sandboxed frame of the page: True, or the
            names of the agents that may.
        development: the text of exceptions reaches clients, and every client can watch the events of all
            runs. Never in production.

    Raises:
        ConfigurationError: an agent is none of the above, the default agent is not registered, or two
            actions have one name.
    """

    def __init__(
        self,
        agents: Mapping[str, AgentLike] | AgentsOf,
        *,
        agents_cache_key: Callable[[RequestContext], Hashable] | None = None,
        default_agent: str | None = None,
        actions: Iterable[Tool | Callable[..., Any]] = (),
        mcp_servers: Iterable[ActionSource] = (),
        guardrails: Guardrails | None = None,
        authorize: Authorize | None = None,
        state_store: StateStore | str = "memory",
        limits: Limits | None = None,
        properties: Mapping[str, Any] | None = None,
        on_busy_thread: BusyThreadPolicy = "reject",
        on_before_request: Hook[BeforeRequest] | None = None,
        on_after_request: Hook[AfterRequest] | None = None,
        on_stop_generation: Hook[StopGeneration] | None = None,
        on_error: Hook[RequestFailed] | None = None,
        transcription_service: TranscriptionService | None = None,
        attachment_types: Collection[str] = ATTACHMENT_TYPES,
        a2ui: A2UI | bool | None = None,
        open_generative_ui: bool | Collection[str] = False,
        development: bool = False,
    ) -> None:
        store = open_state_store(state_store) if isinstance(state_store, str) else state_store
        limits = limits or Limits()
        self.state_store: StateStore = store
        self.limits = limits
        self._directory = AgentDirectory(
            agents, default=default_agent, authorize=authorize, cache_key=agents_cache_key, url=store.url
        )
        self.agents = self._directory.providers
        self.guardrails = guardrails
        self.properties = dict(properties or {})
        self.transcription_service = transcription_service
        self.development = development
        known = None if self._directory.by_request else self.agents
        self._tools = ToolRegistry(actions, mcp_servers, agents=known, limits=limits, development=development)
        self.action = self._tools.action
        self.agent_tool = self._tools.agent_tool
        self._hooks = Hooks(on_before_request, on_after_request, on_stop_generation, on_error)
        self.attachments = Attachments(store, limits, attachment_types)
        self._server_side = ServerSide(
            guardrails=guardrails,
            generative_ui=GenerativeUI(a2ui, open_generative_ui),
            tools=self._tools,
            attachments=self.attachments,
            attached_bytes=limits.request_bytes,
            properties=self.properties,
        )
        self.generative_ui_info = self._server_side.generative_ui.info
        self._memory = LogMemory(limits.live_log_bytes)
        self._locks = ThreadLocks(
            store, on_busy_thread, limits, self._abandon, memory=self._memory, judged=guardrails is not None
        )
        self._reader = ThreadReader(store, self._locks, self.attachments)
        self._observers: list[Callable[[Run], None]] = []
        self._capacity = Capacity(limits)
        self._writer = JournalWriter(store, patience=limits.store_seconds, watchdog=self._capacity.watchdog)
        self._stop_announced = False

    def agents_for(self, context: RequestContext) -> AvailableAgents:
        """Returns the agents that the caller may use. `authorize` is called once for each."""
        return self._directory.for_caller(context)

    async def start(self, agent_name: str | None, input: RunAgentInput, context: RequestContext) -> Run:
        """Starts a run of an agent on `input.thread_id`. It continues whether or not anyone reads it.

        Args:
            agent_name: the agent; None asks for the default one.
            input: what the agent gets. Readers see it, too, but for the server's own properties.
            context: the caller.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            CopilotKitError: see `start_run`.
        """
        try:
            agent = await self.agents_for(context).resolve(agent_name)
        except Exception as error:
            await self.report(
                RequestFailed(
                    error=error,
                    thread_id=input.thread_id,
                    run_id=input.run_id,
                    agent_name=agent_name,
                    context=context,
                )
            )
            raise
        return await self.start_run(RunRequest(agent=agent, input=RunInput.of(input), context=context))

    async def start_run(self, request: RunRequest) -> Run:
        """Starts a run. It continues whether or not anyone reads it.

        Raises:
            ThreadBusyError: the thread has a run in progress that is not about to stop.
            ThreadNotFoundError: the thread belongs to another owner.
            StoreUnavailableError: the store cannot be reached.
            RateLimitError: the owner, or all together, have as many runs as they may.
            ShuttingDownError: `drain` or `aclose` was called.
            CopilotKitError: a hook refused the request, or it exceeds a limit.
        """
        try:
            with self._admitted(request) as slot:
                run = await self._start_run(request, slot)
        except Exception as error:
            await self.report(request.failed(error))
            raise
        for observer in list(self._observers):
            observer(run)
        return run

    async def start_ephemeral(self, request: RunRequest) -> Run:
        """Starts a run that leaves nothing behind, such as one that makes suggestions.

        No store and no lock knows it, so its thread may have other runs at the same time. `stop` ends it
        like any other. It calls no hook but `on_before_request`, which may refuse it.

        Raises:
            CopilotKitError: a hook refused the request, or it exceeds a limit.
            RateLimitError: the owner, or all together, have as many runs as they may.
            ShuttingDownError: `drain` or `aclose` was called.
            ThreadNotFoundError: the thread, which the agent may remember, belongs to another owner.
        """
        with self._admitted(request) as slot:
            return await self._start_ephemeral(request, slot)

    async def start_app_request(self, request: RunRequest) -> Run:
        """Starts a run that answers the request of an MCP App's frame, without the agent.

        Like an ephemeral run, it leaves nothing behind. Its RUN_FINISHED has the answer as `result`.

        Raises:
            CopilotKitError: a hook refused the request, or it exceeds a limit.
            RateLimitError: the owner, or all together, have as many runs as they may.
            ShuttingDownError: `drain` or `aclose` was called.
        """
        with self._admitted(request) as slot:
            await call_hook(self._hooks.on_before_request, request.before())
            source = AppRequest(request.input, self._tools.app_servers(request.agent.name))
            return self._run_ephemeral(request, source, slot, is_new=False)

    @contextmanager
    def _admitted(self, request: RunRequest) -> Iterator[Slot]:
        """Reserves a slot for a run, and adds its request to log records within the block."""
        request.check_size(self.limits)
        with (
            scope(
                request=request.context,
                agent=request.agent.name,
                thread_id=request.thread_id,
                run_id=request.input.run_id,
            ),
            self._capacity.slot(request.owner) as slot,
        ):
            yield slot

    async def _start_run(self, request: RunRequest, slot: Slot) -> Run:
        store = self.state_store if request.recorded else MemoryStateStore()
        await self._locks.wait_here(request.owner, request.thread_id, patience=self.limits.busy_seconds)
        await call_hook(self._hooks.on_before_request, request.before())
        # What a guardrail may deny must not become a title before the verdict.
        judged = self.guardrails is not None or request.context.guardrails is not None
        title = None if judged else title_of(request.input.messages)
        async with self._locks.claim(request, store, title=title) as claim:
            request = with_answers(request, claim.known)
            agent = AgentRun(request, claim.known, self._server_side)
            writer = self._writer if request.recorded else JournalWriter(store, patience=0)
            journal = Journal(writer, claim.record)
            lifecycle = PersistedRun(request, agent, journal, self._hooks, self._locks, slot)
            run = self._run_of(claim.record, agent, lifecycle)
            lifecycle.begin(run)
        return run

    async def _start_ephemeral(self, request: RunRequest, slot: Slot) -> Run:
        known = await self._locks.known(request)
        await call_hook(self._hooks.on_before_request, request.before())
        provider = request.agent.provider
        is_new = known is None and await provider.snapshot(request.thread_id, request.context) is None
        agent = AgentRun(request, known, self._server_side, alone=True)
        return self._run_ephemeral(request, agent, slot, is_new=is_new)

    def _run_ephemeral(self, request: RunRequest, source: EventSource, slot: Slot, *, is_new: bool) -> Run:
        lifecycle = EphemeralRun(request, self._locks, slot, is_new=is_new)
        run = self._run_of(request.record(), source, lifecycle)
        lifecycle.begin(run)
        return run

    def _run_of(self, record: RunRecord, source: EventSource, lifecycle: RunLifecycle) -> Run:
        return Run(
            record,
            source,
            lifecycle,
            limits=self.limits,
            memory=self._memory,
            development=self.development,
        )

    def count_start(self, context: RequestContext) -> None:
        """Counts a request that is as costly as a run, such as a transcription.

        Raises:
            RateLimitError: the caller has asked for too much in too short a time.
        """
        self._capacity.count_start(context.owner)

    @property
    def draining(self) -> bool:
        """Whether the process is about to stop: `announce_stop`, `drain` or `aclose` was called."""
        return self._stop_announced or self._capacity.closing

    def announce_stop(self) -> None:
        """Makes `/readyz` report that the process is about to stop. Runs are still accepted."""
        self._stop_announced = True

    def observe(self, observer: Callable[[Run], None]) -> Callable[[], None]:
        """Calls `observer` with every run that starts from now on, until the function returned is called.

        The observer sees the runs of all owners: this is for development.
        """
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    async def connect(
        self,
        agent: ResolvedAgent | str | None,
        thread_id: str,
        context: RequestContext,
        *,
        since: int = 1,
    ) -> ThreadView:
        """Returns a thread from a given run on, for a reader that then follows the run in progress.

        Where the log begins later or is missing, the agent's own memory stands in for it.

        Args:
            agent: the agent with that memory, or its name; None is the default one.
            thread_id: the thread.
            context: the reader. Only the owner of a thread sees what it contains.
            since: the number of the first run to read among the runs of its thread.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            StoreUnavailableError: the store cannot be reached.
        """
        agent = await self._resolved(agent, context)
        return await self._reader.connect(agent, thread_id, context, since=since)

    async def load_agent_state(
        self, agent: ResolvedAgent | str, thread_id: str, context: RequestContext
    ) -> AgentState | None:
        """Returns an agent's state and messages on a thread, or None where there is no such thread.

        Args:
            agent: the agent, or its name.
            thread_id: the thread.
            context: who reads.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            StoreUnavailableError: the store cannot be reached.
        """
        agent = await self._resolved(agent, context)
        return await self._reader.load_state(agent, thread_id, context)

    async def _resolved(self, agent: ResolvedAgent | str | None, context: RequestContext) -> ResolvedAgent:
        return agent if isinstance(agent, ResolvedAgent) else await self.agents_for(context).resolve(agent)

    async def last_agent(self, thread_id: str, context: RequestContext) -> str | None:
        """Returns the name of the agent that last ran on the thread, or None if there is no such thread."""
        last = await self._locks.last(context.owner, thread_id)
        return last.run.agent_name if last is not None else None

    async def delete_thread(self, thread_id: str, context: RequestContext) -> None:
        """Stops the thread's runs, then deletes the thread and what agents remember of it.

        The thread is deleted even if an agent fails to forget it: the failure is logged.

        Raises:
            ThreadNotFoundError: the owner has no such thread.
            StoreUnavailableError: the store cannot be reached.
        """
        await self.state_store.update_thread(context.owner, thread_id)  # raises if there is no such thread
        if self._locks.here(context.owner, thread_id) is None:
            await self._locks.stop_elsewhere(context.owner, thread_id)
        # An agent that still runs would remember the thread again.
        for run in self._locks.all_here(context.owner, thread_id):
            run.stop()
            await run.wait()
        registered = await self._directory.providers_for(context)
        for provider in set(registered.values()):
            await forget(provider, thread_id, context)
        await self.state_store.delete_thread(context.owner, thread_id)

    async def stop(self, thread_id: str, context: RequestContext, *, run_id: str | None = None) -> bool:
        """Asks the thread's runs to stop, on any worker. Returns whether there was one to stop.

        Args:
            thread_id: the thread.
            context: the caller. They cannot stop runs of another owner.
            run_id: stop only the runs of this id.

        Raises:
            StoreUnavailableError: the store cannot be reached, and no such run is in this process.
        """
        runs = self._locks.all_here(context.owner, thread_id)
        stoppable = [run for run in runs if run.is_active and run_id in (None, run.id)]
        for run in stoppable:
            run.stop()
        if stoppable or self._locks.here(context.owner, thread_id) is not None:
            return bool(stoppable)
        return await self.state_store.request_stop(context.owner, thread_id, run_id)

    def active_run(self, thread_id: str, context: RequestContext) -> Run | None:
        """Returns the thread's run in progress, if it is in this process and was not asked to stop."""
        run = self._locks.here(context.owner, thread_id)
        return run if run is not None and run.is_active else None

    async def is_running(self, thread_id: str, context: RequestContext) -> bool:
        """Whether the thread has a run in progress, on any worker.

        Raises:
            StoreUnavailableError: the store cannot be reached, and the run is not in this process.
        """
        if self._locks.here(context.owner, thread_id) is not None:
            return self.active_run(thread_id, context) is not None
        last = await self._locks.last(context.owner, thread_id)
        return last is not None and not last.ended

    async def drain(self, seconds: float) -> None:
        """Refuses new runs from now on, and waits for the end of those in progress.

        Runs that are still in progress then end with an error, as do streams of other workers' runs. No
        response is open afterwards.

        Args:
            seconds: how long to wait.
        """
        await self._capacity.drain(seconds)
        await self._locks.aclose()

    async def aclose(self) -> None:
        """Stops every run, waits for their ends, and releases the agents and the store."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.state_store.aclose)
            stack.push_async_callback(self._writer.aclose)
            for provider in self._directory.in_use():
                stack.push_async_callback(provider.aclose)
            stack.push_async_callback(self._tools.aclose)
            if self.guardrails is not None:
                stack.push_async_callback(self.guardrails.aclose)
            stack.push_async_callback(self._locks.aclose)
            await self._capacity.aclose()

    async def _abandon(self, run: RunRecord) -> None:
        context = RequestContext(owner=run.owner)
        provider = (await self._directory.providers_for(context)).get(run.agent_name)
        if provider is not None:
            await provider.abandon(run.thread_id, context)

    def masked(self, error: BaseException) -> CopilotKitError:
        """Returns the error that a client may see. An unexpected error is logged under an id."""
        return masked(error, "a request", development=self.development)

    async def report(self, error: RequestFailed) -> None:
        """Counts a request that failed, and calls the `on_error` hook. `start_run` does so itself."""
        name = error.agent_name if error.agent_name in self.agents else None
        telemetry.failed(error.error, name)
        await tell_hook(self._hooks.on_error, error)
