"""How much a client or an agent may ask of the process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The runtime's bounds. Exceeding one is an error in the protocol's own form, never a crash.

    Attributes:
        request_bytes: the largest request body.
        json_depth: how deep a request's JSON may be nested.
        messages_per_request: the most messages that a request may bring.
        tools_per_request: the most frontend tools that a request may bring.
        events_per_run: the most events that one run may emit.
        bytes_per_run: the most bytes of encoded events that one run may emit.
        run_seconds: the longest time that a run may take, or None for no bound.
        idle_seconds: the longest time that an agent may stay silent, or None for no bound.
        busy_seconds: how long a request for a busy thread waits before it is refused. A page that leaves and
            comes back may be faster than the news that it left.
        store_seconds: how long a run waits for the store before it goes on without, and keeps trying.
        action_seconds: the longest time that a call of a backend action may take, or None for no bound.
        action_rounds: how often within one run an agent may go on with the results of backend actions.
        cancel_seconds: how long a stopped agent may take to let go before its thread is freed without it.
    """

    request_bytes: int = 4 * 1024 * 1024
    json_depth: int = 100
    messages_per_request: int = 10_000
    tools_per_request: int = 1_000
    events_per_run: int = 1_000_000
    bytes_per_run: int = 64 * 1024 * 1024
    run_seconds: float | None = 3600.0
    idle_seconds: float | None = 600.0
    busy_seconds: float = 0.5
    store_seconds: float = 2.0
    action_seconds: float | None = 60.0
    action_rounds: int = 20
    cancel_seconds: float = 1.0
