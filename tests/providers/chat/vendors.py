"""The streaming APIs of OpenAI (both) and Anthropic, as far as a chat needs them, for the scripted server."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpx
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.scripted_agent import ScriptedAgent, Step

KEY: Final = "sk-secret-0123456789"


@dataclass(frozen=True)
class Calls:
    """A tool call whose arguments arrive in pieces."""

    id: str
    name: str
    args: tuple[str, ...]


Part: TypeAlias = str | Calls | Step
"""A piece of an answer: text, a tool call, or any other step of the server, such as a gate."""


class Vendor(ABC):
    """One vendor's API on a scripted server.

    Attributes:
        name: the vendor's.
        path: where chats are posted to.
    """

    name: str
    path: str

    @abstractmethod
    def model(self, server: ScriptedAgent, **options: Any) -> BaseChatModel:
        """A model that asks the server instead of the vendor."""

    @abstractmethod
    def answer(self, *parts: Part) -> list[Step]:
        """The steps of an answer."""

    @abstractmethod
    def asked(self, body: dict[str, Any]) -> str:
        """The text of a request's last message."""

    def failure(self, status: int, message: str = "no", **headers: str) -> list[Step]:
        """The steps of a refusal."""
        error = {"type": "error", "error": {"type": "api_error", "message": message}}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return [{"http": {"status": status, "body": json.dumps(error), "headers": named}}]

    def __str__(self) -> str:
        return self.name


class OpenAI(Vendor):
    name = "openai"
    path = "openai/chat/completions"

    def model(self, server: ScriptedAgent, **options: Any) -> BaseChatModel:
        # A connection pool of its own: the default one outlives the test's event loop.
        return ChatOpenAI(
            model="gpt-scripted",
            base_url=server.url(self.path.partition("/")[0]),
            api_key=SecretStr(KEY),
            use_responses_api=self.path.endswith("responses"),
            http_async_client=httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0)),
            **options,
        )

    def answer(self, *parts: Part) -> list[Step]:
        return [*self._steps(parts), {"raw": "data: [DONE]\n\n"}]

    def _steps(self, parts: tuple[Part, ...]) -> Iterator[Step]:
        calls = 0
        for part in parts:
            if isinstance(part, str):
                yield _chunk({"content": part})
            elif isinstance(part, Calls):
                head = {"index": calls, "id": part.id, "type": "function"}
                yield _chunk({"tool_calls": [{**head, "function": {"name": part.name, "arguments": ""}}]})
                for delta in part.args:
                    yield _chunk({"tool_calls": [{"index": calls, "function": {"arguments": delta}}]})
                calls += 1
            else:
                yield part
        yield _chunk({}, finish_reason="tool_calls" if calls else "stop")

    def asked(self, body: dict[str, Any]) -> str:
        return str(body["messages"][-1]["content"])


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> Step:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-scripted"}
    return {"event": {**head, "choices": [choice]}}


class OpenAIResponses(OpenAI):
    name = "openai-responses"
    path = "openai/responses"

    def answer(self, *parts: Part) -> list[Step]:
        return list(self._steps(parts))

    def _steps(self, parts: tuple[Part, ...]) -> Iterator[Step]:
        response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-scripted"}
        made = {
            **response,
            "output": list[Any](),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        yield _named("response.created", response={**made, "status": "in_progress"})
        output, texting = -1, False
        for part in parts:
            if isinstance(part, str):
                if not texting:
                    output, texting = output + 1, True
                    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": list[Any]()}
                    yield _named("response.output_item.added", output_index=output, item=item)
                place = {"output_index": output, "content_index": 0, "item_id": "msg_1"}
                yield _named("response.output_text.delta", **place, delta=part)
            elif isinstance(part, Calls):
                output, texting = output + 1, False
                call = {"id": f"fc_{output}", "type": "function_call", "call_id": part.id, "name": part.name}
                item = {**call, "arguments": ""}
                yield _named("response.output_item.added", output_index=output, item=item)
                place = {"output_index": output, "item_id": call["id"]}
                for delta in part.args:
                    yield _named("response.function_call_arguments.delta", **place, delta=delta)
            else:
                yield part
        yield _named("response.completed", response={**made, "status": "completed"})

    def asked(self, body: dict[str, Any]) -> str:
        return str(body["input"][-1]["content"])


class Anthropic(Vendor):
    name = "anthropic"
    path = "anthropic/v1/messages"

    def model(self, server: ScriptedAgent, **options: Any) -> BaseChatModel:
        return ChatAnthropic(
            model_name="claude-scripted",
            base_url=server.url("anthropic"),
            api_key=SecretStr(KEY),
            **options,
        )

    def answer(self, *parts: Part) -> list[Step]:
        return list(self._steps(parts))

    def _steps(self, parts: tuple[Part, ...]) -> Iterator[Step]:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []}
        usage = {"input_tokens": 1, "output_tokens": 1}
        yield _named("message_start", message={**message, "stop_reason": None, "usage": usage})
        block, texting = -1, False
        for part in parts:
            if isinstance(part, str):
                if not texting:
                    block, texting = block + 1, True
                    start = {"type": "text", "text": ""}
                    yield _named("content_block_start", index=block, content_block=start)
                yield _named("content_block_delta", index=block, delta={"type": "text_delta", "text": part})
            elif isinstance(part, Calls):
                block, texting = block + 1, False
                call = {"type": "tool_use", "id": part.id, "name": part.name, "input": dict[str, Any]()}
                yield _named("content_block_start", index=block, content_block=call)
                for json_delta in part.args:
                    delta = {"type": "input_json_delta", "partial_json": json_delta}
                    yield _named("content_block_delta", index=block, delta=delta)
                yield _named("content_block_stop", index=block)
            else:
                yield part
        reason = "tool_use" if any(isinstance(part, Calls) for part in parts) else "end_turn"
        yield _named("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 1})
        yield _named("message_stop")

    def asked(self, body: dict[str, Any]) -> str:
        content = body["messages"][-1]["content"]
        return content if isinstance(content, str) else str(content[-1]["text"])


def _named(type: str, **fields: Any) -> Step:
    return {"raw": f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n"}


VENDORS: Final[tuple[Vendor, ...]] = (OpenAI(), OpenAIResponses(), Anthropic())
