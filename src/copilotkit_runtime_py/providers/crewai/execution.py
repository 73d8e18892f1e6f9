"""One flow or crew at work."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from crewai.core.providers.human_input import set_provider
from crewai.events.stream_context import add_stream_sink
from crewai.events.utils.console_formatter import set_suppress_console_output

from .current import RUN, CurrentRun, tool_names
from .feed import HandedOver, Item, Unanswerable
from .human import NoConsole
from .memory import ChatMemory
from .messages import label
from .state import conversation_of
from .threads import MethodThreads
from .usage import UsageSink


class Execution:
    """Runs a flow or a crew, and yields what it emits.

    It works in a task of its own, in whose context CrewAI finds where its events go, that it prints
    nothing, and that there is no console. Nothing of that is visible outside.

    Args:
        run: the run.
        work: starts the flow or crew. Called once, in the task.
        memory: the chat's memory.
        threads: where synchronous methods run.

    Attributes:
        result: what the flow or crew returned.
        handed_over: an agent called a tool of the frontend, and so it ended.
    """

    def __init__(
        self,
        run: CurrentRun,
        work: Callable[[], Awaitable[Any]],
        memory: ChatMemory,
        threads: MethodThreads,
    ) -> None:
        self.result: Any = None
        self.handed_over = False
        self._run = run
        self._work = work
        self._memory = memory
        self._threads = threads

    async def events(self) -> AsyncIterator[Item]:
        """Yields the events of CrewAI's bus and those emitted by hand, with their sources.

        Raises:
            Exception: what the flow or crew raised.
        """
        feed = self._run.feed
        task = asyncio.create_task(self._task(), name=f"crewai {self._run.input.run_id}")
        task.add_done_callback(lambda _: feed.finish())
        try:
            async for item in feed:
                yield item
            await self._outcome(task)
        finally:
            feed.close()
            try:
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task})
            finally:
                feed.end()
                if task.done() and not task.cancelled():
                    task.exception()

    async def _task(self) -> Any:
        RUN.set(self._run)
        self._memory.enter()
        set_provider(NoConsole())
        set_suppress_console_output(True)
        run = self._run
        for sink in (self._memory, self._threads, run.answers, run.internal, UsageSink(), run.feed):
            add_stream_sink(sink)
        result = await self._work()
        if self._memory.is_saving:  # what is saved after the end of the run would be stopped with it
            await self._threads.call("wait_until_saved", self._memory.wait_until_saved)
        return result

    async def _outcome(self, task: asyncio.Task[Any]) -> None:
        try:
            self.result = await task
        except HandedOver:
            self.handed_over = True
        except Unanswerable as refused:
            raise refused.error from None


def label_messages(flow: Any, run: CurrentRun) -> None:
    """Has the messages that a flow's methods add get ids, before CrewAI saves the state.

    There is no public place between a method's end and that: CrewAI calls its methods from `_methods`.
    """
    for name, method in list(flow._methods.items()):
        flow._methods[name] = _labelling(flow, run, method)


def _labelling(flow: Any, run: CurrentRun, method: Callable[..., Any]) -> Callable[..., Any]:
    names = tool_names(run.input)

    def label_all() -> None:
        messages = conversation_of(flow.state)
        if messages is not None:
            label(messages, run.answers.so_far(), names)

    if asyncio.iscoroutinefunction(method):

        @functools.wraps(method)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            result = await method(*args, **kwargs)
            label_all()
            return result

        return acall

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        label_all()
        return result

    return call
