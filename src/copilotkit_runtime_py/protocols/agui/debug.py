"""The events of all runs as they happen, for developer tools."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...agui.events import encode
from ...agui.sse import KEEP_ALIVE
from ...runs.event_log import Subscription
from ...runs.run import Run
from ...runtime import CopilotRuntime

_CONNECTED = b": connected\n\n"


class DebugFeed:
    """The events of every run that starts from now on, each with the agent, thread and run that it is of.

    Args:
        runtime: the runtime.
        wake: called when there is news.
    """

    def __init__(self, runtime: CopilotRuntime, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._ready = _CONNECTED
        self._followed: dict[Run, Subscription] = {}
        self._stop_observing = runtime.observe(self._follow)

    def take(self) -> bytes:
        """Returns the events since the last call."""
        frames = [self._ready]
        self._ready = b""
        for run, subscription in list(self._followed.items()):
            frames.extend(_frame(run, entry.data) for entry in subscription.take())
            if subscription.exhausted:
                subscription.close()
                del self._followed[run]
        return b"".join(frames)

    def heartbeat(self) -> bytes:
        """Returns a comment."""
        return KEEP_ALIVE

    @property
    def exhausted(self) -> bool:
        """Never: another run may start."""
        return False

    def close(self) -> None:
        """Leaves the runs."""
        self._stop_observing()
        for subscription in self._followed.values():
            subscription.close()

    def _follow(self, run: Run) -> None:
        self._followed[run] = run.subscribe(self._wake)
        self._wake()


def _frame(run: Run, data: bytes) -> bytes:
    ids = {"agentId": run.agent_name, "threadId": run.thread_id, "runId": run.id}
    head = encode({"timestamp": int(time.time() * 1000), **ids})
    return b'data: %b,"event":%b}\n\n' % (head[:-1], data)
