"""The input types of the GraphQL contract.

An optional field that the client left out is `strawberry.UNSET`, which is falsy.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry
from strawberry import UNSET

from .types import MessageRole, MetaEventName


@strawberry.enum(description="The type of Copilot request")
class CopilotRequestType(StrEnum):
    """What the frontend wants the answer for."""

    Chat = "Chat"
    Task = "Task"
    TextareaCompletion = "TextareaCompletion"
    TextareaPopover = "TextareaPopover"
    Suggestion = "Suggestion"


@strawberry.enum(description="The availability of the frontend action")
class ActionInputAvailability(StrEnum):
    """Who may call a frontend action."""

    disabled = "disabled"
    enabled = "enabled"
    remote = "remote"


@strawberry.input
class LoadAgentStateInput:
    """Which agent, which thread."""

    thread_id: str
    agent_name: str


@strawberry.input
class GenerateCopilotResponseMetadataInput:
    """What the request is for."""

    request_type: CopilotRequestType | None = UNSET


@strawberry.input
class TextMessageInput:
    """A text."""

    content: str
    parent_message_id: str | None = UNSET
    role: MessageRole


@strawberry.input
class ActionExecutionMessageInput:
    """A call of an action; the arguments are a JSON text."""

    name: str
    arguments: str
    parent_message_id: str | None = UNSET
    scope: str | None = strawberry.field(
        default=UNSET, deprecation_reason="This field will be removed in a future version"
    )


@strawberry.input
class ResultMessageInput:
    """What an action returned."""

    action_execution_id: str
    action_name: str
    parent_message_id: str | None = UNSET
    result: str


@strawberry.input
class AgentStateMessageInput:
    """The state of an agent, as a JSON text."""

    thread_id: str
    agent_name: str
    role: MessageRole
    state: str
    running: bool
    node_name: str
    run_id: str
    active: bool


@strawberry.input
class ImageMessageInput:
    """An image, in base64."""

    format: str
    bytes: str
    parent_message_id: str | None = UNSET
    role: MessageRole


@strawberry.input
class MessageInput:
    """A message: one of its kinds is given."""

    id: str
    created_at: datetime
    text_message: TextMessageInput | None = UNSET
    action_execution_message: ActionExecutionMessageInput | None = UNSET
    result_message: ResultMessageInput | None = UNSET
    agent_state_message: AgentStateMessageInput | None = UNSET
    image_message: ImageMessageInput | None = UNSET


@strawberry.input
class ActionInput:
    """An action that the frontend can do; the schema of its parameters is a JSON text."""

    name: str
    description: str
    json_schema: str
    available: ActionInputAvailability | None = UNSET


@strawberry.input
class FrontendInput:
    """What the frontend is and can do."""

    to_deprecate_full_context: str | None = strawberry.field(default=UNSET, name="toDeprecate_fullContext")
    actions: list[ActionInput]
    url: str | None = UNSET


@strawberry.input
class GuardrailsRuleInput:
    """Topics that a user may, or may not, talk about."""

    allow_list: list[str] | None = strawberry.field(default_factory=list)
    deny_list: list[str] | None = strawberry.field(default_factory=list)


@strawberry.input
class GuardrailsInput:
    """The rules for what the user says."""

    input_validation_rules: GuardrailsRuleInput


@strawberry.input
class CloudInput:
    """What CopilotKit Cloud does for the request."""

    guardrails: GuardrailsInput | None = UNSET


@strawberry.input
class ForwardedParametersInput:
    """Parameters for the model."""

    model: str | None = UNSET
    max_tokens: float | None = UNSET
    stop: list[str] | None = UNSET
    tool_choice: str | None = UNSET
    tool_choice_function_name: str | None = UNSET
    temperature: float | None = UNSET


@strawberry.input
class AgentSessionInput:
    """Which agent answers."""

    agent_name: str
    thread_id: str | None = UNSET
    node_name: str | None = UNSET


@strawberry.input
class AgentStateInput:
    """The frontend's state for an agent; state and configuration are JSON texts."""

    agent_name: str
    state: str
    config: str | None = UNSET


@strawberry.input(name="OpenAIApiAssistantAPIInput")
class OpenAIApiAssistantAPIInput:
    """Where an OpenAI assistant keeps the conversation."""

    run_id: str | None = UNSET
    thread_id: str | None = UNSET


@strawberry.input
class ExtensionsInput:
    """What an adapter said besides the messages, handed back."""

    openai_assistant_api: OpenAIApiAssistantAPIInput | None = strawberry.field(
        default=UNSET, name="openaiAssistantAPI"
    )


@strawberry.input
class MetaEventInput:
    """The answer to a meta event."""

    name: MetaEventName
    value: str
    response: str | None = UNSET
    messages: list[MessageInput] | None = UNSET


@strawberry.input
class CopilotContextInput:
    """Something that the frontend lets the agent read."""

    description: str
    value: str


@strawberry.input
class GenerateCopilotResponseInput:
    """One request for an answer."""

    metadata: GenerateCopilotResponseMetadataInput
    thread_id: str | None = UNSET
    run_id: str | None = UNSET
    messages: list[MessageInput]
    frontend: FrontendInput
    cloud: CloudInput | None = UNSET
    forwarded_parameters: ForwardedParametersInput | None = UNSET
    agent_session: AgentSessionInput | None = UNSET
    agent_state: AgentStateInput | None = UNSET
    agent_states: list[AgentStateInput] | None = UNSET
    extensions: ExtensionsInput | None = UNSET
    meta_events: list[MetaEventInput] | None = UNSET
    context: list[CopilotContextInput] | None = UNSET
