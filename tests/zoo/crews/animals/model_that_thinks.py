"""A flow whose model streams its thoughts."""

from typing import Any

from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.providers.crewai import CopilotKitState
from tests.providers.crewai.scripted import Thinking

from ...animal import say
from ...models import words
from ..models import model

llm = model(lambda messages: [*(Thinking(word) for word in words("Two and two.")), *words("It is four.")])


class Thinks(Flow[CopilotKitState]):
    @start()
    async def answer(self) -> None:
        said = await llm.acall(self.state.messages)
        self.state.messages.append({"role": "assistant", "content": said})


def agent() -> Any:
    return Thinks


chat = [say("2 + 2?", shows="It is four.")]
