"""The demo agent without a framework: a generator function, for an installation without extras."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from uuid import uuid4

from ag_ui.core import RunAgentInput, UserMessage

from ..agui.events import Event
from . import script
from .script import ToolCall

WELCOME: Final = (
    re.sub(r"\n- \*\*book a table.*", "", script.WELCOME)
    + "\n\nI am a Python function. With the `langgraph` extra installed, the demo is a LangGraph graph that "
    "also books tables, and asks you before it does."
)
DELAY_SECONDS: Final = 0.03
_ASKS_FIRST: Final = (
    "I would have to ask you before I book a table, and I am only a function. Install the `langgraph` extra "
    "for a demo agent that asks."
)


async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
    """Answers by keyword, word by word."""
    for event in _answer(input):
        await asyncio.sleep(DELAY_SECONDS)
        yield event


def _answer(input: RunAgentInput) -> Iterator[Event]:
    last = input.messages[-1] if input.messages else None
    if last is not None and last.role == "tool":
        result = last.content if isinstance(last.content, str) else ""
        yield from _said(script.after_page_tool(result))
        return
    answer = script.reply(_asked(input), [tool.model_dump() for tool in input.tools or ()])
    if answer == script.WELCOME:
        answer = WELCOME
    if isinstance(answer, str):
        yield from _said(answer)
    elif answer.name == "book_table":
        yield from _said(_ASKS_FIRST)
    else:
        yield from _called(input, answer)


def _called(input: RunAgentInput, call: ToolCall) -> Iterator[Event]:
    """Calls a tool: one of the server at once, one of the page by ending the run."""
    id = uuid4().hex
    yield {"type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": call.name}
    yield {"type": "TOOL_CALL_ARGS", "toolCallId": id, "delta": json.dumps(call.args)}
    yield {"type": "TOOL_CALL_END", "toolCallId": id}
    if call.name == "get_weather":
        result = script.weather(call.args["location"])
    elif call.name == "add_item":
        state: dict[str, Any] = input.state if isinstance(input.state, dict) else {}
        items = [*state.get("items", []), call.args["item"]]
        yield {"type": "STATE_SNAPSHOT", "snapshot": {**state, "items": items}}
        result = script.added(call.args["item"], items)
    else:
        return
    yield {"type": "TOOL_CALL_RESULT", "messageId": uuid4().hex, "toolCallId": id, "content": result}
    yield from _said(result)


def _said(text: str) -> Iterator[Event]:
    message = uuid4().hex
    for word in re.findall(r"\S+\s*", text):
        yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": message, "delta": word}


def _asked(input: RunAgentInput) -> str:
    for message in reversed(input.messages):
        if isinstance(message, UserMessage):
            parts = message.content if isinstance(message.content, list) else []
            texts = [text for part in parts if isinstance(text := getattr(part, "text", None), str)]
            return message.content if isinstance(message.content, str) else " ".join(texts)
    return ""
