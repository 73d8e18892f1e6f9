"""Completion: what is selected of the source objects becomes JSON, one payload at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from graphql import GraphQLError, located_error

from .live import Deferred, LiveList
from .plan import FieldPlan, SelectionPlan, ValuePlan

if TYPE_CHECKING:
    from .incremental import Execution, Fragment, Stream

Entry = dict[str, Any]
Key = str | int


class NullError(Exception):
    """A position that must not be null has no value; why is recorded already."""


class Raised:
    """What a resolver raised, in place of its value."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


_SPECIAL = frozenset({type(None), Deferred, LiveList, Raised})


class Place:
    """A position in a payload: where a value goes, and what is around it."""

    __slots__ = ("container", "key", "nullable", "parent")

    def __init__(self, parent: Place | None, container: Any, key: Key, nullable: bool) -> None:
        self.parent = parent
        self.container = container
        self.key = key
        self.nullable = nullable

    def is_within(self, other: Place) -> bool:
        """Whether this is the other position, or below it."""
        place: Place | None = self
        while place is not None:
            if place is other:
                return True
            place = place.parent
        return False


class Owner(Protocol):
    """What a payload belongs to."""

    def complete(self, out: list[Entry]) -> None:
        """Adds the entries that the payload was waited for."""


class Payload:
    """A part of the answer that leaves as a whole: the first payload, a streamed item or a deferred fragment.

    Attributes:
        path: where in the answer it is.
        blockers: what it waits for; empty when it is complete.
        errors: what went wrong in it.
        failed: whether null has reached a root that must not be null.
    """

    __slots__ = ("_children", "_holder", "blockers", "errors", "execution", "failed", "owner", "path", "root")

    def __init__(
        self, execution: Execution, path: list[Key], owner: Owner | None = None, *, nullable: bool = False
    ) -> None:
        self.execution = execution
        self.path = path
        self.owner = owner
        self.blockers: set[Blocker] = set()
        self.errors: list[GraphQLError] = []
        self.failed = False
        self._children: list[Stream | Fragment] = []
        self._holder: list[Any] = [None]
        self.root = Place(None, self._holder, 0, nullable)

    @property
    def value(self) -> Any:
        """The value of the root."""
        return self._holder[0]

    def release(self) -> list[Stream | Fragment]:
        """Takes what may follow when the payload has left."""
        children, self._children = self._children, []
        self.execution.pending += len(children)
        return children

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
            self._put(blocker.field, blocker.plan, blocker.source, blocker.place)
        except NullError:
            place = blocker.place.parent
            while place is not None and not place.nullable:
                place = place.parent
            self._null(place)

    def _null(self, place: Place | None) -> None:
        """Puts null at a position, and forgets what is below. None: the whole payload."""
        if place is None:
            self.failed = True
            place = self.root
        place.container[place.key] = None
        if self.blockers:
            self.blockers = {b for b in self.blockers if not b.place.is_within(place)}
        if self._children:
            self._children = [c for c in self._children if not c.place.is_within(place)]

    def _path(self, place: Place) -> list[Key]:
        keys: list[Key] = []
        while place.parent is not None:
            keys.append(place.key)
            place = place.parent
        keys.reverse()
        return [*self.path, *keys]

    def _object(self, selection: SelectionPlan, source: object, place: Place) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for field in selection.fields:
            key = field.key
            if field.constant is not None:
                data[key] = field.constant
                continue
            plan = field.value
            value = self._read(field, source, data, place)
            kind = type(value)
            if kind is plan.exact:
                data[key] = value
                continue
            data[key] = None  # the order of keys is that of the selection, whatever comes late
            self._put(field, plan, value, Place(place, data, key, plan.nullable))
        if selection.deferred:
            path = self._path(place)
            self._children.extend(
                self.execution.fragment(plan, source, path, place) for plan in selection.deferred
            )
        return data

    def _read(self, field: FieldPlan, source: object, data: dict[str, Any], place: Place) -> Any:
        try:
            if field.attribute is not None:
                return getattr(source, field.attribute)
            return self.execution.value_of(
                field, source, lambda: self._path(Place(place, data, field.key, nullable=False))
            )
        except Exception as error:
            return Raised(error)

    def _put(self, field: FieldPlan, plan: ValuePlan, value: Any, place: Place) -> None:
        """Completes a value at a position.

        Raises:
            NullError: there is no value, and the position must not be null.
        """
        try:
            place.container[place.key] = self._complete(field, plan, value, place)
        except NullError:
            if not place.nullable:
                raise
            self._null(place)
        except Exception as error:
            self.errors.append(located_error(error, field.nodes, self._path(place)))
            if not place.nullable:
                raise NullError from None
            self._null(place)

    def _complete(self, field: FieldPlan, plan: ValuePlan, value: Any, place: Place) -> Any:
        if isinstance(value, Deferred):
            if not value.done:
                return self._wait(field, plan, value, place)
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
            return self._list(field, plan, plan.item, value, place)
        assert plan.selections is not None
        return self._object(plan.selections.of(value), value, place)

    def _list(self, field: FieldPlan, plan: ValuePlan, item: ValuePlan, value: Any, place: Place) -> Any:
        source: LiveList[Any] = value if isinstance(value, LiveList) else _plain_list(field, value)
        items = source.items
        if field.stream is not None and plan is field.value:
            count = field.stream.initial_count
            if count < 0:
                raise GraphQLError("initialCount must be a positive integer")
            if len(items) < count and not source.closed:
                return self._wait(field, plan, source, place)
            if len(items) > count or not source.closed:
                self._children.append(self.execution.stream(field, source, self._path(place), place))
            items = items[:count]
        elif not source.closed:
            return self._wait(field, plan, source, place)
        result: list[Any] = list(items)
        for index, value in enumerate(items):
            if type(value) is not item.exact:
                self._put(field, item, value, Place(place, result, index, item.nullable))
        return result

    def _wait(self, field: FieldPlan, plan: ValuePlan, source: Any, place: Place) -> None:
        self.blockers.add(Blocker(self, field, plan, source, place))


class Blocker:
    """A value that is not there yet and that a payload waits for."""

    __slots__ = ("changed", "field", "payload", "place", "plan", "source")

    def __init__(
        self,
        payload: Payload,
        field: FieldPlan,
        plan: ValuePlan,
        source: Deferred[Any] | LiveList[Any],
        place: Place,
    ) -> None:
        self.payload = payload
        self.field = field
        self.plan = plan
        self.source = source
        self.place = place
        self.changed = False
        source.watch(self.touch)

    def touch(self) -> None:
        """Notes that the source has changed."""
        if not self.changed:
            self.changed = True
            self.payload.execution.changed.append(self)

    def advance(self, out: list[Entry]) -> None:
        """Lets the payload go on if the source has what is needed."""
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
