"""Execution of an operation, with `@defer` and `@stream`, over values that grow.

The executor does no input or output and starts no task. Its sources are plain objects with `LiveList`s and
`Deferred`s that other code fills. It is notified of each change, and works when it is asked to:

    execution = IncrementalExecution(operation, context)
    payload = await execution.start()         # calls the root resolvers
    while payload is None:                    # something in the first payload is not complete yet
        ...                                   # (wait until the sources have changed)
        payload = execution.poll_initial()
    send(payload)
    while not execution.done:
        ...
        entries = execution.flush()           # what became ready since the last call
        if entries or execution.done:
            send({"incremental": entries, "hasNext": not execution.done})

The entries are in the format of graphql-js 17.0.0-alpha.2, the only one that CopilotKit's clients can merge:
an absolute `path`, and `items` (from the index that ends the path on) or `data`. The entry of an item comes
before those of its children, the indexes of a list are contiguous, a deferred fragment comes once.

A `LiveList` without `@stream` and a `Deferred` without `@defer` hold back what they are part of, the first
payload or an entry, until they are closed or set. So the same code serves an operation without directives: it
has one payload, when everything is over.

A change costs what it brings: `flush` looks at the sources that changed and at nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo
from graphql.execution import get_argument_values
from graphql.pyutils import Path, is_awaitable
from graphql.type import GraphQLResolveInfoHelpers

from .document import Operation
from .payload import Blocker, Entry, FragmentPart, Key, Payload, Raised, StreamPart
from .plan import FieldPlan

ErrorFormatter = Callable[[GraphQLError], Mapping[str, Any]]


def _format_error(error: GraphQLError) -> Mapping[str, Any]:
    return error.formatted


def _no_async_work(*_: object) -> Any:
    raise NotImplementedError("resolvers of this schema have no use for it")


_HELPERS = GraphQLResolveInfoHelpers(gather=_no_async_work, track=_no_async_work)


class IncrementalExecution:
    """One execution of an operation.

    Args:
        operation: the operation, with its variables.
        context: what the root resolvers find as `info.context`.
        format_error: makes the form of an error that goes to the client.
    """

    def __init__(
        self, operation: Operation, context: object, *, format_error: ErrorFormatter = _format_error
    ) -> None:
        self.operation = operation
        self.context = context
        self.changed: list[Stream | Fragment | Blocker] = []
        self.pending = 0
        self._format_error = format_error
        self._initial = Payload(self, [])
        self._delivered = False
        self._root_values: dict[FieldPlan, Any] = {}

    @property
    def done(self) -> bool:
        """Whether the first payload is taken and nothing can follow it."""
        return self._delivered and not self.pending

    async def start(self) -> Entry | None:
        """Calls the root resolvers, one after the other, and returns the first payload if it is ready.

        The next resolver is called when the one before has returned; its values may grow on.
        """
        selection = self.operation.root_selection()
        fields = [*selection.fields, *(f for part in selection.deferred for f in part.selection.fields)]
        for field in fields:
            if field.constant is None:
                value = self._root_values[field] = await self._call(field)
                if self.operation.is_mutation and isinstance(value, Raised) and not field.value.nullable:
                    break
        self._initial.complete_object(selection, None)
        return self.poll_initial()

    async def _call(self, field: FieldPlan) -> Any:
        try:
            value = self.resolve(field, None, [field.key])
            return await value if isawaitable(value) else value
        except Exception as error:
            return Raised(error)

    def poll_initial(self) -> Entry | None:
        """Returns the first payload, once: `{"data": ...}`, or `{"errors": [...], "data": ...}`.

        Returns None as long as something in it is not complete.

        Raises:
            RuntimeError: it was returned already.
        """
        if self._delivered:
            raise RuntimeError("the first payload is taken")
        self.flush()
        initial = self._initial
        if initial.blockers:
            return None
        self._delivered = True
        self.changed.extend(self.parts_of(initial))
        return {**self.errors_of(initial), "data": initial.value}

    def flush(self) -> list[Entry]:
        """Returns the entries that became ready since the last call, in order."""
        entries: list[Entry] = []
        if self.changed:
            changed, self.changed = self.changed, []
            for source in changed:
                source.advance(entries)
        return entries

    def errors_of(self, payload: Payload) -> Entry:
        """The `errors` member of a payload, in a dict; an empty dict if there are none."""
        return {"errors": [dict(self._format_error(e)) for e in payload.errors]} if payload.errors else {}

    def value_of(self, field: FieldPlan, source: object, path: Callable[[], list[Key]]) -> Any:
        """The value of a field that has a resolver. Those of root fields have been called at the start."""
        if source is None and field in self._root_values:
            return self._root_values[field]
        return self.resolve(field, source, path())

    def resolve(self, field: FieldPlan, source: object, path: list[Key]) -> Any:
        """Calls the resolver of a field."""
        operation = self.operation
        node, definition = field.nodes[0], field.definition
        arguments = get_argument_values(definition, node, operation.variables)
        assert definition.resolve is not None
        info = GraphQLResolveInfo(
            field_name=node.name.value,
            field_nodes=field.nodes,
            return_type=definition.type,
            parent_type=field.parent_type,
            path=_linked(path),
            schema=operation.schema,
            fragments=operation.fragments,
            root_value=None,
            operation=operation.node,
            variable_values=operation.variables,
            context=self.context,
            is_awaitable=is_awaitable,
            abort_signal=None,
            async_helpers=_HELPERS,
        )
        return definition.resolve(source, info, **arguments)

    def add_changed(self, blocker: Blocker) -> None:
        """Records that a source of a waiting payload has changed."""
        self.changed.append(blocker)

    def finish_entry(self, entry: Entry, label: str | None, payload: Payload, out: list[Entry]) -> None:
        """Adds the entry of a payload, and after it those of what follows the payload."""
        if label is not None:
            entry["label"] = label
        entry.update(self.errors_of(payload))
        out.append(entry)
        for part in self.parts_of(payload):
            part.advance(out)

    def parts_of(self, payload: Payload) -> list[Stream | Fragment]:
        """Returns what may follow a payload that has left."""
        parts: list[Stream | Fragment] = [
            Stream(self, part) if isinstance(part, StreamPart) else Fragment(self, part)
            for part in payload.take_parts()
        ]
        self.pending += len(parts)
        return parts


def _linked(path: list[Key]) -> Path:
    linked: Path | None = None
    for key in path:
        linked = Path(linked, key, None)
    assert linked is not None
    return linked


class Stream:
    """The items of one list that come after its first payload, one entry each.

    It is idle until `advance` is called the first time, when the payload that it belongs to has left.
    """

    __slots__ = (
        "changed",
        "execution",
        "field",
        "finished",
        "index",
        "item",
        "label",
        "next",
        "path",
        "payload",
        "source",
    )

    def __init__(self, execution: IncrementalExecution, part: StreamPart) -> None:
        field = part.field
        assert field.stream is not None
        assert field.value.item is not None
        self.execution = execution
        self.field = field
        self.item = field.value.item
        self.label = field.stream.label
        self.source = part.source
        self.path = part.path
        self.index = self.next = field.stream.initial_count
        self.payload: Payload | None = None
        self.finished = False
        self.changed = True
        self.source.watch(self.touch)

    def touch(self) -> None:
        """Notes that the list has changed."""
        if not self.changed:
            self.changed = True
            self.execution.changed.append(self)

    def advance(self, out: list[Entry]) -> None:
        """Adds the entries of the new items."""
        self.changed = False
        if self.payload is None and not self.finished:
            self._pull(out)

    def _pull(self, out: list[Entry]) -> None:
        items = self.source.items
        place, end = self.next, len(items)
        exact = self.item.exact
        while place < end:
            value = items[place]
            place += 1
            self.next = place
            if exact is not None and type(value) is exact:
                self._add_item(value, out)
                continue
            payload = Payload(self.execution, [*self.path, self.index], self, nullable=self.item.nullable)
            self.index += 1
            payload.complete_item(self.field, self.item, value)
            if payload.blockers:
                self.payload = payload
                return
            if not self._add(payload, out):
                return
        if self.source.closed:
            self._finish()

    def _add_item(self, value: object, out: list[Entry]) -> None:
        entry = {"items": [value], "path": [*self.path, self.index]}
        if self.label is not None:
            entry["label"] = self.label
        self.index += 1
        out.append(entry)

    def _add(self, payload: Payload, out: list[Entry]) -> bool:
        """Adds the entry of a complete item; an item that must not be null and is ends the stream."""
        entry: Entry = {"items": None if payload.failed else [payload.value], "path": payload.path}
        self.execution.finish_entry(entry, self.label, payload, out)
        if payload.failed:
            self._finish()
        return not payload.failed

    def complete(self, out: list[Entry]) -> None:
        """Continues after the item that blocked the stream."""
        payload, self.payload = self.payload, None
        assert payload is not None
        if self._add(payload, out):
            self._pull(out)

    def _finish(self) -> None:
        self.finished = True
        self.execution.pending -= 1


class Fragment:
    """A deferred fragment of one object."""

    __slots__ = ("execution", "part", "payload")

    def __init__(self, execution: IncrementalExecution, part: FragmentPart) -> None:
        self.execution = execution
        self.part = part
        self.payload = Payload(execution, part.path, self)

    def advance(self, out: list[Entry]) -> None:
        """Starts to complete the fragment; it is called once, when the object it belongs to has left."""
        self.payload.complete_object(self.part.plan.selection, self.part.source)
        if not self.payload.blockers:
            self.complete(out)

    def complete(self, out: list[Entry]) -> None:
        """Adds the entry of the fragment."""
        self.execution.pending -= 1
        entry: Entry = {"data": self.payload.value, "path": self.part.path}
        self.execution.finish_entry(entry, self.part.plan.label, self.payload, out)
