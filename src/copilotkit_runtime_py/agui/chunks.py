"""Which message a chunk event continues."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

from ..errors import ProtocolViolationError
from .events import Event
from .message_events import PARTS, REASONING, TEXT, TOOL

Key: TypeAlias = tuple[str, str]
"""The kind of a message or tool call, and the agent's id of it."""

# chunk type -> (kind, id field, fields that START takes over)
CHUNKS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "TEXT_MESSAGE_CHUNK": (TEXT, "messageId", ("role", "name")),
    "TOOL_CALL_CHUNK": (TOOL, "toolCallId", ("toolCallName", "parentMessageId")),
    "REASONING_MESSAGE_CHUNK": (REASONING, "messageId", ()),
}

# An event of these types may stand between two chunks of one message.
_NEUTRAL: Final = {
    "RAW",
    "ACTIVITY_SNAPSHOT",
    "ACTIVITY_DELTA",
    "REASONING_ENCRYPTED_VALUE",
    "SUBAGENT_STARTED",
}
# An event of these types ends the chunked messages of all subagents.
_FOR_ALL: Final = {"RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "MESSAGES_SNAPSHOT"}


class ChunkLanes:
    """The messages that chunks without an id continue: one of each subagent, and one of the agent itself.

    The rules are those of AG-UI's own client (`@ag-ui/client` 1.0, `transformChunks`), but for one: whether
    chunks or other events opened a message, both may continue it.
    """

    def __init__(self) -> None:
        self._lanes: dict[str | None, Key] = {}

    def __bool__(self) -> bool:
        """Whether a chunk without an id may continue something."""
        return bool(self._lanes)

    def resolve(self, event: Event) -> tuple[Key, Key | None]:
        """Returns what a chunk belongs to, and what ends with it, if anything does.

        Raises:
            ProtocolViolationError: the chunk does not say what it belongs to.
        """
        kind, field, _ = CHUNKS[event["type"]]
        id, lane = event.get(field), event.get("subagentRunId")
        key = self._lanes.get(lane)
        if key is not None and key[0] == kind and id in (None, key[1]):
            return key, None
        if id is not None:
            key = (kind, id)
            lane = next((each for each, open_key in self._lanes.items() if open_key == key), lane)
        else:
            lane = self._lane_without_id(event, kind, field)
            key = self._lanes[lane]
        ended = self._lanes.get(lane)
        self._lanes[lane] = key
        return key, None if ended == key else ended

    def ended_by(self, event: Event) -> list[Key]:
        """Returns what an event other than a chunk ends, and forgets it."""
        action, kind, field = PARTS.get(event["type"], ("", "", ""))
        continued = (kind, event[field]) if action in ("grow", "close") else None
        lanes = [lane for lane in lanes_ended_by(event, self._lanes) if self._lanes[lane] != continued]
        return [self._lanes.pop(lane) for lane in lanes]

    def end_call(self, event: Event) -> Key | None:
        """Returns the tool call that the start of a text message ends, if it ends one, and forgets it."""
        lane = event.get("subagentRunId")
        key = self._lanes.get(lane) if isinstance(lane, str | None) else None
        return self._lanes.pop(lane) if key is not None and key[0] == TOOL else None

    def forget(self, key: Key) -> None:
        """Takes note that a message or tool call is complete."""
        for lane in [lane for lane, open_key in self._lanes.items() if open_key == key]:
            del self._lanes[lane]

    def clear(self) -> list[Key]:
        """Returns everything that is continued, and forgets it."""
        keys = list(self._lanes.values())
        self._lanes.clear()
        return keys

    def _lane_without_id(self, event: Event, kind: str, field: str) -> str | None:
        lanes = [lane for lane, key in self._lanes.items() if key[0] == kind]
        lane: str | None = event.get("subagentRunId")
        if lane in lanes:
            return lane
        if lane is None and len(lanes) == 1:  # only its first chunk has a tag
            return lanes[0]
        if lane is None and lanes:
            raise ProtocolViolationError(
                f"Ambiguous {event['type']}: it carries neither a {field} nor a subagentRunId, but "
                f"{len(lanes)} lanes have an open {kind}. Attribute the chunk to the subagent it belongs to.",
                "INCOMPLETE_STREAM",
            )
        raise ProtocolViolationError(f"First {event['type']} must have a {field}", "INCOMPLETE_STREAM")


def lanes_ended_by(event: Event, lanes: Collection[str | None]) -> list[str | None]:
    """Returns the subagents for which an event other than a chunk ends what their chunks continue.

    Args:
        event: the event.
        lanes: the subagents for which chunks continue something, and None for the agent itself.
    """
    type, lane = event["type"], event.get("subagentRunId")
    if type in _FOR_ALL:
        return list(lanes)
    if type in _NEUTRAL or not isinstance(lane, str | None) or lane not in lanes:
        return []
    return [lane]
