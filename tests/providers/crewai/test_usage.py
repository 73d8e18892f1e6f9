"""The tokens of CrewAI's models."""

from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, start

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.protocols.agui.served import Served, run_body

from .scripted import MARKS, ScriptedLLM

pytestmark = MARKS


def model(name: str, **usage: Any) -> ScriptedLLM:
    return ScriptedLLM(model=name, script=lambda messages: ["ok"], usage=usage)


async def usage_of(agent: Any) -> Any:
    served = Served(CopilotRuntime({"agent": CrewAIProvider(agent)}))
    message = {"id": "u1", "role": "user", "content": "Hi"}
    shown = await served.events(served.agent("run", "agent", run_body("t1", "r1", [message])))
    assert shown[-1]["type"] == "RUN_FINISHED"
    return shown[-1].get("usage")


async def test_the_models_of_a_flow_are_added_up() -> None:
    openai = model("small", prompt_tokens=10, completion_tokens=5, total_tokens=15, reasoning_tokens=2)
    gemini = model("large", prompt_token_count=7, candidates_token_count=1, cached_prompt_tokens=3)
    silent = model("silent")

    class Asks(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            for llm in (openai, openai, gemini, silent):
                await llm.acall("Hi")

    small, large = await usage_of(Asks)
    counts = {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30, "reasoningTokens": 4}
    assert small == {"provider": "openai", "model": "small", **counts}
    counts = {"inputTokens": 7, "outputTokens": 1, "totalTokens": 8, "cachedInputTokens": 3}
    assert large == {"provider": "openai", "model": "large", **counts}


async def test_the_models_of_a_crew_are_added_up_its_planner_too() -> None:
    writer = model("small", input_tokens=10, output_tokens=5)
    planner = ScriptedLLM(
        model="planner",
        script=lambda messages: ['{"list_of_plans_per_task": []}'],
        usage={"input_tokens": 1, "output_tokens": 1},
    )
    agent = Agent(role="Writer", goal="g", backstory="b", llm=writer)
    task = Task(description="Answer.", expected_output="Text.", agent=agent)
    crew = Crew(agents=[agent], tasks=[task], planning=True, planning_llm=planner)

    by_model = {entry["model"]: entry["totalTokens"] for entry in await usage_of(crew)}
    assert by_model == {"planner": 2, "small": 15}


async def test_where_no_model_reports_anything_nothing_is_said() -> None:
    class Asks(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            await model("silent", total_tokens=0).acall("Hi")

    assert await usage_of(Asks) is None
