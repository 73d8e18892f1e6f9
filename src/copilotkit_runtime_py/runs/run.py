"""A run: the tasks that consume an agent's stream and complete it, and the log of its events."""

from __future__ import annotations

import asyncio
import enum
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any, Final, Protocol

from ..agui import events
from ..agui.events import Event
from ..agui.normalizer import EventSequence
from ..agui.usage import CURRENT_METER, TokenMeter
from ..errors import PROCESS_EXITS, AgentError, CopilotKitError, masked
from ..generative_ui.features import EventTransform
from ..limits import Limits
from ..logs.records import get_logger
from ..providers.base import close_stream
from ..state_store.base import RunRecord
from ..telemetry import agent_span
from .event_log import Entry, EventLog
from .log_memory import LogMemory

logger = get_logger(__name__)

# An agent that always has an event ready never yields to the loop. So the run does, every few events, and
# sooner where they are large.
_EVENTS_PER_TURN: Final = 64
_SECONDS_PER_TURN: Final = 0.01

# The result for a tool call that has none when the run ends (CopilotRuntime 1.75). Model vendors refuse a
# conversation in which a call has no result.
STOPPED_ANSWER: Final = {"status": "stopped", "reason": "stop_requested", "message": "Run stopped by user"}
_FAILED: Final = {"status": "error", "reason": "missing_terminal_event"}


class RunStatus(enum.StrEnum):
    """How far a run is."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


class RunLifecycle(Protocol):
    """The lifecycle of a run: how it is recorded, and what follows its end."""

    def entries_added(self, run: Run) -> None:
        """Called when there are new entries. It shows them to readers, now or later."""

    async def make_room(self, run: Run) -> None:
        """Awaited while the logs of the process exceed their budget, and this one exceeds its share.

        Raises:
            AgentError: nothing of the log can be dropped, so the run has to end.
        """

    async def before_end(self, run: Run) -> None:
        """Awaited once, when the log is complete and before readers see the terminal event."""

    async def after_end(self, run: Run) -> None:
        """Awaited once, when readers have seen the terminal event and the agent is done."""


class EventSource(Protocol):
    """The agent's part in a run; see `AgentRun`."""

    @property
    def sequence(self) -> EventSequence:
        """Normalises the events."""

    @property
    def is_remote(self) -> bool:
        """Whether the agent runs in another process."""

    @property
    def normalizes(self) -> bool:
        """Whether the stream normalises its events itself."""

    @property
    def transforms(self) -> Sequence[EventTransform]:
        """What normalised events go through, in order."""

    async def open(self, out: list[Event]) -> AsyncIterator[Any]:
        """Returns the agent's stream."""


class Run(EventLog):
    """One run of an agent on a thread.

    The run owns its tasks: one iterates the agent, one waits for the agent and ends the run. It
    emits RUN_STARTED first and exactly one terminal event last, whatever the agent does, and nothing after
    that.

    Args:
        record: the run's ids, and its number among the runs of its thread.
        source: the agent's part.
        lifecycle: records the run, if it is recorded.
        limits: the bounds of the run.
        development: an exception's own text reaches the client.

    Attributes:
        id: the run's id.
        thread_id: the thread.
        agent_name: the agent's registered name.
        status: how far the run is.
        error: the exception that ended the run, if one did.
        stopping: the run was asked to stop.
        first_event_after: the seconds from the start to the agent's first event, once there is one.
        meter: adds up the tokens that models use in the run.
    """

    def __init__(
        self,
        record: RunRecord,
        source: EventSource,
        lifecycle: RunLifecycle,
        *,
        limits: Limits,
        memory: LogMemory | None = None,
        development: bool = False,
    ) -> None:
        super().__init__(record.number, memory)
        self.id = record.id
        self.thread_id = record.thread_id
        self.agent_name = record.agent_name
        self.status = RunStatus.RUNNING
        self.error: BaseException | None = None
        self.stopping = False
        self.first_event_after: float | None = None
        self.meter = TokenMeter()
        self._source = source
        self._transforms: Sequence[EventTransform] = ()
        self._lifecycle = lifecycle
        self._limits = limits
        self._development = development
        self._terminal: Entry | None = None
        self._lost = False
        self._fault: CopilotKitError | None = None
        self._last_event_at = 0.0
        self._began_at = 0.0
        self._timers: list[asyncio.TimerHandle] = []

    def start(self) -> None:
        """Opens the agent's stream and starts to consume it. Called once, on the running loop."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._released: asyncio.Future[None] = loop.create_future()
        self._agent_task = loop.create_task(self._consume_traced(), name=f"agent {self.agent_name} {self.id}")
        self._agent_task.add_done_callback(self._release)
        self._task = loop.create_task(self._supervise(), name=f"run {self.id}")
        self._began_at = self._last_event_at = loop.time()
        if self._limits.run_seconds is not None:
            self._timers.append(loop.call_later(self._limits.run_seconds, self._time_out, "took too long"))
        if self._limits.idle_seconds is not None:
            self._timers.append(loop.call_later(self._limits.idle_seconds, self._check_idle))

    @cached_property
    def _sequence(self) -> EventSequence:
        return self._source.sequence

    @property
    def is_active(self) -> bool:
        """Whether the run is in progress and was not asked to stop."""
        return not self.stopping and not self.ended

    def stop(self) -> None:
        """Asks the run to stop: the agent's task is cancelled.

        It has no effect on a run that was stopped before, or whose agent has ended.
        """
        if not self.stopping and self._sequence.terminal is None and not self._agent_task.done():
            self.stopping = True
            self._cancel_agent()

    def fail(self, error: CopilotKitError) -> None:
        """Ends the run with an error: the agent's task is cancelled.

        It has no effect on a run that was stopped before, or whose agent has ended.
        """
        over = self._sequence.terminal is not None or self._agent_task.done()
        if not self.stopping and self._fault is None and not over:
            self._fault = error
            self._cancel_agent()

    def lose(self, stored: Sequence[Entry], error: CopilotKitError) -> None:
        """Ends the run at once. Readers get what the store has beyond what they have seen, then an error.

        Args:
            stored: the whole log as another worker ended it; nothing if it is not known.
            error: what the run ends with, if it is not known.
        """
        if self.ended or self._lost:
            return
        self._lost = True
        self.status, self.error = RunStatus.FAILED, error
        known = len(stored) > self.shown
        self.cut(self.shown)
        for entry in stored[self.shown : -1]:  # none if it is not known
            self.add(entry)
        self._terminal = stored[-1] if known else Entry.aside(events.run_error(error.message, error.code))
        self._cancel_agent()

    async def wait(self) -> None:
        """Waits until the run is over and recorded. Cancelling the wait does not stop the run."""
        await asyncio.shield(self._task)

    async def recorded_within(self, seconds: float) -> bool:
        """Waits up to `seconds` until the run is over and recorded, and returns whether it is."""
        await asyncio.wait({self._task}, timeout=seconds)
        return self._task.done()

    async def close(self, seconds: float) -> None:
        """Waits up to `seconds` until the run is over and recorded."""
        if not await self.recorded_within(seconds):
            self._task.cancel()
            await asyncio.wait({self._task})

    async def ends_within(self, seconds: float) -> bool:
        """Waits up to `seconds` for the end, and returns whether it came."""
        if not self.ended:
            await asyncio.wait({self._task}, timeout=seconds)
        return self.ended

    async def stops_within(self, seconds: float) -> bool:
        """Waits up to `seconds` for the end. Returns whether it came, or is near after a request to stop."""
        return await self.ends_within(seconds) or self.stopping

    def log(self) -> list[Entry]:
        """The part of the log in memory, with the terminal event even before readers see it."""
        if self._terminal is None or self.ended:
            return list(self.entries)
        return [*self.entries, self._terminal]

    async def whole(self) -> list[Entry]:
        """The whole log, with the terminal event even before readers see it."""
        entries = await super().whole()
        return entries if self._terminal is None or self.ended else [*entries, self._terminal]

    async def _consume_traced(self) -> None:
        CURRENT_METER.set(self.meter)
        with agent_span(self.agent_name, self.meter, is_remote=self._source.is_remote):
            try:
                await self._consume()
            except PROCESS_EXITS as error:
                raise RuntimeError(f"the agent raised {type(error).__name__}") from error

    async def _consume(self) -> None:
        source, sequence, time = self._source, self._sequence, self._loop.time
        out: list[Event] = []
        turn = 0
        worked = 0.0
        self._transforms = source.transforms
        stream = await source.open(out)
        try:
            async for event in stream:
                if turn == 0:
                    self.first_event_after = time() - self._began_at
                if self.stopping or self._fault is not None:
                    # The agent ignored its cancellation: the run may be over, and nothing may follow.
                    return
                self._last_event_at = time()
                if not source.normalizes:
                    sequence.push(events.event_from(event), out)
                self._publish(out)
                # A large event need not stay in memory until the next one comes.
                del event
                if sequence.terminal is not None:
                    # No reader waits for what the agent still does, such as saving its memory.
                    self._release()
                self._check_limits()
                if self.memory.is_full and self.held > self.memory.share:
                    await self._lifecycle.make_room(self)
                # How often others get a turn is tuned, and no event depends on it.
                turn += 1  # pragma: no mutate
                worked += time() - self._last_event_at
                if turn % _EVENTS_PER_TURN == 0 or worked > _SECONDS_PER_TURN:  # pragma: no mutate
                    worked = 0.0
                    await asyncio.sleep(0)
            sequence.finish(out)
        finally:
            # Events that a malformed event closed, or that the end supplied.
            self._publish(out)
            await close_stream(stream)

    async def _supervise(self) -> None:
        """Waits until the agent is done, or ignores a stop for too long, and ends the run."""
        try:
            await self._released
        except asyncio.CancelledError:  # the loop shuts down
            self.stop()
            self.stopping = self._sequence.terminal is None
        for timer in self._timers:
            timer.cancel()
        self._conclude()
        try:
            # The store has the end before a reader sees it.
            await self._call(self._lifecycle.before_end)
        finally:
            # Also if that fails or is cancelled: readers get exactly one terminal event.
            assert self._terminal is not None
            self.add(self._terminal)
            self.end()
        # The thread is released once the agent is done: the next run must not read a half-written memory.
        await self._drain()
        await self._call(self._lifecycle.after_end)
        # References from here to the run would keep its log in memory until the next garbage collection.
        self._lifecycle = _OVER
        for failure in (self.error, self._agent_failure()):
            if failure is not None:
                traceback.clear_frames(failure.__traceback__)

    async def _drain(self) -> None:
        """Lets the agent finish its work after its terminal event, within bounds.

        An agent that was asked to stop has had that time before the end, and is not waited for again.
        """
        task, seconds = self._agent_task, self._limits.cancel_seconds
        if not task.done() and not self.stopping and self._fault is None:
            await asyncio.wait({task}, timeout=seconds)
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=seconds)
        failure = self._agent_failure()
        if self.error is None and failure is not None:
            logger.error("the agent failed after the end of run %s", self.id, exc_info=failure)

    async def _call(self, step: Callable[[Run], Awaitable[None]]) -> None:
        try:
            await step(self)
        except (Exception, *PROCESS_EXITS):
            logger.exception("the end of run %s on thread %s was not recorded", self.id, self.thread_id)

    def _conclude(self) -> None:
        """Decides how the run ended, and closes what the agent left open."""
        if self._lost:
            return
        sequence = self._sequence
        calls, answer = sequence.unanswered_calls, STOPPED_ANSWER
        out: list[Event] = []
        if sequence.terminal is None:
            if self._fault is not None:
                self.error = self._fault
            elif not self.stopping:
                self.error = self._agent_failure()
            if self.error is not None:
                self.status = RunStatus.FAILED
                error_event = self._error_event(self.error)
                answer = _FAILED | {"message": error_event["message"]}
                sequence.end(error_event, out)
            else:
                self.status = RunStatus.STOPPED
                sequence.end(events.run_finished(self.thread_id, self.id), out)
        elif sequence.terminal["type"] == "RUN_ERROR":
            self.status = RunStatus.FAILED
            self.error = AgentError(sequence.terminal["message"], sequence.terminal.get("code"))
            # Complete calls may still be answered: a frontend runs its tools after an error, too.
            calls, answer = sequence.open_calls, _FAILED | {"message": self.error.message}
            sequence.close_open(out)
        else:
            calls = []
            self.status = RunStatus.STOPPED if self.stopping else RunStatus.FINISHED
        self._publish(out, cut=self.status is RunStatus.FAILED)
        sequence.answer_calls(calls, answer, out)
        self._publish(out, cut=True)
        terminal = sequence.terminal
        assert terminal is not None
        self._end_transforms(terminal)
        if used := self.meter.used:
            terminal = {**terminal, "usage": used}
        self._terminal = Entry.of(terminal)

    def _agent_failure(self) -> BaseException | None:
        task = self._agent_task
        if not task.done():
            return None
        if task.cancelled():
            if self.stopping or self.ended:
                return None
            return asyncio.CancelledError("the agent cancelled itself")
        return task.exception()

    def _error_event(self, error: BaseException) -> Event:
        try:
            if isinstance(error, AgentError):
                return events.run_error(error.message, error.agent_code)
            shown = masked(error, f"run {self.id} of agent {self.agent_name}", development=self._development)
            return events.run_error(shown.message, shown.code)
        except Exception:
            logger.exception("the message of the error that ended run %s cannot be read", self.id)
            return events.run_error("An internal error occurred.", CopilotKitError.code)

    def _publish(self, out: list[Event], *, cut: bool = False) -> None:
        if out and not self._lost:
            # Without transforms, `_transformed` would return the same, on the hot path.
            emitted = self._transformed(out) if self._transforms else out  # pragma: no mutate
            self._append(emitted, cut=cut)
        out.clear()

    def _append(self, emitted: Sequence[Event], *, cut: bool) -> None:
        for event in emitted:
            entry = Entry.of(event, cut and event["type"] != "RUN_STARTED")
            self.add(entry)
        self._lifecycle.entries_added(self)

    def _transformed(self, emitted: Sequence[Event], first: int = 0) -> Sequence[Event]:
        """Returns events after the transforms from the `first` on."""
        transformed = emitted
        try:
            for transform in self._transforms[first:]:
                transformed = [each for event in transformed for each in transform.push(event)]
        except Exception:
            # An untransformed answer is better than no answer.
            logger.exception("a transform failed; the next events of run %s are shown untransformed", self.id)
            self._transforms = ()
            return list(emitted)
        return transformed

    def _end_transforms(self, terminal: Event) -> None:
        for place, transform in enumerate(self._transforms, 1):
            if left := list(transform.end(terminal)):
                self._append(self._transformed(left, place), cut=False)

    def _check_limits(self) -> None:
        limits = self._limits
        if self.length > limits.events_per_run:
            raise AgentError(f"The run exceeded {limits.events_per_run} events.", "LIMIT_EXCEEDED")
        if self.size > limits.bytes_per_run:
            raise AgentError(f"The run exceeded {limits.bytes_per_run} bytes of events.", "LIMIT_EXCEEDED")
        if self._sequence.patch_operations > limits.patch_operations_per_run:
            raise AgentError(
                f"The run exceeded {limits.patch_operations_per_run} operations of patches.", "LIMIT_EXCEEDED"
            )

    def _release(self, _: object = None) -> None:
        if not self._released.done():
            self._released.set_result(None)

    def _cancel_agent(self) -> None:
        self._agent_task.cancel()
        self._timers.append(self._loop.call_later(self._limits.cancel_seconds, self._give_up))

    def _give_up(self) -> None:
        if not self._agent_task.done():
            logger.error("agent %s ignored cancellation; run %s ended without it", self.agent_name, self.id)
            self._agent_task.add_done_callback(_log_late_failure)
            self._release()

    def _time_out(self, what: str) -> None:
        self.fail(AgentError(f"The agent {what}.", "TIMEOUT"))

    def _check_idle(self) -> None:
        idle = self._limits.idle_seconds
        if idle is None:
            return
        remaining = self._last_event_at + idle - self._loop.time()
        if remaining <= 0:
            self._time_out("stayed silent for too long")
        else:
            self._timers.append(self._loop.call_later(remaining, self._check_idle))


class _Over:
    """The lifecycle of a run that is over."""

    def entries_added(self, run: Run) -> None: ...

    async def make_room(self, run: Run) -> None: ...

    async def before_end(self, run: Run) -> None: ...

    async def after_end(self, run: Run) -> None: ...


_OVER: Final[RunLifecycle] = _Over()


def _log_late_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("%s failed after its run had ended", task.get_name(), exc_info=task.exception())
