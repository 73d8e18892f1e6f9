"""Open generative UI: an HTML document that appears in a sandboxed frame while the model writes it.

The page offers the tool `generateSandboxedUi` and its prompts itself. The runtime shows the arguments of a
call as an activity (`OpenGenerativeUIMiddleware` of `@copilotkit/shared` 1.75).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..agui.events import Event, activity_delta, activity_snapshot
from ..logs.records import get_logger
from .json_reader import JSONReader, MalformedJSONError, Piece

logger = get_logger(__name__)

TOOL: Final = "generateSandboxedUi"
ACTIVITY: Final = "open-generative-ui"

# Documents and lists that are longer are shown as far as they are then.
_MAX_CHARACTERS: Final = 1024 * 1024
_MAX_ITEMS: Final = 1_000
_MAX_PIXELS: Final = 10_000
_STRINGS: Final = ("css", "jsFunctions")
_LISTS: Final = ("placeholderMessages", "jsExpressions")


class OpenGenerativeUI:
    """Adds activity events to the events of one run.

    The events of a call are held until the first activity event, so that the page shows the frame and not the
    call.
    """

    def __init__(self) -> None:
        self._calls: dict[str, _Document] = {}

    def push(self, event: Event) -> Iterator[Event]:
        """Yields the events that take the place of one of the run."""
        kind = event["type"]
        if kind == "TOOL_CALL_START" and event["toolCallName"] == TOOL:
            self._calls[event["toolCallId"]] = _Document(event)
            return
        document = self._calls.get(event["toolCallId"]) if kind in _CALL_EVENTS else None
        if document is None:
            yield event
            return
        if kind == "TOOL_CALL_ARGS":
            yield from document.grow(event)
        else:
            del self._calls[event["toolCallId"]]
            yield from document.finish(event)

    def end(self, terminal: Event) -> Iterator[Event]:
        """Yields the events that are still held."""
        for document in self._calls.values():
            yield from document.release()


_CALL_EVENTS: Final = ("TOOL_CALL_ARGS", "TOOL_CALL_END")


class _Document:
    """The document that one call writes."""

    def __init__(self, start: Event) -> None:
        self._message_id = f"{start['toolCallId']}-activity"
        self._held: list[Event] | None = [start]
        self._reader: JSONReader | None = JSONReader()
        self._is_shown = False
        self._has_html = False
        self._length = 0
        self._items = 0

    def grow(self, event: Event) -> Iterator[Event]:
        """Yields what follows from a piece of the arguments."""
        if self._held is None:
            yield event
        else:
            self._held.append(event)
        if self._reader is None:
            return
        self._length += len(event["delta"])
        if self._length > _MAX_CHARACTERS:
            logger.warning("a document of more than %d characters is cut", _MAX_CHARACTERS)
            self._reader = None
            return
        try:
            for piece in self._reader.feed(event["delta"]):
                for shown in self._shown(piece):
                    yield shown
                    yield from self.release()
        except MalformedJSONError as error:
            logger.info("the arguments of a call of %s are malformed: %s", TOOL, error)
            self._reader = None

    def finish(self, event: Event) -> Iterator[Event]:
        """Yields what follows from the end of the call."""
        if self._is_shown:
            yield self._delta("/generating", False)
        yield from self.release()
        yield event

    def release(self) -> Iterator[Event]:
        """Yields the events that were held."""
        held, self._held = self._held or (), None
        yield from held

    def _shown(self, piece: Piece) -> Iterator[Event]:
        key = piece.path[0]
        if key == "initialHeight" and piece.kind == "value":
            height = _height(piece.value)
            if not self._is_shown:
                yield self._snapshot(height)
            elif height is not None:
                yield self._delta("/initialHeight", height)
            return
        changes = list(self._changes(key, piece))
        if changes and not self._is_shown:
            yield self._snapshot(None)
        for path, value in changes:
            yield self._delta(path, value)

    def _changes(self, key: str, piece: Piece) -> Iterator[tuple[str, Any]]:
        if key == "html":
            if piece.kind == "text":
                if not self._has_html:
                    self._has_html = True
                    yield "/html", []
                yield "/html/-", piece.value
            elif piece.kind == "value":
                yield "/htmlComplete", True
        elif key in _STRINGS and piece.kind == "value":
            if isinstance(piece.value, str):
                yield f"/{key}", piece.value
            yield f"/{key}Complete", True
        elif key in _LISTS:
            if piece.kind == "open":
                yield f"/{key}", []
            elif piece.kind == "item":
                self._items += 1
                if self._items <= _MAX_ITEMS:
                    yield f"/{key}/-", str(piece.value)
            elif piece.kind == "value" and key == "jsExpressions" and isinstance(piece.value, list):
                yield "/jsExpressionsComplete", True

    def _snapshot(self, height: float | None) -> Event:
        self._is_shown = True
        content: dict[str, Any] = {"generating": True}
        if height is not None:
            content = {"initialHeight": height, "generating": True}
        return activity_snapshot(self._message_id, ACTIVITY, content)

    def _delta(self, path: str, value: Any) -> Event:
        return activity_delta(self._message_id, ACTIVITY, [{"op": "add", "path": path, "value": value}])


def _height(value: Any) -> float | None:
    """Returns the height of a frame in pixels, or None if a page could not show it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    return min(value, _MAX_PIXELS)
