"""Completion: what is selected of the source objects becomes JSON, one payload at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from graphql import GraphQLError, located_error

from .live import Deferred, LiveList
from .plan import DeferredPlan, FieldPlan, SelectionPlan, ValuePlan

Entry = dict[str, Any]
Key = str | int


class NullError(Exception):
    """A position that must not be null has no value; why is recorded already."""


class Raised:
    """What a resolver raised, in position of its value."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


_SPECIAL = frozenset({type(None), Deferred, LiveList, Raised})


class Position:
    """A position in a payload: where a value goes, and what is around it."""

    __slots__ = ("container", "key", "nullable", "parent")

    def __init__(self, parent: Position | None, container: Any, key: Key, nullable: bool) -> None:
        self.parent = parent
        self.container = container
        self.key = key
        self.nullable = nullable

    def is_within(self, other: Position) -> bool:
        """Whether this is the other position, or below it."""
        position: Position | None = self
        while position is not None:
            if position is other:
                return True
            position = position.parent
        return False


class StreamPart(NamedTuple):
    """The items of a list that follow its payload, one by one."""

    field: FieldPlan
    source: LiveList[Any]
    path: list[Key]
    position: Position


class FragmentPart(NamedTuple):
    """A deferred fragment of an object, which follows the object's payload."""

    plan: DeferredPlan
    source: object
    path: list[Key]
    position: Position


class Sources(Protocol):
    """Where the values of a payload come from."""

    def value_of(self, field: FieldPlan, source: object, path: Callable[[], list[Key]]) -> Any:
        """Returns the value of a field that has a resolver."""

    def add_changed(self, blocker: Blocker) -> None:
        """Records that a source of a waiting payload has changed."""


class Owner(Protocol):
    """What a payload belongs to."""

    def complete(self, out: list[Entry]) -> None:
        """Adds the entries that waited for the payload."""


class Payload:
    """A part of the answer that leaves as a whole: the first payload, a streamed item or a deferred fragment.

    Attributes:
        path: where in the answer it is.
        blockers: what it waits for; empty when it is complete.
        errors: what went wrong in it.
        failed: whether null has reached a root that must not be null.
    """

    __slots__ = ("_holder", "_parts", "blockers", "errors", "failed", "owner", "path", "root", "sources")

    def __init__(
        self, sources: Sources, path: list[Key], owner: Owner | None = None, *, nullable: bool = False
    ) -> None:
        self.sources = sources
        self.path = path
        self.owner = owner
        self.blockers: set[Blocker] = set()
        self.errors: list[GraphQLError] = []
        self.failed = False
        self._parts: list[StreamPart | FragmentPart] = []
        self._holder: list[Any] = [None]
        self.root = Position(None, self._holder, 0, nullable)

    @property
    def value(self) -> Any:
        """The value of the root."""
        return self._holder[0]

    def take_parts(self) -> list[StreamPart | FragmentPart]:
        """Collects what may follow once the payload was sent."""
        parts, self._parts = self._parts, []
        return parts

    def complete_object(self, selection: SelectionPlan, source: object) -> None:
        """Completes an object at the root."""
        try:
            self._holder[0] = self._object(selection, source, self.root)
        except NullError:
            self._null(None)

    def complete_item(self, field: FieldPlan, plan: ValuePlan, value: object) -> None:
        """Completes an item of a field's list at the root."""
        try:
            self._put(field, plan, value, self.root)
        except NullError:
            self._null(None)

    def resume(self, blocker: Blocker) -> None:
        """Completes a value that the payload has waited for."""
        self.blockers.discard(blocker)
        try:
            self._put(blocker.field, blocker.plan, blocker.source, blocker.position)
        except NullError:
            position = blocker.position.parent
            while position is not None and not position.nullable:
                position = position.parent
            self._null(position)

    def _null(self, position: Position | None) -> None:
        """Puts null at a position, and forgets what is below. None: the whole payload."""
        if position is None:
            self.failed = True
            position = self.root
        position.container[position.key] = None
        if self.blockers:
            self.blockers = {b for b in self.blockers if not b.position.is_within(position)}
        if self._parts:
            self._parts = [part for part in self._parts if not part.position.is_within(position)]

    def _path(self, position: Position) -> list[Key]:
        keys: list[Key] = []
        while position.parent is not None:
            keys.append(position.key)
            position = position.parent
        keys.reverse()
        return [*self.path, *keys]

    def _object(self, selection: SelectionPlan, source: object, position: Position) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for field in selection.fields:
            key = field.key
            if field.constant is not None:
                data[key] = field.constant
                continue
            plan = field.value
            value = self._read(field, source, data, position)
            kind = type(value)
            if kind is plan.exact:
                data[key] = value
                continue
            data[key] = None  # the order of keys is that of the selection, whatever comes late
            self._put(field, plan, value, Position(position, data, key, plan.nullable))
        if selection.deferred:
            path = self._path(position)
            self._parts.extend(FragmentPart(plan, source, path, position) for plan in selection.deferred)
        return data

    def _read(self, field: FieldPlan, source: object, data: dict[str, Any], position: Position) -> Any:
        try:
            if field.attribute is not None:
                return getattr(source, field.attribute)
            return self.sources.value_of(
                field, source, lambda: self._path(Position(position, data, field.key, nullable=False))
            )
        except Exception as error:
            return Raised(error)

    def _put(self, field: FieldPlan, plan: ValuePlan, value: Any, position: Position) -> None:
        """Completes a value at a position.

        Raises:
            NullError: there is no value, and the position must not be null.
        """
        try:
            position.container[position.key] = self._complete(field, plan, value, position)
        except NullError:
            if not position.nullable:
                raise
            self._null(position)
        except Exception as error:
            self.errors.append(located_error(error, field.nodes, self._path(position)))
            if not position.nullable:
                raise NullError from None
            self._null(position)

    def _complete(self, field: FieldPlan, plan: ValuePlan, value: Any, position: Position) -> Any:
        if isinstance(value, Deferred):
            if not value.done:
                return self._wait(field, plan, value, position)
            value = value.value
        if isinstance(value, Raised):
            raise value.error
        if value is None:
            if plan.nullable:
                return None
            name = field.nodes[0].name.value
            raise TypeError(f"Cannot return null for non-nullable field {field.parent_type}.{name}.")
        if plan.coerce is not None:
            return plan.coerce(value)
        if plan.item is not None:
            return self._list(field, plan, plan.item, value, position)
        assert plan.selections is not None
        return self._object(plan.selections.of(value), value, position)

    def _list(
        self, field: FieldPlan, plan: ValuePlan, item: ValuePlan, value: Any, position: Position
    ) -> Any:
        source: LiveList[Any] = value if isinstance(value, LiveList) else _plain_list(field, value)
        items = source.items
        if field.stream is not None and plan is field.value:
            count = field.stream.initial_count
            if count < 0:
                raise GraphQLError("initialCount must be a positive integer")
            if len(items) < count and not source.closed:
                return self._wait(field, plan, source, position)
            if len(items) > count or not source.closed:
                self._parts.append(StreamPart(field, source, self._path(position), position))
            items = items[:count]
        elif not source.closed:
            return self._wait(field, plan, source, position)
        result: list[Any] = list(items)
        for index, value in enumerate(items):
            if type(value) is not item.exact:
                self._put(field, item, value, Position(position, result, index, item.nullable))
        return result

    def _wait(self, field: FieldPlan, plan: ValuePlan, source: Any, position: Position) -> None:
        self.blockers.add(Blocker(self, field, plan, source, position))


class Blocker:
    """A value that a payload waits for."""

    __slots__ = ("changed", "field", "payload", "plan", "position", "source")

    def __init__(
        self,
        payload: Payload,
        field: FieldPlan,
        plan: ValuePlan,
        source: Deferred[Any] | LiveList[Any],
        position: Position,
    ) -> None:
        self.payload = payload
        self.field = field
        self.plan = plan
        self.source = source
        self.position = position
        self.changed = False
        source.watch(self.touch)

    def touch(self) -> None:
        """Records that the source has changed."""
        if not self.changed:
            self.changed = True
            self.payload.sources.add_changed(self)

    def advance(self, out: list[Entry]) -> None:
        """Continues the payload if the source has the value."""
        self.changed = False
        payload = self.payload
        if self in payload.blockers and self._is_ready():
            payload.resume(self)
            if not payload.blockers and payload.owner is not None:
                payload.owner.complete(out)

    def _is_ready(self) -> bool:
        if isinstance(self.source, Deferred):
            return self.source.done
        stream = self.field.stream
        return self.source.closed or (stream is not None and len(self.source.items) >= stream.initial_count)


def _plain_list(field: FieldPlan, value: object) -> LiveList[Any]:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping)):
        name = field.nodes[0].name.value
        raise GraphQLError(f"Expected Iterable, but did not find one for field '{field.parent_type}.{name}'.")
    return LiveList(value, closed=True)
