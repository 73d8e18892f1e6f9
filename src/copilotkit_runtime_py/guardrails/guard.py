"""The gate before the agent of one run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ag_ui.core import RunAgentInput

from ..agui.events import Event
from ..context import RequestContext
from ..errors import GuardrailsDeniedError, GuardrailsUnavailableError
from ..providers.base import Provider, close_stream
from ..state_store.base import AgentState
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
    """Lets the agent of one run begin once what the user says is allowed.

    What the thread keeps of the user was allowed before. All else is judged: what the user says now, whose
    denial ends the run, and what a frontend still shows of earlier denials, which the agent does not get.

    Args:
        guardrails: the server's, if it has any.
        known: what the thread keeps.

    Attributes:
        withheld: the ids of the messages that are not, or not yet, allowed. The thread is not to keep them.
    """

    def __init__(self, guardrails: Guardrails | None, known: AgentState | None) -> None:
        self.withheld: set[str] = set()
        self._guardrails = guardrails
        self._known = known

    def run(self, agent: Provider, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams what the agent emits, if it may begin.

        The stream raises `GuardrailsDeniedError` where the input is denied, `GuardrailsUnavailableError`
        where no verdict can be had.

        Raises:
            InvalidRequestError: the client asks for too many rules.
        """
        asked = Rules.of_client(context)
        if self._guardrails is None and asked is None:
            return agent.run(input, context)
        texts = self._new(input)
        self.withheld = {input.messages[each.place].id for each in texts if each.place < len(input.messages)}
        return self._guarded(agent, input, context, texts, asked)

    async def _guarded(
        self,
        agent: Provider,
        input: RunAgentInput,
        context: RequestContext,
        texts: Sequence[_Text],
        asked: Rules | None,
    ) -> AsyncIterator[Event]:
        if self._guardrails is None:
            raise GuardrailsDeniedError(_NO_VALIDATOR)
        denied = await self._judge(self._guardrails, input, texts, asked)
        messages = [message for place, message in enumerate(input.messages) if place not in denied]
        self.withheld = {input.messages[place].id for place in denied}
        if denied:
            input = input.model_copy(update={"messages": messages})
        stream = agent.run(input, context)
        try:
            async for event in stream:
                yield event
        finally:
            await close_stream(stream)

    async def _judge(
        self, guardrails: Guardrails, input: RunAgentInput, texts: Sequence[_Text], asked: Rules | None
    ) -> set[int]:
        """Returns the places of the earlier messages that are denied.

        Raises:
            GuardrailsDeniedError: what the user says now is.
            GuardrailsUnavailableError: no verdict on that can be had.
        """
        spoken = list(_spoken(input))
        turns = asyncio.Semaphore(_AT_ONCE)

        async def judge(each: _Text) -> Verdict | None:
            async with turns:
                history = [message for place, message in spoken if place < each.place]
                return await guardrails.judge(each.text, history, asked, remembered=not each.current)

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

    def _new(self, input: RunAgentInput) -> list[_Text]:
        """Returns what the user says that the thread does not keep, answers to interrupts last."""
        messages = self._known.messages if self._known is not None else ()
        known = {(m.get("id"), _text_of(m.get("content"))) for m in messages if m.get("role") == "user"}
        said = [
            (place, message.id, _text_of(message.content))
            for place, message in enumerate(input.messages)
            if message.role == "user"
        ]
        said = [each for each in said if each[2].strip()]
        last = said[-1][0] if said else None
        new = [_Text(place, text, place == last) for place, id, text in said if (id, text) not in known]
        answers = dict.fromkeys(answer for answer in _answers(input) if answer.strip())
        return new + [_Text(len(input.messages), answer, True) for answer in answers]


def _spoken(input: RunAgentInput) -> Iterator[tuple[int, GuardrailMessage]]:
    for place, message in enumerate(input.messages):
        if message.role in ("user", "assistant") and (text := _text_of(message.content)):
            yield place, GuardrailMessage(role=message.role, content=text)


def _answers(input: RunAgentInput) -> Iterator[str]:
    """Yields the texts with which the user answers interrupts, in AG-UI 1.0's form and in LangGraph's."""
    for entry in input.resume or ():
        yield from _texts_in(entry.payload)
    properties = input.forwarded_props
    command = properties.get("command") if isinstance(properties, dict) else None
    if isinstance(command, dict):
        yield from _texts_in(command.get("resume"))


def _texts_in(value: Any) -> Iterator[str]:
    """Yields the texts in a JSON value. Its depth is bounded where the request is read."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(child)


def _text_of(content: Any) -> str:
    """Returns the text of a message's content: a text, parts in JSON form or as objects, or nothing."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = (part.get("text") if isinstance(part, dict) else getattr(part, "text", None) for part in content)
    return "\n".join(text for text in texts if isinstance(text, str))
