"""The runtime: it knows the agents, the store, the hooks and the limits, and starts and stops runs."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from weakref import WeakValueDictionary

from ag_ui.core import RunAgentInput

from .context import RequestContext
from .errors import (
    AgentNotFoundError,
    ConfigurationError,
    CopilotKitError,
    InternalError,
    InvalidRequestError,
    ThreadBusyError,
    ThreadNotFoundError,
)
from .hooks import AfterRequest, BeforeRequest, E, Hook, Hooks, RequestError, StopGeneration, call_hook
from .limits import Limits
from .providers.base import Provider
from .providers.resolve import AgentLike, as_provider
from .run import Run, RunStatus
from .state_store.base import AgentState, RunLog, RunRecord, StateStore
from .state_store.memory import MemoryStateStore
from .transcript import Transcript
from .transcription import TranscriptionService

logger = logging.getLogger(__name__)

BusyThreadPolicy: TypeAlias = Literal["reject", "supersede", "enqueue"]


class CopilotRuntime:
    """Runs agents for CopilotKit frontends. It knows no HTTP: `create_router` puts it on a URL.

    Args:
        agents: what can be run, by name: a LangGraph graph, the URL of an AG-UI agent, an async generator
            function, an object with `run(RunAgentInput)`, a `Provider`, or a function that makes one of
            these for each run.
        default_agent: who answers a frontend that names no agent. Without it, the agent named `default`
            does, or the only one there is.
        state_store: where threads are kept; in memory, bounded, unless given.
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
        ConfigurationError: an agent is none of the above, or the default agent is not registered.
    """

    def __init__(
        self,
        agents: Mapping[str, AgentLike],
        *,
        default_agent: str | None = None,
        state_store: StateStore | None = None,
        limits: Limits | None = None,
        properties: Mapping[str, Any] | None = None,
        on_busy_thread: BusyThreadPolicy = "reject",
        on_before_request: Hook[BeforeRequest] | None = None,
        on_after_request: Hook[AfterRequest] | None = None,
        on_stop_generation: Hook[StopGeneration] | None = None,
        on_error: Hook[RequestError] | None = None,
        transcription_service: TranscriptionService | None = None,
        development: bool = False,
    ) -> None:
        self.agents: dict[str, Provider] = {name: as_provider(agent) for name, agent in agents.items()}
        if default_agent is not None and default_agent not in self.agents:
            raise ConfigurationError(f"The default agent '{default_agent}' is not registered.")
        self.default_agent = default_agent
        self.state_store: StateStore = state_store if state_store is not None else MemoryStateStore()
        self.limits = limits or Limits()
        self.properties = dict(properties or {})
        self.transcription_service = transcription_service
        self.development = development
        self._on_busy_thread = on_busy_thread
        self._hooks = Hooks(
            on_before_request=on_before_request,
            on_after_request=on_after_request,
            on_stop_generation=on_stop_generation,
            on_error=on_error,
        )
        self._runs: dict[tuple[str, str], Run] = {}
        self._asides: dict[tuple[str, str], Run] = {}
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._observers: list[Callable[[Run], None]] = []
        self._live: set[Run] = set()

    def agent_name(self, name: str | None) -> str:
        """Returns the name of the agent that answers to `name`; None asks for the default agent.

        Raises:
            AgentNotFoundError: no agent of that name is registered.
            ConfigurationError: no agent was named and there is no default.
        """
        if name in self.agents:
            return name
        if name in (None, "default"):
            if self.default_agent is not None:
                return self.default_agent
            if "default" in self.agents:
                return "default"
            if len(self.agents) == 1:
                return next(iter(self.agents))
        if name is None:
            raise ConfigurationError(
                "The request names no agent and the runtime has no default agent. "
                f"Name one of: {', '.join(self.agents) or '(no agent is registered)'}."
            )
        raise AgentNotFoundError(name, self.agents)

    async def start(
        self,
        agent_name: str | None,
        input: RunAgentInput,
        context: RequestContext,
        *,
        as_sent: Mapping[str, dict[str, Any]] | None = None,
    ) -> Run:
        """Starts a run of an agent on `input.thread_id`. The run goes on whether or not anyone reads it.

        Args:
            agent_name: the agent; None asks for the default one.
            input: what the agent gets. Readers are told of it, but for the server's own properties.
            context: who asks.
            as_sent: messages of the input, by id, as readers are to be told of them.

        Raises:
            AgentNotFoundError: no agent of that name is registered.
            ThreadBusyError: the thread has a run in progress that is not about to stop.
            ThreadNotFoundError: the thread belongs to another owner.
            CopilotKitError: a hook refused the request, or it exceeds a limit.
        """
        name: str | None = None
        try:
            name = self.agent_name(agent_name)
            self._check_limits(input)
            return await self._start(name, input, context, as_sent or {})
        except Exception as error:
            await self.report(
                RequestError(
                    error=error,
                    thread_id=input.thread_id,
                    run_id=input.run_id,
                    agent_name=name or agent_name,
                    context=context,
                )
            )
            raise

    async def _start(
        self, name: str, input: RunAgentInput, context: RequestContext, as_sent: Mapping[str, dict[str, Any]]
    ) -> Run:
        key = (context.owner, input.thread_id)
        await self._await_thread(key, patience=self.limits.busy_seconds)
        body = input.model_dump(mode="json", by_alias=True, exclude_none=True)
        before = BeforeRequest(
            thread_id=input.thread_id,
            run_id=input.run_id,
            agent_name=name,
            input_messages=body["messages"],
            context=context,
        )
        await call_hook(self._hooks.on_before_request, before)
        stream = self.agents[name].run(_for_agent(input), context)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            await self._await_thread(key)
            run = self._runs[key] = await self._begin(input, self._told(body, as_sent), before)
        self._live.add(run)
        run.start(stream)
        for observer in list(self._observers):
            observer(run)
        return run

    def _told(self, body: dict[str, Any], as_sent: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Returns what readers are told of an input: nothing of the server's own properties."""
        told = dict(body)
        if as_sent:
            told["messages"] = [as_sent.get(message["id"], message) for message in body["messages"]]
        properties = body.get("forwardedProps")
        if self.properties and isinstance(properties, dict):
            told["forwardedProps"] = {k: v for k, v in properties.items() if k not in self.properties}
        return told

    async def _begin(self, input: RunAgentInput, told: dict[str, Any], before: BeforeRequest) -> Run:
        """Claims the thread and makes the run, not started yet."""
        name, owner = before.agent_name, before.context.owner
        record = RunRecord(id=input.run_id, thread_id=input.thread_id, agent_name=name, owner=owner)
        known = await self.state_store.load_state(owner, input.thread_id, name)
        number = await self.state_store.begin_run(record)
        ending = _Ending(self, record, before, input.state)
        return Run(
            id=input.run_id,
            number=number,
            thread_id=input.thread_id,
            agent_name=name,
            framed=self.agents[name].framed,
            limits=self.limits,
            input={**told, "messages": _unseen(told["messages"], known)},
            before_end=ending.settle,
            after_end=ending.announce,
            development=self.development,
        )

    async def start_aside(self, agent_name: str | None, input: RunAgentInput, context: RequestContext) -> Run:
        """Starts a run that leaves no trace, such as one that makes suggestions.

        No store, hook or lock knows of it, so its thread may have another run at the same time. `stop` ends
        it like any other.

        Raises:
            AgentNotFoundError: no agent of that name is registered.
            InvalidRequestError: the request exceeds a limit.
            ThreadNotFoundError: the thread, which the agent may remember, belongs to another owner.
        """
        name = self.agent_name(agent_name)
        self._check_limits(input)
        await self.state_store.load_state(context.owner, input.thread_id, name)
        key = (context.owner, input.thread_id)

        async def forget(run: Run) -> None:
            if self._asides.get(key) is run:
                del self._asides[key]
            self._live.discard(run)

        provider = self.agents[name]
        stream = provider.run(_for_agent(input), context)
        run = Run(
            id=input.run_id,
            number=0,
            thread_id=input.thread_id,
            agent_name=name,
            framed=provider.framed,
            limits=self.limits,
            before_end=_nothing,
            after_end=forget,
            development=self.development,
        )
        self._asides[key] = run
        self._live.add(run)
        run.start(stream)
        return run

    def observe(self, observer: Callable[[Run], None]) -> Callable[[], None]:
        """Has `observer` called with every run that starts from now on. Returns the function that ends this.

        Runs of all owners are told: this is for development.
        """
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    async def _await_thread(self, key: tuple[str, str], *, patience: float = 0.0) -> None:
        """Waits until a thread is free, as far as the policy has it.

        Raises:
            ThreadBusyError: the thread has a run in progress, and still after `patience` seconds.
        """
        while (run := self._runs.get(key)) is not None:
            if not run.stopping and not run.ended:
                if self._on_busy_thread == "reject" and not await run.stops_within(patience):
                    raise ThreadBusyError(run.thread_id)
                if self._on_busy_thread == "supersede":
                    run.stop()
            await run.wait()
            self._forget(key, run)

    def _forget(self, key: tuple[str, str], run: Run) -> None:
        if self._runs.get(key) is run:
            del self._runs[key]

    async def connect(
        self, agent_name: str | None, thread_id: str, context: RequestContext, *, since: int = 1
    ) -> Connection:
        """Returns what a reader needs to see a thread from a run on, and to follow the run in progress.

        Where the log begins too late, or there is none, the agent's own memory stands in for it.

        Args:
            agent_name: the agent whose memory that would be.
            thread_id: the thread.
            context: who reads. A thread of another owner has nothing for them.
            since: the place of the first run to read among the runs of its thread.

        Raises:
            AgentNotFoundError: no agent of that name is registered.
        """
        name = self.agent_name(agent_name)
        run = self._runs.get((context.owner, thread_id))
        logs = await self.state_store.read_runs(context.owner, thread_id)
        if run is not None:
            logs = [log for log in logs if log.number < run.number]
        latest = run.number if run is not None else logs[-1].number if logs else 0
        if since > latest:
            since = 1
        reaches_back = (logs and logs[0].number <= since) or (run is not None and run.number <= since)
        if reaches_back:
            return Connection(logs=[log for log in logs if log.number >= since], snapshot=None, run=run)
        state = await self.load_agent_state(name, thread_id, context)
        return Connection(logs=[], snapshot=state, run=run)

    async def delete_thread(self, thread_id: str, context: RequestContext) -> None:
        """Stops the thread's run, if there is one, and deletes the thread.

        Raises:
            ThreadNotFoundError: the owner has no such thread.
        """
        run = self._runs.get((context.owner, thread_id))
        if run is not None:
            run.stop()
            await run.wait()
        await self.state_store.delete_thread(context.owner, thread_id)

    def stop(self, thread_id: str, context: RequestContext, *, run_id: str | None = None) -> bool:
        """Asks the thread's run to stop. Returns whether there was one to stop.

        Args:
            thread_id: the thread.
            context: who asks. Another owner's thread has no run for them.
            run_id: stop only this run.
        """
        stopped = False
        for runs in (self._runs, self._asides):
            run = runs.get((context.owner, thread_id))
            if run is None or run.stopping or run.ended or (run_id is not None and run.id != run_id):
                continue
            run.stop()
            stopped = True
        return stopped

    def active_run(self, thread_id: str, context: RequestContext) -> Run | None:
        """Returns the thread's run in progress, if there is one that was not asked to stop."""
        run = self._runs.get((context.owner, thread_id))
        return None if run is None or run.stopping or run.ended else run

    async def load_agent_state(
        self, agent_name: str, thread_id: str, context: RequestContext
    ) -> AgentState | None:
        """Returns an agent's state and messages on a thread, or None where there is no such thread.

        An agent's own memory counts more than the store, which says whose the thread is: agents know no
        owners. But what a user saw of a stopped answer is in the store alone, so where the store knows all
        messages that the agent does, the conversation is the store's.

        Raises:
            AgentNotFoundError: no agent of that name is registered.
        """
        name = self.agent_name(agent_name)
        try:
            kept = await self.state_store.load_state(context.owner, thread_id, name)
        except ThreadNotFoundError:
            return None
        snapshot = await self.agents[name].snapshot(thread_id, context)
        if snapshot is None:
            return kept
        messages = snapshot.messages
        if kept is not None and _ids(kept.messages) >= _ids(messages):
            messages = kept.messages
        return AgentState(state=snapshot.state, messages=messages, interrupts=snapshot.interrupts)

    async def aclose(self) -> None:
        """Stops every run, waits for their ends, and releases the agents and the store."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.state_store.aclose)
            for provider in set(self.agents.values()):
                stack.push_async_callback(provider.aclose)
            while runs := list(self._live):
                for run in runs:
                    run.stop()
                await asyncio.gather(*(run.wait() for run in runs), return_exceptions=True)
                self._live.difference_update(runs)

    def masked(self, error: BaseException) -> CopilotKitError:
        """Returns what a client may see of an error; anything unexpected is logged under an id."""
        if isinstance(error, CopilotKitError):
            return error
        masked = InternalError(uuid.uuid4().hex[:12])
        logger.error("a request failed (error id %s)", masked.error_id, exc_info=error)
        if self.development:
            return CopilotKitError(f"{type(error).__name__}: {error}")
        return masked

    async def report(self, error: RequestError) -> None:
        """Tells the `on_error` hook of a request that failed. `start` reports for itself."""
        await self._tell(self._hooks.on_error, error)

    def _check_limits(self, input: RunAgentInput) -> None:
        limits = self.limits
        if len(input.messages) > limits.messages_per_request:
            raise InvalidRequestError(f"A request may bring {limits.messages_per_request} messages at most.")
        if len(input.tools or ()) > limits.tools_per_request:
            raise InvalidRequestError(f"A request may bring {limits.tools_per_request} tools at most.")

    async def _tell(self, hook: Hook[E] | None, event: E) -> None:
        """Calls a hook that has no say any more."""
        try:
            await call_hook(hook, event)
        except Exception:
            logger.exception("the hook for %s failed", type(event).__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A thread as a reader that comes now finds it.

    Attributes:
        logs: the runs that are over, in order.
        snapshot: what stands in for them where the log does not reach back to the beginning.
        run: the run in progress, to be read from its first entry.
    """

    logs: list[RunLog]
    snapshot: AgentState | None
    run: Run | None


def _for_agent(input: RunAgentInput) -> RunAgentInput:
    """Returns the input without its activity messages, which are for frontends only."""
    messages = [message for message in input.messages if message.role != "activity"]
    if len(messages) == len(input.messages):
        return input
    return input.model_copy(update={"messages": messages})


async def _nothing(run: Run) -> None:
    """What is to be done at the end of a run that leaves no trace."""


def _unseen(messages: list[dict[str, Any]], known: AgentState | None) -> list[dict[str, Any]]:
    """Returns the messages that no earlier run of the agent on the thread has told of."""
    ids = _ids(known.messages) if known is not None else set()
    return [message for message in messages if message["id"] not in ids]


def _ids(messages: list[dict[str, Any]]) -> set[Any]:
    return {message.get("id") for message in messages}


class _Ending:
    """What happens at the end of one run: the store learns of it, then the hooks do."""

    def __init__(self, runtime: CopilotRuntime, record: RunRecord, before: BeforeRequest, state: Any) -> None:
        self._runtime = runtime
        self._record = record
        self._before = before
        self._state = state
        self._output: list[dict[str, Any]] = []

    async def settle(self, run: Run) -> None:
        """Hands the run's log and the agent's state to the store, which is told of the end in any case."""
        store, log = self._runtime.state_store, run.log()
        state = AgentState(state=self._state, messages=self._before.input_messages)
        try:
            await store.append(self._record, [entry.data for entry in log])
            transcript = Transcript(self._before.input_messages, self._state)
            for entry in log:
                transcript.add(entry.event)
            state = transcript.result()
        finally:
            await store.end_run(self._record, state)
        known = {message["id"] for message in self._before.input_messages}
        self._output = [message for message in state.messages if message["id"] not in known]

    async def announce(self, run: Run) -> None:
        """Lets the next run begin, and tells the hooks how this one ended."""
        runtime, hooks, before = self._runtime, self._runtime._hooks, self._before
        runtime._forget((self._record.owner, self._record.thread_id), run)
        if run.error is not None:
            await runtime.report(
                RequestError(
                    error=run.error,
                    thread_id=before.thread_id,
                    run_id=before.run_id,
                    agent_name=before.agent_name,
                    context=before.context,
                )
            )
        elif run.status is RunStatus.STOPPED:
            await runtime._tell(hooks.on_stop_generation, StopGeneration(request=before))
        else:
            await runtime._tell(
                hooks.on_after_request, AfterRequest(request=before, output_messages=self._output)
            )
        runtime._live.discard(run)
