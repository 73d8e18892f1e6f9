"""CrewAI flows and crews as agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import orjson
from ag_ui.core import RunAgentInput
from crewai import Crew
from crewai.flow.async_feedback import HumanFeedbackPending, PendingFeedbackContext
from crewai.flow.flow import Flow
from crewai.flow.persistence import FlowPersistence
from crewai.flow.persistence.factory import default_flow_persistence

from ...agui.events import Event
from ...context import RequestContext
from ...errors import AgentError
from ..base import AgentSnapshot, Provider
from .console import keep_quiet
from .conversation import merged
from .crew import crew_inputs, prepare_crew
from .current import CurrentRun, tools_of
from .execution import Execution, label_messages
from .feed import Feed
from .human import answer_from_frontend
from .interrupts import answer_to, has_answer, to_agui_interrupt
from .mapper import RunMapper
from .memory import ChatMemory
from .messages import joined, to_agui, to_openai
from .model_calls import leave_ids_out
from .source import CrewLike, Source
from .state import conversation_of, inputs_for, visible_state, write
from .threads import MethodThreads


class CrewAIProvider(Provider):
    """Runs a CrewAI flow or crew.

    Every run has a flow or crew of its own. A flow whose class has `@persist` remembers its state for each
    chat and starts from it; what the client sends of the state counts on top. Other flows start from what
    the client sends. `@human_feedback` pauses the flow until the frontend answers; a plain message that
    arrives instead starts the flow anew, and the question lapses. What CrewAI keeps about a chat is named by
    the flow, the request's owner and the thread, so no two of them share it.

    Stopping a run cancels asynchronous methods. A synchronous one goes on in its thread until its next event,
    which stops it; what it still does is not seen.

    Args:
        flow: a flow class or flow, a crew, a `@CrewBase` class, or a function that makes one of these for
            each run: plain or async, with the `RequestContext` as its only argument or none.
        description: one sentence for frontends and other agents.

    Raises:
        ConfigurationError: `flow` is none of these.
    """

    def __init__(self, flow: CrewLike, *, description: str = "") -> None:
        self.description = description
        self._source = Source(flow)
        self._threads = MethodThreads()
        answer_from_frontend()
        keep_quiet()
        leave_ids_out()

    @property
    def threads_left(self) -> list[str]:
        """The synchronous methods that go on in their threads although their runs were stopped."""
        return list(self._threads.left.values())

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams one run of the flow or crew.

        Raises:
            AgentError: the request answers a question that is not open, or lacks what a crew needs to know.
            ConfigurationError: the flow or crew asks on the console.
        """
        made = await self._source.make(context)
        run = CurrentRun(input, context, Feed(), made if isinstance(made, Flow) else None)
        memory = ChatMemory(_key(made, input.thread_id, context))
        plan = await self._plan(made, run, memory)
        for event in plan.mapper.start():
            yield event
        execution = Execution(run, plan.work, memory, self._threads)
        async with aclosing(cast(Any, execution.events())) as items:
            async for source, event in items:
                for mapped in plan.mapper.feed(source, event):
                    yield mapped
        result = execution.result
        pending = result.context if isinstance(result, HumanFeedbackPending) else None
        for event in plan.mapper.finish(result, run.answers, pending, handed_over=execution.handed_over):
            yield event

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what the flow's persistence holds of a thread, None where it holds nothing."""
        flow = await self._source.make(context)
        if not isinstance(flow, Flow):
            return None
        key = _key(flow, thread_id, context)
        state = await asyncio.to_thread(flow.persistence.load_state, key) if flow.persistence else None
        pending = await _pending(flow, key)
        if pending is not None:
            state = pending.state
        if state is None:
            return None
        write(flow.state, {name: value for name, value in state.items() if name != "id"})
        return AgentSnapshot(
            state=visible_state(flow.state),
            messages=to_agui(conversation_of(flow.state) or ()),
            interrupts=[to_agui_interrupt(pending.context)] if pending is not None else [],
            owner=context.owner,
        )

    async def _plan(self, made: Flow[Any] | Crew, run: CurrentRun, memory: ChatMemory) -> _Plan:
        if isinstance(made, Crew):
            sent = to_openai(run.input.messages)
            prepare_crew(made, sent, tools_of(run.input))
            memory.confine_crew(made)
            inputs = crew_inputs(made, run.input, sent)
            # `akickoff` runs what is synchronous in CrewAI on the event loop, where it blocks or fails:
            # planning, guardrails, the search for knowledge. Its agents ask their models in threads, too.
            work = partial(self._threads.call, "kickoff", partial(made.kickoff, inputs=inputs))
            return _Plan(work, RunMapper(run.input, None, sent, run.internal))
        return await self._plan_flow(made, run, memory)

    async def _plan_flow(self, flow: Flow[Any], run: CurrentRun, memory: ChatMemory) -> _Plan:
        input, context = run.input, run.context
        key = _key(flow, input.thread_id, context)
        sent = to_openai(input.messages)
        pending = await _pending(flow, key)
        answer = answer_to(pending.context, input) if pending is not None else None
        if pending is not None and answer is not None:
            method = pending.context.method_name
            flow = await asyncio.to_thread(_resumable, flow, pending, key)
            known = conversation_of(flow.state)
            conversation = [*(known or ()), *(m for m in sent if known is None or _is_new_word(m, known))]
            write(flow.state, inputs_for(flow.state, input, conversation))
            shown = merged(conversation, sent)
            work: Callable[[], Awaitable[Any]] = partial(flow.resume_async, answer)
        else:
            if has_answer(input) and not _ends_with_news(input):
                raise AgentError(
                    "There is no open question on this thread to answer.", "NO_PENDING_INTERRUPT"
                )
            if pending is not None:
                await asyncio.to_thread(pending.persistence.clear_pending_feedback, key)
            shown = conversation = joined(sent, await _remembered(flow, key))
            method = None
            inputs = {**inputs_for(flow.state, input, conversation), "id": key}
            work = partial(flow.kickoff_async, inputs=inputs)
        flow.stream = flow.suppress_flow_events = False
        memory.confine(flow)
        label_messages(flow, run)
        return _Plan(work, RunMapper(input, flow, shown, run.internal, method))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a run does, and how it shows."""

    work: Callable[[], Awaitable[Any]]
    mapper: RunMapper


@dataclass(frozen=True, slots=True)
class _Pending:
    """A question that a flow has asked, its position, and where that is stored."""

    state: dict[str, Any]
    context: PendingFeedbackContext
    persistence: FlowPersistence


def _key(made: Flow[Any] | Crew, thread_id: str, context: RequestContext) -> str:
    """Returns the id under which CrewAI keeps what belongs to a chat."""
    name = made.name or type(made).__name__
    return orjson.dumps([name, context.owner, thread_id]).decode()


async def _pending(flow: Flow[Any], key: str) -> _Pending | None:
    """Returns what a flow waits for, without a look where it never asks."""
    methods = flow._definition.methods.values()
    if all(method.human_feedback is None for method in methods):
        return None
    persistence = flow.persistence
    if persistence is None:
        persistence = await asyncio.to_thread(default_flow_persistence)
    found = await asyncio.to_thread(persistence.load_pending_feedback, key)
    return None if found is None else _Pending(found[0], found[1], persistence)


def _resumable(flow: Flow[Any], pending: _Pending, key: str) -> Flow[Any]:
    """Returns the flow as it was when it paused.

    `Flow.from_pending` makes its flow by calling the class, which may need arguments; this one is made.
    """

    def made(*, persistence: FlowPersistence) -> Flow[Any]:
        flow.persistence = persistence
        return flow

    from_pending: Any = Flow.from_pending
    return cast("Flow[Any]", from_pending.__func__(made, key, pending.persistence))


async def _remembered(flow: Flow[Any], key: str) -> list[Any]:
    if flow.persistence is None:
        return []
    state = await asyncio.to_thread(flow.persistence.load_state, key)
    return conversation_of(state) or []


def _is_new_word(message: dict[str, Any], known: list[Any]) -> bool:
    ids = {other.get("id") for other in known if isinstance(other, dict)}
    return message["role"] == "user" and message["id"] not in ids


def _ends_with_news(input: RunAgentInput) -> bool:
    return bool(input.messages) and input.messages[-1].role in ("user", "tool")
