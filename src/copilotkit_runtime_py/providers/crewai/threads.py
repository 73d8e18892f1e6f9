"""Synchronous methods of flows, each in a thread of its own. An agent at work is a flow, too."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any

from crewai.flow.flow import Flow

from ...logs.records import get_logger
from .feed import Stopped

logger = get_logger(__name__)


class MethodThreads:
    """Runs synchronous methods outside of the event loop's own thread pool, where CrewAI would run them.

    A thread cannot be cancelled. One that is stuck in a method would take a place in the pool, which the
    whole process shares and which has few; here it takes only itself, is counted, and does not keep the
    process from ending. This is a stream sink of CrewAI: it takes over the methods of every flow that starts.

    Attributes:
        left: the threads whose run was stopped and that have not ended yet, by the name of their method.
    """

    def __init__(self) -> None:
        self.left: dict[threading.Thread, str] = {}

    def __call__(self, source: Any, event: Any) -> None:
        """Takes over the methods of a flow that starts, before CrewAI calls the first."""
        if event.type == "flow_started" and isinstance(source, Flow):
            for name, method in list(source._methods.items()):
                source._methods[name] = self._wrapped(str(name), method)

    async def call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a method in a thread of its own, with the caller's context variables, and returns its result.

        Cancelling the call does not stop the method; its next event does (see `Feed`).
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                result = context.run(method, *args, **kwargs)
            except BaseException as error:
                settle(future.set_exception, _awaitable(error))
            else:
                settle(future.set_result, result)

        def settle(setter: Callable[[Any], None], outcome: Any) -> None:
            try:
                loop.call_soon_threadsafe(finish, setter, outcome)
            except RuntimeError:  # the loop is closed: nothing waits
                self.left.pop(thread, None)

        def finish(setter: Callable[[Any], None], outcome: Any) -> None:
            if not future.done():
                setter(outcome)
            elif self.left.pop(thread, None) is not None:
                _log_end(name, outcome)

        thread = threading.Thread(target=work, name=f"flow method {name}", daemon=True)
        thread.start()
        try:
            return await future
        except asyncio.CancelledError:
            self.left[thread] = name
            logger.warning("the run was stopped, but its method %s goes on in its thread", name)
            raise

    def _wrapped(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Returns an async function that calls a method, in a thread of its own if it is synchronous."""
        if asyncio.iscoroutinefunction(method):  # before Python 3.12, inspect does not know CrewAI's methods
            return method

        @functools.wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self.call(name, method, *args, **kwargs)

        return call


def _awaitable(error: BaseException) -> BaseException:
    """Returns an error that a future can carry."""
    if isinstance(error, StopIteration):
        wrapped = RuntimeError("the method raised StopIteration")
        wrapped.__cause__ = error
        return wrapped
    return error


def _log_end(name: str, outcome: Any) -> None:
    if isinstance(outcome, BaseException) and not isinstance(outcome, Stopped):
        logger.error("the method %s failed after its run was stopped", name, exc_info=outcome)
    else:
        logger.info("the method %s of a stopped run has ended", name)
