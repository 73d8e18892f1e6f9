"""The agent's part in one run: what the run opens once its thread is claimed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from ..agui.events import Event
from ..agui.normalizer import EventSequence
from ..agui.run_input import RunInput
from ..context import RequestContext
from ..generative_ui.features import EventTransform
from ..guardrails.guard import Guard
from ..providers.base import Provider
from ..providers.unique_calls import UniqueCalls
from ..tools.loop import ToolLoop


class AgentRun:
    """An agent with its input. Nothing of the agent runs before `open`.

    Args:
        provider: runs the agent.
        input: what the agent gets, if the guard admits it.
        context: who asks.
        guard: judges the input.
        sequence: normalises the agent's events.
        loop: runs the agent with the server's tools, if there are any for it.
        known: the thread's messages before the run, as AG-UI messages in JSON form.
        transforms: what normalised events go through, in order.

    Attributes:
        sequence: normalises the agent's events.
        transforms: what normalised events go through, in order.
        normalizes: the stream puts the events through the sequence itself. A second pass over every event of
            an agent with tools would cost as much as the first.
    """

    def __init__(
        self,
        provider: Provider,
        input: RunInput,
        context: RequestContext,
        guard: Guard,
        sequence: EventSequence,
        loop: ToolLoop | None = None,
        known: Sequence[dict[str, Any]] = (),
        transforms: Sequence[EventTransform] = (),
    ) -> None:
        self.sequence = sequence
        self.transforms = transforms
        self.normalizes = loop is not None
        self._provider = provider
        self._input = input
        self._context = context
        self._guard = guard
        self._loop = loop
        self._known = known

    async def open(self, out: list[Event]) -> AsyncIterator[Any]:
        """Returns the stream of the agent, once the input is admitted.

        It yields the agent's events as they are. If it `normalizes`, it yields None each time normalised
        events are ready in `out`.

        Raises:
            GuardrailsDeniedError: what the user says is denied.
            GuardrailsUnavailableError: no verdict can be had.
        """
        input = await self._guard.admit(self._input)
        if self._loop is not None:
            return self._loop.run(input, self._context, self.sequence, out, self._known)
        return UniqueCalls(self._provider, self._known).run(input.model, self._context)
