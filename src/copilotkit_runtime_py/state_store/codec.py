"""How stores encode states."""

from __future__ import annotations

from ..agui.events import decode, encode
from .base import AgentState


def encode_state(state: AgentState) -> bytes:
    """Returns an agent's state as JSON."""
    return bytes(encode({"state": state.state, "messages": state.messages, "interrupts": state.interrupts}))


def decode_state(text: bytes) -> AgentState:
    """Returns the state that `encode_state` encoded."""
    return AgentState(**decode(text))
