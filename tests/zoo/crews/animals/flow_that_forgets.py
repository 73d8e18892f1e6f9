"""A flow that keeps only the last two messages for its model."""

from typing import Any

from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.providers.crewai import CopilotKitState

from ...animal import say
from ...models import words
from ..models import model

llm = model(lambda messages: words(f"I hear {len(messages)} messages."))


class Forgets(Flow[CopilotKitState]):
    @start()
    async def answer(self) -> None:
        del self.state.messages[:-2]
        said = await llm.acall(self.state.messages)
        self.state.messages.append({"role": "assistant", "content": said})


def agent() -> Any:
    return Forgets


chat = [say("One", shows="I hear 1 messages."), say("Two", shows="One"), say("Three", shows="Two")]
