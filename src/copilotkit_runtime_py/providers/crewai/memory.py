"""CrewAI's memory, kept apart for every chat.

CrewAI keeps what a crew, an agent or a flow remembers under the crew's or the flow's name, which all its
chats have in common. See https://docs.crewai.com/en/concepts/memory for scopes.
"""

from __future__ import annotations

import hashlib
from typing import Any

from crewai.memory.memory_scope import MemoryScope
from crewai.memory.unified_memory import Memory

_ROOT = "/copilotkit"


class ChatMemory:
    """Confines memories to one chat. It is a stream sink of CrewAI, for what is made while a flow runs.

    A `MemoryScope` or `MemorySlice` that the user made is left alone: they decided who shares it.

    Args:
        key: what tells the chat from all others.
    """

    def __init__(self, key: str) -> None:
        self._path = f"{_ROOT}/{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def __call__(self, source: Any, event: Any) -> None:
        """Confines the memory of a crew or an agent that starts to work."""
        if event.type == "crew_kickoff_started":
            self.confine_crew(source)
        elif event.type in ("agent_execution_started", "lite_agent_execution_started"):
            self.confine(source)

    def confine_crew(self, crew: Any) -> None:
        """Confines the memory of a crew and its agents."""
        crew._memory = self._confined(crew._memory)
        for agent in [*crew.agents, *([crew.manager_agent] if crew.manager_agent else [])]:
            self.confine(agent)

    def confine(self, owner: Any) -> None:
        """Confines the memory of a flow or an agent."""
        memory = getattr(owner, "memory", None)
        confined = self._confined(memory)
        if confined is not memory:
            owner.memory = confined

    def _confined(self, memory: Any) -> Any:
        if isinstance(memory, MemoryScope) and memory.root_path.startswith(f"{_ROOT}/"):
            if memory.root_path == self._path:
                return memory
            memory = memory._memory  # confined to another chat, by an earlier run of an object that is shared
        return memory.scope(self._path) if isinstance(memory, Memory) else memory
