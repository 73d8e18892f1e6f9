"""The conversation after a run: what the flow keeps of it, and what else the client has seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .messages import as_dict, calls_of, text_of

Message = dict[str, Any]


def with_said(
    kept: Iterable[Any], sent: Sequence[Mapping[str, Any]], said: Iterable[Message]
) -> list[Message]:
    """Returns the conversation as the client has it, in OpenAI's format.

    What streamed stays, also if the flow does not store it, such as an agent's calls of tools. What the flow
    stores in other words, or in a message of its own, is not said twice.

    Args:
        kept: the messages in the flow's state; none for a crew.
        sent: the conversation before the run.
        said: what models and tools said in the run.
    """
    whole = [message for message in map(as_dict, kept) if message is not None] or [*map(dict, sent)]
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


def _gist(message: Message) -> str:
    return text_of(message).strip()
