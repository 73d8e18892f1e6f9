"""CrewAI's own clients, against servers that speak as OpenAI and Anthropic do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)
pytest.importorskip("anthropic")

from crewai import LLM, Agent, Crew, Task
from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.protocols.agui.served import serve
from tests.providers.chat.vendors import KEY, VENDORS, Calls, Vendor
from tests.providers.emitted import collect, messages, of_type, text_of
from tests.scripted_agent import ScriptedAgent, Step

from .scripted import MARKS, request, tool, user

MODELS = {"openai": "openai/gpt-4o", "anthropic": "anthropic/claude-haiku-4-5"}

pytestmark = [
    *MARKS,
    pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor.name in MODELS], ids=str),
]

PAINT = tool("setBackgroundColor", color={"type": "string"})


@pytest.fixture
def server() -> Iterator[ScriptedAgent]:
    with ScriptedAgent() as server:
        yield server


Make: TypeAlias = Callable[..., Any]


@pytest.fixture
async def make_model(vendor: Vendor, server: ScriptedAgent) -> AsyncIterator[Make]:
    """Makes models that ask the server, if given with the answers that it gives in turn."""
    made: list[Any] = []

    def make_model(*answers: list[Step], **options: Any) -> Any:
        if answers:
            rest = list(answers)
            server.play(vendor.path, lambda body: rest.pop(0))
        url = server.url(vendor.name)
        made.append(LLM(model=MODELS[vendor.name], api_key=KEY, base_url=url, **options))
        return made[-1]

    yield make_model
    for model in made:
        await model._get_async_client().close()
        model._get_sync_client().close()


def chat(llm: Any) -> type[Flow[CopilotKitState]]:
    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer = await llm.acall(self.state.messages, tools=self.state.copilotkit["actions"])
            content = (
                {"content": answer} if isinstance(answer, str) else {"content": "", "tool_calls": answer}
            )
            self.state.messages.append({"role": "assistant", **content})

    return Chat


def crew(llm: Any) -> Crew:
    agent = Agent(role="Painter", goal="Paint", backstory="You paint.", llm=llm)
    return Crew(agents=[agent], tasks=[Task(description="Do it", expected_output="art", agent=agent)])


def asked(server: ScriptedAgent, vendor: Vendor) -> list[dict[str, Any]]:
    """What the model was asked. CrewAI also has Anthropic count the tokens, at another address."""
    return [call.input for call in server.calls if call.agent == vendor.path]


def call_what_is_offered(server: ScriptedAgent, vendor: Vendor, *then: list[Step]) -> None:
    """Has the server call the first tool that it is offered, by the name that CrewAI gives it there."""
    rest = list(then)

    def script(body: dict[str, Any]) -> list[Step]:
        if len(asked(server, vendor)) > 1:
            return rest.pop(0)
        offered = body["tools"][0]
        name = offered.get("name") or offered["function"]["name"]
        return vendor.answer(Calls("c1", name, ('{"color":', '"green"}')))

    server.play(vendor.path, script)


async def test_a_model_streams_and_calls_the_frontends_tools_by_their_names(
    vendor: Vendor, server: ScriptedAgent, make_model: Make
) -> None:
    call_what_is_offered(server, vendor, vendor.answer("It ", "is green."))
    provider = CrewAIProvider(chat(make_model(stream=True)))

    called = await collect(provider, request(user("green!"), tools=[PAINT]))
    result = {"id": "r1", "role": "tool", "content": "painted", "toolCallId": "c1"}
    events = await collect(provider, request(*messages(called), result, tools=[PAINT]))

    assert [(e["toolCallName"], e["toolCallId"]) for e in of_type(called, "TOOL_CALL_START")] == [
        ("setBackgroundColor", "c1")
    ]
    assert [e["delta"] for e in of_type(called, "TOOL_CALL_ARGS")] == ['{"color":', '"green"}']
    (call,) = messages(called)[-1]["toolCalls"]
    assert call["function"]["name"] == "setBackgroundColor"
    assert call["function"]["arguments"].replace(" ", "") == '{"color":"green"}'
    assert [e["delta"] for e in of_type(events, "TEXT_MESSAGE_CONTENT")] == ["It ", "is green."]
    assert [message["id"] for message in messages(events)[:3]] == [
        *(message["id"] for message in messages(called)),
        "r1",
    ]
    assert messages(called)[-1]["id"] == of_type(called, "TOOL_CALL_START")[0]["parentMessageId"]


async def test_models_are_sent_no_message_ids(
    vendor: Vendor, server: ScriptedAgent, make_model: Make
) -> None:
    llm = make_model(vendor.answer("ok"), stream=True)

    await collect(CrewAIProvider(chat(llm)), request(user("green!"), tools=[PAINT]))

    (message,) = asked(server, vendor)[0]["messages"]
    assert message.keys() == {"role", "content"}


async def test_the_models_of_a_crew_stream_without_being_told_to(
    vendor: Vendor, server: ScriptedAgent, make_model: Make
) -> None:
    call_what_is_offered(server, vendor)
    llm = make_model()

    events = await collect(CrewAIProvider(crew(llm)), request(user("green!"), tools=[PAINT]))

    assert [e["toolCallName"] for e in of_type(events, "TOOL_CALL_START")] == ["setBackgroundColor"]
    assert len(of_type(events, "TOOL_CALL_ARGS")) == 2
    assert text_of(events) == ""
    assert (asked(server, vendor)[0]["stream"], llm.stream) == (True, False)


@pytest.mark.parametrize("kind", [chat, crew])
async def test_a_token_is_shown_before_the_next_one_exists(
    vendor: Vendor, server: ScriptedAgent, make_model: Make, kind: Any
) -> None:
    llm = make_model(vendor.answer("Hel", {"gate": "later"}, "lo"), stream=True)

    texts: list[str] = []
    async for event in CrewAIProvider(kind(llm)).run(request(user("hi")), RequestContext()):
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            texts.append(event["delta"])
            server.open_gate("later")

    assert texts == ["Hel", "lo"]


@pytest.mark.parametrize("status", [429, 500])
async def test_a_refused_call_is_repeated(
    vendor: Vendor, server: ScriptedAgent, make_model: Make, status: int
) -> None:
    refusal = vendor.failure(status, retry_after_ms="1")
    llm = make_model(refusal, vendor.answer("at last"), stream=True)

    assert text_of(await collect(CrewAIProvider(chat(llm)), request(user("hi")))) == "at last"
    assert len(asked(server, vendor)) == 2


async def told(agent: Any) -> list[Event]:
    """What a frontend is told of a run of the agent."""
    async with serve({"agent": agent}) as served:
        return await served.events(served.run())


@pytest.mark.parametrize(("kind", "status"), [(chat, 401), (chat, 500), (crew, 500)])
async def test_a_refusal_is_an_error_without_the_vendors_words(
    vendor: Vendor, server: ScriptedAgent, make_model: Make, status: int, kind: Any
) -> None:
    refusal = vendor.failure(status, f"{KEY} is bad", retry_after_ms="1")
    llm = make_model(*[refusal] * 9, stream=True, max_retries=0)

    events = await told(kind(llm))

    assert events[-1]["type"] == "RUN_ERROR"
    assert KEY not in str(events)
    assert text_of(events) == ""


async def test_a_cut_connection_is_an_error_and_what_was_said_stays(
    vendor: Vendor, server: ScriptedAgent, make_model: Make
) -> None:
    llm = make_model(vendor.answer("par", "tial", {"destroy": True}), stream=True)

    events = await told(chat(llm))

    assert text_of(events) == "partial"
    assert events[-1]["type"] == "RUN_ERROR"
    assert len(asked(server, vendor)) == 1


async def test_a_stop_closes_the_connection_to_the_model(
    vendor: Vendor, server: ScriptedAgent, make_model: Make
) -> None:
    llm = make_model(vendor.answer("Once ", {"hang": True}), stream=True)
    async with serve({"agent": chat(llm)}) as served, served.run() as run:
        async for event in run.events():
            if event["type"] == "TEXT_MESSAGE_CONTENT":
                status, _ = await served.json(served.stop())
                assert status == 200

    assert await asyncio.wrap_future(server.calls[0].played) is False
