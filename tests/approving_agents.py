"""Agents of every framework whose model calls the server's tool `send`, and then says what came of it."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import pytest
from ag_ui.core import RunAgentInput
from langchain_core.messages import ToolMessage

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.tools.actions import Action, action_from
from tests.providers.chat.scripted import ScriptedModel, calls
from tests.providers.parity.script import Call, Part

ARGUMENTS: Final = ('{"to":', '"bob"}')


class Mails:
    """A tool that needs approval, and what it was called with."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    @property
    def actions(self) -> list[Action]:
        def send(to: str) -> str:
            self.sent.append(to)
            return f"sent to {to}"

        return [action_from(send, approval=True, message="Send it?")]


def framework(name: str) -> Any:
    if name == "crewai":
        pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)
    module: Any = importlib.import_module(f"tests.providers.parity.on_{name}")

    def script(texts: list[str]) -> Sequence[Part]:
        if len(texts) == 1:
            return [Call("c1", "send", ARGUMENTS)]
        return ["Result: ", texts[-1]]

    return module.chat(script)


def chat_model() -> Any:
    def script(options: dict[str, Any]) -> Sequence[Any]:
        last = model.asked[-1][-1]
        if isinstance(last, ToolMessage):
            return ["Result: ", last.text]
        return calls("c1", "send", *ARGUMENTS)

    model = ScriptedModel(chunks=script)
    return model


def pydantic_ai() -> Any:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    function = pytest.importorskip("pydantic_ai.models.function")

    async def script(messages: list[Any], info: Any) -> AsyncIterator[Any]:
        results = [part for part in messages[-1].parts if part.part_kind == "tool-return"]
        if results:
            yield f"Result: {events.as_text(results[0].content)}"
        else:
            yield {0: function.DeltaToolCall(name="send", json_args="".join(ARGUMENTS), tool_call_id="c1")}

    return pydantic_ai.Agent(function.FunctionModel(stream_function=script))


async def plain_function(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    last = input.messages[-1]
    if last.role == "tool":
        yield events.text_start("m1")
        yield events.text_content("m1", f"Result: {last.content}")
    else:
        yield events.tool_call_start("c1", "send")
        for part in ARGUMENTS:
            yield events.tool_call_args("c1", part)


AGENTS: Final[dict[str, Callable[[], Any]]] = {
    "langgraph": lambda: framework("langgraph"),
    "crewai": lambda: framework("crewai"),
    "chat": chat_model,
    "pydantic_ai": pydantic_ai,
    "function": lambda: plain_function,
}
