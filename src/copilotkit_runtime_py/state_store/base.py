"""Where threads are kept: the interface that every store implements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as the store knows it.

    Attributes:
        id: the run's id, chosen by the client; two runs of one thread may share it.
        thread_id: the thread.
        agent_name: the agent's registered name.
        owner: who owns the thread.
        started_at: when the run began, in UTC.
    """

    id: str
    thread_id: str
    agent_name: str
    owner: str
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """What an agent's last run left on a thread.

    Attributes:
        state: the shared state.
        messages: the conversation, as AG-UI messages in JSON form.
        interrupts: the interrupts that wait for an answer, as AG-UI 1.0 `Interrupt` objects in JSON form.
    """

    state: Any = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    interrupts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLog:
    """The log of a run that is over.

    Attributes:
        number: the run's place among the runs of its thread, from 1.
        run: the run.
        events: its events, each as JSON.
    """

    number: int
    run: RunRecord
    events: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRecord:
    """A thread as its owner sees it in a list.

    Attributes:
        id: the thread's id.
        agent_name: the agent of the last run.
        name: what the owner calls it, or None.
        archived: the owner put it aside.
        created_at: when its first run began, in UTC.
        updated_at: when it last changed, in UTC.
    """

    id: str
    agent_name: str
    name: str | None
    archived: bool
    created_at: datetime
    updated_at: datetime


class StateStore(Protocol):
    """Keeps threads: the log of their runs, and each agent's last state.

    Every call names the owner. A thread of another owner does not exist for the caller.
    """

    async def begin_run(self, run: RunRecord) -> int:
        """Claims the thread for a run, creating the thread if there is none.

        Returns:
            The run's place among the runs of its thread, from 1.

        Raises:
            ThreadBusyError: the thread has a run in progress.
            ThreadNotFoundError: the thread belongs to another owner.
        """

    async def append(self, run: RunRecord, events: Sequence[bytes]) -> None:
        """Adds events, each as JSON, to the log of a run in progress."""

    async def end_run(self, run: RunRecord, state: AgentState) -> None:
        """Frees the thread and keeps the agent's state. The run's events were appended before."""

    async def load_state(self, owner: str, thread_id: str, agent_name: str) -> AgentState | None:
        """Returns what the agent's last run left on the thread, or None.

        Raises:
            ThreadNotFoundError: the thread belongs to another owner.
        """

    async def read_runs(self, owner: str, thread_id: str) -> list[RunLog]:
        """Returns the logs of the thread's runs that are over, in order. Old ones may be gone."""

    async def list_threads(self, owner: str, agent_name: str | None = None) -> list[ThreadRecord]:
        """Returns the owner's threads, the last changed first; all, or those an agent ran on last."""

    async def update_thread(
        self, owner: str, thread_id: str, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        """Renames a thread, or puts it aside; None leaves things as they are.

        Raises:
            ThreadNotFoundError: the owner has no such thread.
        """

    async def delete_thread(self, owner: str, thread_id: str) -> None:
        """Deletes a thread and all that is kept of it. A run in progress keeps nothing more.

        Raises:
            ThreadNotFoundError: the owner has no such thread.
        """

    async def aclose(self) -> None:
        """Releases what the store holds."""
