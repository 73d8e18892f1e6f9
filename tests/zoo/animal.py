"""The animals, and what a user does with one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from . import animals


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What the user does next.

    Attributes:
        text: the message, or None for an answer to the agent's question.
        answer: the answer.
        state: what the page changes in the shared state before.
        shows: a text that the page must show afterwards.
        edits: the text replaces that of this message of the user's, counted from 1, and all that follows it.
    """

    text: str | None = None
    answer: Any = None
    state: Mapping[str, Any] = field(default_factory=dict)
    shows: str = ""
    edits: int | None = None


def say(text: str, shows: str = "", **state: Any) -> Turn:
    """A message. `state` is what the page has changed before."""
    return Turn(text=text, shows=shows, state=state)


def answer(value: Any, shows: str = "", **state: Any) -> Turn:
    """An answer to the agent's question."""
    return Turn(answer=value, shows=shows, state=state)


def edit(number: int, text: str, shows: str = "") -> Turn:
    """Other words in one of the user's messages. What followed it is gone from the page."""
    return Turn(text=text, shows=shows, edits=number)


@dataclass(frozen=True)
class Animal:
    """An agent, and what is known of it. See `tests.zoo`."""

    name: str
    agent: Callable[..., Any]
    graph: Callable[[], Any]
    options: Mapping[str, Any]
    chat: list[Turn]
    chat_on_a_server: list[Turn]
    tools: Mapping[str, Callable[[Any], str]]
    hidden: Collection[str]
    removed: Collection[str]
    once: Collection[str]
    silent: bool
    marks: Collection[Any]
    fixture: str | None

    @classmethod
    def of(cls, module: ModuleType) -> Animal:
        def get(name: str, default: Any) -> Any:
            return getattr(module, name, default)

        chat = get("chat", [say("Hello")])
        return cls(
            name=module.__name__.rpartition(".")[2],
            agent=module.agent,
            graph=get("graph", module.agent),
            options=get("options", {}),
            chat=chat,
            chat_on_a_server=get("chat_on_a_server", chat),
            tools=get("tools", {}),
            hidden=get("hidden", ()),
            removed=get("removed", ()),
            once=get("once", ()),
            silent=get("silent", False),
            marks=get("marks", ()),
            fixture=get("fixture", None),
        )


def all_animals(package: ModuleType = animals) -> list[Animal]:
    """Returns the animals of all files of a package."""
    names = sorted(name for _, name, _ in pkgutil.iter_modules(package.__path__))
    return [Animal.of(importlib.import_module(f"{package.__name__}.{name}")) for name in names]
