"""The GraphQL schema of CopilotRuntime 1.10.6, with `@defer` and `@stream` as its server announces them."""

from __future__ import annotations

from typing import Any, Protocol

import strawberry
from graphql import (
    DirectiveLocation,
    GraphQLDeferDirective,
    GraphQLDeprecatedDirective,
    GraphQLDirective,
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
    return schema


SCHEMA = _build_schema()
"""The one schema. It is built at import, and never changes."""
