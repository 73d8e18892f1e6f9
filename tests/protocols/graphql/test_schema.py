from pathlib import Path

from graphql import (
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    lexicographic_sort_schema,
    parse,
    print_schema,
    validate,
)

import copilotkit_runtime_py.protocols.graphql as package
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA

CONTRACT = Path(package.__path__[0]) / "contract"


def printed(schema: GraphQLSchema) -> str:
    return print_schema(lexicographic_sort_schema(schema))


def test_the_schema_is_the_frozen_one() -> None:
    frozen = build_schema((CONTRACT / "schema.graphql").read_text())

    assert printed(SCHEMA) == printed(frozen)


def test_the_operations_of_the_clients_are_valid() -> None:
    document = parse((CONTRACT / "operations.graphql").read_text())

    names = [
        definition.name.value
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode) and definition.name
    ]
    assert validate(SCHEMA, document) == []
    assert sorted(names) == ["availableAgents", "generateCopilotResponse", "loadAgentState"]
