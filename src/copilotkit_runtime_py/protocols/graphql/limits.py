"""Bounds on what a document may select, checked before it is validated.

A fragment counts at each of its spreads, so that a short document cannot stand for a long one. It is measured
once, so that the cost of the check is linear in the document's length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from ...limits import Limits


def check_document(ast: DocumentNode, limits: Limits) -> None:
    """Refuses a document that selects too much.

    Raises:
        GraphQLError: it exceeds a limit.
    """
    meter = _DocumentMeter(ast, limits.query_depth)
    cost = _Cost()
    for definition in ast.definitions:
        if isinstance(definition, OperationDefinitionNode):
            cost.directives += len(definition.directives or ())
            cost.directives += sum(len(v.directives or ()) for v in definition.variable_definitions or ())
            cost.add(meter.measure(definition.selection_set, 1))
        elif isinstance(definition, FragmentDefinitionNode):
            # Unused fragments are measured, too.
            cost.directives += len(definition.directives or ())
            meter.fragment(definition.name.value, 0)
    for count, most, what in (
        (cost.fields, limits.query_fields, "fields"),
        (cost.aliases, limits.query_aliases, "aliases"),
        (cost.directives, limits.query_directives, "directives"),
    ):
        if count > most:
            raise GraphQLError(f"The document has more than {most} {what}, fragments included.")


@dataclass(slots=True)
class _Cost:
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0

    def add(self, other: _Cost) -> None:
        self.fields += other.fields
        self.aliases += other.aliases
        self.directives += other.directives
        self.depth = max(self.depth, other.depth)


# A fragment that contains itself, or an unknown one: validation reports both.
_NOTHING: Final = _Cost()


class _DocumentMeter:
    def __init__(self, ast: DocumentNode, max_depth: int) -> None:
        self._max_depth = max_depth
        self._definitions = {
            definition.name.value: definition
            for definition in ast.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._fragments: dict[str, _Cost] = {}

    def measure(self, selection_set: SelectionSetNode, depth: int) -> _Cost:
        """Returns the cost of a selection set at a depth of the document."""
        self._check_depth(depth)
        cost = _Cost(depth=1)
        for node in selection_set.selections:
            cost.directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                cost.fields += 1
                cost.aliases += node.alias is not None
            inner = self._inner(node, depth)
            cost.add(inner)
            cost.depth = max(cost.depth, inner.depth + 1)
        return cost

    def fragment(self, name: str, depth: int) -> _Cost:
        """Returns the cost of a fragment that is spread at a depth of the document."""
        known = self._fragments.get(name)
        if known is None:
            definition = self._definitions.get(name)
            if definition is None:
                return _NOTHING
            self._fragments[name] = _NOTHING
            known = self._fragments[name] = self.measure(definition.selection_set, depth + 1)
        self._check_depth(depth + known.depth)
        return known

    def _inner(self, node: SelectionNode, depth: int) -> _Cost:
        if isinstance(node, FragmentSpreadNode):
            return self.fragment(node.name.value, depth)
        inner = cast("FieldNode | InlineFragmentNode", node).selection_set
        return self.measure(inner, depth + 1) if inner is not None else _NOTHING

    def _check_depth(self, depth: int) -> None:
        if depth > self._max_depth:
            raise GraphQLError(f"The document is nested deeper than {self._max_depth} levels.")
