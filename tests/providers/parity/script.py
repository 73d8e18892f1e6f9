"""What the chat models of every framework say: scripts that know nothing of the framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True)
class Call:
    """A tool call whose arguments arrive in pieces."""

    id: str
    name: str
    pieces: tuple[str, ...]


Part: TypeAlias = str | Call | Callable[[], Awaitable[None]]
"""A token, a tool call, or something that the model waits for."""

Script: TypeAlias = Callable[[list[str]], Iterable[Part]]
"""What a model says to the texts of the conversation, whose last one asks."""


class Framework(Protocol):
    """The same agents in every framework."""

    def chat(self, script: Script) -> Any:
        """A model that answers, with the frontend's tools; their calls end the run."""

    def weather(self, script: Script) -> Any:
        """A model with a tool of the server's, `get_weather`, which it may call before it answers."""

    def shopping(self) -> Any:
        """Two steps: `add` puts the user's words into the state's `items`, `count` says how many they are."""

    def booking(self) -> Any:
        """Asks `Book it?` and says what it was answered."""

    def reading(self) -> Any:
        """Says what it can read of the page, and the frontend's property `plan`."""
