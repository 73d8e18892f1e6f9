"""What a run starts from: the graph's memory of the thread, and the input that a request makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ag_ui.core import Message, RunAgentInput
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import patch_config
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.constants import END
from langgraph.errors import InvalidUpdateError
from langgraph.types import Command, Interrupt, Overwrite, StateSnapshot

from ...agui.call_ids import CallIds
from ...context import RequestContext
from ...errors import AgentError, ThreadNotFoundError
from ..langchain.call_ids import with_client_ids, with_own_ids
from ..langchain.messages import to_langchain
from ..unique_calls import outline
from .checkpoint import Checkpoints, Graph, amend, heal
from .config import USER_KEY, forwarded_props, frontend_payload, native_payload
from .conversation import ClientView, messages_in
from .history import (
    Turn,
    continued,
    is_stand_in,
    new_messages,
    new_user_messages,
    next_turn,
    open_calls,
    said_since,
)
from .interrupts import answers, breakpoint_interrupt, cancels, has_answer
from .repetition import Repetition
from .schema import PLUMBING, GraphSchema
from .state import state_update


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run the graph.

    Attributes:
        input: a new turn's input, the answers to interrupts, or None to go on from a breakpoint.
        config: the run's configuration, with the checkpoint to go back to, if any.
        known: the messages that the client knows already.
        view: the conversation as the client has it.
        repetition: what interrupted nodes say again.
    """

    input: dict[str, Any] | Command[Any] | None
    config: RunnableConfig
    known: list[BaseMessage]
    view: ClientView
    repetition: Repetition = field(default_factory=Repetition)


async def remembered(graph: Graph, config: RunnableConfig, context: RequestContext) -> StateSnapshot | None:
    """Returns what the graph's checkpointer holds of the configured thread, None without a checkpointer.

    Raises:
        ThreadNotFoundError: it was made by another user.
    """
    if not isinstance(graph.checkpointer, BaseCheckpointSaver):
        return None
    try:
        memory = await graph.aget_state(config)
    except InvalidUpdateError:
        await heal(graph, config)
        memory = await graph.aget_state(config)
    owner = (memory.metadata or {}).get(USER_KEY, context.owner)
    if owner != context.owner:
        raise ThreadNotFoundError(config["configurable"]["thread_id"])
    return memory


def messages_of(memory: StateSnapshot | None) -> list[BaseMessage]:
    """Returns the remembered conversation, empty where there is none."""
    return messages_in(memory.values) or [] if memory is not None else []


def pending_interrupts(memory: StateSnapshot | None) -> list[Interrupt]:
    """Returns the interrupts that wait for an answer.

    Older LangGraph lists answered ones beside them. It distinguishes tasks that wait for their next answer
    from those that are done by their result only, which is empty.
    """
    if memory is None:
        return []
    unfinished = {interrupt.id for task in memory.tasks if not task.result for interrupt in task.interrupts}
    return [interrupt for interrupt in memory.interrupts if interrupt.id in unfinished]


def pause(schema: GraphSchema, memory: StateSnapshot | None) -> Interrupt | None:
    """Returns the interrupt that announces the breakpoint at which the graph stands, if it does."""
    if memory is None or not schema.breakpoints or not _is_unfinished(memory):
        return None
    return breakpoint_interrupt(memory)


def _is_unfinished(memory: StateSnapshot | None) -> bool:
    """Whether a superstep is due that neither failed nor waits for an answer."""
    if memory is None or not memory.next or pending_interrupts(memory):
        return False
    return all(task.error is None for task in memory.tasks)


async def plan_run(
    graph: Graph | Checkpoints,
    schema: GraphSchema,
    input: RunAgentInput,
    config: RunnableConfig,
    memory: StateSnapshot | None,
) -> Plan:
    """Decides how a request continues the thread.

    Raises:
        AgentError: the request answers a question that is not open, and says nothing else.
    """
    ids = CallIds(input.run_id)
    ids.learn(map(outline, input.messages))
    sent = to_langchain(input.messages)
    conversation = with_client_ids(_remembered_conversation(schema, memory), ids)
    current = memory.values if memory is not None and isinstance(memory.values, Mapping) else {}
    update = _update(schema, input, current)
    said = new_user_messages(sent, conversation)
    answer = answers(input, pending_interrupts(memory))
    if answer and not (said and cancels(input)):  # a message instead of an answer begins a new turn
        if said:
            update |= _written(schema, conversation, [*conversation, *said])
        rest = await amend(graph, config, _changed(update, current))
        return Plan(
            Command(resume=answer, update=rest or None),
            config,
            [*conversation, *sent],
            _view(schema, input, ids, conversation),
            Repetition(_interrupted(memory), said_since(sent, conversation)),
        )
    if _is_unfinished(memory):
        plan = await _going_on(graph, schema, input, config, memory, ids)
        if plan is not None:
            return plan
    answered = has_answer(input) and _is_unfinished(memory)
    turn = Turn(new_messages(sent, conversation)) if answered else next_turn(sent, conversation)
    if has_answer(input) and not turn.messages:
        raise AgentError("There is no open question on this thread to answer.", "NO_PENDING_INTERRUPT")
    before, kept = _without_waiting(conversation, memory), conversation
    if turn.fork_before is not None:
        kept = conversation[: [message.id for message in conversation].index(turn.fork_before)]
        if (past := await _state_before(graph, config, turn.fork_before)) is not None:
            before = kept = with_client_ids(messages_of(past), ids)
            checkpoint = past.config["configurable"]["checkpoint_id"]
            config = patch_config(config, configurable={"checkpoint_id": checkpoint})
    whole = continued(kept, turn.messages)
    view = _view(schema, input, ids, [*conversation, *whole], turn.fork_before)
    known = [*_told(conversation, whole), *sent]
    return Plan({**update, **_written(schema, before, whole)}, config, known, view)


async def _going_on(
    graph: Graph | Checkpoints,
    schema: GraphSchema,
    input: RunAgentInput,
    config: RunnableConfig,
    memory: StateSnapshot | None,
    ids: CallIds,
) -> Plan | None:
    """Returns the plan that lets the graph go on where it stands; None if the request does not.

    What the request brings is written where the graph stands, which may be a graph inside it.
    """
    place, inside = config, memory
    if schema.breakpoints:
        place, inside = await _innermost(graph, config, memory)
    sent = to_langchain(input.messages)
    conversation = with_client_ids(_remembered_conversation(schema, inside), ids)
    answered = has_answer(input)
    turn = Turn(new_messages(sent, conversation)) if answered else next_turn(sent, conversation)
    if not _goes_on(schema, input, memory, turn, conversation):
        return None
    current = inside.values if inside is not None and isinstance(inside.values, Mapping) else {}
    whole = continued(conversation, turn.messages)
    update = _update(schema, input, current) | _written(schema, conversation, whole)
    if place is not config:
        update = {name: value for name, value in update.items() if name in current}
    rest = await amend(graph, place, _changed(update, current))
    if rest:
        await graph.aupdate_state(place, rest)
    return Plan(None, config, [*_told(conversation, whole), *sent], _view(schema, input, ids, whole))


async def _innermost(
    graph: Graph | Checkpoints, config: RunnableConfig, memory: StateSnapshot | None
) -> tuple[RunnableConfig, StateSnapshot | None]:
    """Returns the graph that stands at a breakpoint: its configuration and its state.

    Of several that stand at one, side by side, it is the first.
    """
    if memory is None or all(task.state is None for task in memory.tasks):
        return config, memory
    place = config
    found = await graph.aget_state(config, subgraphs=True)
    while inside := [task.state for task in found.tasks if isinstance(task.state, StateSnapshot)]:
        place, found = inside[0].config, inside[0]
    return place, found


def _told(before: Sequence[BaseMessage], after: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Returns a conversation without the results that stand in for missing ones since now."""
    known = {message.id for message in before}
    return [
        message
        for message in after
        if message.id in known or not (isinstance(message, ToolMessage) and is_stand_in(message))
    ]


def _interrupted(memory: StateSnapshot | None) -> list[str]:
    """Returns the ids of the tasks that have asked."""
    return [task.id for task in memory.tasks if task.interrupts] if memory is not None else []


def _remembered_conversation(schema: GraphSchema, memory: StateSnapshot | None) -> list[BaseMessage]:
    """Returns the conversation that the graph itself goes on with."""
    return messages_of(memory) if schema.remembers else []


def _view(
    schema: GraphSchema,
    input: RunAgentInput,
    ids: CallIds,
    held: Sequence[BaseMessage],
    fork_before: str | None = None,
) -> ClientView:
    messages: Sequence[Message] = input.messages
    if fork_before is not None:
        messages = messages[: [message.id for message in messages].index(fork_before) + 1]
    # A channel without a reducer may hold the last answer only, which drops nothing.
    return ClientView(messages, [each.id for each in held] if "messages" in schema.reduced else (), ids)


def _goes_on(
    schema: GraphSchema,
    input: RunAgentInput,
    memory: StateSnapshot | None,
    turn: Turn,
    conversation: Sequence[BaseMessage],
) -> bool:
    """Whether a request lets the graph go on where it stands, with the superstep that is due.

    An answer does, although nothing waits for its value: it answers the announcement of a breakpoint, or a
    question of a superstep that begins again. At a breakpoint, so do the results of open calls, and the
    `nodeName` that older frontends send in the middle of a run.
    """
    if turn.fork_before is not None or not _is_unfinished(memory):
        return False
    if has_answer(input) and not cancels(input):
        return True
    results = {message.tool_call_id for message in turn.messages if isinstance(message, ToolMessage)}
    goes_on = forwarded_props(input).get("nodeName") not in (None, "", END)
    goes_on = goes_on or not results.isdisjoint(open_calls(conversation))
    return goes_on and schema.breakpoints


def _written(
    schema: GraphSchema, before: Sequence[BaseMessage], after: Sequence[BaseMessage]
) -> dict[str, Any]:
    """Returns the write that brings the graph's messages from one list to another."""
    if not schema.accepts("messages"):
        return {}
    goes_on = len(after) >= len(before) and all(a is b for a, b in zip(after, before, strict=False))
    adds = "messages" in schema.reduced or schema.inputs is None
    if goes_on and adds:
        return {"messages": with_own_ids(after[len(before) :])}
    whole = with_own_ids(after)
    return {"messages": Overwrite(whole) if "messages" in schema.reduced else whole}


def _update(schema: GraphSchema, input: RunAgentInput, current: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a request writes besides messages: state, and the frontend's tools and context."""
    payload = frontend_payload(input)
    own = current.get("copilotkit")
    channels = {
        "copilotkit": {**(own if isinstance(own, Mapping) else {}), **payload},
        "ag-ui": native_payload(input),
        "tools": payload["actions"],
    }
    return state_update(input.state, current, schema) | {
        name: Overwrite(value) if name in schema.reduced else value
        for name, value in channels.items()
        if schema.accepts(name)
    }


def _changed(update: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an update without tools and context that are in place already."""
    return {k: v for k, v in update.items() if k not in PLUMBING or k == "messages" or current.get(k) != v}


def _without_waiting(messages: list[BaseMessage], memory: StateSnapshot | None) -> list[BaseMessage]:
    """Returns the messages without those that wait for the rest of an interrupted step.

    LangGraph shows them, but drops them when a new turn begins instead.
    """
    results = [task.result for task in memory.tasks] if memory is not None else []
    waiting = [result.get("messages") for result in results if isinstance(result, Mapping)]
    lists = [found for found in waiting if isinstance(found, list)]
    ids = {message.id for found in lists for message in found if isinstance(message, BaseMessage)}
    return [message for message in messages if message.id not in ids]


async def _state_before(
    graph: Graph | Checkpoints, config: RunnableConfig, message_id: str
) -> StateSnapshot | None:
    """Returns the newest state in which a turn began without a message; None if no history is stored."""
    async for past in _inputs(graph, config):
        if all(message.id != message_id for message in messages_of(past)):
            return past
    return None


async def _inputs(graph: Graph | Checkpoints, config: RunnableConfig) -> AsyncIterator[StateSnapshot]:
    """Yields the states in which turns began, newest first; LangGraph keeps one for each.

    It loads what it is asked for at once, so this asks for few at first.
    """
    limit, before = 2, None
    while True:
        page = [
            past
            async for past in graph.aget_state_history(
                config, filter={"source": "input"}, before=before, limit=limit
            )
        ]
        for past in page:
            yield past
        if len(page) < limit:
            return
        limit, before = 2 * limit, page[-1].config
