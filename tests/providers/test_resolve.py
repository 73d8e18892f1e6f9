import asyncio
import functools
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NewType, TypedDict, TypeVar

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.base import AgentSnapshot, Provider
from copilotkit_runtime_py.providers.function import FunctionProvider
from copilotkit_runtime_py.providers.remote import RemoteProvider
from copilotkit_runtime_py.providers.resolve import AgentLike, FactoryProvider, as_provider

INPUT = RunAgentInput.model_validate({"threadId": "t1", "runId": "r1", "messages": []})
ALICE = RequestContext(owner="alice")


class Recorder(Provider):
    """Says how many runs it has at the moment, and whether it was closed."""

    def __init__(self, *sent: Event) -> None:
        self.sent = sent or (events.custom("said", 1),)
        self.closed = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        await self.gate.wait()
        for event in self.sent:
            yield event

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot:
        return AgentSnapshot(state={"thread": thread_id, "owner": context.owner})

    async def aclose(self) -> None:
        self.closed += 1


async def speak(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start(input.run_id)


class Speaker:
    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(input.run_id)


def speak_in_a_thread(input: RunAgentInput) -> Iterator[Event]:
    yield events.text_start(input.run_id)


class SynchronousSpeaker:
    def run(self, input: RunAgentInput) -> Iterator[Event]:
        yield events.text_start(input.run_id)


class CallableAgent:
    async def __call__(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start(input.run_id)


async def received(provider: Provider, context: RequestContext = ALICE) -> list[Event]:
    return [event async for event in provider.run(INPUT, context)]


def test_a_provider_stays_as_it_is() -> None:
    provider = Recorder()
    assert as_provider(provider) is provider


def test_a_url_is_a_remote_agent() -> None:
    assert type(as_provider("https://agents.example/run")) is RemoteProvider
    with pytest.raises(ValueError, match="not an http"):
        as_provider("ftp://agents.example")


def test_a_compiled_graph_runs_on_the_langgraph_provider() -> None:
    from typing_extensions import TypedDict

    graphs = pytest.importorskip("langgraph.graph")

    class State(TypedDict):
        n: int

    graph = graphs.StateGraph(State).add_node("n", lambda state: {"n": 1}).add_edge("__start__", "n")
    assert type(as_provider(graph.compile())).__name__ == "LangGraphProvider"
    with pytest.raises(TypeError, match=r"StateGraph is not an agent yet: call its compile\(\) first"):
        as_provider(graph)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "agent",
    [
        speak,
        functools.partial(speak),
        Speaker(),
        CallableAgent(),
        speak_in_a_thread,
        functools.partial(speak_in_a_thread),
        SynchronousSpeaker(),
    ],
)
async def test_what_runs_itself_is_run_with_the_input(agent: AgentLike) -> None:
    provider = as_provider(agent)
    assert type(provider) is FunctionProvider
    assert await received(provider) == [events.text_start("r1")]


async def make_async() -> Speaker:
    return Speaker()


def make_by_name(context: RequestContext | None = None) -> Recorder:
    return Recorder(events.text_start("r1" if context else "no context"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "factory",
    [lambda: speak, lambda _: Speaker(), make_async, make_by_name, Speaker, lambda: make_async],
    ids=["function", "with context", "async", "context by name", "class", "factory of a factory"],
)
async def test_a_factory_makes_the_agent_of_each_run(factory: AgentLike) -> None:
    provider = as_provider(factory)
    assert type(provider) is FactoryProvider
    assert await received(provider) == [events.text_start("r1")]


@pytest.mark.anyio
async def test_what_a_context_manager_makes_is_released_after_its_run() -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def managed() -> AsyncIterator[Speaker]:
        steps.append("opened")
        yield Speaker()
        steps.append("closed")

    provider = as_provider(managed)
    assert await received(provider) == [events.text_start("r1")]
    assert await received(provider) == [events.text_start("r1")]
    assert steps == ["opened", "closed"] * 2


@pytest.mark.anyio
async def test_a_factory_may_choose_by_the_request() -> None:
    def choose(context: RequestContext) -> Recorder:
        return Recorder(events.custom("owner", context.owner))

    provider = as_provider(choose)
    bob = RequestContext(owner="bob")
    runs = await asyncio.gather(received(provider), received(provider, bob))
    assert list(runs) == [[events.custom("owner", "alice")], [events.custom("owner", "bob")]]
    assert await as_provider(Recorder).snapshot("t1", bob) == AgentSnapshot(
        state={"thread": "t1", "owner": "bob"}
    )


@pytest.mark.anyio
async def test_what_a_factory_made_is_closed_after_its_run() -> None:
    made: list[Recorder] = []

    def make() -> Recorder:
        made.append(Recorder(events.text_start("m1"), events.text_end("m1")))
        return made[-1]

    provider = as_provider(make)
    await received(provider)
    stream: Any = provider.run(INPUT, ALICE)
    await anext(stream)
    assert [agent.closed for agent in made] == [1, 0]
    await stream.aclose()
    await provider.snapshot("t1", ALICE)
    assert [agent.closed for agent in made] == [1, 1, 1]


@pytest.mark.anyio
async def test_a_provider_that_a_factory_returns_twice_is_closed_after_the_last_run() -> None:
    shared = Recorder()
    shared.gate.clear()
    provider = as_provider(lambda: shared)
    waiting = asyncio.create_task(received(provider))
    await asyncio.sleep(0)
    assert await provider.snapshot("t1", ALICE) is not None
    assert shared.closed == 0
    shared.gate.set()
    await waiting
    assert shared.closed == 1


@pytest.mark.anyio
async def test_a_made_agent_that_must_end_its_run_itself_is_held_to_it() -> None:
    class Framed(Recorder):
        strict_stream = True

    finish = events.run_finished("t1", "r1")
    assert await received(as_provider(lambda: Framed(finish))) == [finish]
    with pytest.raises(AgentError, match=r"^Run ended without emitting a terminal event$"):
        await received(as_provider(lambda: Framed(events.text_start("m1"))))


@pytest.mark.anyio
async def test_a_factory_that_makes_no_agent_is_told_so() -> None:
    with pytest.raises(TypeError, match="NoneType is not an agent"):
        await received(as_provider(lambda: None))  # type: ignore[arg-type]


@pytest.mark.parametrize("agent", [None, 1, b"http://host", {"run": speak}, object()])
def test_anything_else_is_refused_with_the_list_of_what_is_accepted(agent: Any) -> None:
    with pytest.raises(TypeError) as raised:
        as_provider(agent)
    assert str(raised.value) == (
        f"{type(agent).__name__} is not an agent. An agent is a compiled LangGraph graph, a CrewAI flow or "
        "crew, a chat model, an agent of Pydantic AI or Agno, the http(s) URL of an AG-UI agent, a generator "
        "function, an object with run(RunAgentInput), a Provider, or a function that returns one of these "
        "for each run."
    )


class Asking:
    def run(self, prompt: str) -> str:
        return prompt


class Running:
    async def run(self, task: Any, steps: int, seed: int) -> AsyncIterator[Event]:
        yield events.text_start(task.run_id)


class Answering:
    async def run(self, input: RunAgentInput) -> str:
        return input.run_id


class Started:
    async def run(self) -> AsyncIterator[Event]:
        yield events.text_start("m1")


async def silent(input: RunAgentInput) -> None:
    """An agent that yields nothing."""


def tool(city: str, days: int) -> str:
    return city * days


def from_settings(settings: dict[str, Any]) -> Speaker:
    return Speaker()


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (Asking(), "Asking is not an agent: run() takes str as prompt, and no RunAgentInput."),
        (
            Running(),
            "Running is not an agent: run() needs task, steps, seed, and gets a RunAgentInput and a "
            "RequestContext.",
        ),
        (Answering(), "Answering is not an agent: run() returns str, and no stream of AG-UI events."),
        (Started(), "Started is not an agent: run() takes no RunAgentInput."),
        (silent, "silent is not an agent: silent() returns None, and no stream of AG-UI events."),
        (
            tool,
            "tool is not an agent: a function that makes an agent gets the RequestContext, and this one "
            "needs city, days.",
        ),
        (
            from_settings,
            "from_settings is not an agent: a function that makes an agent gets the RequestContext, and "
            "this one takes dict[str, Any] as settings.",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_what_cannot_run_is_refused_with_what_is_wrong(agent: Any, reason: str) -> None:
    with pytest.raises(TypeError) as raised:
        as_provider(agent)
    assert str(raised.value).startswith(f"{reason} An agent is a compiled LangGraph graph, ")


def traced(function: Any) -> Any:
    @functools.wraps(function)
    def traced_call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return traced_call


class Deferring:
    def __call__(self, input: RunAgentInput) -> AsyncIterator[Event]:
        return speak(input)


async def deferred(input: RunAgentInput) -> Any:
    return speak(input)


def typed_by_its_stream(input: Any) -> AsyncIterator[Event]:
    return speak(input)


def listed(input: RunAgentInput) -> Iterable[Event]:
    yield events.text_start(input.run_id)


def renamed(input: "Input") -> AsyncIterator[Event]:
    return speak(input)


def half_typed(input: RunAgentInput) -> "OnlyForTypeCheckers":  # type: ignore[name-defined]  # noqa: F821
    return speak(input)


async def bounded(input: "BoundInput") -> AsyncIterator[Event]:
    yield events.text_start(input.run_id)


Input = NewType("Input", RunAgentInput)
BoundInput = TypeVar("BoundInput", bound=RunAgentInput)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "agent",
    [
        traced(speak),
        traced(traced(speak_in_a_thread)),
        traced(Speaker().run),
        functools.partial(CallableAgent()),
        Deferring(),
        deferred,
        functools.partial(deferred),
        typed_by_its_stream,
        listed,
        renamed,
        half_typed,
        bounded,
    ],
    ids=lambda agent: getattr(agent, "__qualname__", type(agent).__name__),
)
async def test_a_function_that_says_what_it_takes_or_returns_is_run_with_the_input(agent: Any) -> None:
    provider = as_provider(agent)
    assert type(provider) is FunctionProvider
    assert await received(provider) == [events.text_start("r1")]


async def encoded(input: RunAgentInput) -> AsyncIterator[str]:
    yield "data: {}"


async def by_keyword(input: RunAgentInput, *, model: str) -> AsyncIterator[Event]:
    yield events.text_start(model)


async def of_a_model(input: RunAgentInput, model: str) -> AsyncIterator[Event]:
    yield events.text_start(model)


class Config(TypedDict):
    configurable: dict[str, Any]


def from_config(config: Config) -> Speaker:
    return Speaker()


def counted() -> int:
    return 1


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (encoded, "encoded() yields strings: yield the events themselves, not encoded."),
        (by_keyword, "by_keyword() needs model by keyword, and gets its arguments by position."),
        (of_a_model, "of_a_model() takes str as model, and gets a RequestContext for it."),
        (Speaker.run, "it is a method of a class: register an object of the class, or the object's method."),
        (
            from_config,
            "a function that makes an agent gets the RequestContext, and this one takes Config as config.",
        ),
        (counted, "it returns int, and neither a stream of AG-UI events nor an agent."),
        (Provider, "it is an abstract class."),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_what_its_signature_rules_out_is_refused(agent: Any, reason: str) -> None:
    with pytest.raises(TypeError) as raised:
        as_provider(agent)
    assert f" is not an agent: {reason} An agent is " in str(raised.value)


@pytest.mark.parametrize("agent", [int, str, dict])
def test_a_class_of_data_is_refused(agent: Any) -> None:
    with pytest.raises(TypeError, match="is not an agent"):
        as_provider(agent)


def test_an_annotation_that_cannot_be_read_refuses_nothing() -> None:
    class Typed:
        async def run(self, input: "OnlyForTypeCheckers") -> AsyncIterator[Event]:  # type: ignore[name-defined]  # noqa: F821
            yield events.text_start(input.run_id)

    assert type(as_provider(Typed())) is FunctionProvider


def test_the_client_of_a_models_vendor_is_refused_with_what_to_register_instead() -> None:
    openai = pytest.importorskip("openai")
    client = openai.AsyncOpenAI(api_key="none")
    with pytest.raises(TypeError, match=r'ChatProvider\("openai:MODEL"\)'):
        as_provider(client)


def test_a_stream_in_place_of_the_function_that_makes_it_is_refused() -> None:
    stream: Any = speak(INPUT)
    with pytest.raises(TypeError, match="a stream serves one run only"):
        as_provider(stream)


def test_an_object_of_a_framework_is_refused_with_what_to_register_instead() -> None:
    from langchain_core.runnables import RunnableLambda

    chain: Any = RunnableLambda(lambda value: value)
    with pytest.raises(TypeError) as raised:
        as_provider(chain)
    assert str(raised.value) == (
        "RunnableLambda cannot be registered as it is: make it a node of a LangGraph graph, and register the "
        "compiled graph. See docs/frameworks.md."
    )


@pytest.mark.anyio
@pytest.mark.parametrize("module", ["agents.agent", "strands", "smolagents.mine"])
async def test_a_module_of_the_application_may_be_named_like_a_framework(module: str) -> None:
    class Own(Speaker):
        pass

    Own.__module__ = module
    for agent in (Own(), Own):
        assert await received(as_provider(agent)) == [events.text_start("r1")]
