"""Agents of Pydantic AI, registered as they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, DeferredToolRequests, RunContext
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.ui import StateDeps

from copilotkit_runtime_py.providers.pydantic_ai import PydanticAIProvider
from tests.protocols.agui.served import Event, serve

pytestmark = pytest.mark.anyio


def calls(*names: str) -> FunctionModel:
    """A model that calls tools, and says their results."""

    async def script(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        results = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
        if results:
            for result in results:
                yield f"{result.content} "
        else:
            offered = [tool.name for tool in info.function_tools]
            assert set(names) <= set(offered)
            yield {
                index: DeltaToolCall(name=name, json_args="{}", tool_call_id=f"call-{name}")
                for index, name in enumerate(names)
            }

    return FunctionModel(stream_function=script)


def text(events: Sequence[Event]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


def types(events: Sequence[Event]) -> list[str]:
    return [event["type"] for event in events]


async def test_an_agent_answers_with_its_tools() -> None:
    agent = Agent(calls("weather"), tools=[])

    @agent.tool_plain
    def weather() -> str:
        return "sunny"

    async with serve({"agent": agent}) as served:
        events = await served.events(served.run())
    assert text(events) == "sunny "
    assert [event["content"] for event in events if event["type"] == "TOOL_CALL_RESULT"] == ["sunny"]
    assert (types(events)[0], types(events)[-1]) == ("RUN_STARTED", "RUN_FINISHED")


async def test_a_tool_of_the_page_is_answered_with_the_next_run() -> None:
    tools = [{"name": "paint", "description": "", "parameters": {"type": "object"}}]
    async with serve({"agent": Agent(calls("paint"))}) as served:
        asked = await served.events(served.run(tools=tools))
        messages = [
            {"id": "u1", "role": "user", "content": "hi"},
            {
                "id": "a1",
                "role": "assistant",
                "toolCalls": [
                    {
                        "id": "call-paint",
                        "type": "function",
                        "function": {"name": "paint", "arguments": "{}"},
                    }
                ],
            },
            {"id": "t1", "role": "tool", "toolCallId": "call-paint", "content": "red"},
        ]
        answered = await served.events(served.run(run="r2", tools=tools, messages=messages))
    assert [(event["toolCallId"], event["toolCallName"]) for event in asked if "toolCallName" in event] == [
        ("call-paint", "paint")
    ]
    assert text(answered) == "red "


async def test_a_tool_that_needs_approval_interrupts_the_run() -> None:
    agent = Agent(calls("book"), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def book() -> str:
        return "booked"

    async with serve({"agent": agent}) as served:
        asked = await served.events(served.run(protocolVersion="1.0"))
        (interrupt,) = asked[-1]["outcome"]["interrupts"]
        call = {"id": "call-book", "type": "function", "function": {"name": "book", "arguments": "{}"}}
        messages = [
            {"id": "r1-u", "role": "user", "content": "hi"},
            {"id": "a1", "role": "assistant", "toolCalls": [call]},
        ]
        resume = [{"interruptId": interrupt["id"], "status": "resolved", "payload": {"approved": True}}]
        granted = await served.events(
            served.run(run="r2", protocolVersion="1.0", messages=messages, resume=resume)
        )
    assert interrupt["toolCallId"] == "call-book"
    assert text(granted) == "booked "


async def test_the_text_of_an_exception_in_a_tool_reaches_no_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = Agent(calls("read"))

    @agent.tool_plain
    def read() -> str:
        raise OSError("cannot open /srv/passwords")

    async with serve({"agent": agent}) as served:
        events = await served.events(served.run())
    assert types(events)[-1] == "RUN_ERROR"
    assert events[-1]["message"].startswith("An internal error occurred")
    assert "passwords" not in json.dumps(events)
    assert "OSError: cannot open /srv/passwords" in caplog.text


class Counter(BaseModel):
    count: int = 0


async def test_dependencies_are_made_for_each_run_and_hold_the_pages_state() -> None:
    agent = Agent(calls("look"), deps_type=StateDeps[Counter])

    @agent.tool
    def look(run: RunContext[StateDeps[Counter]]) -> str:
        run.deps.state.count += 1
        return str(run.deps.state.count)

    provider = PydanticAIProvider(agent, deps=lambda _: StateDeps(Counter()))
    async with serve({"agent": provider}) as served:
        first = await served.events(served.run(state={"count": 4}))
        second = await served.events(served.run(thread="t2", run="r2"))
    assert (text(first), text(second)) == ("5 ", "1 ")


async def test_runs_of_one_agent_do_not_meet() -> None:
    async def script(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        said = str(messages[-1].parts[-1].content)  # type: ignore[union-attr]
        for _ in range(5):
            await asyncio.sleep(0)
            yield f"{said} "

    async with serve({"agent": Agent(FunctionModel(stream_function=script))}) as served:

        async def say(number: int) -> str:
            message = {"id": "u", "role": "user", "content": f"{number}"}
            return text(
                await served.events(served.run(thread=f"t{number}", run=f"r{number}", messages=[message]))
            )

        assert await asyncio.gather(*map(say, range(20))) == [f"{number} " * 5 for number in range(20)]


async def test_a_stop_cancels_the_model() -> None:
    cancelled = asyncio.Event()

    async def script(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    provider: Any = PydanticAIProvider(Agent(FunctionModel(stream_function=script)))
    async with serve({"agent": provider}) as served, served.run() as running:
        async for event in running.events():
            if event["type"] == "TEXT_MESSAGE_CONTENT":
                break
        status, answer = await served.json(served.stop())
        assert (status, answer["stopped"]) == (200, True)
        async with asyncio.timeout(5):
            await cancelled.wait()
