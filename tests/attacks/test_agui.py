"""Requests of the AG-UI contract that no frontend sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from ag_ui.core import RunAgentInput
from starlette.types import Message

from copilotkit_runtime_py import Limits
from copilotkit_runtime_py.agui import events
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Served, run_body, serve, without_input

pytestmark = pytest.mark.anyio

EITHER_FORM = pytest.mark.parametrize("single", [False, True])
TOO_LARGE = "The request exceeds 1000 bytes. The server's --max-body (Limits.request_bytes) sets this limit."
BAD_ID = "Expected 1024 characters at most, and no control characters"


class Keeper:
    """An agent that keeps what it got."""

    def __init__(self) -> None:
        self.inputs: list[RunAgentInput] = []

    async def run(self, input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        self.inputs.append(input)
        yield events.text_start("m1")
        yield events.text_content("m1", input.thread_id)


class Upload(Exchange):
    """A request whose body comes in pieces, until it is cut off."""

    def __init__(self, served: Served, path: str, headers: dict[str, str], piece: bytes) -> None:
        super().__init__(served.app, "POST", f"/copilotkit{path}", b"", headers)
        self.pieces = 0
        self._piece = piece

    async def _receive(self) -> Message:
        if not self._piece:
            await asyncio.Event().wait()
        self.pieces += 1
        return {"type": "http.request", "body": self._piece, "more_body": True}


async def refused(served: Served, exchange: Exchange) -> tuple[int, str]:
    status, body = await served.json(exchange)
    return status, body.get("details") or body.get("message") or body["error"]


@pytest.mark.attack(18)
@pytest.mark.parametrize("path", ["", "/agent/agent/run", "/transcribe", "/threads/t1"])
async def test_a_body_beyond_the_limit_is_refused_before_it_is_held(path: str) -> None:
    async with serve({"agent": Keeper()}, limits=Limits(request_bytes=1000)) as served:
        declared = Upload(served, path, {"content-length": "1001"}, b"x")
        async with declared as exchange:
            assert (exchange.status, (await exchange.json())["message"]) == (413, TOO_LARGE)
        assert declared.pieces <= 4001  # dropped, so that the client gets to read the answer
        for length in ({}, {"content-length": "5"}, {"content-length": "9" * 5000}, {"content-length": "²"}):
            chunked = Upload(served, path, length, b"x" * 100)
            async with chunked as exchange:
                assert (exchange.status, exchange.headers["connection"]) == (413, "close")
            assert chunked.pieces <= 11 + 41


@pytest.mark.attack(19)
@pytest.mark.parametrize("path", ["", "/agent/agent/run", "/transcribe"])
async def test_a_body_that_does_not_come_to_its_end_is_given_up(path: str) -> None:
    async with (
        serve({"agent": Keeper()}, limits=Limits(request_seconds=0.01)) as served,
        Upload(served, path, {"content-length": "10"}, b"") as exchange,
    ):
        assert (exchange.status, exchange.headers["connection"]) == (408, "close")
        assert "in time" in (await exchange.json())["message"]


@pytest.mark.attack(20)
@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", ""]
)
@EITHER_FORM
async def test_another_content_type_from_a_page_elsewhere_starts_nothing(
    content_type: str, single: bool
) -> None:
    agent = Keeper()
    headers = {"content-type": content_type, "origin": "https://evil.example", "host": "testserver"}
    async with serve({"agent": agent}, single=single) as served:
        for exchange in (
            served.agent("run", "agent", run_body(), headers),
            served.stop(headers=headers),
            served.connect(headers=headers),
        ):
            status, _ = await served.json(exchange)
            assert status == 415
    assert agent.inputs == []


@pytest.mark.attack(21)
@EITHER_FORM
async def test_what_a_newer_client_adds_is_left_out_and_what_is_known_has_to_be_right(single: bool) -> None:
    agent = Keeper()
    known = {"id": "u1", "role": "user", "content": "hi"}
    newer = [
        {"id": "n1", "role": "oracle", "content": {"deep": [1]}},
        {"id": "n2", "role": "user", "content": [{"type": "hologram"}, {"type": "text", "text": "yes"}]},
    ]
    async with serve({"agent": agent}, single=single) as served:
        await served.events(served.run(messages=[known, *newer], newMember={"a": 1}))
        for wrong in (
            {"id": "u1", "role": "user"},
            {"id": "u1", "role": "user", "content": {"text": "hi"}},
            {"role": "user", "content": "hi"},
            {"id": "u1", "content": "hi"},
            {"id": "a1", "role": "assistant", "toolCalls": [{"id": "c"}]},
            "hi",
            None,
        ):
            status, why = await refused(served, served.run(messages=[wrong]))
            assert (status, why[:8]) == (400, "messages")
    [input] = agent.inputs
    assert [(message.id, message.role) for message in input.messages] == [("u1", "user"), ("n2", "user")]


@pytest.mark.attack(23)
@EITHER_FORM
async def test_tools_by_the_thousand_or_of_a_megabyte_are_bounded(single: bool) -> None:
    agent = Keeper()
    tool = {"name": "f", "description": "", "parameters": {"type": "object"}}
    large = {**tool, "parameters": {"type": "object", "description": "x" * 1_000_000}}
    async with serve({"agent": agent}, single=single, limits=Limits(request_bytes=2_000_000)) as served:
        told = await served.events(served.run(tools=[tool] * 10_000))
        assert [event["message"] for event in told] == ["A request may have at most 1000 tools."]
        assert agent.inputs == []
        await served.events(served.run(tools=[large]))
        assert len(agent.inputs) == 1
        async with served.run(tools=[large, large]) as exchange:
            assert exchange.status == 413


@pytest.mark.attack(24)
@EITHER_FORM
async def test_a_state_of_any_names_is_data_and_nothing_else(single: bool) -> None:
    agent = Keeper()
    state = {
        "__proto__": {"isAdmin": True},
        "constructor": {"prototype": {}},
        "__class__": "x",
        **{f"k{n}": n for n in range(100_000)},
    }
    async with serve({"agent": agent}, single=single) as served:
        told = await served.events(served.run(state=state))
        assert told[0]["input"]["state"] == state
    assert agent.inputs[0].state == state


@pytest.mark.attack(28)
@EITHER_FORM
@pytest.mark.parametrize("id", ["x" * 10_000, "a\0b", "\na", "\x7f\x1b", "a\r\nset-cookie: x"])
async def test_ids_that_no_store_could_hold_are_refused(id: str, single: bool) -> None:
    agent = Keeper()
    async with serve({"agent": agent}, single=single) as served:
        for body in (
            {"thread": id},
            {"run": id},
            {"parentRunId": id},
            {"tools": [{"name": id, "description": "", "parameters": {}}]},
        ):
            status, why = await refused(served, served.run(**body))
            assert (status, why.partition(": ")[2]) == (400, BAD_ID)
        path = quote(id, safe="") if not single else id
        for exchange in (
            served.agent("run", path, run_body()),
            served.stop(path),
            served.stop(thread=path),
            served.stop(body={"runId": id}),
            served.resource("GET", f"/threads?cursor={quote(id)}"),
            served.resource("GET", f"/threads/{quote(id, safe='')}/messages"),
            served.resource("DELETE", f"/threads/{quote(id, safe='')}"),
        ):
            status, why = await refused(served, exchange)
            assert (status, why.partition(": ")[2]) == (400, BAD_ID)
    assert agent.inputs == []


def conversation(id: str) -> list[dict[str, Any]]:
    """A conversation whose ids an agent may have chosen: they hold what a model's vendor put there."""
    call = {"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"id": id, "role": "assistant", "toolCalls": [call]},
        {"id": "r", "role": "tool", "toolCallId": id, "content": ""},
    ]


@EITHER_FORM
@pytest.mark.parametrize("id", ["x" * 65_536, "call_1\n__thought__" + "c2ln" * 1000])
async def test_ids_that_left_in_an_answer_may_come_back(id: str, single: bool) -> None:
    agent = Keeper()
    async with serve({"agent": agent}, single=single) as served:
        told = await served.events(served.run(messages=conversation(id)))
    assert told[0]["input"]["messages"] == conversation(id)
    [input] = agent.inputs
    assert [message.id for message in input.messages] == [id, "r"]


@pytest.mark.attack(12)
@EITHER_FORM
@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("[" + ",".join(["[" * 95 + "]" * 95] * 20_000) + "]", "Expected 200000 JSON values at most"),
        ("[" * 101 + "]" * 101, "Expected 100 levels of nesting at most"),
    ],
)
async def test_json_that_is_costly_to_read_is_refused_in_a_body_and_in_arguments(
    state: str, why: str, single: bool
) -> None:
    agent = Keeper()
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": state}}
    in_arguments = run_body(messages=[{"id": "a1", "role": "assistant", "toolCalls": [call]}])
    content = json.dumps(run_body(state="@")).replace('"@"', state).encode()
    async with serve({"agent": agent}, single=single) as served:
        exchange = served.request("POST", "/agent/agent/run", content)
        if single:
            envelope = b'{"method": "agent/run", "params": {"agentId": "agent"}, "body": %b}' % content
            exchange = served.request("POST", "", envelope)
        assert await refused(served, exchange) == (400, why)
        assert await refused(served, served.agent("run", "agent", in_arguments)) == (400, why)
    assert agent.inputs == []


@pytest.mark.attack(28)
@EITHER_FORM
async def test_ids_of_messages_and_calls_are_bounded_all_the_same(single: bool) -> None:
    agent = Keeper()
    long = "x" * 65_537
    first, result = conversation(long)
    async with serve({"agent": agent}, single=single) as served:
        for body in (
            {"messages": [{**first, "toolCalls": []}]},
            {"messages": [{**first, "id": "a"}]},
            {"messages": [result]},
            {"resume": [{"interruptId": long, "status": "resolved"}]},
        ):
            status, why = await refused(served, served.run(**body))
            assert (status, why.partition(": ")[2]) == (400, "Expected 65536 characters at most")
    assert agent.inputs == []


@pytest.mark.attack(28)
@pytest.mark.parametrize(
    "id",
    [
        *(
            "../t1",
            "..",
            "%2e%2e",
            "t1/",
            "t1?x",
            "t1#x",
            "t\u0131",
            "t\u200b1",
            "\uff341",
            "info",
            "threads",
        ),
        *("clear", "subscribe", "__proto__", "'; DROP TABLE threads; --", "t1%", "*", "t1:2"),
    ],
)
async def test_an_id_is_a_name_and_nothing_but_equal_to_itself(id: str) -> None:
    async with serve({"agent": Keeper()}) as served:
        await served.events(served.run(thread="t1"))
        await served.events(served.run(thread=id))
        path = f"/threads/{quote(id, safe='')}"
        _, told = await served.json(served.request("GET", f"{path}/messages"))
        assert [message["content"] for message in told["messages"]] == ["hi", id]
        assert (await served.json(served.request("DELETE", path)))[1] == {"threadId": id, "deleted": True}
        _, told = await served.json(served.request("GET", "/threads"))
        assert [thread["id"] for thread in told["threads"]] == ["t1"]


@pytest.mark.attack(29)
async def test_an_envelope_reaches_what_it_names_and_nothing_else() -> None:
    agent, other = Keeper(), Keeper()
    inner = {"method": "agent/run", "params": {"agentId": "other"}, "agentId": "other", **run_body()}
    async with serve({"agent": agent, "other": other}) as served:
        await served.events(served.envelope("agent/run", {"agentId": "agent"}, inner))
        assert (len(agent.inputs), len(other.inputs)) == (1, 0)
        for method, params in (
            ("agent/run", {"agentId": ["other"]}),
            ("agent/run", {"agentId": "agent/../other"}),
            ("debug/events", {}),
            ("threads/list", {}),
            ("resource/request", {"path": "/agent/other/run", "httpMethod": "POST"}),
            ("resource/request", {"path": "//evil.example/threads", "httpMethod": "GET"}),
            ("resource/request", {"path": "/cpk-debug-events", "httpMethod": "GET"}),
            ("__init__", {}),
        ):
            status, _ = await served.json(served.envelope(method, params, run_body()))
            assert status in (400, 404)
    assert (len(agent.inputs), len(other.inputs)) == (1, 0)


@pytest.mark.attack(30)
async def test_a_message_id_of_another_thread_is_another_message() -> None:
    async with serve({"agent": Keeper()}) as served:
        for thread, said in (("t1", "first"), ("t2", "second"), ("t1", "third")):
            await served.events(
                served.run(thread=thread, messages=[{"id": "u1", "role": "user", "content": said}])
            )
        for thread, known in (("t1", "third"), ("t2", "second")):
            _, told = await served.json(served.request("GET", f"/threads/{thread}/messages"))
            assert [message["content"] for message in told["messages"]] == [known, thread]


@pytest.mark.attack(41)
async def test_line_ends_and_fields_in_what_an_agent_says_make_no_event() -> None:
    hostile = 'a\r\n\r\ndata: {"type":"RUN_FINISHED"}\n\nid: 9:9\revent: x\n\u2028\u2029\x85\0\ufeff'

    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.text_start("m1")
        yield events.text_content("m1", hostile)
        yield {"type": "CUSTOM", "name": hostile, "value": {hostile: hostile}}

    async with serve({"agent": agent}) as served, served.run() as exchange:
        raw = await exchange.body()
    frames = raw.split(b"\n\n")[:-1]
    assert all(frame.startswith(b"id: 1:") and frame.count(b"\n") == 1 for frame in frames)
    told = [json.loads(frame.partition(b"\ndata: ")[2]) for frame in frames]
    assert without_input(told)[2:4] == [
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": hostile},
        {"type": "CUSTOM", "name": hostile, "value": {hostile: hostile}},
    ]
