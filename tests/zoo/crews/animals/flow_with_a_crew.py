"""A flow that routes between a crew, an agent and data in a schema."""

import json
from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow, listen, router, start
from pydantic import BaseModel

from copilotkit_runtime_py.providers.crewai import CopilotKitState

from ...animal import say
from ..models import model, silent, task, worker


class Topic(BaseModel):
    topic: str


class Desk(Flow[CopilotKitState]):
    @start()
    async def classify(self) -> str:
        said = await silent({"topic": "CLASSIFIED"}).acall("?", response_model=Topic)
        return str((json.loads(said) if isinstance(said, str) else said.model_dump())["topic"])

    @router(classify)
    def route(self, topic: str) -> str:
        return "crew" if len(self.state.messages) == 1 else "agent"

    @listen("crew")
    async def by_crew(self) -> str:
        writer = worker("Writer", model("The crew has written."))
        crew = Crew(agents=[writer], tasks=[task(writer, "Write about it.")])
        return str(await crew.kickoff_async())

    @listen("agent")
    async def by_agent(self) -> str:
        helper = worker("Clerk", model("The agent has answered."))
        return str((await helper.kickoff_async(self.state.messages[-1]["content"])).raw)


def agent() -> Any:
    return Desk


chat = [say("Write", shows="The crew has written."), say("Ask", shows="The agent has answered.")]
hidden = ["CLASSIFIED"]
once = ["The agent has answered."]
