"""Agents and teams of Agno, registered as they are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn

import pytest
from ag_ui.core import RunAgentInput
from agno.agent import Agent
from agno.db.base import SessionType
from agno.db.in_memory import InMemoryDb
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse
from agno.team import Team
from agno.workflow import Workflow

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import ThreadNotFoundError
from copilotkit_runtime_py.providers.agno import AgnoProvider
from copilotkit_runtime_py.providers.resolve import as_provider
from tests.protocols.agui.served import Event, serve

pytestmark = pytest.mark.anyio


class Script(Model):
    """Calls each tool that it is given once, and then repeats what it has been told."""

    async def ainvoke_stream(self, messages: list[Message], **options: Any) -> AsyncIterator[ModelResponse]:
        tools = [tool["function"]["name"] for tool in options.get("tools") or []]
        if tools and messages[-1].role == "user":
            function = {"name": tools[0], "arguments": "{}"}
            yield ModelResponse(tool_calls=[{"id": "c1", "type": "function", "function": function}])
            return
        said = [str(message.content) for message in messages if message.role in ("user", "tool")]
        for number, each in enumerate(said):
            yield ModelResponse(content=f", {each}" if number else each)

    def _unused(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    invoke = ainvoke = invoke_stream = _unused
    _parse_provider_response = _parse_provider_response_delta = _unused


def script() -> Script:
    return Script(id="script")


def text(events: Sequence[Event]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


def said(content: str) -> list[Event]:
    return [{"id": content, "role": "user", "content": content}]


@pytest.fixture
def db() -> InMemoryDb:
    return InMemoryDb()


async def test_an_agent_remembers_each_thread(db: InMemoryDb) -> None:
    agent = Agent(model=script(), db=db, add_history_to_context=True, telemetry=False)
    async with serve({"agent": agent}) as served:
        first = await served.events(served.run(messages=said("one")))
        second = await served.events(served.run(run="r2", messages=said("two")))
        elsewhere = await served.events(served.run(thread="t2", run="r3", messages=said("three")))
    assert (text(first), text(second), text(elsewhere)) == ("one", "one, two", "three")
    assert (first[0]["type"], first[-1]["type"]) == ("RUN_STARTED", "RUN_FINISHED")


async def test_a_team_is_an_agent() -> None:
    member = Agent(model=script(), name="member", telemetry=False)
    team = Team(members=[member], model=script(), telemetry=False)
    assert type(as_provider(team)) is AgnoProvider


async def test_a_tool_of_the_page_is_answered_with_the_next_run(db: InMemoryDb) -> None:
    agent = Agent(model=script(), db=db, telemetry=False)
    tools = [{"name": "paint", "description": "", "parameters": {"type": "object", "properties": {}}}]
    async with serve({"agent": agent}) as served:
        asked = await served.events(served.run(messages=said("go"), tools=tools))
        call = {"id": "c1", "type": "function", "function": {"name": "paint", "arguments": "{}"}}
        messages = [
            *said("go"),
            {"id": "a1", "role": "assistant", "toolCalls": [call]},
            {"id": "t", "role": "tool", "toolCallId": "c1", "content": "red"},
        ]
        answered = await served.events(served.run(run="r2", messages=messages, tools=tools))
    assert [event["toolCallName"] for event in asked if event["type"] == "TOOL_CALL_START"] == ["paint"]
    assert text(answered) == "go, red"


async def test_the_text_of_an_exception_reaches_no_client(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Script):
        async def ainvoke_stream(self, *_: Any, **__: Any) -> AsyncIterator[ModelResponse]:
            yield ModelResponse(content="a")
            raise ValueError("secret of the model")

    async with serve({"agent": Agent(model=Broken(id="broken"), telemetry=False)}) as served:
        events = await served.events(served.run())
    assert events[-1]["type"] == "RUN_ERROR"
    assert events[-1]["message"].startswith("An internal error occurred")
    assert "secret" not in json.dumps(events)
    assert "AgnoError: secret of the model" in caplog.text


async def test_a_session_is_not_run_or_deleted_by_another_user(db: InMemoryDb) -> None:
    provider = AgnoProvider(Agent(model=script(), db=db, telemetry=False))
    input = RunAgentInput.model_validate({"threadId": "t1", "runId": "r1", "messages": said("mine")})
    ann, bob = RequestContext(owner="ann"), RequestContext(owner="bob")
    assert [event async for event in provider.run(input, ann)][-1]["type"] == "RUN_FINISHED"
    with pytest.raises(ThreadNotFoundError):
        await anext(provider.run(input, bob))
    with pytest.raises(ThreadNotFoundError):
        await provider.forget("t1", bob)
    assert db.get_session("t1", SessionType.AGENT) is not None
    await provider.forget("t1", ann)
    assert db.get_session("t1", SessionType.AGENT) is None


def test_a_workflow_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="Workflow cannot be registered as it is: register one of its agents"):
        as_provider(Workflow(name="w", steps=[]))
