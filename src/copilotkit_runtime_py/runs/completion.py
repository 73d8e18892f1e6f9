"""The end of a run: what it leaves in the store, and what the hooks are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from ..agui.compaction import LONG_LOG, Piece, compacted
from ..agui.events import Event
from ..agui.reducer import Transcript
from ..errors import StoreUnavailableError
from ..guardrails.guard import Guard
from ..hooks import AfterRequest, BeforeRequest, Hooks, RequestFailed, StopGeneration, tell_hook
from ..state_store.base import AgentState, RunEnding
from .journal import Journal
from .run import Run, RunStatus


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


class Completion:
    """Records the end of one run, then calls the hooks.

    Args:
        journal: writes the run's log.
        before: what the run was asked.
        state: the state before the run.
        hooks: the application's.
        guard: knows which messages the thread must not store.
    """

    def __init__(
        self, journal: Journal, before: BeforeRequest, state: Any, hooks: Hooks, guard: Guard
    ) -> None:
        self._journal = journal
        self._before = before
        self._guard = guard
        self._state = state
        self._hooks = hooks
        self._output: list[dict[str, Any]] = []

    async def record(self, run: Run) -> None:
        """Hands the end of the run to the store; without a fold if folding the log fails.

        The store gets an end in any case: a thread whose run has none would take no further run.
        """
        log = [entry.event for entry in run.log()]
        withheld = self._guard.withheld
        messages = [each for each in self._before.input_messages if each["id"] not in withheld]
        try:
            if len(log) < LONG_LOG:
                ending = ending_of(log, messages, self._state)
            else:
                ending = await asyncio.to_thread(ending_of, log, messages, self._state)
        except Exception:
            left = AgentState(state=self._state, messages=messages)
            whole = [Piece(event, [place], []).encode() for place, event in enumerate(log)]
            await self._journal.finish(RunEnding(state=left, compacted=whole))
            raise
        await self._journal.finish(ending)
        known = {message["id"] for message in messages}
        self._output = [message for message in ending.state.messages if message["id"] not in known]

    async def announce(self, run: Run) -> None:
        """Calls the hook for the way in which the run ended."""
        hooks, before = self._hooks, self._before
        error = run.error or (None if self._journal.complete else StoreUnavailableError())
        if error is not None:
            failed = RequestFailed(
                error=error,
                thread_id=before.thread_id,
                run_id=before.run_id,
                agent_name=before.agent_name,
                context=before.context,
            )
            await tell_hook(hooks.on_error, failed)
        elif run.status is RunStatus.STOPPED:
            await tell_hook(hooks.on_stop_generation, StopGeneration(request=before))
        else:
            await tell_hook(
                hooks.on_after_request, AfterRequest(request=before, output_messages=self._output)
            )
