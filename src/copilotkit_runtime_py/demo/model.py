"""A chat model that follows a script: deterministic answers, streamed word by word."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

WELCOME = (
    "Hello! I am the demo agent. I follow a script, so no API key is needed. Try one of these:\n\n"
    "- **weather in Paris**: I call a tool on the server\n"
    "- **make the page green**: I call a tool in your page\n"
    "- **add milk to my list**: I change the state that we share\n"
    "- **book a table for two**: I ask you before I act\n"
    "- **tell me a long story**: time enough to press stop"
)

STORY = (
    "Once upon a time there was a small server at the edge of a large network. All day long it carried "
    "words from one side to the other, and it took great care never to drop one. At night, when the cables "
    "were quiet, it counted the words it had carried and wondered where they went. One evening a message "
    "came that had no end. It arrived one word at a time, patient as rain, and the server passed each word "
    "on as soon as it had it. The people on the other side leaned in to read. Some laughed, some waited, and "
    "one of them raised a hand as if to say: enough. The server saw the hand, stopped in the middle of a "
    "sentence, and was ready for the next question. From then on it knew that carrying words well also "
    "means to know when to stop."
)

SUGGESTIONS = (
    ("Weather in Paris", "What is the weather in Paris?"),
    ("Add milk to my list", "Please add milk to my list"),
    ("Book a table", "Book a table for two"),
)

_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}


class ScriptedChatModel(BaseChatModel):
    """Answers by keyword, and calls the tools that it was given.

    Attributes:
        delay: seconds between two tokens.
        tools: the tools bound to the model, in OpenAI's format.
    """

    delay: float = 0.03
    tools: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Returns a copy of the model that may call these tools."""
        return self.model_copy(update={"tools": [convert_to_openai_tool(tool) for tool in tools]})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(self._answer(messages)):
            await asyncio.sleep(self.delay)
            generation = ChatGenerationChunk(message=chunk)
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(chunk.content), chunk=generation)
            yield generation

    def _answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            return AIMessage(_after_tool(last))
        if any(tool["function"]["name"] == "copilotkitSuggest" for tool in self.tools):
            suggestions = [{"title": title, "message": message} for title, message in SUGGESTIONS]
            return _call("copilotkitSuggest", suggestions=suggestions)
        asked = next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "")
        return self._reply(asked.lower())

    def _reply(self, asked: str) -> AIMessage:
        if "weather" in asked:
            place = re.search(r"\bin ([\w\s'-]+)", asked)
            return _call("get_weather", location=(place[1] if place else "Paris").strip().title())
        if item := re.search(r"\badd (.+?) to (?:my|the|our) (?:shopping )?list", asked):
            return _call("add_item", item=item[1])
        if re.search(r"\bbook\b.*\btable\b|\breserve\b", asked):
            return _call("book_table", people=_count(asked))
        if (colour := re.search(r"(?:make|turn|paint|set)\b.*\b(\w+)\W*$", asked)) and "list" not in asked:
            return self._frontend_call(colour[1])
        return AIMessage(STORY if "story" in asked else WELCOME)

    def _frontend_call(self, colour: str) -> AIMessage:
        """Calls the page's tool that has to do with colour, with the colour as its first argument."""
        for tool in (tool["function"] for tool in self.tools):
            if re.search("colou?r|background|theme", tool["name"], re.IGNORECASE):
                argument = next(iter(tool.get("parameters", {}).get("properties", {})), "color")
                return _call(tool["name"], **{argument: colour})
        return AIMessage("Your page has given me no tool to change its colour.")


def _call(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"id": f"call_{uuid.uuid4().hex}", "name": name, "args": args}])


def _after_tool(result: ToolMessage) -> str:
    if result.name in ("get_weather", "add_item", "book_table"):
        return result.text
    return f"Done. Your page answered: {result.text}" if result.text else "Done."


def _count(asked: str) -> int:
    number = re.search(r"\d+", asked)
    return int(number[0]) if number else next((n for word, n in _NUMBERS.items() if word in asked), 2)


def _chunks(answer: AIMessage) -> list[AIMessageChunk]:
    chunks = [AIMessageChunk(content=word) for word in re.findall(r"\S+\s*", str(answer.content))]
    for index, call in enumerate(answer.tool_calls):
        args = json.dumps(call["args"])
        first = tool_call_chunk(name=call["name"], id=call["id"], args="", index=index)
        rest = (tool_call_chunk(args=args[i : i + 8], index=index) for i in range(0, len(args), 8))
        chunks += [AIMessageChunk(content="", tool_call_chunks=[part]) for part in (first, *rest)]
    return chunks
