"""Resolvers whose answers the test holds in its hands."""

from __future__ import annotations

from typing import Any

from graphql import parse

from copilotkit_runtime_py.protocols.graphql.executor.document import Document, Operation
from copilotkit_runtime_py.protocols.graphql.inputs import GenerateCopilotResponseInput, LoadAgentStateInput
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA
from copilotkit_runtime_py.protocols.graphql.types import (
    Agent,
    AgentsResponse,
    CopilotResponse,
    LoadAgentStateResponse,
)

DATA = {"frontend": {"actions": []}, "messages": [], "metadata": {}}
"""The smallest valid input of the mutation."""


class OneResponse:
    """Resolvers that answer with a response that the test fills."""

    def __init__(self, response: CopilotResponse | None = None) -> None:
        self.response = response or CopilotResponse(thread_id="t")
        self.calls: list[Any] = []

    async def hello(self) -> str:
        return "Hello World"

    async def available_agents(self) -> AgentsResponse:
        return AgentsResponse(agents=[Agent(id=name, name=name, description="") for name in ("a", "b", "c")])

    async def load_agent_state(self, data: LoadAgentStateInput) -> LoadAgentStateResponse:
        self.calls.append(data)
        return LoadAgentStateResponse(
            thread_id=data.thread_id, thread_exists=False, state="{}", messages="[]"
        )

    async def generate_copilot_response(
        self, data: GenerateCopilotResponseInput, properties: dict[str, Any] | None
    ) -> CopilotResponse:
        self.calls.append((data, properties))
        return self.response


def operation(text: str, variables: dict[str, Any] | None = None) -> Operation:
    """The only operation of a document."""
    return Document(SCHEMA, parse(text)).operation(None, variables)


def selecting(selection: str, fragments: str = "") -> Operation:
    """The mutation, with that selection of the response."""
    text = (
        "mutation ($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) { %s } } %s"
    )
    return operation(text % (selection, fragments), {"data": DATA})
