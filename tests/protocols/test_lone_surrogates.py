"""Half of an emoji, which a page sends where it cut a string, and an agent where it was stopped."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.transcription import Recording
from tests.attacks.graphql import RUN, answer, ask, data
from tests.protocols.agui.served import Event, serve

pytestmark = pytest.mark.anyio

EITHER_FORM = pytest.mark.parametrize("single", [False, True])
HALF, SHOWN = "cut \ud83d", "cut \ufffd"


class Keeper:
    """An agent that keeps what it got, and says the first half of an emoji."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        self.given = input.model_dump(mode="json", by_alias=True, exclude_none=True)
        yield events.text_start("m1")
        yield events.text_content("m1", HALF)


class Listener:
    """A transcription service that keeps what it got."""

    async def transcribe(self, recording: Recording) -> str:
        self.recording = recording
        return "heard"


@EITHER_FORM
async def test_an_agent_gets_the_replacement_character_wherever_the_half_was(single: bool) -> None:
    agent = Keeper()
    call = {"id": HALF, "type": "function", "function": {"name": HALF, "arguments": HALF}}
    body: Event = {
        "messages": [
            {"id": HALF, "role": "user", "content": HALF},
            {"id": "u2", "role": "user", "content": [{"type": "text", "text": HALF}]},
            {"id": "a1", "role": "assistant", "content": HALF, "toolCalls": [call]},
            {"id": "r1", "role": "tool", "toolCallId": HALF, "content": HALF},
        ],
        "context": [{"description": HALF, "value": HALF}],
        "state": {HALF: [HALF]},
        "tools": [{"name": HALF, "description": HALF, "parameters": {HALF: HALF}}],
        "forwardedProps": {HALF: HALF},
    }
    async with serve({"agent": agent}, single=single) as served:
        told = await served.events(served.run(**body))
        again = await served.events(served.connect())

    expected = json.loads(json.dumps(body).replace(r"\ud83d", r"\ufffd"))
    assert {name: agent.given[name] for name in body} == expected
    assert {name: told[0]["input"][name] for name in body} == expected
    assert orjson.dumps(agent.given)
    assert again[0]["input"] == told[0]["input"]


@EITHER_FORM
async def test_a_thread_goes_on_after_an_answer_that_ends_in_half_an_emoji(single: bool) -> None:
    agent = Keeper()
    asked = {"id": "u1", "role": "user", "content": "hi"}
    async with serve({"agent": agent}, single=single) as served:
        told = await served.events(served.run(messages=[asked]))
        said = "".join(event["delta"] for event in told if event["type"] == "TEXT_MESSAGE_CONTENT")
        answered = {"id": "m1", "role": "assistant", "content": said}
        await served.events(served.run(run="r2", messages=[asked, answered, {**asked, "id": "u2"}]))

    assert said == HALF
    assert [message["content"] for message in agent.given["messages"]] == ["hi", SHOWN, "hi"]


@EITHER_FORM
async def test_names_and_ids_are_stored_with_the_replacement_character(single: bool) -> None:
    async with serve({"agent": Keeper()}, single=single) as served:
        await served.events(served.run(thread=HALF))
        path = "/threads/cut%20%EF%BF%BD"
        status, thread = await served.json(served.resource("PATCH", path, {"name": HALF}))
        assert (status, thread["id"], thread["name"]) == (200, SHOWN, SHOWN)
        _, listed = await served.json(served.resource("GET", "/threads"))
        assert [(row["id"], row["name"]) for row in listed["threads"]] == [(SHOWN, SHOWN)]
        status, _ = await served.json(served.resource("GET", "/threads/%ED%A0%BD/messages"))
        assert status == 200


@EITHER_FORM
async def test_a_recording_in_json_is_transcribed_whatever_its_name(single: bool) -> None:
    service = Listener()
    audio = base64.b64encode(b"sound").decode()
    body = {"audio": audio, "mimeType": "audio/webm", "filename": f"{HALF}.webm"}
    async with serve({"agent": Keeper()}, single=single, transcription_service=service) as served:
        exchange = served.envelope("transcribe", None, body)
        if not single:
            exchange = served.request("POST", "/transcribe", body)
        assert (await served.json(exchange))[0] == 200
    assert (service.recording.filename, service.recording.data) == (f"{SHOWN}.webm", b"sound")


async def test_graphql_variables_and_the_json_in_them_have_the_replacement_character() -> None:
    agent = Keeper()
    inner = json.dumps({HALF: HALF})
    created = {"createdAt": "2026-01-01T00:00:00.000Z"}
    variables = {
        "data": data(
            {"id": HALF, **created, "textMessage": {"content": HALF, "role": "user"}},
            agentStates=[{"agentName": "a", "state": inner, "config": inner}],
            context=[{"description": HALF, "value": HALF}],
            frontend={"actions": [{"name": "f", "description": HALF, "jsonSchema": inner}]},
            metaEvents=[{"name": "LangGraphInterruptEvent", "value": HALF, "response": inner}],
        ),
        "properties": {HALF: HALF},
    }
    async with serve({"a": agent}) as served:
        _, told = await answer(ask(served, RUN, variables))

    assert "errors" not in told
    given = agent.given
    assert given["messages"][1] == {"id": SHOWN, "role": "user", "content": SHOWN}
    assert given["state"] == {SHOWN: SHOWN}
    assert given["context"] == [{"description": SHOWN, "value": SHOWN}]
    assert given["tools"] == [{"name": "f", "description": SHOWN, "parameters": {SHOWN: SHOWN}}]
    assert given["forwardedProps"]["config"] == given["state"]
    assert given["forwardedProps"][SHOWN] == SHOWN
    assert orjson.dumps(given)


async def test_graphql_variables_of_a_link_have_the_replacement_character() -> None:
    query = "query ($data: LoadAgentStateInput!) { loadAgentState(data: $data) { threadId } }"
    variables = json.dumps({"data": {"threadId": HALF, "agentName": "a"}})
    async with serve({"a": Keeper()}) as served:
        link = str(httpx.QueryParams({"query": query, "variables": variables}))
        _, told = await answer(served.request("GET", f"?{link}", headers={"accept": "application/json"}))
    assert told["data"]["loadAgentState"] == {"threadId": SHOWN}
