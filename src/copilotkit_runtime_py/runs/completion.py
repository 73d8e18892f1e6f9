"""What a run leaves in the store when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from ..agui.compaction import LONG_LOG, Piece, compacted
from ..agui.events import Event
from ..agui.reducer import Transcript
from ..state_store.base import AgentState, RunEnding


def ending_of(log: Sequence[Event], messages: Iterable[dict[str, Any]], state: Any) -> RunEnding:
    """Returns what a run leaves.

    Args:
        log: all its events.
        messages: the conversation before it, as AG-UI messages in JSON form.
        state: the state before it.
    """
    transcript = Transcript(messages, state)
    for event in log:
        transcript.add(event)
    return RunEnding(state=transcript.result(), compacted=compacted(log))


async def folded(log: Sequence[Event], messages: Iterable[dict[str, Any]], state: Any) -> RunEnding:
    """Returns what a run leaves; see `ending_of`. A long log is folded in a thread."""
    if len(log) < LONG_LOG:
        return ending_of(log, messages, state)
    return await asyncio.to_thread(ending_of, log, messages, state)


def unfolded(log: Sequence[Event], messages: Iterable[dict[str, Any]], state: Any) -> RunEnding:
    """Returns what a run leaves whose log cannot be folded: the state before it, and every event."""
    return RunEnding(
        state=AgentState(state=state, messages=list(messages)),
        compacted=[Piece(event, [place], []).encode() for place, event in enumerate(log)],
    )
