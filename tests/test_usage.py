"""The tokens that models use in a run, wherever they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from copilotkit_runtime_py import CopilotRuntime, Limits, RequestContext
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.errors import AgentError, RateLimitError
from copilotkit_runtime_py.hooks import AfterRequest, RequestFailed, StopGeneration
from copilotkit_runtime_py.providers.chat import ChatProvider
from copilotkit_runtime_py.runs.run import Run

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")


class Model(BaseChatModel):
    """Answers with a text and reports its tokens as vendors do: input first, output last.

    Attributes:
        name_: the model's name.
        tokens: input and output.
        streams: it can stream.
        calls: what it calls first, before it has a result.
        fails: it raises after its first chunk.
        hangs: set when it hangs after its first chunk.
    """

    name_: str = "small"
    tokens: tuple[int, int] = (10, 5)
    streams: bool = True
    calls: str | None = None
    fails: bool = False
    hangs: Any = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "acme", "ls_model_name": self.name_, "ls_model_type": "chat"}

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        read, written = self.tokens
        usage = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        message = AIMessage("ok", usage_metadata=usage, response_metadata={"model_name": self.name_})
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        if not self.streams:
            whole = self._generate(messages).generations[0].message
            fields = {
                name: getattr(whole, name) for name in ("content", "usage_metadata", "response_metadata")
            }
            yield ChatGenerationChunk(message=AIMessageChunk(**fields))
            return
        read, written = self.tokens
        calls = []
        if self.calls is not None and messages[-1].type != "tool":
            calls = [tool_call_chunk(name=self.calls, args="{}", id="c1", index=0)]
        first = {
            "input_tokens": read,
            "output_tokens": 0,
            "total_tokens": read,
            "input_token_details": {"cache_read": 4},
        }
        last = {"input_tokens": 0, "output_tokens": written, "total_tokens": written}
        yield ChatGenerationChunk(message=AIMessageChunk(content="o", usage_metadata=first))
        if self.fails:
            raise AgentError("no", "NO")
        if self.hangs is not None:
            self.hangs.set()
            await asyncio.Event().wait()
        message = AIMessageChunk(content="k", tool_call_chunks=calls, usage_metadata=last)
        yield ChatGenerationChunk(message=message)


def used(model: str, read: int, written: int, cached: int | None = None) -> dict[str, Any]:
    counts = {"inputTokens": read, "outputTokens": written, "totalTokens": read + written}
    details = {} if cached is None else {"cachedInputTokens": cached}
    return {"provider": "acme", "model": model, **counts, **details}


def team() -> Any:
    """An agent with one model, whose subagent has another."""
    researcher: Any = create_agent(Model(name_="small"), name="researcher")

    @tool
    async def research() -> str:
        """Researches."""
        return str((await researcher.ainvoke({"messages": [("user", "Do it")]}))["messages"][-1].text)

    return create_agent(Model(name_="large", tokens=(20, 7), calls="research"), tools=[research])


USED_BY_TEAM = [used("large", 40, 14, 8), used("small", 10, 5, 4)]


async def run_of(runtime: CopilotRuntime, run_id: str = "r1", context: RequestContext = ANN) -> Run:
    body: dict[str, Any] = {
        "threadId": f"t-{context.owner}",
        "runId": run_id,
        "messages": [{"id": "u1", "role": "user", "content": "Hi"}],
        "tools": [],
        "context": [],
        "state": {},
        "forwardedProps": {},
    }
    run = await runtime.start(None, RunAgentInput.model_validate(body), context)
    await run.wait()
    return run


def last(run: Run) -> Event:
    return run.log()[-1].event


async def usage_of(runtime: CopilotRuntime) -> Any:
    run = await run_of(runtime)
    assert last(run)["type"] == "RUN_FINISHED"
    return last(run).get("usage")


async def test_a_chat_model_reports_once_what_its_chunks_report() -> None:
    assert await usage_of(CopilotRuntime({"a": ChatProvider(Model())})) == [used("small", 10, 5, 4)]


async def test_a_model_that_cannot_stream_reports_too() -> None:
    assert await usage_of(CopilotRuntime({"a": ChatProvider(Model(streams=False))})) == [used("small", 10, 5)]


async def test_rounds_of_actions_and_the_models_in_them_are_added_up() -> None:
    runtime = CopilotRuntime({"a": ChatProvider(Model(calls="look"))})

    @runtime.action
    async def look() -> str:
        return "seen"

    assert await usage_of(runtime) == [used("small", 20, 10, 8)]


async def test_an_agent_that_takes_over_counts_with_the_first() -> None:
    first = ChatProvider(Model(calls="second"))
    runtime = CopilotRuntime({"a": first, "second": ChatProvider(Model(name_="large"))}, default_agent="a")
    runtime.agent_tool("second", description="d")
    assert await usage_of(runtime) == [used("small", 10, 5, 4), used("large", 10, 5, 4)]


async def test_a_graph_counts_all_its_models_those_in_tools_and_subgraphs_too() -> None:
    inner = Model(name_="inner", tokens=(1, 1))

    @tool
    async def ask() -> str:
        """Asks."""
        return (await inner.ainvoke("?")).text

    @tool
    def ask_in_a_thread() -> str:
        """Asks."""
        return inner.invoke("?").text

    async def chat(state: MessagesState) -> dict[str, Any]:
        calls: list[Any] = [{"name": name, "args": {}, "id": name} for name in ("ask", "ask_in_a_thread")]
        await Model().ainvoke(state["messages"])
        return {"messages": [AIMessage("", tool_calls=calls)]}

    async def sub(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await Model(name_="sub", tokens=(2, 2)).ainvoke(state["messages"])]}

    below = StateGraph(MessagesState).add_node("sub", sub).add_edge(START, "sub").compile()
    graph = (
        StateGraph(MessagesState)
        .add_node("chat", chat)
        .add_node("tools", ToolNode([ask, ask_in_a_thread]))
        .add_node("below", below)
        .add_edge(START, "chat")
        .add_edge("chat", "tools")
        .add_edge("tools", "below")
        .compile(checkpointer=InMemorySaver())
    )
    by_model = {
        entry["model"]: entry["totalTokens"] for entry in await usage_of(CopilotRuntime({"a": graph}))
    }
    assert by_model == {"small": 15, "inner": 4, "sub": 4}


async def test_a_subagent_counts_with_its_agent() -> None:
    assert await usage_of(CopilotRuntime({"a": team()})) == USED_BY_TEAM


async def reporting(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start("m1")
    usage = [
        {"model": "x", "inputTokens": 3},
        {"model": "x", "inputTokens": 4},
        {"model": "y", "inputTokens": -1},
    ]
    yield {**events.run_finished(input.thread_id, input.run_id), "usage": usage}


async def test_what_an_agent_reports_itself_is_added_up_and_checked() -> None:
    assert await usage_of(CopilotRuntime({"a": reporting})) == [{"model": "x", "inputTokens": 7}]


async def test_where_nothing_is_reported_nothing_is_said() -> None:
    async def silent(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m1")

    assert "usage" not in last(await run_of(CopilotRuntime({"a": silent})))


async def test_a_failed_run_reports_what_it_cost() -> None:
    failed: list[RequestFailed] = []
    runtime = CopilotRuntime({"a": ChatProvider(Model(fails=True))}, on_error=failed.append)
    end = last(await run_of(runtime))
    expected = [used("small", 10, 0, 4)]
    assert (end["type"], end["usage"]) == ("RUN_ERROR", expected)
    assert failed[0].usage == expected


async def test_a_stopped_run_reports_what_it_cost() -> None:
    stopped: list[StopGeneration] = []
    reached = asyncio.Event()
    runtime = CopilotRuntime({"a": ChatProvider(Model(hangs=reached))}, on_stop_generation=stopped.append)
    task = asyncio.create_task(run_of(runtime))
    await reached.wait()
    assert await runtime.stop("t-ann", ANN)
    assert last(await task)["usage"] == [used("small", 10, 0, 4)]
    assert stopped[0].usage == [used("small", 10, 0, 4)]


async def test_the_hook_after_a_run_is_told() -> None:
    after: list[AfterRequest] = []
    await run_of(CopilotRuntime({"a": reporting}, on_after_request=after.append))
    assert after[0].usage == [{"model": "x", "inputTokens": 7}]


async def test_an_owner_who_has_used_too_many_tokens_waits_and_others_do_not() -> None:
    runtime = CopilotRuntime({"a": ChatProvider(Model())}, limits=Limits(tokens_per_minute_per_owner=20))
    await run_of(runtime, "r1")
    await run_of(runtime, "r2")  # 15 of 20 are used
    with pytest.raises(RateLimitError, match="You may use 20 tokens a minute") as refused:
        await run_of(runtime, "r3")
    assert refused.value.retry_after is not None
    assert 28 <= refused.value.retry_after <= 33
    await run_of(runtime, "r3", RequestContext(owner="bob"))
    for number in range(3):
        await run_of(runtime, f"n{number}", RequestContext())
