"""The interface between the runtime and an agent framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from ag_ui.core import RunAgentInput

from ..agui.events import Event
from ..context import RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSnapshot:
    """What an agent's own memory holds of one thread.

    Attributes:
        state: the agent's state without its messages.
        messages: the conversation, as AG-UI messages in JSON form.
        interrupts: interrupts that wait for an answer, as AG-UI 1.0 `Interrupt` objects in JSON form.
        owner: the owner of the thread, if the agent stores it. Otherwise the runtime's store has to know the
            thread as the user's, unless all users are one.
    """

    state: Any = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    interrupts: list[dict[str, Any]] = field(default_factory=list)
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedThread:
    """A thread that an agent itself remembers.

    Attributes:
        id: the thread's id.
        created_at: when it began, in UTC.
        updated_at: when it last changed, in UTC.
        metadata: what else the agent's memory has on record for the thread.
        snapshot: what the agent remembers of it.
    """

    id: str
    created_at: datetime
    updated_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    snapshot: AgentSnapshot


class Provider(ABC):
    """Turns one `RunAgentInput` into a stream of AG-UI events.

    One provider serves all runs of one registered agent at the same time, so it keeps nothing of a run on
    itself. The runtime iterates the stream in a task of its own and closes it; stopping a run cancels that
    task, which a provider lets through after releasing what it holds.

    Attributes:
        description: one sentence for frontends and other agents.
        capabilities: what the agent can do, as an AG-UI 1.0 `AgentCapabilities` object in JSON form, or None
            where that is not known.
        strict_stream: the agent sends RUN_STARTED, message ends and the terminal event itself, and a missing
            one is an error. Otherwise the runtime supplies what is missing.
        unique_call_ids: the provider itself gives tool calls ids that are unique within a thread, and gets
            them back. Otherwise the runtime does that, and `run` gets the agent's own ids, which may repeat.
        is_remote: the agent runs in another process. Traces show its runs as calls of a client.
    """

    strict_stream: ClassVar[bool] = False
    unique_call_ids: ClassVar[bool] = False
    is_remote: ClassVar[bool] = False
    description: str = ""
    capabilities: Mapping[str, Any] | None = None

    @abstractmethod
    def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the events of one run.

        An exception ends the run with an error without detail, unless it is an `AgentError`, whose
        message is meant for the client.
        """

    def use_store(self, url: str | None, agent_name: str) -> None:  # noqa: B027 - most have no memory
        """Tells where the runtime keeps threads, before the first run.

        A framework with a memory of its own can keep it in the same place, so that both survive a restart.

        Args:
            url: where the store is; None if it ends with the process, or has no place that others can use.
            agent_name: the name under which the agent is registered. On one thread, what agents of different
                names remember is apart.

        Raises:
            ConfigurationError: the agent's memory cannot be stored there.
        """

    async def forget(self, thread_id: str, context: RequestContext) -> None:  # noqa: B027 - likewise
        """Deletes what the agent itself remembers of a thread, which its owner deletes."""

    async def abandon(self, thread_id: str, context: RequestContext) -> None:  # noqa: B027 - likewise
        """Ends what a lost run may still do outside of the process that followed it.

        Called when the worker of the thread's last run is gone. The context has the owner and no more.
        """

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what the agent itself remembers of a thread, or None where it keeps no memory of it.

        Raises:
            ThreadNotFoundError: the agent knows that the thread is another owner's.
        """
        return None

    async def remembered_threads(self) -> AsyncIterator[RememberedThread]:
        """Yields the threads that the agent itself remembers, whoever owns them.

        Most agents remember none.
        """
        none: tuple[RememberedThread, ...] = ()
        for thread in none:
            yield thread

    async def count_threads(self) -> int:
        """Returns how many threads `remembered_threads` yields, about."""
        return 0

    async def aclose(self) -> None:  # noqa: B027 - most providers hold nothing
        """Releases what the provider holds for all runs, such as a connection pool."""


async def close_stream(stream: Any) -> None:
    """Closes an async iterator that can be closed, so that what it holds is released now."""
    aclose = getattr(stream, "aclose", None)
    if aclose is not None:
        await aclose()
