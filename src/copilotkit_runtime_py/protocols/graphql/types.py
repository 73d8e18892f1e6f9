"""The output types of the GraphQL contract.

Values that grow are `LiveList`s, values that come late are `Deferred`s; everything else is set at
construction, by snake_case keyword arguments. Names, descriptions and defaults are those of CopilotRuntime
1.10.6 (`contract/schema.graphql`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import strawberry

from .executor.live import Deferred, LiveList
from .scalars import JSON


@strawberry.enum(description="The role of the message")
class MessageRole(StrEnum):
    """Who a message is from."""

    user = "user"
    assistant = "assistant"
    system = "system"
    tool = "tool"
    developer = "developer"


@strawberry.enum
class MessageStatusCode(StrEnum):
    """How far a message is."""

    Pending = "Pending"
    Success = "Success"
    Failed = "Failed"


@strawberry.enum
class ResponseStatusCode(StrEnum):
    """How far a response is."""

    Pending = "Pending"
    Success = "Success"
    Failed = "Failed"


@strawberry.enum
class FailedResponseStatusReason(StrEnum):
    """Why a response failed."""

    GUARDRAILS_VALIDATION_FAILED = "GUARDRAILS_VALIDATION_FAILED"
    MESSAGE_STREAM_INTERRUPTED = "MESSAGE_STREAM_INTERRUPTED"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"


@strawberry.enum(description="Meta event types")
class MetaEventName(StrEnum):
    """Which meta event."""

    LangGraphInterruptEvent = "LangGraphInterruptEvent"
    CopilotKitLangGraphInterruptEvent = "CopilotKitLangGraphInterruptEvent"


@strawberry.type
class PendingMessageStatus:
    """The message is not complete."""

    code: MessageStatusCode = MessageStatusCode.Pending


@strawberry.type
class SuccessMessageStatus:
    """The message is complete."""

    code: MessageStatusCode = MessageStatusCode.Success


@strawberry.type
class FailedMessageStatus:
    """The message will not be completed."""

    code: MessageStatusCode = MessageStatusCode.Failed
    reason: str


MessageStatus = Annotated[
    PendingMessageStatus | SuccessMessageStatus | FailedMessageStatus, strawberry.union("MessageStatus")
]


def _now() -> datetime:
    return datetime.now(UTC)


@strawberry.interface
class BaseMessageOutput:
    """What all messages have."""

    id: str
    created_at: datetime = strawberry.field(default_factory=_now)
    status: Deferred[PendingMessageStatus | SuccessMessageStatus | FailedMessageStatus] = strawberry.field(
        default_factory=Deferred, graphql_type=MessageStatus
    )


@strawberry.type
class TextMessageOutput(BaseMessageOutput):
    """A text, in chunks."""

    role: MessageRole
    content: LiveList[str] = strawberry.field(default_factory=LiveList, graphql_type=list[str])
    parent_message_id: str | None = None


@strawberry.type
class ActionExecutionMessageOutput(BaseMessageOutput):
    """A call of an action; its arguments are a JSON text, in chunks."""

    name: str
    scope: str | None = strawberry.field(
        default=None, deprecation_reason="This field will be removed in a future version"
    )
    arguments: LiveList[str] = strawberry.field(default_factory=LiveList, graphql_type=list[str])
    parent_message_id: str | None = None


@strawberry.type
class ResultMessageOutput(BaseMessageOutput):
    """What an action returned."""

    action_execution_id: str
    action_name: str
    result: str


@strawberry.type
class AgentStateMessageOutput(BaseMessageOutput):
    """The state of an agent, as a JSON text."""

    thread_id: str
    agent_name: str
    node_name: str
    run_id: str
    active: bool
    role: MessageRole
    state: str
    running: bool


@strawberry.type
class ImageMessageOutput(BaseMessageOutput):
    """An image, in base64."""

    format: str
    bytes: str
    role: MessageRole
    parent_message_id: str | None = None


@strawberry.interface
class BaseMetaEvent:
    """What all meta events have."""

    type: str = "MetaEvent"
    name: MetaEventName


@strawberry.type
class LangGraphInterruptEvent(BaseMetaEvent):
    """An agent waits for an answer."""

    name: MetaEventName = MetaEventName.LangGraphInterruptEvent
    value: str
    response: str | None = None


@strawberry.type
class CopilotKitLangGraphInterruptEventData:
    """What an agent asks, with the messages that it shows for it."""

    value: str
    messages: list[BaseMessageOutput]


@strawberry.type
class CopilotKitLangGraphInterruptEvent(BaseMetaEvent):
    """An agent waits for an answer, and shows messages for it."""

    name: MetaEventName = MetaEventName.CopilotKitLangGraphInterruptEvent
    data: CopilotKitLangGraphInterruptEventData
    response: str | None = None


@strawberry.interface
class BaseResponseStatus:
    """What all response statuses have."""

    code: ResponseStatusCode


@strawberry.type
class PendingResponseStatus(BaseResponseStatus):
    """The response is not complete."""

    code: ResponseStatusCode = ResponseStatusCode.Pending


@strawberry.type
class SuccessResponseStatus(BaseResponseStatus):
    """The response is complete."""

    code: ResponseStatusCode = ResponseStatusCode.Success


@strawberry.type
class FailedResponseStatus(BaseResponseStatus):
    """The response will not be completed."""

    code: ResponseStatusCode = ResponseStatusCode.Failed
    reason: FailedResponseStatusReason
    details: JSON | None = None


ResponseStatus = Annotated[
    PendingResponseStatus | SuccessResponseStatus | FailedResponseStatus, strawberry.union("ResponseStatus")
]


@strawberry.type(name="OpenAIApiAssistantAPIResponse")
class OpenAIApiAssistantAPIResponse:
    """Where an OpenAI assistant keeps the conversation."""

    run_id: str | None = None
    thread_id: str | None = None


@strawberry.type
class ExtensionsResponse:
    """What an adapter says besides the messages."""

    openai_assistant_api: OpenAIApiAssistantAPIResponse | None = strawberry.field(
        default=None, name="openaiAssistantAPI"
    )


@strawberry.type
class CopilotResponse:
    """The answer to one request, while it is made."""

    thread_id: str
    status: Deferred[PendingResponseStatus | SuccessResponseStatus | FailedResponseStatus] = strawberry.field(
        default_factory=Deferred, graphql_type=ResponseStatus
    )
    run_id: str | None = None
    messages: LiveList[BaseMessageOutput] = strawberry.field(
        default_factory=LiveList, graphql_type=list[BaseMessageOutput]
    )
    extensions: ExtensionsResponse | None = None
    meta_events: LiveList[BaseMetaEvent] = strawberry.field(
        default_factory=LiveList, graphql_type=list[BaseMetaEvent] | None
    )


@strawberry.type
class Agent:
    """An agent that the frontend may name."""

    id: str
    name: str
    description: str


@strawberry.type
class AgentsResponse:
    """The agents that the frontend may name."""

    agents: list[Agent]


@strawberry.type
class LoadAgentStateResponse:
    """What an agent last knew of a thread; state and messages are JSON texts."""

    thread_id: str
    thread_exists: bool
    state: str
    messages: str


UNREFERENCED_TYPES: list[Any] = [
    TextMessageOutput,
    ActionExecutionMessageOutput,
    ResultMessageOutput,
    AgentStateMessageOutput,
    ImageMessageOutput,
    LangGraphInterruptEvent,
    CopilotKitLangGraphInterruptEvent,
]
"""Types that the schema reaches only through an interface."""
