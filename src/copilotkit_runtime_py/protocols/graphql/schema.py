"""The GraphQL schema of CopilotRuntime 1.10.6, with `@defer` and `@stream` as its server announces them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Protocol

import strawberry
from graphql import (
    DirectiveLocation,
    GraphQLDeferDirective,
    GraphQLDeprecatedDirective,
    GraphQLDirective,
    GraphQLInputObjectType,
    GraphQLSchema,
    GraphQLStreamDirective,
    assert_valid_schema,
    specified_directives,
)
from strawberry import UNSET
from strawberry.schema.config import StrawberryConfig

from .inputs import GenerateCopilotResponseInput, LoadAgentStateInput
from .scalars import SCALAR_MAP, JSONObject
from .types import UNREFERENCED_TYPES, AgentsResponse, CopilotResponse, LoadAgentStateResponse


class Resolvers(Protocol):
    """What answers the root fields: the `context` of an execution is one of these."""

    async def hello(self) -> str:
        """Says that the server is there."""

    async def available_agents(self) -> AgentsResponse:
        """Lists the agents that the frontend may name."""

    async def load_agent_state(self, data: LoadAgentStateInput) -> LoadAgentStateResponse:
        """Returns what an agent last knew of a thread."""

    async def generate_copilot_response(
        self, data: GenerateCopilotResponseInput, properties: dict[str, Any] | None
    ) -> CopilotResponse:
        """Starts to answer, and returns the answer while it is made."""


_DEFINITION: Final = "strawberry-definition"

Info = strawberry.Info[Resolvers, None]


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field
    async def hello(self, info: Info) -> str:
        """Says that the server is there."""
        return await info.context.hello()

    @strawberry.field
    async def available_agents(self, info: Info) -> AgentsResponse:
        """Lists the agents that the frontend may name."""
        return await info.context.available_agents()

    @strawberry.field
    async def load_agent_state(self, info: Info, data: LoadAgentStateInput) -> LoadAgentStateResponse:
        """Returns what an agent last knew of a thread."""
        return await info.context.load_agent_state(data)


@strawberry.type
class Mutation:
    """The mutations."""

    @strawberry.field
    async def generate_copilot_response(
        self,
        info: Info,
        *,
        properties: JSONObject | None = UNSET,
        data: GenerateCopilotResponseInput,
    ) -> CopilotResponse:
        """Starts to answer, and returns the answer while it is made."""
        return await info.context.generate_copilot_response(data, properties or None)


def _directives() -> list[GraphQLDirective]:
    """The directives in the order and with the locations that graphql-js 16 reports."""
    deprecated = GraphQLDeprecatedDirective.to_kwargs()
    deprecated["locations"] = tuple(
        place for place in deprecated["locations"] if place is not DirectiveLocation.DIRECTIVE_DEFINITION
    )
    specified = [
        GraphQLDirective(**deprecated) if directive is GraphQLDeprecatedDirective else directive
        for directive in specified_directives
    ]
    return [*specified, GraphQLDeferDirective, GraphQLStreamDirective]


def _build_schema() -> GraphQLSchema:
    config = StrawberryConfig(scalar_map=SCALAR_MAP)
    built = strawberry.Schema(query=Query, mutation=Mutation, types=UNREFERENCED_TYPES, config=config)
    kwargs = built._schema.to_kwargs()
    kwargs["directives"] = tuple(_directives())
    schema = GraphQLSchema(**kwargs)
    assert_valid_schema(schema)
    _coerce_to_instances(schema)
    _resolve_directly(schema)
    return schema


def _coerce_to_instances(schema: GraphQLSchema) -> None:
    """Has input objects coerced to instances of their classes.

    Strawberry would make them of dicts in the resolver, at twice the cost of the coercion.
    """
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            for field in type_.fields.values():
                field.out_name = field.extensions[_DEFINITION].python_name
            type_.out_type = partial(_instance, type_.extensions[_DEFINITION].origin)  # type: ignore[method-assign]


def _instance(cls: type, fields: dict[str, Any]) -> Any:
    return cls(**fields)


def _resolve_directly(schema: GraphQLSchema) -> None:
    """Has the root fields call the methods of `Query` and `Mutation` without Strawberry's wrapper."""
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        for field in root.fields.values():
            field.resolve = field.extensions[_DEFINITION].base_resolver.wrapped_func


SCHEMA = _build_schema()
"""The one schema. It is built at import, and never changes."""
