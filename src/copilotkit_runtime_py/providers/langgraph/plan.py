"""What a run starts from: the graph's memory of the thread, and the input that a request makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ag_ui.core import RunAgentInput
from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import patch_config
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt, Overwrite, StateSnapshot

from ...context import RequestContext
from ...errors import AgentError, ThreadNotFoundError
from ..langchain.messages import to_langchain
from .config import USER_KEY, frontend_payload
from .history import continued, new_user_messages, next_turn
from .interrupts import answers, has_answer
from .schema import GraphSchema
from .state import state_update

Graph: TypeAlias = Pregel[Any, Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run the graph.

    Attributes:
        input: a new turn's input, or the answers to interrupts.
        config: the run's configuration, with the checkpoint to go back to, if any.
        known: the messages that the client knows already.
    """

    input: dict[str, Any] | Command[Any]
    config: RunnableConfig
    known: list[BaseMessage]


async def remembered(graph: Graph, config: RunnableConfig, context: RequestContext) -> StateSnapshot | None:
    """Returns what the graph's checkpointer holds of the configured thread, None without a checkpointer.

    Raises:
        ThreadNotFoundError: it was made by another user.
    """
    if not isinstance(graph.checkpointer, BaseCheckpointSaver):
        return None
    memory = await graph.aget_state(config)
    owner = (memory.metadata or {}).get(USER_KEY, context.owner)
    if owner != context.owner:
        raise ThreadNotFoundError(config["configurable"]["thread_id"])
    return memory


def messages_of(memory: StateSnapshot | None) -> list[BaseMessage]:
    """Returns the remembered conversation, empty where there is none."""
    values = memory.values if memory is not None else None
    messages = values.get("messages") if isinstance(values, Mapping) else None
    return convert_to_messages(messages) if isinstance(messages, list) else []


def pending_interrupts(memory: StateSnapshot | None) -> list[Interrupt]:
    """Returns the interrupts that wait for an answer; older LangGraph lists answered ones beside them."""
    if memory is None:
        return []
    unfinished = {
        interrupt.id for task in memory.tasks if task.result is None for interrupt in task.interrupts
    }
    return [interrupt for interrupt in memory.interrupts if interrupt.id in unfinished]


async def plan_run(
    graph: Graph,
    schema: GraphSchema,
    input: RunAgentInput,
    config: RunnableConfig,
    memory: StateSnapshot | None,
) -> Plan:
    """Decides how a request continues the thread.

    Raises:
        AgentError: the request answers a question that nobody asked, and says nothing else.
    """
    sent, conversation = to_langchain(input.messages), messages_of(memory)
    current = memory.values if memory is not None and isinstance(memory.values, Mapping) else {}
    update = _update(schema, input, current)
    if answer := answers(input, pending_interrupts(memory)):
        if said := new_user_messages(sent, conversation):
            update |= _written(schema, conversation, [*conversation, *said])
        return Plan(Command(resume=answer, update=update or None), config, [*conversation, *sent])
    turn = next_turn(sent, conversation)
    if has_answer(input) and not turn.messages:
        raise AgentError("There is no open question on this thread to answer.", "NO_PENDING_INTERRUPT")
    held, kept = _without_waiting(conversation, memory), conversation
    if turn.fork_before is not None:
        kept = conversation[: [message.id for message in conversation].index(turn.fork_before)]
        if (past := await _state_before(graph, config, turn.fork_before)) is not None:
            held = kept = messages_of(past)
            checkpoint = past.config["configurable"]["checkpoint_id"]
            config = patch_config(config, configurable={"checkpoint_id": checkpoint})
    whole = continued(kept, turn.messages)
    return Plan({**update, **_written(schema, held, whole)}, config, [*whole, *sent])


def _written(
    schema: GraphSchema, before: Sequence[BaseMessage], after: Sequence[BaseMessage]
) -> dict[str, Any]:
    """Returns the write that brings the graph's messages from one list to another."""
    if not schema.accepts("messages"):
        return {}
    if "messages" not in schema.reduced:
        return {"messages": list(after)}
    if len(after) >= len(before) and all(a is b for a, b in zip(after, before, strict=False)):
        return {"messages": list(after[len(before) :])}
    return {"messages": Overwrite(list(after))}


def _update(schema: GraphSchema, input: RunAgentInput, current: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a request writes besides messages: state, and the frontend's tools and context."""
    payload = frontend_payload(input)
    update = state_update(input.state, current, schema)
    if schema.accepts("copilotkit"):
        own = current.get("copilotkit")
        update["copilotkit"] = {**(own if isinstance(own, Mapping) else {}), **payload}
    if schema.accepts("ag-ui"):
        update["ag-ui"] = {"tools": payload["actions"], "context": payload["context"]}
    if schema.accepts("tools") and payload["actions"]:
        update["tools"] = payload["actions"]
    return update


def _without_waiting(messages: list[BaseMessage], memory: StateSnapshot | None) -> list[BaseMessage]:
    """Returns the messages without those that wait for the rest of an interrupted step.

    LangGraph shows them, but drops them when a new turn begins instead.
    """
    results = [task.result for task in memory.tasks] if memory is not None else []
    waiting = [result.get("messages") for result in results if isinstance(result, Mapping)]
    lists = [found for found in waiting if isinstance(found, list)]
    ids = {message.id for found in lists for message in found if isinstance(message, BaseMessage)}
    return [message for message in messages if message.id not in ids]


async def _state_before(graph: Graph, config: RunnableConfig, message_id: str) -> StateSnapshot | None:
    """Returns the newest state in which a turn began without a message; None if no history is kept."""
    async for past in _inputs(graph, config):
        if all(message.id != message_id for message in messages_of(past)):
            return past
    return None


async def _inputs(graph: Graph, config: RunnableConfig) -> AsyncIterator[StateSnapshot]:
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
