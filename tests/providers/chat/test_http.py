"""The chat over real HTTP, to servers that speak as OpenAI and Anthropic do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio.to_thread
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.chat import ChatProvider
from tests.providers.chat.scripted import asks, show, tool, user
from tests.providers.chat.vendors import KEY, VENDORS, Calls, Vendor
from tests.providers.emitted import collect, of_type, text_of
from tests.scripted_agent import Call, ScriptedAgent, Step

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("vendor", VENDORS, ids=str)]


@pytest.fixture
def server() -> Iterator[ScriptedAgent]:
    with ScriptedAgent() as server:
        yield server


async def requested(server: ScriptedAgent, vendor: Vendor, count: int = 1) -> Call:
    """Returns the `count`-th request to the vendor, once it has come."""
    return await anyio.to_thread.run_sync(partial(server.wait_for_call, vendor.path, count))


def play_in_turn(server: ScriptedAgent, vendor: Vendor, *scripts: list[Step]) -> ChatProvider:
    rest = list(scripts)
    server.play(vendor.path, lambda body: rest.pop(0))
    return ChatProvider(vendor.model(server, max_retries=2))


async def test_text_and_the_arguments_of_calls_stream(vendor: Vendor, server: ScriptedAgent) -> None:
    answer = vendor.answer(
        "Both ", "now.", Calls("c1", "f", ('{"a"', ":1}")), Calls("c2", "g", ('{"b":', "2}"))
    )
    provider = play_in_turn(server, vendor, answer)
    events = await collect(provider, asks(tools=[tool("f"), tool("g")]))
    id = events[0]["messageId"]
    started = [
        {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": name, "parentMessageId": id}
        for call, name in (("c1", "f"), ("c2", "g"))
    ]
    args = [("c1", '{"a"'), ("c1", ":1}"), ("c2", '{"b":'), ("c2", "2}")]
    assert text_of(events) == "Both now."
    assert of_type(events, "TOOL_CALL_START") == started
    assert of_type(events, "TOOL_CALL_ARGS") == [
        {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": delta} for call, delta in args
    ]


async def test_a_token_is_shown_before_the_next_one_exists(vendor: Vendor, server: ScriptedAgent) -> None:
    provider = play_in_turn(server, vendor, vendor.answer("Hel", {"gate": "later"}, "lo"))
    stream = provider.run(asks(), RequestContext())
    first = [await anext(stream), await anext(stream)]
    server.open_gate("later")
    rest = [event async for event in stream]
    assert (text_of(first), text_of(rest)) == ("Hel", "lo")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_refused_call_is_repeated(status: int, vendor: Vendor, server: ScriptedAgent) -> None:
    refusal = vendor.failure(status, retry_after_ms="1")
    provider = play_in_turn(server, vendor, refusal, refusal, vendor.answer("at last"))
    assert text_of(await collect(provider, asks())) == "at last"
    assert len(server.calls) == 3


async def test_a_call_is_repeated_if_the_connection_is_cut_before_the_answer(
    vendor: Vendor, server: ScriptedAgent
) -> None:
    provider = play_in_turn(server, vendor, [{"drop": True}], vendor.answer("at last"))
    assert text_of(await collect(provider, asks())) == "at last"
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    ("status", "code", "calls"),
    [(429, "MODEL_RATE_LIMIT", 3), (500, "MODEL_FAILED", 3), (401, "MODEL_AUTHENTICATION", 1)],
)
async def test_the_vendors_words_stay_on_the_server_and_retries_have_an_end(
    status: int, code: str, calls: int, vendor: Vendor, server: ScriptedAgent
) -> None:
    refusal = vendor.failure(status, f"{KEY} is bad", retry_after_ms="1")
    provider = play_in_turn(server, vendor, *[refusal] * 9)
    with pytest.raises(AgentError) as told:
        await collect(provider, asks())
    assert told.value.agent_code == code
    assert KEY not in told.value.message
    assert len(server.calls) == calls


async def test_an_answer_that_has_begun_is_not_begun_again(vendor: Vendor, server: ScriptedAgent) -> None:
    provider = play_in_turn(server, vendor, vendor.answer("par", "tial", {"destroy": True}))
    events: list[Event] = []
    with pytest.raises(Exception, match="peer closed connection"):
        await show(events, provider, asks())
    assert text_of(events) == "partial"
    assert len(server.calls) == 1


async def test_fifty_chats_at_once_do_not_meet(vendor: Vendor, server: ScriptedAgent) -> None:
    def answer(body: dict[str, Any]) -> list[Step]:
        asked = vendor.asked(body)
        call = Calls(f"call-{asked}", "f", (f'{{"asked":"{asked}', '"}'))
        return vendor.answer(f"{asked}, ", {"gate": "all are here"}, f"I am {asked}.", call)

    server.play(vendor.path, answer)
    provider = ChatProvider(vendor.model(server))

    def request(number: int) -> RunAgentInput:
        return asks(user(f"chat {number}"), tools=[tool("f")])

    chats = [asyncio.create_task(collect(provider, request(number))) for number in range(50)]
    await requested(server, vendor, 50)
    server.open_gate("all are here")
    for number, events in enumerate(await asyncio.gather(*chats)):
        asked = f"chat {number}"
        assert text_of(events) == f"{asked}, I am {asked}."
        args = of_type(events, "TOOL_CALL_ARGS")
        assert {event["toolCallId"] for event in args} == {f"call-{asked}"}
        assert "".join(event["delta"] for event in args) == f'{{"asked":"{asked}"}}'


@pytest.mark.parametrize("begun", [False, True])
async def test_stopping_leaves_the_vendor_at_once(begun: bool, vendor: Vendor, server: ScriptedAgent) -> None:
    text = ["Once upon"] if begun else []
    provider = play_in_turn(server, vendor, vendor.answer(*text, {"hang": True}))
    shown = asyncio.Event()

    async def chat() -> None:
        async for event in provider.run(asks(), RequestContext()):
            if event["type"] == "TEXT_MESSAGE_CONTENT":
                shown.set()

    chatting = asyncio.create_task(chat())
    call = await requested(server, vendor)
    if begun:
        await shown.wait()
    chatting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await chatting
    came_to_its_end = await anyio.to_thread.run_sync(partial(call.played.result, 10))
    assert not came_to_its_end
    assert len(server.calls) == 1


SCHEMA = {"type": "object", "properties": {"x": {"type": "number"}}}
IMAGE = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
ASKED = {
    "openai": {
        "model": "gpt-scripted",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Look."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                ],
            },
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "Does f.", "parameters": SCHEMA}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "max_completion_tokens": 12,
        "temperature": 0.25,
        "stop": ["END"],
        "stream": True,
    },
    "openai-responses": {  # an API that knows no `stop`
        "model": "gpt-scripted",
        "input": [
            {"role": "system", "content": "Be kind.", "type": "message"},
            {"role": "user", "content": "Look.", "type": "message"},
            {"type": "function_call", "name": "f", "arguments": '{"x": 1}', "call_id": "c1"},
            {"type": "function_call_output", "output": "one", "call_id": "c1"},
            {
                "role": "user",
                "type": "message",
                "content": [
                    {"type": "input_text", "text": "And this?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                ],
            },
        ],
        "tools": [{"type": "function", "name": "f", "description": "Does f.", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "f"},
        "max_output_tokens": 12,
        "temperature": 0.25,
        "stream": True,
    },
    "anthropic": {
        "model": "claude-scripted",
        "system": "Be kind.",
        "messages": [
            {"role": "user", "content": "Look."},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "one", "is_error": False},
                    {"type": "text", "text": "And this?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
                    },
                ],
            },
        ],
        "tools": [{"name": "f", "description": "Does f.", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "f"},
        "max_tokens": 12,
        "temperature": 0.25,
        "stop_sequences": ["END"],
        "stream": True,
    },
}


async def test_the_whole_request_reaches_the_vendor(vendor: Vendor, server: ScriptedAgent) -> None:
    function = {"name": "f", "arguments": '{"x": 1}'}
    call = {"id": "c1", "type": "function", "function": function}
    messages: list[dict[str, Any]] = [
        {"id": "s1", "role": "system", "content": "Be kind."},
        user("Look."),
        {"id": "a1", "role": "assistant", "content": "", "toolCalls": [call]},
        {"id": "r1", "role": "tool", "toolCallId": "c1", "content": "one"},
        {"id": "u2", "role": "user", "content": [{"type": "text", "text": "And this?"}, IMAGE]},
    ]
    context = RequestContext(
        forwarded_parameters={
            "temperature": 0.25,
            "max_tokens": 12.0,
            "stop": ["END"],
            "tool_choice": "function",
            "tool_choice_function_name": "f",
        }
    )
    provider = play_in_turn(server, vendor, vendor.answer("ok"))
    await collect(provider, asks(*messages, tools=[tool("f", **SCHEMA)]), context)
    assert server.calls[0].input == ASKED[vendor.name]
