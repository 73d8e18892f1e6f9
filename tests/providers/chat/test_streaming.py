"""The model's answer as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.chat import ChatProvider
from copilotkit_runtime_py.providers.resolve import as_provider
from tests.providers.chat.scripted import ScriptedModel, asks, calls, show
from tests.providers.emitted import collect, text_of

pytestmark = pytest.mark.anyio


async def answered(model: BaseChatModel) -> list[dict[str, Any]]:
    """Returns the events of an answer, `m` in the place of the message's id."""
    events = await collect(ChatProvider(model), asks())
    id = events[0]["messageId"].removesuffix("-reasoning")
    return [
        {name: value.replace(id, "m") if isinstance(value, str) else value for name, value in event.items()}
        for event in events
    ]


async def emitted(*chunks: AIMessageChunk | str) -> list[Event]:
    return await answered(ScriptedModel(chunks=chunks))


def content(*blocks: dict[str, Any], **fields: Any) -> AIMessageChunk:
    return AIMessageChunk(content=list(blocks), **fields)


def text_events(*deltas: str) -> list[Event]:
    return [
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": delta} for delta in deltas),
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
    ]


def call_events(id: str, name: str, *deltas: str) -> list[Event]:
    return [
        {"type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": name, "parentMessageId": "m"},
        *({"type": "TOOL_CALL_ARGS", "toolCallId": id, "delta": delta} for delta in deltas),
        {"type": "TOOL_CALL_END", "toolCallId": id},
    ]


def reasoning_events(*deltas: str) -> list[Event]:
    id = "m-reasoning"
    return [
        {"type": "REASONING_START", "messageId": id},
        {"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"},
        *({"type": "REASONING_MESSAGE_CONTENT", "messageId": id, "delta": delta} for delta in deltas),
        {"type": "REASONING_MESSAGE_END", "messageId": id},
        {"type": "REASONING_END", "messageId": id},
    ]


async def test_text_streams() -> None:
    assert await emitted("Hel", "", "lo") == text_events("Hel", "lo")


async def test_a_tool_call_streams_behind_the_text() -> None:
    assert await emitted("Sure.", *calls("c1", "f", '{"a"', ":1}")) == [
        *text_events("Sure."),
        *call_events("c1", "f", '{"a"', ":1}"),
    ]


async def test_text_in_blocks_streams_whatever_ids_the_vendor_gives() -> None:
    blocks = [{"type": "text", "text": "Hel", "index": 0}, {"type": "text", "text": "lo", "index": 0}]
    assert await emitted(content(blocks[0], id="resp_1"), content(blocks[1], id="msg_1")) == text_events(
        "Hel", "lo"
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "Hm.", "index": 0},
        {"type": "reasoning", "reasoning": "Hm.", "index": 0},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "index": 0},
    ],
    ids=["anthropic", "standard", "responses"],
)
async def test_reasoning_streams_before_the_answer(block: dict[str, Any]) -> None:
    answer = content({"type": "text", "text": "Yes.", "index": 1})
    assert await emitted(content(block), answer) == [*reasoning_events("Hm."), *text_events("Yes.")]


async def test_reasoning_beside_the_content_streams_too() -> None:
    thought = AIMessageChunk(content="", additional_kwargs={"reasoning_content": "Hm."})
    assert await emitted(thought, "Yes.") == [*reasoning_events("Hm."), *text_events("Yes.")]


class WholeModel(BaseChatModel):
    """A model that cannot stream."""

    @property
    def _llm_type(self) -> str:
        return "whole"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        call = {"name": "f", "args": {"a": 1}, "id": "c1"}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Sure.", tool_calls=[call]))])


async def test_a_model_that_cannot_stream_answers_at_once() -> None:
    assert await answered(WholeModel()) == [*text_events("Sure."), *call_events("c1", "f", '{"a":1}')]


async def test_a_chat_model_can_be_registered_as_it_is() -> None:
    assert text_of(await collect(as_provider(ScriptedModel(chunks=["Hi."])), asks())) == "Hi."


async def test_a_model_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ChatProvider("anthropic:claude-scripted")
    with pytest.raises(Exception, match="OPENAI_API_KEY"):
        ChatProvider("openai:gpt-scripted")


async def test_every_answer_has_an_id_of_its_own() -> None:
    provider = ChatProvider(ScriptedModel())
    ids = [(await collect(provider, asks()))[0]["messageId"] for _ in range(2)]
    assert ids[0] != ids[1]


SECRET = "Incorrect API key provided: sk-secret"


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (ContextOverflowError, "The conversation is too long for the model.", "CONTEXT_OVERFLOW"),
        (
            ModelAuthenticationError,
            "The model's vendor does not accept the server's credentials.",
            "MODEL_AUTHENTICATION",
        ),
        (
            ModelPermissionDeniedError,
            "The model's vendor does not accept the server's credentials.",
            "MODEL_AUTHENTICATION",
        ),
        (ModelNotFoundError, "The model's vendor does not know the model.", "MODEL_NOT_FOUND"),
        (ModelRateLimitError, "The model is busy. Please try again in a moment.", "MODEL_RATE_LIMIT"),
        (ModelTimeoutError, "The model took too long to answer.", "MODEL_TIMEOUT"),
        (ModelConnectionError, "The model cannot be reached. Please try again.", "MODEL_UNREACHABLE"),
        (ModelAPIError, "The model's vendor failed to answer. Please try again.", "MODEL_FAILED"),
    ],
)
async def test_the_client_is_told_what_is_wrong_in_our_words(
    error: type[ModelError], message: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AgentError) as told:
        await emitted_of([error(SECRET)])
    assert (told.value.message, told.value.agent_code) == (message, code)
    assert SECRET in caplog.text


@pytest.mark.parametrize("error", [ModelInvalidRequestError(SECRET), ValueError(SECRET)], ids=type)
async def test_other_errors_are_the_runtimes_to_mask(error: Exception) -> None:
    with pytest.raises(type(error)):
        await emitted_of([error])


async def emitted_of(chunks: Sequence[AIMessageChunk | str | Exception]) -> list[Event]:
    return await collect(ChatProvider(ScriptedModel(chunks=chunks)), asks())


async def test_what_came_before_an_error_is_not_lost() -> None:
    events: list[Event] = []
    provider = ChatProvider(ScriptedModel(chunks=["par", "tial", ModelAPIError("x")]))
    with pytest.raises(AgentError):
        await show(events, provider, asks())
    assert text_of(events) == "partial"
