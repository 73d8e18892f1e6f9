"""The root fields: recorded agents answer as the Node runtime's did, and requests reach the runtime."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from itertools import pairwise
from typing import Any, ClassVar

import httpx
import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentNotFoundError, InvalidRequestError, MissingApiKeyError
from copilotkit_runtime_py.hooks import RequestFailed
from copilotkit_runtime_py.protocols.graphql.client import Client
from copilotkit_runtime_py.protocols.graphql.inputs import (
    AgentSessionInput,
    AgentStateInput,
    CloudInput,
    CopilotRequestType,
    ExtensionsInput,
    ForwardedParametersInput,
    GenerateCopilotResponseMetadataInput,
    LoadAgentStateInput,
    MetaEventInput,
    OpenAIApiAssistantAPIInput,
)
from copilotkit_runtime_py.protocols.graphql.resolvers import RequestResolvers
from copilotkit_runtime_py.protocols.graphql.types import Agent, MetaEventName
from copilotkit_runtime_py.providers.base import Provider
from tests.clients.deviations import DEVIATIONS
from tests.clients.exchange import DOCUMENTS
from tests.clients.golden import CORPUS, load, names, recorded, script_of
from tests.clients.wire import check_stream, comparable, merge, multipart
from tests.protocols.graphql.requests import action, message, request, text

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
Stream = AsyncIterator[Event]


class Scripted(Provider):
    """Plays the steps of a recorded agent, without its network."""

    strict_stream: ClassVar[bool] = True

    def __init__(self, script: Any) -> None:
        self.script = script
        self.inputs: list[dict[str, Any]] = []

    async def run(self, input: RunAgentInput, context: RequestContext) -> Stream:
        given = input.model_dump(mode="json", by_alias=True, exclude_none=True)
        self.inputs.append(given)
        for step in self.script(given) if callable(self.script) else self.script:
            if "delay" in step:
                await asyncio.sleep(0)
            if "end" in step:
                return
            filled = json.dumps(step["event"]).replace("{{threadId}}", input.thread_id)
            yield json.loads(filled.replace("{{runId}}", input.run_id))


def plays(name: str) -> bool:
    """Whether a recording is of an agent that yields events and nothing else."""
    recording = load(CORPUS / "client" / f"{name}.json")
    script = script_of(recording) if "script" in recording else [{}]
    steps = [] if callable(script) else script
    return "agent_input" in recording and all("event" in step or "end" in step for step in steps)


PLAYED = [name for name in names("client") if plays(name)]


def last_of_adjacent_states(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One state of those that deltas predict one by one, and joined deltas do at once."""
    state = "AgentStateMessageOutput"
    return [
        message
        for message, following in pairwise([*messages, {}])
        if not message["__typename"] == following.get("__typename") == state
    ]


@pytest.mark.parametrize("name", PLAYED)
async def test_a_recorded_agent_is_answered_as_recorded(name: str) -> None:
    recording = load(CORPUS / "client" / f"{name}.json")
    expected = recorded(recording)
    for change in DEVIATIONS[name].changes if name in DEVIATIONS else ():
        change(expected)
    agent = Scripted(script_of(recording))
    runtime = CopilotRuntime({recording["agent"]: agent}, properties=recording.get("server_properties"))
    app = FastAPI()
    app.include_router(create_router(runtime, "/"))
    operation = recording["operation"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        body = {
            "operationName": operation,
            "query": DOCUMENTS[operation],
            "variables": recording["variables"],
        }
        answer = await client.post("/", json=body, headers={"accept": "multipart/mixed"})
    parts = multipart(answer.text)
    check_stream(parts)
    response = comparable(merge(parts))
    if name == "agent_predict_state":
        for either in (response, expected.response):
            either["messages"] = last_of_adjacent_states(either["messages"])
    assert response == expected.response
    (given,) = agent.inputs
    del given["runId"]
    assert given == expected.input


def test_most_recordings_are_played() -> None:
    assert len(PLAYED) > 30


class Exchange:
    """A request's resolvers over a runtime, and what they wake."""

    def __init__(self, runtime: CopilotRuntime, **context: Any) -> None:
        self.woken = asyncio.Event()
        self.resolvers = RequestResolvers(runtime, RequestContext(**context), Client(), wake=self.woken.set)


async def hello(input: RunAgentInput) -> Stream:
    yield events.text_start("m1")
    yield events.text_content("m1", "Hello")
    yield events.state_snapshot({"emoji": "🦊", "none": None})


async def test_hello() -> None:
    assert await Exchange(CopilotRuntime({})).resolvers.hello() == "Hello World"


async def test_every_agent_is_available_under_its_name() -> None:
    class Described(Scripted):
        description = "plays"

    runtime = CopilotRuntime({"a": hello, "b": Described([])})
    listed = await Exchange(runtime).resolvers.available_agents()
    assert listed.agents == [
        Agent(id="a", name="a", description=runtime.agents["a"].description),
        Agent(id="b", name="b", description="plays"),
    ]


async def test_a_state_is_loaded_that_an_answer_left() -> None:
    runtime = CopilotRuntime({"a": hello})
    resolvers = Exchange(runtime, owner="ann").resolvers
    given = request(message("u1", text_message=text()), thread_id="t1")
    await resolvers.generate_copilot_response(given, None)
    run = runtime.active_run("t1", RequestContext(owner="ann"))
    assert run is not None
    await run.wait()
    loaded = await resolvers.load_agent_state(LoadAgentStateInput(thread_id="t1", agent_name="a"))
    assert (loaded.thread_id, loaded.thread_exists) == ("t1", True)
    assert json.loads(loaded.state) == {"emoji": "🦊", "none": None}
    assert json.loads(loaded.messages) == [
        {"id": "u1", "role": "user", "content": "hi"},
        {"id": "m1", "role": "assistant", "content": "Hello"},
    ]
    for owner, thread_id in (("bob", "t1"), ("ann", "t2")):
        other = Exchange(runtime, owner=owner).resolvers
        loaded = await other.load_agent_state(LoadAgentStateInput(thread_id=thread_id, agent_name="a"))
        assert (loaded.thread_exists, loaded.state, loaded.messages) == (False, "{}", "[]")
    with pytest.raises(AgentNotFoundError):
        await resolvers.load_agent_state(LoadAgentStateInput(thread_id="t1", agent_name="ghost"))


async def test_a_response_grows_with_its_run() -> None:
    go = asyncio.Event()

    async def agent(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        yield events.text_content("m1", "Hel")
        await go.wait()
        yield events.text_content("m1", "lo")

    runtime = CopilotRuntime({"a": agent})
    exchange = Exchange(runtime)
    response: Any = await exchange.resolvers.generate_copilot_response(request(thread_id="t1"), None)
    assert (response.thread_id, response.run_id, response.messages.items) == ("t1", None, [])
    await exchange.woken.wait()
    exchange.resolvers.advance()
    (said,) = response.messages.items
    while said.content.items != ["Hel"]:
        exchange.woken.clear()
        await exchange.woken.wait()
        exchange.resolvers.advance()
    assert not said.status.done
    assert not response.status.done
    run = runtime.active_run("t1", RequestContext())
    assert run is not None
    go.set()
    await run.wait()
    exchange.resolvers.advance()
    exchange.resolvers.advance()
    assert said.content.items == ["Hel", "lo"]
    assert (said.status.value.code, response.status.value.code) == ("Success", "Success")


@pytest.mark.parametrize(
    ("request_type", "thread_id", "kept"),
    [("Suggestion", None, 0), ("Task", None, 0), ("Task", "t1", 1), ("Chat", None, 1)],
)
async def test_a_task_that_names_no_thread_leaves_none(
    request_type: str, thread_id: str | None, kept: int
) -> None:
    runtime = CopilotRuntime({"a": hello})
    exchange = Exchange(runtime)
    asked = request(thread_id=thread_id)
    asked.metadata.request_type = CopilotRequestType(request_type)
    response: Any = await exchange.resolvers.generate_copilot_response(asked, None)
    run = runtime.active_run(response.thread_id, RequestContext())
    assert run is not None
    await run.wait()
    assert len(await runtime.state_store.list_threads("anonymous")) == kept


@pytest.mark.parametrize("stop", [True, False])
async def test_a_client_that_leaves_may_stop_its_run_and_no_other(stop: bool) -> None:
    go = asyncio.Event()

    async def agent(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        await go.wait()

    runtime = CopilotRuntime({"a": agent})
    leaver, stayer = Exchange(runtime), Exchange(runtime)
    await leaver.resolvers.generate_copilot_response(request(thread_id="t1"), None)
    await stayer.resolvers.generate_copilot_response(request(thread_id="t2"), None)
    runs = [runtime.active_run(thread_id, RequestContext()) for thread_id in ("t1", "t2")]
    leaver.resolvers.close(stop=stop)
    leaver.resolvers.close(stop=stop)
    await asyncio.sleep(0)
    go.set()
    for run in runs:
        assert run is not None
        await run.wait()
    assert [run and run.status for run in runs] == ["stopped" if stop else "finished", "finished"]
    assert not leaver.woken.is_set()
    assert stayer.woken.is_set()


async def test_the_agent_and_the_hooks_learn_what_the_request_told() -> None:
    got: list[RequestContext] = []

    async def agent(input: RunAgentInput, context: RequestContext) -> Stream:
        got.append(context)
        yield events.custom("x", input.forwarded_props)

    runtime = CopilotRuntime({"a": agent}, properties={"tenant": "server"})
    headers = {"x-trace": "1"}
    exchange = Exchange(runtime, owner="ann", headers=headers, request_id="q1")
    data = request(
        thread_id="t1",
        agent_session=AgentSessionInput(agent_name="a", node_name="ask"),
        forwarded_parameters=ForwardedParametersInput(model="m", temperature=0.5, stop=None),
        extensions=ExtensionsInput(openai_assistant_api=OpenAIApiAssistantAPIInput(run_id="o")),
    )
    data.metadata = GenerateCopilotResponseMetadataInput(request_type=CopilotRequestType.Task)
    data.frontend.url = "https://shop.test"
    data.frontend.to_deprecate_full_context = "the cart is full"
    await exchange.resolvers.generate_copilot_response(data, {"tenant": "client", "theme": "dark"})
    run = runtime.active_run("t1", RequestContext(owner="ann"))
    assert run is not None
    await run.wait()
    assert got == [
        RequestContext(
            request_id="q1",
            owner="ann",
            headers=headers,
            properties={"tenant": "server", "theme": "dark"},
            url="https://shop.test",
            request_type="Task",
            node_name="ask",
            frontend_context="the cart is full",
            forwarded_parameters={"model": "m", "temperature": 0.5},
            extensions={"openai_assistant_api": {"run_id": "o"}},
        )
    ]


async def test_an_answer_resumes_the_interrupt_that_waits() -> None:
    got: list[RunAgentInput] = []
    waiting = {"id": "i1", "reason": "x", "message": "name?"}

    async def agent(input: RunAgentInput) -> Stream:
        got.append(input)
        yield events.run_finished(input.thread_id, input.run_id, [] if len(got) > 1 else [waiting])

    runtime = CopilotRuntime({"a": agent})
    answer = MetaEventInput(name=MetaEventName.LangGraphInterruptEvent, value="name?", response="Ann")
    session = AgentSessionInput(agent_name="a", thread_id="t1")
    for meta_events in ([], [answer], [answer]):
        data = request(agent_session=session, meta_events=meta_events)
        await Exchange(runtime).resolvers.generate_copilot_response(data, None)
        run = runtime.active_run("t1", RequestContext())
        assert run is not None
        await run.wait()
    told = [input.model_dump(mode="json", by_alias=True, exclude_none=True) for input in got]
    resume = {"interruptId": "i1", "status": "resolved", "payload": "Ann"}
    assert [input.get("resume") for input in told] == [None, [resume], None]
    commands = [input["forwardedProps"].get("command") for input in told]
    assert commands == [None, {"resume": "Ann"}, {"resume": "Ann"}]


@pytest.mark.parametrize(
    ("fields", "error_type"),
    [
        ({"agent_session": AgentSessionInput(agent_name="ghost")}, AgentNotFoundError),
        ({"actions": [action("f", "{oops")]}, InvalidRequestError),
        ({"cloud": CloudInput()}, MissingApiKeyError),
    ],
)
async def test_a_request_that_is_refused_is_told_of_once(
    fields: Mapping[str, Any], error_type: type[Exception]
) -> None:
    told: list[RequestFailed] = []
    runtime = CopilotRuntime({"a": hello}, on_error=told.append)
    with pytest.raises(error_type) as raised:
        await Exchange(runtime).resolvers.generate_copilot_response(request(**fields), None)
    assert [error.error for error in told] == [raised.value]


async def test_states_that_come_along_reach_the_agent_they_are_for() -> None:
    agent = Scripted([{"event": events.run_started("t", "r")}, {"event": events.run_finished("t", "r")}])
    runtime = CopilotRuntime({"a": agent})
    states = [AgentStateInput(agent_name="a", state='{"n":1}')]
    await Exchange(runtime).resolvers.generate_copilot_response(
        request(thread_id="t1", agent_states=states), None
    )
    run = runtime.active_run("t1", RequestContext())
    assert run is not None
    await run.wait()
    assert [given["state"] for given in agent.inputs] == [{"n": 1}]
