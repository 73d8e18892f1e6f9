"""A run without a runtime: its agent is a stream, and nothing records it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.normalizer import EventSequence
from copilotkit_runtime_py.generative_ui.features import EventTransform
from copilotkit_runtime_py.limits import Limits
from copilotkit_runtime_py.runs.run import Run, RunLifecycle
from copilotkit_runtime_py.state_store.base import RunRecord


class Streaming:
    """The agent's part in a run: a stream."""

    is_remote = False
    normalizes = False
    transforms: Sequence[EventTransform] = ()

    def __init__(self, sequence: EventSequence) -> None:
        self.sequence = sequence
        self.stream: AsyncIterator[Any] | None = None

    async def open(self, out: list[Event]) -> AsyncIterator[Any]:
        assert self.stream is not None
        return self.stream


class Unrecorded:
    """The life of a run that nobody records."""

    def entries_added(self, run: Run) -> None:
        run.show()

    async def make_room(self, run: Run) -> None: ...

    async def before_end(self, run: Run) -> None: ...

    async def after_end(self, run: Run) -> None: ...


class StreamRun(Run):
    """A run of the agent `a` on the thread `t1`."""

    def __init__(
        self,
        lifecycle: RunLifecycle | None = None,
        *,
        strict_stream: bool = False,
        input: Event | None = None,
        limits: Limits | None = None,
        **options: Any,
    ) -> None:
        self.streaming = Streaming(EventSequence("t1", "r1", strict_stream=strict_stream, input=input))
        super().__init__(
            RunRecord(id="r1", thread_id="t1", agent_name="a", owner="ann", number=1),
            self.streaming,
            lifecycle or Unrecorded(),
            limits=limits or Limits(),
            **options,
        )

    def play(self, stream: AsyncIterator[Any]) -> None:
        """Starts the run with the stream as its agent."""
        self.streaming.stream = stream
        self.start()
