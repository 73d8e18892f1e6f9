"""How stores encode logs and states."""

from __future__ import annotations

from collections.abc import Iterable

from ..agui.events import decode, encode
from .base import AgentState

_SEPARATOR = b"\n"


def join(events: Iterable[bytes]) -> bytes:
    """Returns events, each as JSON, as lines of one value. Encoded JSON holds no line end."""
    return _SEPARATOR.join(events)


def split(text: bytes) -> list[bytes]:
    """Returns the events that `join` joined."""
    return text.split(_SEPARATOR) if text else []


def encode_state(state: AgentState) -> bytes:
    """Returns an agent's state as JSON."""
    return bytes(encode({"state": state.state, "messages": state.messages, "interrupts": state.interrupts}))


def decode_state(text: bytes) -> AgentState:
    """Returns the state that `encode_state` encoded."""
    return AgentState(**decode(text))
