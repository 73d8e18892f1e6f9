"""A run: the task that consumes an agent's stream, and the log of what it emitted."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from ..agui import events
from ..agui.events import Event
from ..agui.normalizer import EventSequence
from ..errors import AgentError, CopilotKitError, masked
from ..limits import Limits
from ..logs.records import get_logger
from ..providers.base import close_stream
from ..telemetry import agent_span
from .event_log import Entry, EventLog

logger = get_logger(__name__)

# An agent that always has an event ready would keep the loop to itself; readers get their turn this often.
_EVENTS_PER_TURN: Final = 64

# What a tool call is answered with that the run leaves without a result (CopilotRuntime 1.75).
_STOPPED: Final = {"status": "stopped", "reason": "stop_requested", "message": "Run stopped by user"}
_FAILED: Final = {"status": "error", "reason": "missing_terminal_event"}


class RunStatus(enum.StrEnum):
    """How far a run is."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


class Run(EventLog):
    """One run of an agent on a thread.

    The run owns its task. It emits RUN_STARTED first and exactly one terminal event last, whatever the agent
    does, and nothing after that.

    Args:
        id: the run's id.
        number: the run's place among the runs of its thread.
        thread_id: the thread.
        agent_name: the agent's registered name.
        strict_stream: see `Provider.strict_stream`.
        limits: the bounds of the run.
        input: what RUN_STARTED tells of the run's input, unless the agent tells it itself.
        on_entries: called when there are new entries, which it is to show to readers in time. Without it,
            readers see them at once.
        before_end: awaited once, after the agent let go and before readers see the terminal event.
        after_end: awaited once, after the terminal event.
        development: an exception's own text reaches the client.

    Attributes:
        status: how far the run is.
        error: the exception that ended the run, if one did.
        stopping: the run was asked to stop.
        first_event_after: the seconds from the start to the agent's first event, once there is one.
    """

    def __init__(
        self,
        *,
        id: str,
        number: int,
        thread_id: str,
        agent_name: str,
        strict_stream: bool,
        limits: Limits,
        input: Event | None = None,
        on_entries: Callable[[], None] | None = None,
        before_end: Callable[[Run], Awaitable[None]],
        after_end: Callable[[Run], Awaitable[None]],
        development: bool = False,
    ) -> None:
        super().__init__(number)
        self.id = id
        self.thread_id = thread_id
        self.agent_name = agent_name
        self.status = RunStatus.RUNNING
        self.error: BaseException | None = None
        self.stopping = False
        self._limits = limits
        self._on_entries = on_entries or self.show
        self._before_end = before_end
        self._after_end = after_end
        self._development = development
        self._sequence = EventSequence(thread_id, id, strict_stream=strict_stream, input=input)
        self._terminal: Entry | None = None
        self._size = 0
        self._fault: CopilotKitError | None = None
        self._last_event_at = 0.0
        self._began_at = 0.0
        self.first_event_after: float | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def start(self, stream: AsyncIterator[Event]) -> None:
        """Starts to consume the agent's stream. Called once, on the running loop."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._released: asyncio.Future[None] = loop.create_future()
        self._agent_task = loop.create_task(
            self._consume_traced(stream), name=f"agent {self.agent_name} {self.id}"
        )
        self._agent_task.add_done_callback(self._release)
        self._task = loop.create_task(self._supervise(), name=f"run {self.id}")
        self._began_at = self._last_event_at = loop.time()
        if self._limits.run_seconds is not None:
            self._timers.append(loop.call_later(self._limits.run_seconds, self._time_out, "took too long"))
        if self._limits.idle_seconds is not None:
            self._timers.append(loop.call_later(self._limits.idle_seconds, self._check_idle))

    @property
    def is_active(self) -> bool:
        """Whether the run is in progress and was not asked to stop."""
        return not self.stopping and not self.ended

    def stop(self) -> None:
        """Asks the run to stop: the agent's task is cancelled.

        Stopping twice, or after the agent has finished, is harmless.
        """
        if not self.stopping and self._sequence.terminal is None and not self._agent_task.done():
            self.stopping = True
            self._cancel_agent()

    def fail(self, error: CopilotKitError) -> None:
        """Ends the run with an error: the agent's task is cancelled. Too late, it is harmless."""
        over = self._sequence.terminal is not None or self._agent_task.done()
        if not self.stopping and self._fault is None and not over:
            self._fault = error
            self._cancel_agent()

    async def wait(self) -> None:
        """Waits until the run is over and recorded. Cancelling the wait leaves the run alone."""
        await asyncio.shield(self._task)

    async def recorded_within(self, seconds: float) -> bool:
        """Waits that long, at most, until the run is over and recorded, and returns whether it is."""
        await asyncio.wait({self._task}, timeout=seconds)
        return self._task.done()

    async def close(self, seconds: float) -> None:
        """Waits until the run is over and recorded, at most so long, in seconds; then it is left as it is."""
        if not await self.recorded_within(seconds):
            self._task.cancel()
            await asyncio.wait({self._task})

    async def ends_within(self, seconds: float) -> bool:
        """Waits that long for the end, at most, and returns whether it came."""
        if seconds > 0 and not self.ended:
            await asyncio.wait({self._task}, timeout=seconds)
        return self.ended

    async def stops_within(self, seconds: float) -> bool:
        """Waits that long for the end, and returns whether it came or is near: the run was asked to stop."""
        return await self.ends_within(seconds) or self.stopping

    def log(self) -> list[Entry]:
        """The whole log, with the terminal event even before readers see it."""
        if self._terminal is None or self.ended:
            return list(self.entries)
        return [*self.entries, self._terminal]

    async def _consume_traced(self, stream: AsyncIterator[Event]) -> None:
        with agent_span(self.agent_name):
            try:
                await self._consume(stream)
            except SystemExit as error:  # the loop would end with it, and every other run
                raise RuntimeError("the agent wanted to exit") from error

    async def _consume(self, stream: AsyncIterator[Event]) -> None:
        sequence, time = self._sequence, self._loop.time
        out: list[Event] = []
        turn = 0
        try:
            async for event in stream:
                if turn == 0:
                    self.first_event_after = time() - self._began_at
                if self.stopping or self._fault is not None:
                    return
                self._last_event_at = time()
                try:
                    sequence.push(events.event_from(event), out)
                finally:
                    self._publish(out)
                if sequence.terminal is not None:
                    # What the agent still does, such as saving its memory, keeps no reader waiting.
                    self._release()
                self._check_limits()
                turn += 1
                if turn % _EVENTS_PER_TURN == 0:
                    await asyncio.sleep(0)
            try:
                sequence.finish(out)
            finally:
                self._publish(out)
        finally:
            await close_stream(stream)

    async def _supervise(self) -> None:
        """Waits until the agent lets go, or overstays a stop, and brings the run to its end."""
        try:
            await self._released
        except asyncio.CancelledError:  # the loop shuts down
            self.stop()
            self.stopping = self._sequence.terminal is None
        for timer in self._timers:
            timer.cancel()
        try:
            self._conclude()
            await self._call(self._before_end)
        finally:
            if self._terminal is not None:
                self.entries.append(self._terminal)
            self.end()
        await self._drain()
        await self._call(self._after_end)

    async def _drain(self) -> None:
        """Lets an agent that has sent its terminal event finish its work, within bounds."""
        task, seconds = self._agent_task, self._limits.cancel_seconds
        if not task.done() and not self.stopping and self._fault is None:
            await asyncio.wait({task}, timeout=seconds)
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=seconds)
        failure = self._agent_failure()
        if self.error is None and failure is not None:
            logger.error("the agent failed after the end of run %s", self.id, exc_info=failure)

    async def _call(self, callback: Callable[[Run], Awaitable[None]]) -> None:
        try:
            await callback(self)
        except Exception:
            logger.exception("the end of run %s on thread %s was not recorded", self.id, self.thread_id)

    def _conclude(self) -> None:
        """Decides how the run ended and closes what the agent left open."""
        sequence = self._sequence
        calls, answer = sequence.unanswered_calls, _STOPPED
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
            # What is complete may still be answered: a frontend runs its tools after an error, too.
            calls, answer = sequence.open_calls, _FAILED | {"message": self.error.message}
            sequence.close_open(out)
        else:
            calls = []
            self.status = RunStatus.STOPPED if self.stopping else RunStatus.FINISHED
        self._publish(out, cut=self.status is RunStatus.FAILED)
        sequence.answer_calls(calls, answer, out)
        self._publish(out, cut=True)
        if sequence.terminal is not None:
            self._terminal = Entry.of(sequence.terminal)

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
        if isinstance(error, AgentError):
            return events.run_error(error.message, error.agent_code)
        told = masked(error, f"run {self.id} of agent {self.agent_name}", development=self._development)
        return events.run_error(told.message, told.code)

    def _publish(self, out: list[Event], *, cut: bool = False) -> None:
        if out:
            for event in out:
                entry = Entry.of(event, cut and event["type"] != "RUN_STARTED")
                self._size += len(entry.data)
                self.entries.append(entry)
            out.clear()
            self._on_entries()

    def _check_limits(self) -> None:
        limits = self._limits
        if len(self.entries) > limits.events_per_run:
            raise AgentError(f"The run exceeded {limits.events_per_run} events.", "LIMIT_EXCEEDED")
        if self._size > limits.bytes_per_run:
            raise AgentError(f"The run exceeded {limits.bytes_per_run} bytes of events.", "LIMIT_EXCEEDED")

    def _release(self, _: object = None) -> None:
        if not self._released.done():
            self._released.set_result(None)

    def _cancel_agent(self) -> None:
        self._agent_task.cancel()
        self._timers.append(self._loop.call_later(self._limits.cancel_seconds, self._give_up))

    def _give_up(self) -> None:
        if not self._agent_task.done():
            logger.error("agent %s does not let go of run %s: ended without it", self.agent_name, self.id)
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


def _log_late_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("%s failed after its run had ended", task.get_name(), exc_info=task.exception())
