"""An agent with server tools as a provider of its own, so that tests can run it without a runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.normalizer import EventSequence
from copilotkit_runtime_py.agui.run_input import RunInput
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.base import Provider
from copilotkit_runtime_py.tools.actions import Tool
from copilotkit_runtime_py.tools.loop import ToolLoop


class Looped(Provider):
    """Runs an agent in a `ToolLoop`, and yields the events that a run would take."""

    def __init__(self, provider: Provider, *, name: str, tools: Iterable[Tool], **options: Any) -> None:
        self._loop = ToolLoop(provider, name=name, tools=tools, **options)

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        sequence = EventSequence(input.thread_id, input.run_id, strict_stream=False)
        out: list[Event] = []
        terminated = False
        async with aclosing(self._loop.run(RunInput.of(input), context, sequence, out)) as stream:
            async for _ in stream:
                for event in out:
                    yield event
                out.clear()
                if sequence.terminal is not None and not terminated:
                    terminated = True
                    yield sequence.terminal
