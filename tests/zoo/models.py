"""Chat models that play a script, and what they say."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

Chunk: TypeAlias = str | AIMessageChunk
Script: TypeAlias = Callable[[list[BaseMessage]], Iterable[Chunk]]


class Brake:
    """Holds the models of the process after so many chunks, until their run is stopped."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self.release()

    def release(self) -> None:
        """Lets everything pass, and counts anew."""
        self.passed = 0
        self._limit = 0
        self.held = asyncio.Event()
        self._released.set()
        self._released = threading.Event()

    def hold_after(self, chunks: int) -> None:
        self.release()
        self._limit = chunks
        self._loop = asyncio.get_running_loop()

    async def pass_by(self) -> None:
        self.passed += 1
        if self.passed == self._limit:
            self.held.set()
            await asyncio.Event().wait()

    def pass_by_in_a_thread(self) -> None:
        """As `pass_by`, for a thread, which nothing can cancel: it is held until the brake is released."""
        released = self._released
        self.passed += 1
        if self.passed == self._limit:
            self._loop.call_soon_threadsafe(self.held.set)
            released.wait()


brake = Brake()


class Scripted(BaseChatModel):
    """A model that streams what its script returns for the messages of a call."""

    script: Script

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        marks = {name: kwargs[name] for name in ("ls_structured_output_format",) if name in kwargs}
        return self.bind(**marks) if marks else self

    def _chunks(self, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        for item in self.script(messages):
            message = AIMessageChunk(content=item) if isinstance(item, str) else item
            yield ChatGenerationChunk(message=message)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._chunks(messages))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages):
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages):
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
            await brake.pass_by()


def model(script: Script | Iterable[Chunk]) -> Scripted:
    """Returns a model with a script, or one that always says the same."""
    return Scripted(script=script if callable(script) else lambda messages: script)


def in_turn(*answers: Callable[[], Iterable[Chunk]] | Iterable[Chunk]) -> Scripted:
    """Returns a model that gives one answer after the other, and then the last one again and again."""
    rest = list(answers)

    def play(messages: list[BaseMessage]) -> Iterable[Chunk]:
        answer = rest.pop(0) if len(rest) > 1 else rest[0]
        return answer() if callable(answer) else answer

    return model(play)


def react(*calls: Callable[[], Iterable[Chunk]], then: str = "Done with it.") -> Scripted:
    """Returns a model that makes the calls when it is asked, and comments on their results."""

    def play(messages: list[BaseMessage]) -> Iterable[Chunk]:
        if isinstance(messages[-1], ToolMessage):
            return words(then)
        return [chunk for call in calls for chunk in call()]

    return model(play)


def words(text: str) -> list[str]:
    """Returns a text as a model streams it."""
    return [f"{word} " for word in text.split(" ")[:-1]] + [text.split(" ")[-1]]


def call(name: str, *, index: int = 0, id: str | None = None, **arguments: Any) -> list[AIMessageChunk]:
    """Returns the chunks of a tool call, with an id of its own, its arguments in two pieces."""
    text = json.dumps(arguments)
    parts = [
        tool_call_chunk(name=name, args="", id=id or f"call_{uuid.uuid4().hex}", index=index),
        tool_call_chunk(args=text[: len(text) // 2], index=index),
        tool_call_chunk(args=text[len(text) // 2 :], index=index),
    ]
    return [AIMessageChunk(content="", tool_call_chunks=[part]) for part in parts]


def calling(name: str, *, index: int = 0, **arguments: Any) -> Callable[[], list[AIMessageChunk]]:
    """Returns a function that makes such a call."""
    return lambda: call(name, index=index, **arguments)


def thoughts(text: str) -> list[AIMessageChunk]:
    """Returns reasoning as LangChain's standard blocks have it."""
    return [AIMessageChunk(content=[{"type": "reasoning", "reasoning": word}]) for word in words(text)]
