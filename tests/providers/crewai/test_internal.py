"""What CrewAI asks models for its own purposes is no part of the chat, and does its work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from chromadb.api.types import EmbeddingFunction
from crewai import Agent, Crew, Process, Task
from crewai.flow.flow import Flow, start
from crewai.knowledge.source.string_knowledge_source import StringKnowledgeSource
from crewai.memory.unified_memory import Memory
from crewai.rag.embeddings.providers.custom.embedding_callable import CustomEmbeddingFunction
from pydantic import BaseModel, Field

from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import MARKS, ScriptedLLM, request, user

pytestmark = MARKS

ANSWER = "The sky is green."
PLAN = {"list_of_plans_per_task": [{"task_number": 1, "task": "Hi", "plan": "Look up. Then say it."}]}


class Sky(BaseModel):
    color: str


class Model(ScriptedLLM):
    """Answers the user with a sentence, and CrewAI's own questions with what they want.

    Attributes:
        asked: the prompts of the user's agent.
    """

    asked: list[str] = Field(default_factory=list)
    script: Any = None

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        self.script = self._answer

    def _answer(self, messages: list[dict[str, Any]]) -> list[str]:
        prompt = "\n".join(str(message["content"]) for message in messages)
        for words, answer in OWN_QUESTIONS.items():
            if words in prompt and not (words == "schema format" and "Current Task" in prompt):
                return [answer if isinstance(answer, str) else json.dumps(answer)]
        self.asked.append(prompt)
        return [ANSWER[:3], ANSWER[3:]]


# Words of CrewAI's prompts, and what it wants to hear.
OWN_QUESTIONS: dict[str, Any] = {
    "Task Execution Planner": PLAN,
    "extract discrete": {"memories": ["generated"]},
    "guardrail": {"valid": True, "feedback": None},
    "The original query is": "color of the sky",
    "schema format": {"color": "green"},
    "planning approach": {"plan": "Look up.", "steps": [], "ready": True},
}


def embedded(texts: list[str]) -> list[list[float]]:
    return [[1.0, float(len(text))] for text in texts]


def crew_of(model: Model, task: Any = None, agent: Any = None, **fields: Any) -> Crew:
    writer = Agent(role="Writer", goal="Write", backstory="You write.", llm=model, **(agent or {}))
    asked = Task(description="{user_message}", expected_output="A text.", agent=writer, **(task or {}))
    return Crew(agents=[writer], tasks=[asked], **fields)


def remembering(model: Model, path: Path) -> Crew:
    memory = Memory(storage=str(path / "memory"), embedder=embedded, llm=model)
    return crew_of(model, memory=memory)


def managed(model: Model, path: Path) -> Crew:
    return crew_of(model, process=Process.hierarchical, manager_llm=model)


CREWS: dict[str, Callable[[Model, Path], Crew]] = {
    "plain": lambda model, path: crew_of(model),
    "memory": remembering,
    "planning": lambda model, path: crew_of(model, planning=True, planning_llm=model),
    "a schema for the output": lambda model, path: crew_of(model, {"output_pydantic": Sky}),
    "a schema in JSON": lambda model, path: crew_of(model, {"output_json": Sky}),
    "a guardrail": lambda model, path: crew_of(model, {"guardrail": "It must be about the sky."}),
    "a manager": managed,
}


@pytest.mark.parametrize("made", CREWS.values(), ids=CREWS)
async def test_the_chat_has_the_agents_answer_and_nothing_else(
    made: Callable[[Model, Path], Crew], tmp_path: Path
) -> None:
    model = Model(model="scripted")

    events = await collect(CrewAIProvider(made(model, tmp_path)), request(user("Hi")))

    assert text_of(events) == ANSWER
    assert [m["content"] for m in messages(events) if m["role"] == "assistant"] == [ANSWER]
    assert [e["stepName"] for e in of_type(events, "STEP_STARTED")] in (["Writer"], ["Crew Manager"])
    assert of_type(events, "TOOL_CALL_START") == []


async def test_an_agent_gets_the_plan_of_its_crew() -> None:
    model = Model(model="scripted")

    await collect(CrewAIProvider(crew_of(model, planning=True, planning_llm=model)), request(user("Hi")))

    assert ["Look up. Then say it." in prompt for prompt in model.asked] == [True]


class Lengths(CustomEmbeddingFunction, EmbeddingFunction[Any]):
    """Embeds texts without asking anybody."""

    def __call__(self, input: Any) -> Any:
        return [[1.0, float(len(text)) / 1000] for text in input]


EMBEDDER: Any = {"provider": "custom", "config": {"embedding_callable": Lengths}}

KNOWING: dict[str, Callable[[Model], Crew]] = {
    "crew": lambda model: crew_of(model, knowledge_sources=[source()], embedder=EMBEDDER),
    "agent": lambda model: crew_of(model, agent={"knowledge_sources": [source()], "embedder": EMBEDDER}),
}


def source() -> StringKnowledgeSource:
    return StringKnowledgeSource(content="Above the sea the sky turns green.")


@pytest.mark.parametrize("made", KNOWING.values(), ids=KNOWING)
async def test_an_agent_gets_the_knowledge_of_its_crew_and_its_own(made: Callable[[Model], Crew]) -> None:
    model = Model(model="scripted")

    events = await collect(CrewAIProvider(made(model)), request(user("Hi")))

    assert ["the sky turns green" in prompt for prompt in model.asked] == [True]
    assert text_of(events) == ANSWER


async def test_data_that_a_flow_asks_for_is_not_said() -> None:
    class Asks(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            model = Model(model="scripted")
            await model.acall("Fill the schema format", response_model=Sky)
            said = await model.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": said})

    events = await collect(CrewAIProvider(Asks), request(user("Hi")))

    assert text_of(events) == ANSWER
    assert [m["content"] for m in messages(events)] == ["Hi", ANSWER]


async def test_a_model_that_is_set_to_a_schema_says_nothing_in_a_flow() -> None:
    class Asks(Flow[CopilotKitState]):
        @start()
        def answer(self) -> None:
            class Formatted(Model):
                response_format: Any = Sky

            Formatted(model="scripted").call("Fill the schema format")

    events = await collect(CrewAIProvider(Asks), request(user("Hi")))

    assert (text_of(events), [m["content"] for m in messages(events)]) == ("", ["Hi"])


async def test_what_a_flow_says_without_storing_it_stays() -> None:
    class Asks(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            model = Model(model="scripted")
            await model.acall("First")
            self.state.messages.append({"role": "assistant", "content": "Second"})

    events = await collect(CrewAIProvider(Asks), request(user("Hi")))

    assert [m["content"] for m in messages(events)] == ["Hi", ANSWER, "Second"]
