"""Turns what an agent emits into A2UI surfaces: activities of the type `a2ui-surface`.

A surface comes from the result of a tool, whole, or from the arguments of a render call while they stream.
All states of one call share one activity message, so that each replaces the one before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from ag_ui_a2ui_toolkit import (
    A2UI_OPERATIONS_KEY,
    create_surface,
    update_components,
    update_data_model,
)

from ..agui.events import Event, activity_snapshot, as_text, tool_call_result
from ..logs.records import get_logger
from .a2ui import A2UI, LOG_TOOL, RECOVERY_EXHAUSTED, RENDER_TOOL, component_errors
from .bounds import MAX_CHARACTERS, MAX_SURFACES, excess
from .json_reader import JSONReader, MalformedJSONError, Piece

logger = get_logger(__name__)

ACTIVITY: Final = "a2ui-surface"

_CHARACTERS_PER_TOKEN: Final = 4
_TOKENS_PER_PROGRESS: Final = 20
_TOO_LONG: Final = f"A surface may have {MAX_CHARACTERS // 1024} kB at most."
_NOT_GENERATED: Final = "The surface could not be generated."
# Lists are sent again with each item up to so many, then each time they have grown by a quarter.
_SHORT_LIST: Final = 16


@dataclass(slots=True)
class _Render:
    """One call of the render tool."""

    key: str
    nested: bool
    reader: JSONReader | None = field(default_factory=lambda: JSONReader(depth=2))
    length: int = 0
    surface_id: str | None = None
    components: list[dict[str, Any]] | None = None
    drawn: bool = False
    rejected: bool = False
    data: dict[str, Any] | None = None
    data_drawn: bool = False
    list_key: str = "items"
    lists: dict[str, list[Any]] = field(default_factory=dict)
    items_drawn: int = 0


@dataclass(slots=True)
class _Progress:
    """What the page shows of the render calls that share an activity message."""

    attempts: int = 0
    tokens: int = 0
    retrying: bool = False


class Surfaces:
    """Adds A2UI activities to the events of one run.

    A render call that is made inside another tool call, as by `generate_a2ui`, is internal to that tool. The
    page sees its surface alone.

    Args:
        a2ui: the configuration.
        catalog_id: the catalog of the surfaces.
        tool: the name under which the render tool was offered to the agent, if it was.
        page_tools: the names of the page's tools, inside which no render call can be made.
    """

    def __init__(
        self, a2ui: A2UI, catalog_id: str, tool: str | None, page_tools: Collection[str] = ()
    ) -> None:
        self._a2ui = a2ui
        self._catalog = a2ui.catalog
        self._catalog_id = catalog_id
        self._tools = {RENDER_TOOL, tool or RENDER_TOOL}
        self._renders: dict[str, _Render] = {}
        self._progress: dict[str, _Progress] = {}
        self._unanswered: dict[str, None] = {}
        # The tool calls in progress, and the messages that they belong to.
        self._open: dict[str, str | None] = {}
        self._page_tools = {LOG_TOOL, *page_tools}
        self._drawn_surfaces: set[str] = set()
        # The rejected call that the agent's next one takes the place of.
        self._retried: str | None = None

    def push(self, event: Event) -> Iterator[Event]:
        """Yields the events that take the place of one of the run."""
        kind = event["type"]
        if kind == "TOOL_CALL_START":
            yield from self._start(event)
        elif kind == "TOOL_CALL_ARGS" and event["toolCallId"] in self._renders:
            yield from self._grow(self._renders[event["toolCallId"]], event)
        elif kind == "TOOL_CALL_END" and event["toolCallId"] in self._renders:
            if not self._renders[event["toolCallId"]].nested:
                yield event
        elif kind == "TOOL_CALL_RESULT":
            yield from self._answer(event)
        else:
            if kind == "MESSAGES_SNAPSHOT":
                for message in event["messages"]:
                    self._unanswered.pop(message.get("toolCallId"), None)
                    self._open.pop(message.get("toolCallId") or "", None)
                event["messages"] = self._without_nested(event["messages"])
            yield event

    def end(self, terminal: Event) -> Iterator[Event]:
        """Yields what the agent has left open: results of render calls, and surfaces that are not drawn."""
        for key, progress in self._progress.items():
            if progress.retrying:
                most = self._a2ui.recovery.max_attempts
                content = {"status": "failed", "error": _NOT_GENERATED, "attempts": [], "maxAttempts": most}
                yield self._status(key, content)
        if terminal["type"] == "RUN_FINISHED":
            for id in self._unanswered:
                yield tool_call_result(f"result-{id}", id, as_text({"status": "rendered"}))

    def _without_nested(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns a conversation without the render calls that are internal to tools."""
        nested = {id for id, render in self._renders.items() if render.nested}
        shown: list[dict[str, Any]] = []
        for message in messages:
            calls = message.get("toolCalls") or []
            kept = [call for call in calls if call["id"] not in nested]
            if kept or message.get("content") or not calls:
                shown.append(message if len(kept) == len(calls) else {**message, "toolCalls": kept})
        return shown

    def _start(self, event: Event) -> Iterator[Event]:
        id, name, message = event["toolCallId"], event["toolCallName"], event.get("parentMessageId")
        if name not in self._tools:
            if name not in self._page_tools:
                self._open[id] = message
            yield event
            return
        # Calls of one message are made side by side, not one inside the other.
        around = [call for call, its in self._open.items() if message is None or message != its]
        nested = bool(around)
        key = self._key_inside(around) if nested else self._retried or id
        self._retried = None
        self._renders[id] = _Render(key, nested)
        progress = self._progress.setdefault(key, _Progress())
        progress.attempts += 1
        progress.tokens = 0
        if not progress.retrying:
            yield self._status(key, {"status": "building"})
        if not nested:
            self._unanswered[id] = None
            yield event

    def _key_inside(self, around: list[str]) -> str:
        """Returns the key of a render call that is made inside one of several calls.

        It is one of the innermost calls. Nothing says which one of those that are made side by side, so each
        gets one surface.
        """
        innermost = [call for call in around if self._open[call] == self._open[around[-1]]]
        free = [call for call in innermost if call not in self._progress]
        return self._retrying_inside() or (free or innermost)[0]

    def _retrying_inside(self) -> str | None:
        """Returns the key of a rejected surface that a tool is about to draw again, if there is one."""
        renders = self._renders.values()
        return next((each.key for each in renders if each.nested and self._progress[each.key].retrying), None)

    def _grow(self, render: _Render, event: Event) -> Iterator[Event]:
        render.length += len(event["delta"])
        yield from self._count_tokens(render)
        if render.reader is not None:
            try:
                for piece in render.reader.feed(event["delta"]):
                    self._take(render, piece)
                yield from self._draw(render)
            except MalformedJSONError as error:
                logger.info("the arguments of a call of %s are malformed: %s", RENDER_TOOL, error)
                render.reader = None
                yield from self._reject(render, "malformed", "arguments", str(error))
            if render.length > MAX_CHARACTERS and render.reader is not None:
                logger.warning("a surface of more than %d characters is not drawn", MAX_CHARACTERS)
                render.reader = None
                yield from self._reject(render, "too_large", "arguments", _TOO_LONG)
        if not render.nested:
            yield event

    def _count_tokens(self, render: _Render) -> Iterator[Event]:
        progress = self._progress[render.key]
        tokens = (render.length + _CHARACTERS_PER_TOKEN // 2) // _CHARACTERS_PER_TOKEN
        if (
            self._a2ui.recovery.show_progress_tokens
            and not (render.drawn or render.rejected or progress.retrying)
            and tokens - progress.tokens >= _TOKENS_PER_PROGRESS
        ):
            progress.tokens = tokens
            yield self._status(render.key, {"status": "building", "progressTokens": tokens})

    def _take(self, render: _Render, piece: Piece) -> None:
        if piece.kind == "value" and piece.path == ("surfaceId",):
            render.surface_id = piece.value if isinstance(piece.value, str) and piece.value else None
        elif piece.kind == "value" and piece.path == ("components",):
            render.components = piece.value if isinstance(piece.value, list) else []
        elif piece.kind == "value" and piece.path == ("data",):
            render.data = piece.value if isinstance(piece.value, dict) else None
        elif piece.kind == "item" and piece.path[:1] == ("data",) and len(piece.path) == 2:
            render.lists.setdefault(piece.path[1], []).append(piece.value)

    def _draw(self, render: _Render) -> Iterator[Event]:
        """Yields what is new to be seen of a surface."""
        if render.surface_id is None or render.components is None or render.rejected:
            return
        if not render.drawn:
            errors = component_errors(render.components, self._catalog)
            if errors:
                render.rejected = True
                self._retried = None if render.nested else render.key
                yield self._retrying(render.key, errors)
                return
            render.list_key = _list_key(render.components)
        items = render.lists.get(render.list_key, [])
        if not render.drawn or (not render.data_drawn and len(items) >= self._next_count(render)):
            render.items_drawn = len(items)
            yield from self._bounded(render, {render.list_key: list(items)} if items else None)
        if render.data is not None and not render.data_drawn and not render.rejected:
            render.data_drawn = True
            yield from self._bounded(render, render.data)

    def _next_count(self, render: _Render) -> int:
        drawn = render.items_drawn
        return drawn + 1 if drawn < _SHORT_LIST else drawn + drawn // 4

    def _bounded(self, render: _Render, data: Mapping[str, Any] | None) -> Iterator[Event]:
        """Yields the surface, or what is too much about its data."""
        problem = excess(render.components, data)
        if problem is None:
            yield self._surface(render, data)
            return
        yield from self._reject(render, "too_large", "data", problem)

    def _reject(self, render: _Render, code: str, path: str, message: str) -> Iterator[Event]:
        """Yields that a surface is not drawn any further, unless the page knows."""
        if not render.rejected:
            render.rejected = True
            self._retried = None if render.nested else render.key
            yield self._retrying(render.key, [{"code": code, "path": path, "message": message}])

    def _surface(self, render: _Render, data: Mapping[str, Any] | None) -> Event:
        assert render.surface_id is not None
        render.drawn = True
        self._drawn_surfaces.add(render.surface_id)
        self._progress[render.key].retrying = False
        operations = [
            create_surface(render.surface_id, self._catalog_id),
            update_components(render.surface_id, render.components or []),
        ]
        if data is not None:
            operations.append(update_data_model(render.surface_id, dict(data)))
        return activity_snapshot(_message_id(render.key), ACTIVITY, {A2UI_OPERATIONS_KEY: operations})

    def _retrying(self, key: str, errors: list[dict[str, str]]) -> Event:
        progress, most = self._progress[key], self._a2ui.recovery.max_attempts
        progress.retrying = True
        progress.tokens = 0
        attempt = min(progress.attempts + 1, most)
        content = {"status": "retrying", "attempt": attempt, "maxAttempts": most, "errors": errors}
        return self._status(key, content)

    def _answer(self, event: Event) -> Iterator[Event]:
        id = event["toolCallId"]
        self._unanswered.pop(id, None)
        render = self._renders.get(id)
        if render is None or not render.nested:
            yield event
        self._open.pop(id, None)
        key = id if render is None else render.key
        drawn = any(each.drawn and id in (call, each.key) for call, each in self._renders.items())
        if not drawn:
            yield from self._from_result(key, event["content"])

    def _from_result(self, key: str, content: Any) -> Iterator[Event]:
        found = _envelope(content)
        if isinstance(found.get(A2UI_OPERATIONS_KEY), list):
            by_surface: dict[str, list[dict[str, Any]]] = {}
            for operation in found[A2UI_OPERATIONS_KEY]:
                if isinstance(operation, dict):
                    by_surface.setdefault(_surface_id(operation) or "", []).append(operation)
            for surface_id in self._drawn_surfaces:
                by_surface.pop(surface_id, None)
            if len(by_surface) > MAX_SURFACES:
                problem = f"A result may draw {MAX_SURFACES} surfaces at most."
                yield from self._undrawn(key, problem)
                return
            for surface_id, operations in by_surface.items():
                name = key if len(by_surface) == 1 else f"{surface_id or 'default'}-{key}"
                if (excessive := _excess_of(operations)) is not None:
                    yield from self._undrawn(name, excessive)
                else:
                    yield activity_snapshot(_message_id(name), ACTIVITY, {A2UI_OPERATIONS_KEY: operations})
        elif found.get("code") == RECOVERY_EXHAUSTED:
            attempts = found.get("attempts") or []
            most = len(attempts) if isinstance(attempts, list) and attempts else None
            failure = {
                "status": "failed",
                "error": str(found.get("error") or _NOT_GENERATED),
                "attempts": attempts,
                "maxAttempts": most or self._a2ui.recovery.max_attempts,
            }
            if key not in self._progress or not self._progress[key].retrying:
                key = self._retrying_inside() or key
            if (progress := self._progress.get(key)) is not None:
                progress.retrying = False
            yield self._status(key, failure)

    def _undrawn(self, key: str, problem: str) -> Iterator[Event]:
        """Yields that what a tool's result draws is too much."""
        logger.warning("the surface of a tool's result is not drawn: %s", problem)
        content = {"status": "failed", "error": problem, "attempts": [], "maxAttempts": 1}
        yield activity_snapshot(_message_id(key), ACTIVITY, content)

    def _status(self, key: str, content: dict[str, Any]) -> Event:
        if (exposure := self._a2ui.recovery.debug_exposure) is not None:
            content = {**content, "debugExposure": exposure}
        return activity_snapshot(_message_id(key), ACTIVITY, content)


def _message_id(key: str) -> str:
    return f"a2ui-surface-{key}"


def _list_key(components: list[dict[str, Any]]) -> str:
    """Returns the key of the list in the data that a component repeats its children over."""
    for component in components:
        children = component.get("children")
        path = children.get("path") if isinstance(children, dict) else None
        if isinstance(path, str) and path:
            return path.removeprefix("/")
    return "items"


def _envelope(content: Any) -> dict[str, Any]:
    """Returns the object that a tool's result is the JSON of, also if it was encoded twice."""
    for _ in range(2):
        if not isinstance(content, str) or "a2ui_" not in content or len(content) > MAX_CHARACTERS:
            break
        try:
            content = orjson.loads(content)
        except ValueError:
            break
    return content if isinstance(content, dict) else {}


def _excess_of(operations: list[dict[str, Any]]) -> str | None:
    """Returns what of the operations on one surface exceeds a bound, or None."""
    components: list[Any] = []
    data: list[Any] = []
    for operation in operations:
        update, model = operation.get("updateComponents"), operation.get("updateDataModel")
        if isinstance(update, dict) and isinstance(update.get("components"), list):
            components += update["components"]
        if isinstance(model, dict):
            data.append(model.get("value"))
    return excess(components, data[0] if len(data) == 1 else data)


def _surface_id(operation: Mapping[str, Any]) -> str | None:
    for name in ("createSurface", "updateComponents", "updateDataModel", "deleteSurface"):
        target = operation.get(name)
        if isinstance(target, dict) and isinstance(target.get("surfaceId"), str):
            return str(target["surfaceId"])
    return None
