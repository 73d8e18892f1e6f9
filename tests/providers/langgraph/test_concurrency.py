import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, messages, of_type, text_of

from .scripted import ScriptedModel, calling, in_turn, request, says, user

pytestmark = pytest.mark.anyio


def chat(model: ScriptedModel, **nodes: Any) -> LangGraphProvider:
    async def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_edge(START, "chat")
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_conditional_edges("chat", tools_condition)
        builder.add_edge(name, "chat")
    return LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))


async def test_many_runs_at_the_same_time_do_not_mix() -> None:
    runs = 50
    everyone = asyncio.Barrier(runs)

    async def meet() -> None:
        await everyone.wait()

    def script(seen: list[Any]) -> list[Any]:
        return [meet, *(part for i in range(5) for part in (f"{seen[-1].text}.{i} ", meet))]

    provider = chat(ScriptedModel(script=script))

    results = await asyncio.gather(
        *(collect(provider, request(user(f"n{n}", "u1"), thread=f"t{n}", run=f"r{n}")) for n in range(runs))
    )

    for n, events in enumerate(results):
        assert text_of(events) == "".join(f"n{n}.{i} " for i in range(5))
        assert events[-1] == {"type": "RUN_FINISHED", "threadId": f"t{n}", "runId": f"r{n}"}
        assert len(messages(events)) == 2


class Hanging:
    """Something that never ends, and knows whether it was told to."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> None:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.cancelled = True
            raise


async def stop_when(reached: asyncio.Event, provider: LangGraphProvider) -> list[Event]:
    """Runs the provider in a task of its own, cancels it, and returns what it emitted."""
    seen: list[Event] = []

    async def pump() -> None:
        async for event in provider.run(request(user("go", "u1")), RequestContext()):
            seen.append(event)  # noqa: PERF401 - the events before the cancellation count

    task = asyncio.create_task(pump())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return seen


async def test_stopping_mid_token_cancels_the_model_before_the_run_ends() -> None:
    hanging = Hanging()
    provider = chat(in_turn(["Once ", "upon ", hanging, "never"], ["Hello again"]))
    before = asyncio.all_tasks()

    seen = await stop_when(hanging.reached, provider)

    assert hanging.cancelled
    assert "never" not in text_of(seen)
    assert of_type(seen, "RUN_FINISHED", "MESSAGES_SNAPSHOT") == []
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before

    events = await collect(provider, request(user("go", "u1"), user("hi", "u2")))
    assert text_of(events) == "Hello again"


async def test_stopping_mid_tool_cancels_the_tool_and_the_thread_goes_on() -> None:
    hanging = Hanging()

    @tool
    async def work() -> str:
        """Work for ever."""
        await hanging()
        return "done"

    provider = chat(in_turn(calling("c1", "work", "{}"), ["Fine."]), tools=ToolNode([work]))
    before = asyncio.all_tasks()

    seen = await stop_when(hanging.reached, provider)

    assert hanging.cancelled
    assert of_type(seen, "TOOL_CALL_RESULT") == []
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before

    events = await collect(provider, request(user("go", "u1"), user("leave it", "u2")))
    assert text_of(events) == "Fine."
    assert [message["role"] for message in messages(events)] == [
        "user",
        "assistant",
        "tool",
        "user",
        "assistant",
    ]


async def test_closing_the_stream_stops_the_graph() -> None:
    hanging = Hanging()
    provider = chat(says("a", hanging))
    stream: Any = provider.run(request(user("go", "u1")), RequestContext())

    async for event in stream:
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            await hanging.reached.wait()
            break
    await stream.aclose()

    assert hanging.cancelled


async def test_stopping_one_run_leaves_another_alone() -> None:
    hanging, finish = Hanging(), asyncio.Event()

    async def wait() -> None:
        await finish.wait()

    provider = chat(
        ScriptedModel(script=lambda seen: [hanging] if seen[-1].text == "go" else ["still ", wait, "here"])
    )
    other = asyncio.create_task(collect(provider, request(user("other", "u1"), thread="t2")))

    await stop_when(hanging.reached, provider)
    finish.set()

    assert text_of(await other) == "still here"


async def test_context_variables_of_the_caller_reach_the_nodes_and_theirs_do_not_leak() -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[str] = []

    async def look(state: MessagesState) -> dict[str, Any]:
        seen.append(who.get())
        who.set("node")
        return {}

    builder = StateGraph(MessagesState)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    provider = LangGraphProvider(builder.compile())

    async def as_user(name: str) -> str:
        who.set(name)
        await collect(provider, request())
        return who.get()

    after = await asyncio.gather(as_user("ada"), as_user("bob"))

    assert sorted(seen) == list(after) == ["ada", "bob"]


async def test_a_synchronous_node_streams_its_models_tokens() -> None:
    class SyncModel(ScriptedModel):
        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            for text in ("a", "b"):
                chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
                if run_manager:
                    run_manager.on_llm_new_token(text, chunk=chunk)
                yield chunk

    model = SyncModel(script=lambda seen: [])

    def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_edge(START, "chat")

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert [event["delta"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["a", "b"]
    assert {event["messageId"] for event in of_type(events, "TEXT_MESSAGE_CONTENT")} == {
        messages(events)[-1]["id"]
    }


async def test_tokens_arrive_while_the_model_is_still_writing() -> None:
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    stream: AsyncIterator[Event] = chat(says("first", wait, "second")).run(
        request(user("hi", "u1")), RequestContext()
    )

    deltas = []
    async for event in stream:
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            deltas.append(event["delta"])
            go_on.set()

    assert deltas == ["first", "second"]
