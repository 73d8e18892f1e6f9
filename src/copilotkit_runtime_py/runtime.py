"""The runtime: it knows the agents, the store, the hooks and the limits, and starts and stops runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from ag_ui.core import RunAgentInput

from . import telemetry
from .agui.input_checks import check_size
from .context import RequestContext
from .errors import CopilotKitError, masked
from .guardrails.guard import Guard
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
from .providers.base import Provider
from .providers.directory import AgentDirectory, Authorize
from .providers.resolve import AgentLike
from .runs.capacity import Capacity, Slot
from .runs.completion import Completion
from .runs.journal import Journal
from .runs.prepare import agent_input, new_messages, recorded_input, restore_client_messages
from .runs.run import Run
from .runs.thread_locks import BusyThreadPolicy, ThreadLocks
from .runs.thread_view import Connection, connect, load_agent_state, load_known
from .state_store.base import AgentState, RunRecord, StateStore
from .state_store.from_url import open_state_store
from .state_store.memory import MemoryStateStore
from .tools.actions import Tool
from .tools.loop import ActionSource
from .tools.registry import ToolRegistry
from .transcription import TranscriptionService

logger = get_logger(__name__)


class CopilotRuntime:
    """Runs agents for CopilotKit frontends. It knows no HTTP: `create_router` puts it on a URL.

    Args:
        agents: what can be run, by name: a LangGraph graph, the URL of an AG-UI agent, an async generator
            function, an object with `run(RunAgentInput)`, a `Provider`, or a function that makes one of
            these for each run.
        default_agent: who answers a frontend that names no agent. Without it, the agent named `default`
            does, or the only one there is.
        actions: what agents may call besides the frontend's tools: functions, `Action`s, and `AgentTool`s.
            `action` and `agent_tool` add more.
        mcp_servers: servers whose tools agents may call: `MCPServer`s, and `ClientMCPServers`.
        guardrails: judges what users say before an agent gets it. Without them, all may be said, and a
            frontend that asks for guardrails is refused.
        authorize: says whether the caller of a request may use the agent of a name; a plain or an async
            function. An agent that they may not use does not exist for them. Without it, all may use all.
        state_store: where threads are kept: a store, or the URL of one (`sqlite:///threads.db`,
            `postgresql://...`, `redis://...`). In memory, bounded, unless given.
        limits: what a client or an agent may ask of the process.
        properties: the server's own properties. They reach agents like the frontend's, and win over them.
        on_busy_thread: what a new run on a thread with a run in progress does: `reject` refuses it,
            `supersede` stops the other run, `enqueue` waits for its end.
        on_before_request: called before a run starts. Raising refuses the run.
        on_after_request: called after a run ended well, with its whole messages.
        on_stop_generation: called once after a run was stopped.
        on_error: called after a request failed.
        transcription_service: turns recordings into text for frontends with a microphone button.
        development: the text of exceptions reaches clients, and every client can watch the events of all
            runs. Never in production.

    Raises:
        ConfigurationError: an agent is none of the above, the default agent is not registered, or two
            actions have one name.
    """

    def __init__(
        self,
        agents: Mapping[str, AgentLike],
        *,
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
        development: bool = False,
    ) -> None:
        self._directory = AgentDirectory(agents, default=default_agent, authorize=authorize)
        self.agents = self._directory.providers
        self.state_store: StateStore = (
            open_state_store(state_store) if isinstance(state_store, str) else state_store
        )
        self.guardrails = guardrails
        self.limits = limits or Limits()
        self.properties = dict(properties or {})
        self.transcription_service = transcription_service
        self.development = development
        self._tools = ToolRegistry(
            actions, mcp_servers, agents=self.agents, limits=self.limits, development=development
        )
        self.action = self._tools.action
        self.agent_tool = self._tools.agent_tool
        self._hooks = Hooks(
            on_before_request=on_before_request,
            on_after_request=on_after_request,
            on_stop_generation=on_stop_generation,
            on_error=on_error,
        )
        self._active = ThreadLocks(self.state_store, on_busy_thread=on_busy_thread, limits=self.limits)
        self._asides: dict[tuple[str, str], Run] = {}
        self._observers: list[Callable[[Run], None]] = []
        self._live = Capacity(self.limits)
        self._stop_announced = False
        for name, provider in self.agents.items():
            provider.use_store(self.state_store.url, name)

    async def agent_name(self, name: str | None, context: RequestContext) -> str:
        """Returns the name of the agent that answers to `name`; None asks for the default agent.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            ConfigurationError: no agent was named and there is no default.
        """
        return await self._directory.name(name, context)

    async def agents_for(self, context: RequestContext) -> dict[str, Provider]:
        """Returns the agents that the caller may use, by name."""
        return await self._directory.offered(context)

    async def start(
        self,
        agent_name: str | None,
        input: RunAgentInput,
        context: RequestContext,
        *,
        as_sent: Mapping[str, dict[str, Any]] | None = None,
        keep: bool = True,
    ) -> Run:
        """Starts a run of an agent on `input.thread_id`. The run goes on whether or not anyone reads it.

        Args:
            agent_name: the agent; None asks for the default one.
            input: what the agent gets. Readers are told of it, but for the server's own properties.
            context: who asks.
            as_sent: messages of the input, by id, as readers are to be told of them.
            keep: the thread is kept. Otherwise, which is for a thread of this run alone, neither the store
                nor the agent knows it afterwards.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            ThreadBusyError: the thread has a run in progress that is not about to stop.
            ThreadNotFoundError: the thread belongs to another owner.
            StoreUnavailableError: the store cannot be reached.
            RateLimitError: the owner, or all together, have as many runs as they may.
            ShuttingDownError: `drain` or `aclose` was called.
            CopilotKitError: a hook refused the request, or it exceeds a limit.
        """
        name: str | None = None
        try:
            name = await self.agent_name(agent_name, context)
            check_size(input, self.limits)
            with (
                scope(request=context, agent=name, thread_id=input.thread_id, run_id=input.run_id),
                self._live.admit(context.owner) as place,
            ):
                store = self.state_store if keep else MemoryStateStore()
                return await self._start(name, input, context, as_sent or {}, place, store)
        except Exception as error:
            await self.report(
                RequestFailed(
                    error=error,
                    thread_id=input.thread_id,
                    run_id=input.run_id,
                    agent_name=name or agent_name,
                    context=context,
                )
            )
            raise

    async def _start(
        self,
        name: str,
        input: RunAgentInput,
        context: RequestContext,
        as_sent: Mapping[str, dict[str, Any]],
        place: Slot,
        store: StateStore,
    ) -> Run:
        owner, thread_id = context.owner, input.thread_id
        await self._active.wait_here(owner, thread_id, patience=self.limits.busy_seconds)
        body = input.model_dump(mode="json", by_alias=True, exclude_none=True)
        before = BeforeRequest.of(body, name, context)
        await call_hook(self._hooks.on_before_request, before)
        allowed = await self.agents_for(context) if self._tools.hands_over else None
        agent = self._tools.with_tools(name, allowed)
        told = recorded_input(body, as_sent, self.properties.keys() | self._tools.properties)
        run = await self._active.claim(
            owner, thread_id, lambda: self._begin(input, told, before, agent, place, store)
        )
        for observer in list(self._observers):
            observer(run)
        return run

    async def _begin(
        self,
        input: RunAgentInput,
        told: dict[str, Any],
        before: BeforeRequest,
        agent: Provider,
        place: Slot,
        store: StateStore,
    ) -> Run:
        """Claims the thread and starts the run."""
        name, owner = before.agent_name, before.context.owner
        record = RunRecord(id=input.run_id, thread_id=input.thread_id, agent_name=name, owner=owner)
        known = None
        if store is self.state_store:
            known = await load_known(store, self._active, name, agent, record.thread_id, before.context)
        guard = Guard(self.guardrails, known)
        stream = guard.run(agent, agent_input(input, known), before.context)
        stream = restore_client_messages(stream, before.input_messages, told["messages"])
        record = await store.begin_run(record)
        journal = Journal(store, record, patience=self.limits.store_seconds)
        ending = Completion(journal, before, input.state, self._hooks, guard)

        async def announce(run: Run) -> None:
            self._live.ended(run)
            try:
                await journal.aclose()
                if store is not self.state_store or journal.orphaned:
                    await agent.forget(run.thread_id, before.context)
                self._active.forget(owner, run)
                await ending.announce(run)
            finally:
                self._live.remove(run)

        run = Run(
            id=input.run_id,
            number=record.number,
            thread_id=input.thread_id,
            agent_name=name,
            strict_stream=agent.strict_stream,
            limits=self.limits,
            input={**told, "messages": new_messages(told["messages"], known)},
            on_entries=journal.on_entries,
            before_end=ending.settle,
            after_end=announce,
            development=self.development,
        )
        with self._live.add(run, place):
            run.start(stream)
            journal.start(run)
        return run

    async def start_ephemeral(
        self, agent_name: str | None, input: RunAgentInput, context: RequestContext
    ) -> Run:
        """Starts a run that leaves no trace, such as one that makes suggestions.

        No store or lock knows of it, so its thread may have another run at the same time. `stop` ends it like
        any other. Of the hooks, `on_before_request` alone is told, for it may refuse the run.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            CopilotKitError: a hook refused the request, or it exceeds a limit.
            RateLimitError: the owner, or all together, have as many runs as they may.
            ShuttingDownError: `drain` or `aclose` was called.
            ThreadNotFoundError: the thread, which the agent may remember, belongs to another owner.
        """
        name = await self.agent_name(agent_name, context)
        check_size(input, self.limits)
        with (
            scope(request=context, agent=name, thread_id=input.thread_id, run_id=input.run_id),
            self._live.admit(context.owner) as place,
        ):
            return await self._start_ephemeral(name, input, context, place)

    async def _start_ephemeral(
        self, name: str, input: RunAgentInput, context: RequestContext, place: Slot
    ) -> Run:
        owner, thread_id, provider = context.owner, input.thread_id, self.agents[name]
        known = await load_known(self.state_store, self._active, name, provider, thread_id, context)
        body = input.model_dump(mode="json", by_alias=True, exclude_none=True)
        await call_hook(self._hooks.on_before_request, BeforeRequest.of(body, name, context))
        is_new = known is None and await provider.snapshot(thread_id, context) is None

        async def forget(run: Run) -> None:
            if self._asides.get((owner, thread_id)) is run:
                del self._asides[owner, thread_id]
            self._live.ended(run)
            try:
                if is_new:
                    await provider.forget(thread_id, context)
            finally:
                self._live.remove(run)

        run = Run(
            id=input.run_id,
            number=0,
            thread_id=thread_id,
            agent_name=name,
            strict_stream=provider.strict_stream,
            limits=self.limits,
            before_end=_nothing,
            after_end=forget,
            development=self.development,
        )
        stream = Guard(self.guardrails, known).run(provider, agent_input(input, known), context)
        with self._live.add(run, place):
            self._asides[owner, thread_id] = run
            run.start(stream)
        return run

    def count_start(self, context: RequestContext) -> None:
        """Counts what a caller asks for that is as costly as a run, and is none.

        Raises:
            RateLimitError: the caller has asked for too much in too short a time.
        """
        self._live.count_start(context.owner)

    @property
    def draining(self) -> bool:
        """Whether the process is about to stop: `announce_stop`, `drain` or `aclose` was called."""
        return self._stop_announced or self._live.closing

    def announce_stop(self) -> None:
        """Has `/readyz` say that the process is about to stop. Runs are still taken."""
        self._stop_announced = True

    def observe(self, observer: Callable[[Run], None]) -> Callable[[], None]:
        """Has `observer` called with every run that starts from now on. Returns the function that ends this.

        Runs of all owners are told: this is for development.
        """
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    async def connect(
        self,
        agent_name: str | None,
        thread_id: str,
        context: RequestContext,
        *,
        since: int = 1,
    ) -> Connection:
        """Returns what a reader needs to see a thread from a run on, and to follow the run in progress.

        Where the log begins too late, or there is none, the agent's own memory stands in for it.

        Args:
            agent_name: the agent whose memory that would be.
            thread_id: the thread.
            context: who reads. A thread of another owner has nothing for them.
            since: the place of the first run to read among the runs of its thread.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            StoreUnavailableError: the store cannot be reached.
        """
        name = await self.agent_name(agent_name, context)
        return await connect(
            self.state_store,
            self._active,
            context.owner,
            thread_id,
            since=since,
            recall=lambda: self.load_agent_state(name, thread_id, context),
        )

    async def delete_thread(self, thread_id: str, context: RequestContext) -> None:
        """Stops the thread's run, if there is one, and deletes the thread, and what agents remember of it.

        Raises:
            ThreadNotFoundError: the owner has no such thread.
            StoreUnavailableError: the store cannot be reached.
        """
        await self.state_store.update_thread(context.owner, thread_id)  # for its errors alone
        run = self._active.here(context.owner, thread_id)
        if run is not None:
            run.stop()
            await run.wait()
        else:
            await self.state_store.request_stop(context.owner, thread_id)
        # First, so that whoever meets an error can try again.
        for provider in set(self.agents.values()):
            await provider.forget(thread_id, context)
        await self.state_store.delete_thread(context.owner, thread_id)

    async def stop(self, thread_id: str, context: RequestContext, *, run_id: str | None = None) -> bool:
        """Asks the thread's run to stop, on whichever worker it is. Returns whether there was one to stop.

        Args:
            thread_id: the thread.
            context: who asks. Another owner's thread has no run for them.
            run_id: stop only this run.

        Raises:
            StoreUnavailableError: the store cannot be reached, and the run is not one of this process.
        """
        owner = context.owner
        run = self._active.here(owner, thread_id)
        stopped = False
        for candidate in (run, self._asides.get((owner, thread_id))):
            if candidate is not None and candidate.is_active and run_id in (None, candidate.id):
                candidate.stop()
                stopped = True
        if stopped or run is not None:
            return stopped
        return await self.state_store.request_stop(owner, thread_id, run_id)

    def active_run(self, thread_id: str, context: RequestContext) -> Run | None:
        """Returns the thread's run in progress, if it is one of this process that was not asked to stop."""
        run = self._active.here(context.owner, thread_id)
        return run if run is not None and run.is_active else None

    async def is_running(self, thread_id: str, context: RequestContext) -> bool:
        """Whether the thread has a run in progress, on whichever worker.

        Raises:
            StoreUnavailableError: the store cannot be reached, and the run is not one of this process.
        """
        if self._active.here(context.owner, thread_id) is not None:
            return self.active_run(thread_id, context) is not None
        last = await self._active.last(context.owner, thread_id)
        return last is not None and not last.ended

    async def last_agent(self, thread_id: str, context: RequestContext) -> str | None:
        """Returns the name of the agent that ran on the thread last, or None if there is no such thread."""
        last = await self._active.last(context.owner, thread_id)
        return last.run.agent_name if last is not None else None

    async def load_agent_state(
        self, agent_name: str, thread_id: str, context: RequestContext
    ) -> AgentState | None:
        """Returns an agent's state and messages on a thread, or None where there is no such thread.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
        """
        name = await self.agent_name(agent_name, context)
        return await load_agent_state(
            self.state_store, self._active, name, self.agents[name], thread_id, context
        )

    async def drain(self, seconds: float) -> None:
        """Refuses new runs from now on, and waits for the end of those in progress.

        Those that are not over then end with an error that says so, and readers of other workers' runs are
        left, so that no answer is open afterwards.

        Args:
            seconds: how long to wait.
        """
        await self._live.drain(seconds)
        await self._active.aclose()

    async def aclose(self) -> None:
        """Stops every run, waits for their ends, and releases the agents and the store."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.state_store.aclose)
            for provider in set(self.agents.values()):
                stack.push_async_callback(provider.aclose)
            stack.push_async_callback(self._tools.aclose)
            if self.guardrails is not None:
                stack.push_async_callback(self.guardrails.aclose)
            stack.push_async_callback(self._active.aclose)
            await self._live.aclose()

    def masked(self, error: BaseException) -> CopilotKitError:
        """Returns what a client may see of an error; anything unexpected is logged under an id."""
        return masked(error, "a request", development=self.development)

    async def report(self, error: RequestFailed) -> None:
        """Tells the `on_error` hook of a request that failed. `start` reports for itself."""
        telemetry.failed(error.error)
        await tell_hook(self._hooks.on_error, error)


async def _nothing(run: Run) -> None:
    """What is to be done at the end of a run that leaves no trace."""
