"""The agents of the stored threads. They import nothing of the runtime, so that any version can run them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

LONG_ID = "call_" + "thought-signature-" * 100


class Model(BaseChatModel):
    """Streams what its script returns."""

    script: Callable[[list[BaseMessage]], Iterable[AIMessageChunk]]

    @property
    def _llm_type(self) -> str:
        return "old"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("not streamed"))])

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for message in self.script(messages):
            yield ChatGenerationChunk(message=message)


class Declared(MessagesState):
    copilotkit: dict[str, Any]
    tools: list[Any]


def _calling(id: str | None, name: str, **arguments: Any) -> AIMessageChunk:
    part = tool_call_chunk(name=name, args=json.dumps(arguments), id=id, index=0)
    return AIMessageChunk(content="", tool_call_chunks=[part])


def ask_twice(state: Declared) -> dict[str, Any]:
    return {"messages": [AIMessage(f"{interrupt('Name?')} is {interrupt('Age?')}")]}


@tool
def confirm(q: str) -> str:
    """Confirms a question."""
    return f"{q} yes"


def _repeat(messages: list[BaseMessage]) -> list[AIMessageChunk]:
    last = messages[-1]
    if isinstance(last, ToolMessage):
        return [AIMessageChunk(content=f"I heard {last.text}")]
    return [_calling("confirm:0", "confirm", q=last.text)]


def _long(messages: list[BaseMessage]) -> list[AIMessageChunk]:
    last = messages[-1]
    return (
        [AIMessageChunk(content="Done.")] if isinstance(last, ToolMessage) else [_calling(LONG_ID, "paint")]
    )


def _nameless(messages: list[BaseMessage]) -> list[AIMessageChunk]:
    if len(messages) > 1:
        return [AIMessageChunk(content="Here I am.")]
    return [_calling(None, "paint")]


def _talking(script: Any) -> Any:
    async def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await Model(script=script).ainvoke(state["messages"])]}

    return chat


def _first(state: MessagesState) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": "First"}]}


def _reads_tools(state: Declared) -> dict[str, Any]:
    return {"messages": [AIMessage(f"{len(state['tools'])} tools")]}


def _plan(state: MessagesState) -> dict[str, Any]:
    return {}


def _perform(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    return {"messages": [AIMessage(f"Performed {last.text if isinstance(last, ToolMessage) else 'nothing'}")]}


def _line(*nodes: tuple[str, Any], state: Any = MessagesState) -> Any:
    builder: Any = StateGraph(state)
    before = START
    for name, node in nodes:
        builder.add_node(name, node).add_edge(before, name)
        before = name
    return builder


async def thinker(input: Any) -> AsyncIterator[dict[str, Any]]:
    """Leaves its reasoning, a subagent and a step of it open."""
    number = len(input.messages)
    yield {"type": "REASONING_START", "messageId": f"r{number}"}
    yield {"type": "REASONING_MESSAGE_START", "messageId": f"r{number}", "role": "reasoning"}
    yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": f"r{number}", "delta": "hm"}
    yield {"type": "SUBAGENT_STARTED", "subagentRunId": f"s{number}", "name": "one"}
    yield {"type": "STEP_STARTED", "stepName": "look", "subagentRunId": f"s{number}"}
    yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": f"m{number}", "delta": "answer"}


async def half_an_emoji(input: Any) -> AsyncIterator[dict[str, Any]]:
    number = len(input.messages)
    yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": f"m{number}", "delta": "cut \ud83d"}


def agents() -> dict[str, Any]:
    """Returns the agents by their names. The graphs' checkpointer is that in the runtime's store."""
    repeating: Any = StateGraph(MessagesState).add_node("chat", _talking(_repeat))
    repeating.add_node("tools", ToolNode([confirm])).add_edge(START, "chat")
    repeating.add_conditional_edges("chat", tools_condition).add_edge("tools", "chat")
    trips = _line(("chat", _talking(_long)), ("plan", _plan), ("perform", _perform))
    return {
        "two_questions": _line(("ask", ask_twice), state=Declared).compile(),
        "repeating_ids": repeating.compile(),
        "long_ids": _line(("chat", _talking(_long))).compile(),
        "no_id": _line(("chat", _talking(_nameless))).compile(),
        "dict_messages": _line(("first", _first), ("second", _talking(_second))).compile(),
        "reads_tools": _line(("read", _reads_tools), state=Declared).compile(),
        "breakpoint": trips.compile(interrupt_after=["plan"]),
        "thinker": thinker,
        "half_an_emoji": half_an_emoji,
    }


def _second(messages: list[BaseMessage]) -> list[AIMessageChunk]:
    return [AIMessageChunk(content="Second")]
