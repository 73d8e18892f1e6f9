"""Selection plans: what a document selects, computed once for each runtime type.

A plan is computed lazily, for the types that occur, and cached with its document: executing the document
again only reads attributes. A plan depends on the variables in directives, and on no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLDeferDirective,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLStreamDirective,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    is_introspection_type,
)
from graphql.execution import VariableValues, get_argument_values
from graphql.pyutils import inspect
from graphql.type import GraphQLLeafType, is_leaf_type
from strawberry.types.field import StrawberryField

_DEFINITION = "strawberry-definition"
_EXACT_TYPES: dict[str, type] = {"String": str, "Boolean": bool}


class StreamUsage:
    """An active `@stream` of a field."""

    __slots__ = ("initial_count", "label")

    def __init__(self, label: str | None, initial_count: int) -> None:
        self.label = label
        self.initial_count = initial_count


class ValuePlan:
    """How to complete a value of one type: exactly one of `coerce`, `item` and `selections` is set.

    Attributes:
        nullable: whether null may stand in its place.
        coerce: of a leaf: makes its JSON value.
        exact: of a leaf: the Python type whose values are JSON values as they are, if there is one.
        item: of a list: the plan of its items.
        selections: of an object, interface or union: the plans by runtime type.
    """

    __slots__ = ("coerce", "exact", "item", "nullable", "selections", "type")

    def __init__(self, type_: GraphQLOutputType, selections: TypeSelections | None) -> None:
        self.nullable = not isinstance(type_, GraphQLNonNull)
        self.type = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        self.coerce: Callable[[Any], Any] | None = None
        self.exact: type | None = None
        self.item: ValuePlan | None = None
        self.selections: TypeSelections | None = None
        if isinstance(self.type, GraphQLList):
            self.item = ValuePlan(self.type.of_type, selections)
        elif is_leaf_type(self.type):
            self.coerce = _coercion(self.type)
            self.exact = _EXACT_TYPES.get(self.type.name)
        else:
            self.selections = selections


class FieldPlan:
    """A field of an object.

    Attributes:
        key: its name in the answer.
        constant: its value, if the type alone decides it (`__typename`).
        attribute: the attribute of the source object that holds its value, if there is no resolver.
        value: how to complete its value.
        stream: its `@stream`, if there is an active one.
    """

    __slots__ = ("attribute", "constant", "definition", "key", "nodes", "parent_type", "stream", "value")

    def __init__(
        self, planner: Planner, parent_type: GraphQLObjectType, key: str, nodes: list[FieldNode]
    ) -> None:
        name = nodes[0].name.value
        definition = planner.schema.get_field(parent_type, name)
        if definition is None:
            raise GraphQLError(f"Cannot query field '{name}' on type '{parent_type}'.", nodes)
        self.key = key
        self.nodes = nodes
        self.parent_type = parent_type
        self.definition: GraphQLField = definition
        self.constant = parent_type.name if name == "__typename" else None
        self.attribute = _attribute(definition)
        self.stream = planner.stream_usage(nodes[0])
        selection_sets = [node.selection_set for node in nodes if node.selection_set]
        selections = TypeSelections(planner, definition.type, selection_sets) if selection_sets else None
        self.value = ValuePlan(definition.type, selections)


class SelectionPlan:
    """What is selected of an object: its fields at once, and fragments that may come later."""

    __slots__ = ("deferred", "fields")

    def __init__(self, fields: tuple[FieldPlan, ...], deferred: tuple[DeferredPlan, ...] = ()) -> None:
        self.fields = fields
        self.deferred = deferred


class DeferredPlan:
    """A fragment under an active `@defer`, with all its fields, also those that are selected outside too."""

    __slots__ = ("label", "selection")

    def __init__(self, label: str | None, selection: SelectionPlan) -> None:
        self.label = label
        self.selection = selection


class TypeSelections:
    """The selection plans of one place in the document, by the runtime type of the object found there."""

    __slots__ = ("_by_class", "_planner", "_selection_sets", "_type")

    def __init__(
        self, planner: Planner, type_: GraphQLOutputType, selection_sets: list[SelectionSetNode]
    ) -> None:
        self._planner = planner
        while isinstance(type_, (GraphQLNonNull, GraphQLList)):
            type_ = type_.of_type
        self._type: GraphQLNamedType = type_
        self._selection_sets = selection_sets
        self._by_class: dict[type, SelectionPlan] = {}

    def of(self, source: object) -> SelectionPlan:
        """The plan for an object.

        Raises:
            GraphQLError: the object's type does not belong here.
        """
        plan = self._by_class.get(type(source))
        if plan is None:
            runtime_type = self._planner.runtime_type(self._type, source)
            plan = self._planner.collect(runtime_type, self._selection_sets)
            self._by_class[type(source)] = plan
        return plan


class Planner:
    """Makes the plans of one operation for one set of directive arguments."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> None:
        self.schema = schema
        self._fragments = fragments
        self._variables = variables
        self._types: dict[type, GraphQLObjectType] = {
            type_.extensions[_DEFINITION].origin: type_
            for type_ in schema.type_map.values()
            if isinstance(type_, GraphQLObjectType) and _DEFINITION in type_.extensions
        }

    def collect(
        self, runtime_type: GraphQLObjectType, selection_sets: Iterable[SelectionSetNode]
    ) -> SelectionPlan:
        """Collects the fields and the deferred fragments that selection sets choose of an object type."""
        collector = _Collector(self, runtime_type)
        fields: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for selection_set in selection_sets:
            collector.visit(selection_set, fields, visited)
        deferred = tuple(
            DeferredPlan(label, SelectionPlan(self._field_plans(runtime_type, nodes)))
            for label, nodes in collector.deferred
            if nodes
        )
        return SelectionPlan(self._field_plans(runtime_type, fields), deferred)

    def _field_plans(
        self, runtime_type: GraphQLObjectType, fields: dict[str, list[FieldNode]]
    ) -> tuple[FieldPlan, ...]:
        return tuple(FieldPlan(self, runtime_type, key, nodes) for key, nodes in fields.items())

    def runtime_type(self, declared: GraphQLNamedType, source: object) -> GraphQLObjectType:
        """The object type of a source object.

        Raises:
            GraphQLError: it is none, or not one that `declared` includes.
        """
        if isinstance(declared, GraphQLObjectType) and is_introspection_type(declared):
            return declared
        found = next((self._types[cls] for cls in type(source).__mro__ if cls in self._types), None)
        if found is None or not (found is declared or self._includes(declared, found)):
            raise GraphQLError(f"Expected value of type '{declared}' but got: {inspect(source)}.")
        return found

    def _includes(self, declared: GraphQLNamedType, type_: GraphQLObjectType) -> bool:
        return isinstance(declared, (GraphQLInterfaceType, GraphQLUnionType)) and self.schema.is_sub_type(
            declared, type_
        )

    def applies(self, condition: str | None, type_: GraphQLObjectType) -> bool:
        """Whether a fragment with that type condition selects anything of an object type."""
        if condition is None or condition == type_.name:
            return True
        return self._includes(self.schema.type_map[condition], type_)

    def included(self, node: SelectionNode) -> bool:
        """Whether `@skip` and `@include` let a selection stand."""
        if not node.directives:
            return True
        skip = self._arguments(GraphQLSkipDirective.name, node)
        include = self._arguments(GraphQLIncludeDirective.name, node)
        return not (skip and skip["if"]) and (include is None or bool(include["if"]))

    def fragment(self, name: str) -> FragmentDefinitionNode:
        """The fragment of that name."""
        return self._fragments[name]

    def defer_usage(self, node: SelectionNode) -> tuple[str | None] | None:
        """The label (or None) of an active `@defer`, in a tuple; None if there is no active one."""
        arguments = self._arguments(GraphQLDeferDirective.name, node)
        return (arguments.get("label"),) if arguments and arguments["if"] else None

    def stream_usage(self, node: FieldNode) -> StreamUsage | None:
        """The active `@stream` of a field."""
        arguments = self._arguments(GraphQLStreamDirective.name, node)
        if not arguments or not arguments["if"]:
            return None
        count = arguments["initialCount"]
        return StreamUsage(arguments.get("label"), -1 if count is None else count)

    def _arguments(self, name: str, node: SelectionNode) -> dict[str, Any] | None:
        for directive in node.directives or ():
            if directive.name.value == name:
                definition = self.schema.get_directive(name)
                assert definition is not None
                return get_argument_values(definition, directive, self._variables)
        return None

    def is_incremental(self, selection_set: SelectionSetNode, visited: set[str]) -> bool:
        """Whether an active `@defer` or `@stream` stands in a selection set or in a fragment spread there."""
        for node in selection_set.selections:
            if not self.included(node):
                continue
            if self.stream_usage(node) if isinstance(node, FieldNode) else self.defer_usage(node):
                return True
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in visited:
                    continue
                visited.add(node.name.value)
            inner = self.inner(node)
            if inner is not None and self.is_incremental(inner, visited):
                return True
        return False

    def inner(self, node: SelectionNode) -> SelectionSetNode | None:
        """The selection set of a field, an inline fragment or a spread fragment."""
        if isinstance(node, FragmentSpreadNode):
            return self._fragments[node.name.value].selection_set
        return cast("FieldNode | InlineFragmentNode", node).selection_set


class _Collector:
    """Collects what selection sets choose of one object type.

    Each `@defer` of the document is taken once, however many ways lead to it: what it would add a second time
    is already under way. So the work stays bounded by the square of the document's size.
    """

    def __init__(self, planner: Planner, runtime_type: GraphQLObjectType) -> None:
        self.deferred: list[tuple[str | None, dict[str, list[FieldNode]]]] = []
        self._planner = planner
        self._runtime_type = runtime_type
        self._seen: set[int] = set()

    def visit(
        self, selection_set: SelectionSetNode, fields: dict[str, list[FieldNode]], visited: set[str]
    ) -> None:
        for node in selection_set.selections:
            if not self._planner.included(node):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                fields.setdefault(key, []).append(node)
            elif self._planner.applies(self._condition(node), self._runtime_type):
                self._visit_fragment(node, fields, visited)

    def _condition(self, node: SelectionNode) -> str | None:
        if isinstance(node, FragmentSpreadNode):
            node = self._planner.fragment(node.name.value)  # type: ignore[assignment]
        condition = cast("InlineFragmentNode", node).type_condition
        return condition.name.value if condition else None

    def _visit_fragment(
        self, node: SelectionNode, fields: dict[str, list[FieldNode]], visited: set[str]
    ) -> None:
        usage = self._planner.defer_usage(node)
        if usage:
            if id(node) in self._seen:
                return
            self._seen.add(id(node))
            fields, visited = {}, set()
            self.deferred.append((usage[0], fields))
        elif isinstance(node, FragmentSpreadNode):
            if node.name.value in visited:
                return
            visited.add(node.name.value)
        inner = self._planner.inner(node)
        assert inner is not None
        self.visit(inner, fields, visited)


def _attribute(definition: GraphQLField) -> str | None:
    field = definition.extensions.get(_DEFINITION)
    if isinstance(field, StrawberryField) and field.base_resolver is None:
        return field.python_name
    return None


def _coercion(type_: GraphQLLeafType) -> Callable[[Any], Any]:
    def coerce(value: Any) -> Any:
        result = type_.coerce_output_value(value)
        if result is None or result is Undefined:
            raise GraphQLError(f"{type_} cannot represent value: {inspect(value)}")
        return result

    return coerce
