"""CrewAI's memory, separate for every chat.

CrewAI keeps what a crew, an agent or a flow remembers under the crew's or the flow's name, which all its
chats have in common, and searches what its model asks for. See
https://docs.crewai.com/en/concepts/memory for scopes.
"""

from __future__ import annotations

import hashlib
from typing import Any

from crewai.memory.unified_memory import Memory

from .chat_storage import CHAT, ChatStorage

_OWNERS_START = frozenset(
    {
        "crew_kickoff_started",
        "agent_execution_started",
        "lite_agent_execution_started",
        "memory_retrieval_started",  # an agent on its own recalls before it says that it starts
    }
)


class ChatMemory:
    """Confines memories to one chat. It is a stream sink of CrewAI, for what is made while a flow runs.

    A `MemoryScope` or `MemorySlice` that the user made is left alone: they decided who shares it.

    Args:
        key: identifies the chat.
    """

    def __init__(self, key: str) -> None:
        self._path = f"/copilotkit/{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        self._in_use: dict[int, Memory] = {}

    def enter(self) -> None:
        """Makes the chat the one that the calling task, and all that it starts, remembers."""
        CHAT.set(self._path)

    def __call__(self, source: Any, event: Any) -> None:
        """Confines the memory of a crew or an agent that starts to work."""
        if event.type == "crew_kickoff_started":
            self.confine_crew(source)
        elif event.type in _OWNERS_START:
            self.confine(source)

    def confine_crew(self, crew: Any) -> None:
        """Confines the memory of a crew and its agents, and keeps their outputs off the disk."""
        crew._task_output_handler = _NoOutputs()
        for owner in (crew, *crew.agents, *([crew.manager_agent] if crew.manager_agent else [])):
            self.confine(owner)

    def confine(self, owner: Any) -> None:
        """Confines the memory of a crew, a flow or an agent."""
        for memory in (getattr(owner, "memory", None), getattr(owner, "_memory", None)):
            if isinstance(memory, Memory):
                self._in_use[id(memory)] = memory
                if not isinstance(memory._storage, ChatStorage):
                    memory._storage = ChatStorage(memory._storage)

    @property
    def is_saving(self) -> bool:
        """Whether something is still being saved in the background."""
        return any(memory._pending_saves for memory in self._in_use.values())

    def wait_until_saved(self) -> None:
        """Blocks until everything is saved, also what other chats save in the same memory."""
        for memory in list(self._in_use.values()):
            memory.drain_writes()


class _NoOutputs:
    """Stands in for the file in which CrewAI keeps the inputs and outputs of the last crew, for its `replay`.

    All crews of a machine share that file: each run would empty it, read it whole and wait for the others.
    """

    def reset(self) -> None:
        """Empties nothing."""

    def update(self, task_index: int, log: dict[str, Any]) -> None:
        """Keeps nothing."""

    def load(self) -> list[dict[str, Any]] | None:
        """Returns that there is nothing."""
        return None
