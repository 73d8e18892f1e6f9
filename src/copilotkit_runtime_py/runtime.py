"""The runtime: it knows the agents, the store, the hooks and the limits, and starts and stops runs."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from ag_ui.core import RunAgentInput

from .context import RequestContext
from .errors import (
    AgentNotFoundError,
    ConfigurationError,
    CopilotKitError,
    InternalError,
    InvalidRequestError,
    ThreadBusyError,
)
from .hooks import AfterRequest, BeforeRequest, Hook, Hooks, RequestError, StopGeneration, call_hook
from .limits import Limits
from .providers.base import Provider
from .providers.resolve import AgentLike, as_provider
from .run import Run, RunStatus
from .state_store.base import AgentState, RunRecord, StateStore
from .state_store.memory import MemoryStateStore
from .transcript import Transcript

logger = logging.getLogger(__name__)


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
        on_before_request: called before a run starts. Raising refuses the run.
        on_after_request: called after a run ended well, with its whole messages.
        on_stop_generation: called once after a run was stopped.
        on_error: called after a request failed.
        development: the text of exceptions reaches clients. Never in production.

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
        on_before_request: Hook[BeforeRequest] | None = None,
        on_after_request: Hook[AfterRequest] | None = None,
        on_stop_generation: Hook[StopGeneration] | None = None,
        on_error: Hook[RequestError] | None = None,
        development: bool = False,
    ) -> None:
        self.agents: dict[str, Provider] = {name: as_provider(agent) for name, agent in agents.items()}
        if default_agent is not None and default_agent not in self.agents:
            raise ConfigurationError(f"The default agent '{default_agent}' is not registered.")
        self.default_agent = default_agent
        self.state_store: StateStore = state_store if state_store is not None else MemoryStateStore()
        self.limits = limits or Limits()
        self.properties = dict(properties or {})
        self.development = development
        self._hooks = Hooks(
            on_before_request=on_before_request,
            on_after_request=on_after_request,
            on_stop_generation=on_stop_generation,
            on_error=on_error,
        )
        self._runs: dict[tuple[str, str], Run] = {}

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

    async def start(self, agent_name: str | None, input: RunAgentInput, context: RequestContext) -> Run:
        """Starts a run of an agent on `input.thread_id`. The run goes on whether or not anyone reads it.

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
            return await self._start(name, input, context)
        except Exception as error:
            await self._report(
                RequestError(
                    error=error,
                    thread_id=input.thread_id,
                    run_id=input.run_id,
                    agent_name=name or agent_name,
                    context=context,
                )
            )
            raise

    async def _start(self, name: str, input: RunAgentInput, context: RequestContext) -> Run:
        key = (context.owner, input.thread_id)
        while (previous := self._runs.get(key)) is not None:
            if not previous.stopping:
                raise ThreadBusyError(input.thread_id)
            await previous.wait()
        messages = [
            message.model_dump(mode="json", by_alias=True, exclude_none=True) for message in input.messages
        ]
        before = BeforeRequest(
            thread_id=input.thread_id,
            run_id=input.run_id,
            agent_name=name,
            input_messages=messages,
            context=context,
        )
        await call_hook(self._hooks.on_before_request, before)
        record = RunRecord(id=input.run_id, thread_id=input.thread_id, agent_name=name, owner=context.owner)
        await self.state_store.begin_run(record)
        provider = self.agents[name]
        ending = _Ending(self, record, before, input.state)
        run = Run(
            id=input.run_id,
            thread_id=input.thread_id,
            agent_name=name,
            framed=provider.framed,
            limits=self.limits,
            before_end=ending.settle,
            after_end=ending.announce,
            development=self.development,
        )
        self._runs[key] = run
        run.start(provider.run(input, context))
        return run

    def stop(self, thread_id: str, context: RequestContext, *, run_id: str | None = None) -> bool:
        """Asks the thread's run to stop. Returns whether there was one to stop.

        Args:
            thread_id: the thread.
            context: who asks. Another owner's thread has no run for them.
            run_id: stop only this run.
        """
        run = self._runs.get((context.owner, thread_id))
        if run is None or run.stopping or (run_id is not None and run.id != run_id):
            return False
        run.stop()
        return True

    async def load_agent_state(
        self, agent_name: str, thread_id: str, context: RequestContext
    ) -> AgentState | None:
        """Returns an agent's state and messages on a thread, or None where there is no such thread.

        An agent with a memory of its own is asked first; then the store is.

        Raises:
            AgentNotFoundError: no agent of that name is registered.
        """
        name = self.agent_name(agent_name)
        snapshot = await self.agents[name].snapshot(thread_id, context)
        if snapshot is not None:
            return AgentState(
                state=snapshot.state, messages=snapshot.messages, interrupts=snapshot.interrupts
            )
        return await self.state_store.load_state(context.owner, thread_id, name)

    async def aclose(self) -> None:
        """Stops every run, waits for their ends, and releases the agents and the store."""
        runs = list(self._runs.values())
        for run in runs:
            run.stop()
        await asyncio.gather(*(run.wait() for run in runs))
        for provider in self.agents.values():
            await provider.aclose()
        await self.state_store.aclose()

    def masked(self, error: BaseException) -> CopilotKitError:
        """Returns what a client may see of an error; anything unexpected is logged under an id."""
        if isinstance(error, CopilotKitError):
            return error
        masked = InternalError(uuid.uuid4().hex[:12])
        logger.error("a request failed (error id %s)", masked.error_id, exc_info=error)
        if self.development:
            return CopilotKitError(f"{type(error).__name__}: {error}")
        return masked

    def _check_limits(self, input: RunAgentInput) -> None:
        limits = self.limits
        if len(input.messages) > limits.messages_per_request:
            raise InvalidRequestError(f"A request may bring {limits.messages_per_request} messages at most.")
        if len(input.tools or ()) > limits.tools_per_request:
            raise InvalidRequestError(f"A request may bring {limits.tools_per_request} tools at most.")

    async def _report(self, error: RequestError) -> None:
        try:
            await call_hook(self._hooks.on_error, error)
        except Exception:
            logger.exception("the on_error hook failed")


class _Ending:
    """What happens at the end of one run: the store learns of it, then the hooks do."""

    def __init__(self, runtime: CopilotRuntime, record: RunRecord, before: BeforeRequest, state: Any) -> None:
        self._runtime = runtime
        self._record = record
        self._before = before
        self._state = state
        self._output: list[dict[str, Any]] = []

    async def settle(self, run: Run) -> None:
        """Hands the run's log and the agent's state to the store, and frees the thread."""
        store, record = self._runtime.state_store, self._record
        try:
            transcript = Transcript(self._before.input_messages, self._state)
            for entry in run.entries:
                transcript.add(entry.event)
            terminal = run.terminal_event()
            if terminal is not None:
                transcript.add(terminal)
            result = transcript.result()
            known = {message["id"] for message in self._before.input_messages}
            self._output = [message for message in result.messages if message.get("id") not in known]
            await store.append(record, [entry.data for entry in run.entries])
            await store.end_run(record, result)
        finally:
            runs, key = self._runtime._runs, (record.owner, record.thread_id)
            if runs.get(key) is run:
                del runs[key]

    async def announce(self, run: Run) -> None:
        """Tells the hooks how the run ended."""
        hooks, before = self._runtime._hooks, self._before
        if run.error is not None:
            await self._runtime._report(
                RequestError(
                    error=run.error,
                    thread_id=before.thread_id,
                    run_id=before.run_id,
                    agent_name=before.agent_name,
                    context=before.context,
                )
            )
        elif run.status is RunStatus.STOPPED:
            await call_hook(hooks.on_stop_generation, StopGeneration(request=before))
        else:
            await call_hook(
                hooks.on_after_request, AfterRequest(request=before, output_messages=self._output)
            )
