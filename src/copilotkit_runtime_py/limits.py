"""How much a client or an agent may ask of the process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final, get_args, get_type_hints

# Clocks and databases take no more: 31 years, and 64 bits.
_MOST_SECONDS: Final = 10**9
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The runtime's bounds. Exceeding one is an error in the protocol's own form, never a crash.

    Raises:
        ValueError: a bound is negative, not finite or too large; numbers of seconds end at 10⁹.
        TypeError: a bound has another type than its field. A number of seconds may be an `int`.

    Attributes:
        request_bytes: the largest request body. CopilotKit's chat attaches files of up to 20 MiB, and sends
            all of a conversation with each message, in base64.
        request_seconds: the time a client has to send a request's body.
        json_values: the most values that a request's JSON may have, and JSON in its strings.
        json_depth: how deep a request's JSON may be nested, and JSON in its strings.
        id_characters: the longest name, or id of a thread, a run or an agent.
        message_id_characters: the longest id of a message, a tool call or an interrupt. Such ids come from
            models, and some contain a signature of the model's reasoning.
        attachment_bytes: the largest file that a page may upload.
        attachments_per_owner: how many files one owner may have stored, or None for no bound. This and the
            next one bind the anonymous user, too.
        attachment_bytes_per_owner: how many bytes the files of one owner may have, or None for no bound.
        attachment_seconds: the minimum time for which a link to a file is valid, and the time for which a
            file is stored that no message refers to.
        messages_per_request: the most messages that a request may contain.
        parts_per_message: the most parts, such as texts and images, that the content of a message may have.
        tools_per_request: the most frontend tools that a request may contain.
        query_tokens: the most tokens that a GraphQL document may have, and as many comments; no longer than
            32 characters for each.
        query_depth: how deep its selections may be nested. This and what follows is counted with every
            fragment put in the place of each of its spreads.
        query_fields: the most fields that it may select.
        query_aliases: the most aliases that it may give.
        query_directives: the most directives that it may have.
        runs_per_minute_per_owner: how often one owner may start a run, have something suggested or a
            recording transcribed, or upload a file, or None for no bound. As many may come at once after a
            pause. This and the next three are counted in each process, and those of an owner do not bind the
            anonymous user.
        tokens_per_minute_per_owner: how many tokens models may use in the runs of one owner, or None for no
            bound. As many may be used at once after a pause. Models report them when they have answered, so
            a run that exceeds the bound continues, and further ones are refused for a while.
        runs_per_owner: the most runs that one owner may have in progress, or None for no bound.
        runs_per_process: the most runs that may be in progress, or None for no bound.
        events_per_run: the most events that one run may emit.
        bytes_per_run: the most bytes of encoded events that one run may emit.
        patch_operations_per_run: the most operations that the patches of states and activities of one run may
            have. One patch has 10,000 at most.
        live_log_bytes: about how much memory the logs of runs in progress may take in one process. Beyond it,
            events that are in the store are read back from it. Where they are not stored, as with a
            `MemoryStateStore` or while the store fails, the largest runs end with an error.
        run_seconds: the longest time that a run may take, or None for no bound.
        idle_seconds: the longest time that an agent may stay silent, or None for no bound.
        reader_seconds: how long a client may stop reading before its connection is closed. The run continues,
            and the client can reconnect.
        busy_seconds: how long a request for a busy thread waits before it is refused. A page that is loaded
            again may send its request before the server notices that it left.
        store_seconds: how long a run waits for the store before it continues without it, and retries.
        action_seconds: the longest time that a call of a backend action may take, or None for no bound.
        approval_seconds: how long after its question a call may be approved, or None for no bound. A later
            answer does not run the call, and the agent gets the error `EXPIRED` as the result.
        action_rounds: how many times in one run an agent may continue with the results of backend actions.
        cancel_seconds: how long a stopped agent may take to end before its thread is released anyway.
    """

    request_bytes: int = 32 * 1024 * 1024
    request_seconds: float = 60.0
    json_values: int = 200_000
    json_depth: int = 100
    id_characters: int = 1024
    message_id_characters: int = 64 * 1024
    attachment_bytes: int = 20 * 1024 * 1024
    attachments_per_owner: int | None = 1_000
    attachment_bytes_per_owner: int | None = 1024 * 1024 * 1024
    attachment_seconds: float = 86_400.0
    messages_per_request: int = 10_000
    parts_per_message: int = 1_000
    tools_per_request: int = 1_000
    query_tokens: int = 1_000
    query_depth: int = 30
    query_fields: int = 500
    query_aliases: int = 50
    query_directives: int = 200
    runs_per_minute_per_owner: int | None = 120
    tokens_per_minute_per_owner: int | None = None
    runs_per_owner: int | None = 20
    runs_per_process: int | None = 2_000
    events_per_run: int = 1_000_000
    bytes_per_run: int = 64 * 1024 * 1024
    patch_operations_per_run: int = 100_000
    live_log_bytes: int = 256 * 1024 * 1024
    run_seconds: float | None = 3600.0
    idle_seconds: float | None = 600.0
    reader_seconds: float = 60.0
    busy_seconds: float = 0.5
    store_seconds: float = 2.0
    action_seconds: float | None = 60.0
    approval_seconds: float | None = 7 * 24 * 3600.0
    action_rounds: int = 20
    cancel_seconds: float = 1.0

    def __post_init__(self) -> None:
        for name, types in _types().items():
            _check(name, getattr(self, name), types)


@cache
def _types() -> dict[str, tuple[type, ...]]:
    return {name: get_args(type) or (type,) for name, type in get_type_hints(Limits).items()}


def _check(name: str, value: object, types: tuple[type, ...]) -> None:
    if value is None and type(None) in types:
        return
    in_seconds = float in types
    if isinstance(value, bool) or not isinstance(value, int | float if in_seconds else int):
        expected = "a number" if in_seconds else "a whole number"
        optional = " or None" if type(None) in types else ""
        raise TypeError(f"The limit '{name}' must be {expected}{optional}, not {value!r}.")
    most = _MOST_SECONDS if in_seconds else _LARGEST
    if not (math.isfinite(value) and 0 <= value <= most):
        raise ValueError(f"The limit '{name}' must be between 0 and {most}, not {value!r}.")


def size_text(size: int) -> str:
    """Returns a number of bytes for a message: in MiB or KiB if it is a whole number of them."""
    for unit, name in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
