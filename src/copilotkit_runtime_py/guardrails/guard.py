"""The check of what the user says, before the agent of one run begins."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..agui.agent_state import AgentState
from ..agui.run_input import RunInput
from ..context import RequestContext
from ..errors import GuardrailsDeniedError, GuardrailsUnavailableError
from .base import GuardrailMessage, Verdict
from .policy import Guardrails, Rules

_NO_VALIDATOR: Final = "This runtime has no validator for the guardrails asked for."
_NO_REASON: Final = "This is not allowed here."
# How many messages of a conversation that the runtime does not know are judged beside the last one.
_MAX_EARLIER: Final = 50
_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class _Text:
    """A text to be judged: of the message at a place of the conversation, or an answer to an interrupt."""

    place: int
    text: str
    current: bool


class Guard:
    """Admits the input of one run to its agent, if what the user says is allowed.

    What the thread stores of the user was allowed before. Everything else is judged: what the user says now,
    which ends the run if it is denied, and what a frontend still shows of earlier denials, which the agent
    does not get.

    Args:
        guardrails: the server's, if it has any.
        context: the request, which may ask for rules of its own.
        input: what the agent is to get.
        known: what the thread stores.
    """

    def __init__(
        self,
        guardrails: Guardrails | None,
        context: RequestContext,
        input: RunInput,
        known: AgentState | None,
    ) -> None:
        self._guardrails = guardrails
        self._context = context
        self._input = input
        self._known = known
        self._denied: set[int] | None = None

    @property
    def withheld(self) -> set[str]:
        """The ids of the messages that are not, or not yet, allowed. The thread must not store them."""
        messages, places = self._input.messages, self._denied
        # A run may be stopped before its input is judged.
        if places is None and self._judges:
            places = {text.place for text in _new(self._input, self._known)}
        return {messages[place]["id"] for place in places or () if place < len(messages)}

    async def admit(self) -> RunInput:
        """Returns the input without the messages that are denied.

        Raises:
            GuardrailsDeniedError: what the user says now is denied.
            GuardrailsUnavailableError: no verdict on that can be had.
            InvalidRequestError: the client asks for too many rules.
        """
        if not self._judges:
            return self._input
        if self._guardrails is None:
            raise GuardrailsDeniedError(_NO_VALIDATOR)
        self._denied = denied = await self._judge(self._guardrails)
        if not denied:
            return self._input
        messages = self._input.messages
        return self._input.replace(
            messages=[message for place, message in enumerate(messages) if place not in denied]
        )

    @property
    def _judges(self) -> bool:
        return self._guardrails is not None or self._context.guardrails is not None

    async def _judge(self, guardrails: Guardrails) -> set[int]:
        """Returns the places of the earlier messages that are denied.

        Raises:
            GuardrailsDeniedError: what the user says now is.
            GuardrailsUnavailableError: no verdict on that can be had.
        """
        asked = Rules.of_client(self._context)
        texts = list(_new(self._input, self._known))
        spoken = list(_spoken(self._input))
        places, history = [place for place, _ in spoken], [message for _, message in spoken]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def judge(each: _Text) -> Verdict | None:
            async with turns:
                before = history[: bisect_left(places, each.place)]
                return await guardrails.judge(each.text, before, asked, remembered=not each.current)

        earlier = [each for each in texts if not each.current]
        asked_of = earlier[-_MAX_EARLIER:] + [each for each in texts if each.current]
        async with asyncio.TaskGroup() as group:
            tasks = [(each, group.create_task(judge(each))) for each in asked_of]
        denied = {each.place for each in earlier[:-_MAX_EARLIER]}
        for each, task in tasks:
            verdict = task.result()
            if verdict is not None and verdict.allowed:
                continue
            if not each.current:
                denied.add(each.place)
            elif verdict is None:
                raise GuardrailsUnavailableError
            else:
                raise GuardrailsDeniedError(verdict.reason or _NO_REASON)
        return denied


def _new(input: RunInput, known: AgentState | None) -> Iterator[_Text]:
    """Yields what the user says that the thread does not store, answers to interrupts last."""
    stored = known.messages if known is not None else ()
    allowed = {(m.get("id"), _text_of(m.get("content"))) for m in stored if m.get("role") == "user"}
    said = [
        (place, message["id"], text)
        for place, message in enumerate(input.messages)
        if message["role"] == "user" and (text := _text_of(message.get("content"))).strip()
    ]
    for place, id, text in said:
        if (id, text) not in allowed:
            yield _Text(place, text, current=place == said[-1][0])
    for answer in dict.fromkeys(answer for answer in _answers(input) if answer.strip()):
        yield _Text(len(input.messages), answer, current=True)


def _spoken(input: RunInput) -> Iterator[tuple[int, GuardrailMessage]]:
    for place, message in enumerate(input.messages):
        role = message["role"]
        if role in ("user", "assistant") and (text := _text_of(message.get("content"))):
            yield place, GuardrailMessage(role=role, content=text)


def _answers(input: RunInput) -> Iterator[str]:
    """Yields what the user enters besides messages.

    These are answers to interrupts, in AG-UI 1.0's form and in LangGraph's, and the values of A2UI forms.
    """
    for entry in input.json.get("resume", ()):
        yield from _texts_in(entry.get("payload"))
    properties = input.json.get("forwardedProps")
    command = properties.get("command") if isinstance(properties, dict) else None
    if isinstance(command, dict):
        yield from _texts_in(command.get("resume"))
    action = properties.get("a2uiAction") if isinstance(properties, dict) else None
    user_action = action.get("userAction") if isinstance(action, dict) else None
    if isinstance(user_action, dict):
        yield from _texts_in(user_action.get("context"))


def _texts_in(value: Any) -> Iterator[str]:
    """Yields the texts in a JSON value. Its depth is bounded where the request is read."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(child)


def _text_of(content: Any) -> str:
    """Returns the text of a message's content: a string, parts in JSON form, or nothing."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))
