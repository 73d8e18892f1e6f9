"""Ids of messages that are unique in the conversation, whatever ids an agent chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class MessageIds:
    """Gives a message another id if the id belongs to a message of another role.

    Clients find a message by its id alone, so text would be appended to the reasoning of the same id, or be
    dropped for an activity of that id (`@ag-ui/client` 1.0, `defaultApplyEvents`). The first message of an
    id keeps it; a message of another role is called `<id>-<role>`. And a tool call has one result, which
    keeps the id that it had first.
    """

    def __init__(self) -> None:
        # What has each id: a role, and for a result its call.
        self._holders: dict[str, tuple[str, str | None]] = {}
        self._renamed: dict[tuple[tuple[str, str | None], str], str] = {}
        # tool call id -> the id of its result
        self._results: dict[str, str] = {}

    def of(self, role: str, id: str, call_id: str | None = None) -> str:
        """Returns the id of the message that an agent calls `id`.

        Args:
            role: the message's role.
            id: the agent's id.
            call_id: for a result, the call that it answers.
        """
        holder = (role, call_id)
        if self._holders.setdefault(id, holder) == holder:
            return id
        known = self._renamed.get((holder, id))
        if known is not None:
            return known
        suffix = role if call_id is None else call_id
        renamed, number = f"{id}-{suffix}", 2
        while self._holders.setdefault(renamed, holder) != holder:
            renamed, number = f"{id}-{suffix}-{number}", number + 1
        self._renamed[holder, id] = renamed
        return renamed

    def has_result(self, call_id: str) -> bool:
        """Whether clients have the result of a tool call."""
        return call_id in self._results

    def of_result(self, id: str, call_id: str) -> str:
        """Returns the id of the result of a tool call."""
        known = self._results.get(call_id)
        if known is None:
            known = self._results[call_id] = self.of("tool", id, call_id)
        return known

    def of_parent(self, parent_id: str | None, call_id: str) -> str | None:
        """Returns the id of the message that carries a call, or None for a new message with the call's id."""
        if parent_id is not None:
            return self.of("assistant", parent_id)
        own = self.of("assistant", call_id)
        return own if own != call_id else None

    def of_entity(self, id: str) -> str:
        """Returns the id of the message that an encrypted value belongs to: that of the reasoning, if any."""
        for role in ("reasoning", "assistant"):
            known = self._renamed.get(((role, None), id))
            if known is not None:
                return known
        return id

    def keep(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Records messages that clients have already, under their ids there."""
        for message in messages:
            role, id, call_id = message["role"], message["id"], message.get("toolCallId")
            if role != "tool" or not isinstance(call_id, str):
                call_id = None
            else:
                self._results.setdefault(call_id, id)
            self._holders.setdefault(id, (role, call_id))

    def read(self, messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Returns the messages of a conversation under the ids that clients know or will get.

        Of several under one id, such as two results of one call, clients see the last, where the first was.
        """
        named = map(self._with_own_id, messages)
        return list({message["id"]: message for message in named}.values())

    def _with_own_id(self, message: Mapping[str, Any]) -> dict[str, Any]:
        id, call_id = message["id"], message.get("toolCallId")
        if message["role"] == "tool" and isinstance(call_id, str):
            own = self.of_result(id, call_id)
        else:
            own = self.of(message["role"], id)
        return {**message, "id": own} if own != id else dict(message)


def ids_of(messages: Iterable[Mapping[str, Any]]) -> set[Any]:
    """Returns the ids of messages."""
    return {message.get("id") for message in messages}
