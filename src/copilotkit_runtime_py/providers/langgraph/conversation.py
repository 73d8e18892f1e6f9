"""The conversation that a graph's values hold, and what of it a client sees."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from ag_ui.core import Message
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages

from ...agui.call_ids import CallIds
from ..langchain.content import text_of
from ..langchain.messages import to_agui

_IDS: Final = uuid.UUID("5f1d2c54-8f0e-4d0b-9a43-0c7b6d1f6a55")


def messages_in(values: Any) -> list[BaseMessage] | None:
    """Returns the messages of a graph's values, or None where there are none.

    A graph without declared channels may return messages alone. Messages that have no id, because no reducer
    gave them one, get an id that follows from what they say, so that they have it whenever they are read.
    """
    found = values.get("messages") if isinstance(values, Mapping) else values
    if isinstance(found, BaseMessage):
        found = [found]
    if not isinstance(found, list) or (found is values and not _are_messages(found)):
        return None
    try:
        messages = convert_to_messages(found)
    except (KeyError, NotImplementedError, TypeError, ValueError):  # something else of that name
        return None
    if all(message.id is not None for message in messages):
        return messages
    seen: Counter[str] = Counter()
    return [_with_id(message, seen) for message in messages]


def visible(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """Returns messages as AG-UI messages, without those that LangChain's agents add for themselves."""
    return to_agui(message for message in messages if "lc_source" not in message.additional_kwargs)


class ClientView:
    """The conversation as a client has it before a run.

    Args:
        messages: the client's messages, up to where the conversation forks.
        held: the ids of the messages that the graph holds at the start.
        call_ids: the ids by which the client knows the graph's tool calls.

    Attributes:
        call_ids: the same.
    """

    def __init__(
        self,
        messages: Sequence[Message] = (),
        held: Iterable[str | None] = (),
        call_ids: CallIds | None = None,
    ) -> None:
        self.call_ids = call_ids or CallIds()
        self._messages = messages
        self._held = frozenset(held)

    def after(
        self,
        conversation: list[dict[str, Any]],
        streamed: Sequence[dict[str, Any]],
        *,
        replaced: int = 0,
    ) -> list[dict[str, Any]]:
        """Returns the conversation as the client has it after the run.

        What a client has seen stays where it is, also if the graph does not hold it: messages of other
        agents, and what a node said without storing it. What the graph drops from the beginning of its
        conversation, to save the model's context, stays as well. What it drops elsewhere is gone, and a
        message that the graph holds under another id takes the place of the one that was streamed.

        Args:
            conversation: the messages that the graph holds at the end.
            streamed: the messages that were streamed in the run and not dropped since.
            replaced: how many of the client's last messages interrupted nodes have said anew.
        """
        places = {_key(message): place for place, message in enumerate(conversation)}
        keys = list(map(_key_of, self._messages))
        stored = [index for index, key in enumerate(keys) if key in places]
        first = stored[0] if stored else 0
        # What follows was said by a node that then asked. When it runs anew, it says it again.
        settled = max([-1, *stored, *(i for i, each in enumerate(self._messages) if each.role == "user")])
        end = max(settled + 1, len(keys) - replaced)
        known, shown = set(keys), set(map(_key, streamed))
        new = [message for message in conversation if _key(message) not in known]
        again = {_gist(message) for message in new}
        renamed = {_gist(message) for message in new if _key(message) not in shown}
        calls = {call["id"] for message in conversation for call in message.get("toolCalls") or ()}
        extra: dict[int, list[dict[str, Any]]] = {}
        last = -1
        for index, (key, message) in enumerate(zip(keys, self._messages, strict=True)):
            if key in places:
                last = places[key]
            elif index < end and (index < first or message.id not in self._held):
                body = message.model_dump(mode="json", by_alias=True, exclude_none=True)
                if _adds(body, again if index > settled else (), calls):
                    extra.setdefault(last, []).append(body)
        for body in streamed:
            if _key(body) in places:
                last = places[_key(body)]
            elif _adds(body, renamed, calls):
                extra.setdefault(last, []).append(body)
        if not extra:
            return conversation
        whole = extra.get(-1, [])
        for place, body in enumerate(conversation):
            whole += [body, *extra.get(place, ())]
        return whole


def _adds(message: dict[str, Any], said: Collection[Any], calls: set[str]) -> bool:
    """Whether a message is not in a conversation under another id; notes the calls that it brings."""
    if message["role"] == "tool":
        return message["toolCallId"] in calls
    own = {call["id"] for call in message.get("toolCalls") or ()}
    if (own and own <= calls) or (message["role"] == "assistant" and _gist(message) in said):
        return False
    calls |= own
    return True


def _key(message: Mapping[str, Any]) -> tuple[str, str]:
    return ("result", message["toolCallId"]) if message["role"] == "tool" else ("message", message["id"])


def _key_of(message: Message) -> tuple[str, str]:
    return ("result", message.tool_call_id) if message.role == "tool" else ("message", message.id)


def _gist(message: Mapping[str, Any]) -> Any:
    """Returns what a message says, whatever its ids."""
    functions = [call["function"] for call in message.get("toolCalls") or ()]
    text = message.get("content") or ""
    return message["role"], str(text), tuple((each["name"], each["arguments"]) for each in functions)


def _are_messages(found: list[Any]) -> bool:
    return bool(found) and all(isinstance(each, BaseMessage) for each in found)


def _with_id(message: BaseMessage, seen: Counter[str]) -> BaseMessage:
    calls = [call["id"] for call in message.tool_calls] if isinstance(message, AIMessage) else []
    gist = repr((message.type, text_of(message.content), calls, getattr(message, "tool_call_id", None)))
    seen[gist] += 1
    if message.id is not None:
        return message
    return message.model_copy(update={"id": str(uuid.uuid5(_IDS, f"{gist} {seen[gist]}"))})
