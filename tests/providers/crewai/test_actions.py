"""A flow that calls backend actions."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from copilotkit_runtime_py.tools.actions import action_from
from tests.looped import Looped
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import MARKS, calling, in_turn, request, user

pytestmark = MARKS


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


async def test_a_flow_is_run_again_with_the_result_of_its_call() -> None:
    model = in_turn([calling("c1", "add", '{"a":2,', '"b":40}')], ["It is ", "42."])

    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer: Any = await model.acall(self.state.messages, tools=self.state.copilotkit["actions"])
            said = {"content": answer} if isinstance(answer, str) else {"content": "", "tool_calls": answer}
            self.state.messages.append({"role": "assistant", **said})

    provider = Looped(CrewAIProvider(Chat), name="chat", tools=[action_from(add)])
    whole = await collect(provider, request(user("2 + 40?", "u1")))
    (result,) = of_type(whole, "TOOL_CALL_RESULT")
    assert (result["toolCallId"], result["content"]) == ("c1", "42")
    assert text_of(whole) == "It is 42."
    assert [message["role"] for message in messages(whole)] == ["user", "assistant", "tool", "assistant"]
    assert [each["role"] for each in model.calls[1]] == ["user", "assistant", "tool"]
