"""The conversation after a run: what the flow keeps of it, and what else the client has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .messages import as_dict, calls_of, text_of

Message = dict[str, Any]


def with_said(
    kept: Iterable[Any], sent: Sequence[Mapping[str, Any]], said: Iterable[Message]
) -> list[Message]:
    """Returns the conversation as the client has it, in OpenAI's format.

    What the client has stays, also if the flow does not store it, such as an agent's calls of tools, or if
    the flow keeps only the last messages for its model. What the flow stores in other words, or in a
    message of its own, is not said twice.

    Args:
        kept: the messages in the flow's state; none for a crew.
        sent: the conversation of the client before the run.
        said: what models and tools said in the run.
    """
    whole = merged([message for message in map(as_dict, kept) if message is not None], sent)
    before = {message.get("id") for message in sent}
    stored = [message for message in whole if message.get("id") not in before]
    place = max((n + 1 for n, message in enumerate(whole) if message.get("id") in before), default=0)
    shown = {id for message in stored for id in calls_of(message)}
    answered = {message.get("tool_call_id") for message in stored}
    texts = [text for message in stored if message.get("role") == "assistant" and (text := _gist(message))]
    ids = {message.get("id") for message in stored}
    for message in said:
        if message["id"] in ids:
            place = max(n + 1 for n, other in enumerate(whole) if other.get("id") == message["id"])
            continue
        if message["role"] == "tool":
            new = message["tool_call_id"] in shown and message["tool_call_id"] not in answered
        elif calls := calls_of(message):
            new = not calls <= shown
            shown |= calls
        else:
            gist = _gist(message)
            new = not any(gist in text or text in gist for text in texts)
        if new:
            whole.insert(place, message)
            place += 1
    return whole


def merged(kept: list[Message], sent: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Returns the client's messages as the flow has them, with the flow's others before what follows them."""
    places = set(_places(sent))
    known: dict[Any, Message] = {}
    before: dict[Any, list[Message]] = {}
    others: list[Message] = []
    for place, message in zip(_places(kept), kept, strict=True):
        if place in places:
            known[place], before[place], others = message, others, []
        else:
            others.append(message)
    whole: list[Message] = []
    for place, each in zip(_places(sent), sent, strict=True):
        whole += before.get(place, ())
        whole.append(known.get(place) or dict(each))
    return whole + others


def _places(messages: Iterable[Mapping[str, Any]]) -> list[tuple[Any, int]]:
    """Returns for each message its id, and how many messages before it have the same one."""
    counts: Counter[Any] = Counter()
    places = []
    for id in (message.get("id") for message in messages):
        places.append((id, counts[id]))
        counts[id] += 1
    return places


def _gist(message: Message) -> str:
    return text_of(message).strip()
