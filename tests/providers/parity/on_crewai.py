"""The agents as flows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from copilotkit_runtime_py.providers.crewai import CopilotKitState, request_context

# isort: split
from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from pydantic import Field

from tests.providers.crewai.scripted import Calling, Part, ScriptedLLM
from tests.providers.parity.script import Call, Script


class ShoppingState(CopilotKitState):
    items: list[str] = Field(default_factory=list)


def chat(script: Script) -> Any:
    model = _model(script)

    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            _add_answer(self.state, await model.acall(self.state.messages))

    return Chat


def weather(script: Script) -> Any:
    model = _model(script)

    class Weather(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            while calls := _add_answer(self.state, await model.acall(self.state.messages)):
                city = calls[0]["function"]["arguments"].split('"')[3]
                result = {"role": "tool", "tool_call_id": calls[0]["id"], "content": f"sunny in {city}"}
                self.state.messages.append(result)

    return Weather


def shopping() -> Any:
    class Shopping(Flow[ShoppingState]):
        @start()
        def add(self) -> None:
            self.state.items.append(self.state.messages[-1]["content"])

        @listen(add)
        def count(self) -> None:
            _add_answer(self.state, f"{len(self.state.items)} items")

    return Shopping


def booking() -> Any:
    class Booking(Flow[CopilotKitState]):
        @start()
        @human_feedback(message="Book it?")
        def book(self) -> None:
            """Asks without a word of its own."""

        @listen(book)
        def tell(self, answer: HumanFeedbackResult) -> None:
            _add_answer(self.state, f"You said {answer.feedback}")

    return Booking


def reading() -> Any:
    class Reading(Flow[CopilotKitState]):
        @start()
        def read(self) -> None:
            page = [item["value"] for item in self.state.copilotkit["context"]]
            _add_answer(self.state, f"{page} {request_context().properties['plan']}")

    return Reading


def _add_answer(state: CopilotKitState, answer: Any) -> list[dict[str, Any]]:
    """Adds an answer to the conversation, and returns the tool calls in it."""
    calls = answer if isinstance(answer, list) else []
    said = {"content": "", "tool_calls": calls} if calls else {"content": answer}
    state.messages.append({"role": "assistant", **said})
    return calls


def _model(script: Script) -> ScriptedLLM:
    def parts(messages: list[dict[str, Any]]) -> Iterator[Part]:
        for part in script([message["content"] for message in messages]):
            yield Calling(part.id, part.name, part.pieces) if isinstance(part, Call) else part

    return ScriptedLLM(model="scripted", script=parts)
