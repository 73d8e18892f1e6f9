"""Query documents: parsed and validated once, and bound to the variables of a request.

The texts of errors are those of graphql-js 16, which CopilotKit's clients were written against, where
graphql-core's differ in quotes only or where a client's user sees them (variables).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.execution import VariableValues

from ....limits import Limits
from ..limits import check_document
from ..variables import coerce_variables
from .plan import Planner, SelectionPlan

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"

_MAX_PLANS = 16
_CHARACTERS_PER_TOKEN = 32


class GraphQLRequestError(Exception):
    """A request cannot be executed.

    Attributes:
        errors: why, in the form that the client gets; `extensions["code"]` says what kind of failure it is.
    """

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(error.message for error in self.errors))


class Operation:
    """An operation with the variables of one request.

    Attributes:
        node: its definition.
        is_mutation: whether it is a mutation (else it is a query).
        is_incremental: whether it has an active `@defer` or `@stream`.
        variables: the coerced variables.
    """

    def __init__(self, document: Document, node: OperationDefinitionNode, variables: VariableValues) -> None:
        self.schema = document.schema
        self.fragments = document.fragments
        self.node = node
        self.variables = variables
        self.is_mutation = node.operation is OperationType.MUTATION
        self._plan = document.plan(node, variables)
        self.is_incremental = self._plan.is_incremental

    def root_selection(self) -> SelectionPlan:
        """The selection of the operation on its root type.

        Raises:
            GraphQLError: a directive's arguments are wrong.
        """
        return self._plan.root_selection


class _OperationPlan:
    """The selection of an operation, for one set of directive arguments."""

    def __init__(self, planner: Planner, root_type: GraphQLObjectType, node: OperationDefinitionNode) -> None:
        self.is_incremental = planner.is_incremental(node.selection_set, set())
        self.root_selection = planner.collect(root_type, [node.selection_set])


class Document:
    """A parsed and valid document.

    Args:
        schema: what it is valid against.
        ast: the parsed document.
        suggestions: errors may say what else the client may have meant.
    """

    def __init__(self, schema: GraphQLSchema, ast: DocumentNode, *, suggestions: bool = True) -> None:
        self.schema = schema
        self._suggestions = suggestions
        self.fragments: dict[str, FragmentDefinitionNode] = {}
        self._operations: list[OperationDefinitionNode] = []
        for definition in ast.definitions:
            if isinstance(definition, FragmentDefinitionNode):
                self.fragments[definition.name.value] = definition
            elif isinstance(definition, OperationDefinitionNode):
                self._operations.append(definition)
        self._directive_variables = _directive_variables(ast)
        self._plans: dict[tuple[Any, ...], _OperationPlan] = {}

    def operation(self, name: str | None, variables: Mapping[str, Any] | None) -> Operation:
        """Selects an operation and coerces its variables.

        Raises:
            GraphQLRequestError: there is no such operation, or a variable is wrong.
        """
        node = self._select(name)
        values = coerce_variables(self.schema, node, variables or {}, suggestions=self._suggestions)
        if isinstance(values, list):
            raise GraphQLRequestError(values)
        try:
            return Operation(self, node, values)
        except GraphQLError as error:
            raise GraphQLRequestError([error]) from error

    def _select(self, name: str | None) -> OperationDefinitionNode:
        found = [node for node in self._operations if name is None or (node.name and node.name.value == name)]
        if len(found) != 1:
            raise GraphQLRequestError(
                [
                    GraphQLError(
                        "Could not determine what operation to execute.",
                        extensions={"code": OPERATION_RESOLUTION_FAILURE},
                    )
                ]
            )
        return found[0]

    def plan(self, node: OperationDefinitionNode, variables: VariableValues) -> _OperationPlan:
        """The plan of an operation, cached for requests that give directives the same arguments."""
        names = self._directive_variables
        known = {name: variables.coerced[name] for name in names if name in variables.coerced}
        key = (id(node), *known.items())
        plan = self._plans.get(key)
        if plan is None:
            root_type = self.schema.get_root_type(node.operation)
            if root_type is None:
                kind = node.operation.value
                raise GraphQLError(f"Schema is not configured to execute {kind} operation.", node)
            sources = {name: variables.sources[name] for name in names if name in variables.sources}
            planner = Planner(self.schema, self.fragments, VariableValues(sources, known))
            plan = _OperationPlan(planner, root_type, node)
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            self._plans[key] = plan
        return plan


class DocumentCache:
    """Parses and validates documents, and caches the latest.

    Args:
        schema: what documents are validated against.
        limits: what a document may select; the defaults unless given.
        introspection: documents may ask for the schema, and errors suggest names of it.
        max_documents: how many are cached.
        max_characters: the most characters of all cached documents. A single one is cached if it
            takes no more than a sixteenth of that.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        limits: Limits | None = None,
        introspection: bool = True,
        max_documents: int = 256,
        max_characters: int = 1_000_000,
    ) -> None:
        self.schema = schema
        self._limits = limits or Limits()
        self._introspection = introspection
        self._rules = (*specified_rules, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
        self._max_documents = max_documents
        self._max_characters = max_characters
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def document(self, text: str) -> Document:
        """Returns the document of a query string.

        Raises:
            GraphQLRequestError: it does not parse, or is not valid.
        """
        document = self._documents.get(text)
        if document is not None:
            self._documents.move_to_end(text)
            return document
        document = Document(self.schema, self._parse(text), suggestions=self._introspection)
        if len(text) <= self._max_characters // 16:
            self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        self._documents[text] = document
        self._characters += len(text)
        while len(self._documents) > self._max_documents or self._characters > self._max_characters:
            evicted, _ = self._documents.popitem(last=False)
            self._characters -= len(evicted)

    def _parse(self, text: str) -> DocumentNode:
        tokens = self._limits.query_tokens
        try:
            ast = parse(
                text,
                max_lexical_tokens=tokens,
                max_comments=tokens,
                max_source_length=_CHARACTERS_PER_TOKEN * tokens,
            )
        except GraphQLSyntaxError as error:
            raise GraphQLRequestError([_with_code(error, PARSE_FAILED)]) from None
        try:
            check_document(ast, self._limits)
        except GraphQLError as error:
            raise GraphQLRequestError([_with_code(error, VALIDATION_FAILED)]) from None
        errors = validate(self.schema, ast, self._rules, hide_suggestions=not self._introspection)
        if errors:
            raise GraphQLRequestError(_with_code(error, VALIDATION_FAILED) for error in errors)
        return ast


def _with_code(error: GraphQLError, code: str) -> GraphQLError:
    return GraphQLError(
        re.sub(r"'([^']*)'", r'"\1"', error.message),
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        extensions={"code": code},
    )


class _VariableFinder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        self.names.update(
            argument.value.name.value
            for argument in node.arguments or ()
            if isinstance(argument.value, VariableNode)
        )


def _directive_variables(ast: DocumentNode) -> list[str]:
    """The variables in directives: besides the document, a plan depends on nothing else."""
    finder = _VariableFinder()
    visit(ast, finder)
    return sorted(finder.names)
