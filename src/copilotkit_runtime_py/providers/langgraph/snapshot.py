"""Reads what a graph remembers of a thread."""

from __future__ import annotations

from langgraph.types import StateSnapshot

from ..base import AgentSnapshot
from .conversation import visible
from .history import open_calls
from .interrupts import to_agui_interrupt
from .plan import messages_of, pause, pending_interrupts
from .schema import GraphSchema
from .state import visible_state


def agent_snapshot(memory: StateSnapshot, schema: GraphSchema, owner: str | None) -> AgentSnapshot:
    """Returns the state of a thread as an agent's own memory of it.

    Args:
        memory: the state.
        schema: the graph's declarations.
        owner: the owner of the thread, if that is on record.
    """
    messages, pending = messages_of(memory), pending_interrupts(memory)
    if (paused := pause(schema, memory)) and not open_calls(messages):
        pending.append(paused)
    return AgentSnapshot(
        state=visible_state(memory.values, schema),
        messages=visible(messages),
        interrupts=[to_agui_interrupt(interrupt) for interrupt in pending],
        owner=owner,
    )
