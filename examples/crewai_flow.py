r"""A CrewAI flow that drafts, asks the user before it publishes, and shares what is published with the page.

    uv run --no-dev --extra crewai \
        copilotkit-runtime-py serve --agent review=examples/crewai_flow.py:ReviewFlow

No API key is needed: where a model would write, the flow puts words around what the user says.
"""

from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from pydantic import Field

from copilotkit_runtime_py.providers.crewai import CopilotKitState


class ReviewState(CopilotKitState):
    """The conversation, and what the page shows as the agent's state."""

    published: list[str] = Field(default_factory=list)


class ReviewFlow(Flow[ReviewState]):
    @start()
    @human_feedback(message="Publish it? (yes or no)")
    def draft(self) -> str:
        return f"All about {self.state.messages[-1]['content']}"

    @listen(draft)
    def publish(self, review: HumanFeedbackResult) -> None:
        if review.feedback.strip().lower() == "yes":
            self.state.published.append(str(review.output))
            answer = "It is published."
        else:
            answer = "I have put it away."
        self.state.messages.append({"role": "assistant", "content": answer})
