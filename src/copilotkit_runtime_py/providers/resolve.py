"""What a person registers as an agent, and the provider that runs it."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    _AsyncGeneratorContextManager,
    asynccontextmanager,
    contextmanager,
)
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, Union

from ag_ui.core import RunAgentInput

from ..agui.events import Event
from ..context import RequestContext
from ..errors import ProtocolViolationError
from .base import AgentSnapshot, Provider, RememberedThread, close_stream
from .foreign import what_it_needs
from .function import AgentFunction, FunctionProvider, RunnableAgent, takes_context
from .langgraph_platform.address import is_graph_address, parse_graph_address
from .signature import runs_itself, unfit_agent, unfit_factory
from .unique_calls import UniqueCalls

if TYPE_CHECKING:
    from agno.agent import Agent as AgnoAgent
    from agno.team import Team as AgnoTeam
    from langchain_core.language_models import BaseChatModel
    from langgraph.pregel import Pregel
    from langgraph.pregel.remote import RemoteGraph
    from pydantic_ai.agent import AbstractAgent

Made: TypeAlias = "AgentLike | Awaitable[AgentLike] | AbstractAsyncContextManager[AgentLike]"
AgentFactory: TypeAlias = Callable[[], Made] | Callable[[RequestContext], Made]
"""Makes the agent of one run."""


class Kickoff(Protocol):
    """A CrewAI flow or crew, known by its method. A class of one is a factory, as far as types go."""

    @property
    def kickoff_async(self) -> Callable[..., Any]:
        """Runs it."""


AgentLike: TypeAlias = Union[
    Provider,
    str,
    RunnableAgent,
    AgentFunction,
    AgentFactory,
    "Pregel[Any, Any, Any, Any]",
    "RemoteGraph",
    Kickoff,
    "BaseChatModel",
    "AbstractAgent[Any, Any]",
    "AgnoAgent",
    "AgnoTeam",
]
"""Whatever can be registered as an agent; see `as_provider`."""

# The module and the classes of a framework's agents, then what makes the provider that runs them.
_FRAMEWORKS: Final = (
    ("langgraph.pregel", ("Pregel",), ".langgraph.provider", "LangGraphProvider"),
    (
        "langgraph.pregel.remote",
        ("RemoteGraph",),
        ".langgraph_platform.provider",
        "LangGraphPlatform.from_remote_graph",
    ),
    ("langchain_core.language_models.chat_models", ("BaseChatModel",), ".chat.provider", "ChatProvider"),
    ("pydantic_ai.agent", ("AbstractAgent",), ".pydantic_ai", "PydanticAIProvider"),
    ("agno.agent", ("Agent", "RemoteAgent"), ".agno", "AgnoProvider"),
    ("agno.team", ("Team", "RemoteTeam"), ".agno", "AgnoProvider"),
)


def as_provider(agent: AgentLike) -> Provider:
    """Returns the provider that runs an agent.

    Accepted are:

    - a `Provider`, as it is;
    - the URL of an AG-UI agent (`https://…`), of an agent that speaks A2A (`a2a+https://…`), or of a graph on
      a LangGraph server (`langgraph+https://host/graph`);
    - a compiled LangGraph graph, or a `RemoteGraph`;
    - a CrewAI flow, crew, flow class or `@CrewBase` class;
    - a chat model of LangChain;
    - an agent of Pydantic AI, an agent or team of Agno;
    - a generator function from `RunAgentInput` to AG-UI events, async or not;
    - an object with `run(RunAgentInput)` that returns such a stream;
    - a function that its annotations say to take a `RunAgentInput`, or to return such a stream;
    - any other function, and any class: a factory that makes one of these for each run. It is given the
      `RequestContext` if it has a first parameter that is required or named `context`. It may be async, or
      made by `asynccontextmanager`.

    Raises:
        TypeError: the agent is none of these, or its signature says that it cannot be run.
        ValueError: the URL is malformed.
        ModuleNotFoundError: the URL needs an extra, which is not installed.
    """
    given: Any = agent  # the kinds of callables can be distinguished at run time only
    if isinstance(given, Provider):
        return given
    if isinstance(given, str):
        return _at_url(given)
    for module, names, provider_module, provider in _FRAMEWORKS:
        if _is_instance(given, module, names):
            make = attrgetter(provider)(import_module(provider_module, __package__))
            made: Provider = make(given)
            return made
    if _is_crew_or_flow(given):
        from .crewai.provider import CrewAIProvider

        return CrewAIProvider(given)
    if advice := what_it_needs(given):
        raise TypeError(f"{_name_of(given)} cannot be registered as it is: {advice}. See docs/frameworks.md.")
    if _is_agent(given):
        advice = unfit_agent(*_run_of(given))
        if advice is None:
            return FunctionProvider(given)
    elif callable(given):
        advice = unfit_factory(given)
        if advice is None:
            return FactoryProvider(given)
    else:
        advice = _advice(given)
    raise TypeError(
        f"{_name_of(given)} is not an agent{advice}. An agent is a compiled LangGraph graph, a CrewAI flow "
        "or crew, a chat model, an agent of Pydantic AI or Agno, the http(s) URL of an AG-UI agent, a "
        "generator function, an object with run(RunAgentInput), a Provider, or a function that returns one "
        "of these for each run."
    )


class FactoryProvider(Provider):
    """Makes the agent of each run when the run starts, and closes it after the run.

    A factory may return the same `Provider` twice; it is closed when the last run on it is over.

    Args:
        factory: see `as_provider`.
    """

    unique_call_ids = True

    def __init__(self, factory: AgentFactory) -> None:
        self._factory: Callable[..., Any] = factory
        self._takes_context = takes_context(factory, 0)
        self._in_use: Counter[Provider] = Counter()
        self._store: tuple[str | None, str] | None = None

    def use_store(self, url: str | None, agent_name: str) -> None:
        """Tells the agents that are made from now on where the runtime keeps threads."""
        self._store = (url, agent_name)

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        """Has an agent made for this delete what it remembers of a thread."""
        async with self._make(context) as provider:
            await provider.forget(thread_id, context)

    async def abandon(self, thread_id: str, context: RequestContext) -> None:
        """Has an agent made for this end what a lost run may still do."""
        async with self._make(context) as provider:
            await provider.abandon(thread_id, context)

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the events of an agent made for this run."""
        terminated = False
        async with self._make(context) as provider:
            events = UniqueCalls(provider).run(input, context)
            try:
                async for event in events:
                    terminated = terminated or event.get("type") in ("RUN_FINISHED", "RUN_ERROR")
                    yield event
            finally:
                await close_stream(events)
            if provider.strict_stream and not terminated:
                raise ProtocolViolationError(
                    "Run ended without emitting a terminal event", "INCOMPLETE_STREAM"
                )

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what an agent made for this question remembers of a thread."""
        async with self._make(context) as provider:
            return await provider.snapshot(thread_id, context)

    async def remembered_threads(self) -> AsyncIterator[RememberedThread]:
        """Yields the threads that an agent made for this question remembers."""
        async with self._make(RequestContext()) as provider:
            async for thread in provider.remembered_threads():
                yield thread

    async def count_threads(self) -> int:
        """Returns how many threads an agent made for this question remembers."""
        async with self._make(RequestContext()) as provider:
            return await provider.count_threads()

    @asynccontextmanager
    async def _make(self, context: RequestContext) -> AsyncIterator[Provider]:
        agent = self._factory(context) if self._takes_context else self._factory()
        if inspect.isawaitable(agent):
            agent = await agent
        async with AsyncExitStack() as stack:
            if isinstance(agent, _AsyncGeneratorContextManager):
                agent = await stack.enter_async_context(agent)
            provider = as_provider(agent)
            if self._store is not None and provider not in self._in_use:
                provider.use_store(*self._store)
            self._in_use[provider] += 1
            try:
                yield provider
            finally:
                self._in_use[provider] -= 1
                if not self._in_use[provider]:
                    del self._in_use[provider]
                    await provider.aclose()


def _at_url(url: str) -> Provider:
    if url.startswith("a2a+"):
        with _extra("a2a", "A2A agents"):
            from .a2a import A2AProvider
        return A2AProvider(url.removeprefix("a2a+"))
    if is_graph_address(url):
        with _extra("langgraph-platform", "LangGraph servers"):
            from .langgraph_platform.provider import LangGraphPlatform
        server, graph = parse_graph_address(url)
        return LangGraphPlatform(server, graph=graph)
    from .remote import RemoteProvider

    return RemoteProvider(url)


@contextmanager
def _extra(name: str, needed_for: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        advice = f"{needed_for} need an extra: pip install 'copilotkit-runtime-py[{name}]'."
        raise ModuleNotFoundError(advice, name=error.name) from error


def _is_instance(agent: Any, module: str, names: Iterable[str]) -> bool:
    """Whether an object is of one of a module's classes. An object exists only where its module is loaded."""
    loaded = sys.modules.get(module)
    classes = tuple(getattr(loaded, name) for name in names if hasattr(loaded, name))
    return isinstance(agent, classes)


def _is_crew_or_flow(agent: Any) -> bool:
    """Whether this is a flow or a crew of CrewAI, or a class of them, which has imported CrewAI."""
    flow: Any = getattr(sys.modules.get("crewai.flow.flow"), "Flow", None)
    crew: Any = getattr(sys.modules.get("crewai.crew"), "Crew", None)
    if flow is None or crew is None:
        return False
    if inspect.isclass(agent):
        return issubclass(agent, flow) or bool(getattr(agent, "is_crew_class", False))
    return isinstance(agent, flow | crew)


def _is_agent(agent: Any) -> bool:
    """Whether this runs itself. A class does not: it makes objects that do."""
    if inspect.isclass(agent):
        return False
    if callable(getattr(agent, "run", None)):
        return True
    return callable(agent) and runs_itself(agent)


def _run_of(agent: Any) -> tuple[Callable[..., Any], str]:
    """Returns what runs an agent, and what that is called."""
    run = getattr(agent, "run", None)
    return (run, "run") if callable(run) else (agent, getattr(agent, "__name__", "it"))


def _name_of(agent: Any) -> str:
    named = inspect.isclass(agent) or inspect.isroutine(agent)
    return str(getattr(agent, "__name__")) if named else type(agent).__name__  # noqa: B009 - not all have one


def _advice(agent: Any) -> str:
    if callable(getattr(agent, "compile", None)):
        return " yet: call its compile() first"
    if hasattr(agent, "__aiter__"):
        return ", and a stream serves one run only: give the function that makes it, not its result"
    return ""
