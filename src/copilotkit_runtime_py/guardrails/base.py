"""The interface between the runtime and what judges the users' messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailMessage:
    """What was said before.

    Attributes:
        role: who said it.
        content: the text.
    """

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailInput:
    """One text of a user, to be judged.

    Attributes:
        text: the text.
        history: the conversation before it.
        allow: the topics that the text may be about. None named: any that is not denied.
        deny: the topics that the text must not be about.
    """

    text: str
    history: tuple[GuardrailMessage, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A validator's verdict on a message.

    Attributes:
        allowed: the text may reach the agent.
        reason: why not. Users read it.
    """

    allowed: bool
    reason: str = ""


class Validator(Protocol):
    """Judges the users' messages, many at the same time.

    One that holds connections has a method `aclose()`, too, which is awaited when the runtime is closed.
    """

    async def validate(self, input: GuardrailInput) -> Verdict:
        """Returns the verdict. Whatever this raises means that there is none: see `Guardrails`."""
