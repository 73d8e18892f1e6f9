"""Which subagent owns the messages, calls and steps of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .events import Event
from .message_events import REASONING, SPAN, TEXT, TOOL

ACTIVITY: Final = "activity"

_TAG: Final = "subagentRunId"
_KIND_OF_ROLE: Final = {"reasoning": REASONING, "activity": ACTIVITY}


class Attribution:
    """Keeps `subagentRunId` consistent, as clients demand (`verifyEvents` of `@ag-ui/client` from 0.0.59).

    What an event opens belongs to the subagent that the event names, or to the agent itself if it names
    none, for the whole run. A later event may leave the tag out. One that names another owner would make
    the client fail, so it loses its tag; its content counts.
    """

    def __init__(self) -> None:
        # (kind, id) -> the owning subagent, or None for the agent itself.
        self._owners: dict[tuple[str, str], str | None] = {}

    def open(self, kind: str, id: str, event: Event) -> str | None:
        """Records who owns what `event` opens, and returns the owner. The first event of an id decides."""
        owner = self._owners.setdefault((_shared(kind), id), event.get(_TAG))
        self._correct(event, owner)
        return owner

    def open_call(self, id: str, event: Event) -> str | None:
        """Records who owns the tool call that `event` opens: the owner of the message that carries it."""
        parent = event.get("parentMessageId")
        if parent is not None and (TEXT, parent) in self._owners:
            inherited = self._owners[TEXT, parent]
            self._correct(event, inherited)
            if self._owners.setdefault((TOOL, id), inherited) != inherited:
                del event["parentMessageId"]
        return self.open(TOOL, id, event)

    def mint(self, kind: str, id: str, event: Event) -> None:
        """Records who owns the whole message in `event`: the last event of an id decides."""
        if event.get("replace", True):
            self._owners[kind, id] = event.get(_TAG)
        else:
            self.open(kind, id, event)

    def continue_(self, kind: str, id: str, event: Event) -> None:
        """Removes the tag of an event that continues something of another owner."""
        key = (_shared(kind), id)
        if _TAG in event and key in self._owners:
            self._correct(event, self._owners[key])

    def owns(self, tag: str | None, kind: str, id: str) -> bool:
        """Whether a subagent, or the agent itself, owns something."""
        return self._owners.get((_shared(kind), id), tag) == tag

    def read(self, messages: Iterable[Mapping[str, Any]], *, authoritative: bool) -> None:
        """Records who owns the messages of a conversation, and the calls in them.

        Args:
            messages: the conversation.
            authoritative: it replaces what is known, as a snapshot does.
        """
        for message in messages:
            owner = message.get(_TAG)
            keys = [(_KIND_OF_ROLE.get(message["role"], TEXT), message["id"])]
            keys += [(TOOL, call["id"]) for call in message.get("toolCalls") or ()]
            for key in keys:
                if authoritative or key not in self._owners:
                    self._owners[key] = owner

    @staticmethod
    def _correct(event: Event, owner: str | None) -> None:
        if event.get(_TAG, owner) != owner:
            del event[_TAG]


def _shared(kind: str) -> str:
    # A reasoning span and the message of the same id have one owner.
    return REASONING if kind == SPAN else kind
