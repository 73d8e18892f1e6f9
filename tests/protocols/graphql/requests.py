"""Short ways to make the inputs of the GraphQL contract."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from copilotkit_runtime_py.protocols.graphql.inputs import (
    ActionExecutionMessageInput,
    ActionInput,
    AgentStateMessageInput,
    FrontendInput,
    GenerateCopilotResponseInput,
    GenerateCopilotResponseMetadataInput,
    ImageMessageInput,
    MessageInput,
    ResultMessageInput,
    TextMessageInput,
)
from copilotkit_runtime_py.protocols.graphql.types import MessageRole

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def request(*messages: MessageInput, actions: list[ActionInput] | None = None, **fields: Any) -> Any:
    """A request for an answer, as small as a client may make it."""
    return GenerateCopilotResponseInput(
        metadata=GenerateCopilotResponseMetadataInput(),
        messages=list(messages),
        frontend=FrontendInput(actions=actions or []),
        **fields,
    )


def message(id: str, **kinds: Any) -> MessageInput:
    return MessageInput(id=id, created_at=NOON, **kinds)


def text(content: str = "hi", role: str = "user") -> TextMessageInput:
    return TextMessageInput(content=content, role=MessageRole(role))


def call(name: str = "f", arguments: str = "{}", **fields: Any) -> ActionExecutionMessageInput:
    return ActionExecutionMessageInput(name=name, arguments=arguments, **fields)


def result(call_id: str, content: str = "done", name: str = "f") -> ResultMessageInput:
    return ResultMessageInput(action_execution_id=call_id, action_name=name, result=content)


def image(format: str = "png", data: str = "aGk=", role: str = "user") -> ImageMessageInput:
    return ImageMessageInput(format=format, bytes=data, role=MessageRole(role))


def agent_state(state: str = "{}") -> AgentStateMessageInput:
    return AgentStateMessageInput(
        thread_id="t1",
        agent_name="a",
        role=MessageRole.assistant,
        state=state,
        running=False,
        node_name="",
        run_id="r",
        active=False,
    )


def action(name: str, schema: str = '{"type":"object"}', **fields: Any) -> ActionInput:
    return ActionInput(name=name, description=f"does {name}", json_schema=schema, **fields)
