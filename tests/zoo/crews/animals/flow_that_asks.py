"""A flow with `@human_feedback`, asked in the middle, and a list that it shares with the page."""

from typing import Any

from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from pydantic import Field

from copilotkit_runtime_py.providers.crewai import CopilotKitState

from ...animal import answer, say
from ..models import model

drafts = model("A draft for you.")
ends = model("It is out.")


class State(CopilotKitState):
    published: list[str] = Field(default_factory=list)


class Review(Flow[State]):
    @start()
    @human_feedback(message="Publish it?")
    async def draft(self) -> Any:
        return await drafts.acall(self.state.messages)

    @listen(draft)
    async def publish(self, review: HumanFeedbackResult) -> None:
        self.state.published.append(review.feedback)
        self.state.messages.append({"role": "assistant", "content": await ends.acall("?")})


def agent() -> Any:
    return Review


chat = [
    say("Write", shows="Publish it?"),
    answer("yes", shows="It is out."),
    say("More", shows="Publish it?"),
]
