"""The order of tool results in a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ag_ui.core import AssistantMessage, Message, ToolMessage


def in_call_order(messages: Sequence[Message]) -> list[Message]:
    """Returns messages with neighbouring tool results in the order of their calls.

    Clients send the results of parallel calls as they come, and some models take them by their place.
    """
    calls = [call.id for m in messages if isinstance(m, AssistantMessage) for call in m.tool_calls or ()]
    places = {id: place for place, id in enumerate(calls)}

    def place(message: Message) -> int:
        return places.get(message.tool_call_id, -1) if isinstance(message, ToolMessage) else -1

    ordered: list[Message] = []
    for _, group in groupby(messages, lambda message: isinstance(message, ToolMessage)):
        ordered += sorted(group, key=place)
    return ordered
