from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, start
from crewai.project import CrewBase, agent, crew, task

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import ConfigurationError
from copilotkit_runtime_py.providers.crewai import CrewAIProvider
from copilotkit_runtime_py.providers.resolve import FactoryProvider, as_provider
from tests.providers.emitted import collect, text_of

from .scripted import MARKS, request, says, user

pytestmark = MARKS


class Greets(Flow[dict[str, Any]]):
    def __init__(self, greeting: str = "Hello", **fields: Any) -> None:
        super().__init__(**fields)
        self.greeting = greeting

    @start()
    def greet(self) -> str:
        return self.greeting


def writing_crew(words: str) -> Crew:
    writer = Agent(role="Writer", goal="Write", backstory="You write.", llm=says(words))
    return Crew(
        agents=[writer], tasks=[Task(description="{user_message}", expected_output="text", agent=writer)]
    )


@CrewBase
class Writers:
    @agent
    def writer(self) -> Agent:
        return Agent(role="Writer", goal="Write", backstory="You write.", llm=says("A text"))

    @task
    def write(self) -> Task:
        me: Any = self
        return Task(description="{user_message}", expected_output="text", agent=me.writer())

    @crew
    def crew(self) -> Crew:
        me: Any = self
        return Crew(agents=me.agents, tasks=me.tasks)


async def afactory(context: RequestContext) -> Greets:
    return Greets(f"Hello {context.owner}")


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (lambda: Greets, "Hello"),
        (lambda: Greets("Good day"), "Good day"),
        (lambda: writing_crew("A text"), "A text"),
        (lambda: Writers, "A text"),
    ],
    ids=["flow class", "flow", "crew", "crew class"],
)
async def test_flows_crews_and_their_classes_are_agents(given: Any, answer: str) -> None:
    provider = as_provider(given())

    assert type(provider) is CrewAIProvider
    for _ in range(2):
        assert text_of(await collect(provider, request(user("hi")))) == answer


@pytest.mark.parametrize("make", [CrewAIProvider, FactoryProvider])
@pytest.mark.parametrize(
    ("factory", "answer"),
    [(afactory, "Hello ada"), (lambda: Greets, "Hello"), (lambda: writing_crew("A text"), "A text")],
)
async def test_a_function_may_make_the_flow_of_each_run(make: Any, factory: Any, answer: str) -> None:
    events = await collect(make(factory), request(user("hi")), RequestContext(owner="ada"))

    assert text_of(events) == answer


async def test_a_crew_is_not_changed_by_its_runs() -> None:
    given = writing_crew("A text")
    given.tasks[0].description = "Write"

    await collect(CrewAIProvider(given), request(user("hi")))

    assert given.tasks[0].description == "Write"


async def test_what_is_no_flow_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not int"):
        CrewAIProvider(42)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="not str"):
        await collect(CrewAIProvider(lambda: "flow"), request())  # type: ignore[arg-type]
