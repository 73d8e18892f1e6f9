"""Requests of the GraphQL contract that no client of CopilotKit sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import Limits
from tests.attacks.graphql import JSON, RUN, answer, ask, data, errors, post
from tests.protocols.agui.served import Served, serve

pytestmark = pytest.mark.anyio

STREAMED = "mutation ($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) { %s } }"


class Echo:
    """Answers with what it is told, and keeps what it got."""

    def __init__(self, *said: str) -> None:
        self.said = said or ("hello",)
        self.inputs: list[RunAgentInput] = []

    async def __call__(self, input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        self.inputs.append(input)
        for text in self.said:
            yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "delta": text}


async def run(served: Served, **given: Any) -> Any:
    status, body = await answer(ask(served, RUN, {"data": data(**given)}))
    assert status == 200
    return body


@pytest.mark.attack(8)
async def test_several_requests_in_one_are_refused() -> None:
    async with serve({"a": Echo()}) as served:
        for body in ([{"query": "{ hello }"}] * 2, list[Any](), [[1]]):
            status, told = await answer(post(served, body))
            assert status == 400
            assert "errors" in told


@pytest.mark.attack(10)
async def test_a_link_starts_nothing() -> None:
    agent = Echo()
    async with serve({"a": agent}) as served:
        for query in (
            "mutation{generateCopilotResponse(data:{}){threadId}}",
            "query%20a{hello}mutation%20b{generateCopilotResponse(data:{}){threadId}}&operationName=b",
        ):
            async with served.request("GET", f"?query={query}", b"", JSON) as exchange:
                assert (exchange.status, exchange.headers["allow"]) == (405, "POST")
    assert agent.inputs == []


@pytest.mark.attack(11)
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonx",
    ],
)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_what_a_foreign_page_may_send_unasked_starts_nothing(
    content_type: str, origin: str | None
) -> None:
    """A browser asks before it sends JSON to another origin, and sends these without asking."""
    agent = Echo()
    headers = {"content-type": content_type, **({"origin": origin} if origin else {})}
    async with serve({"a": agent}) as served:
        for body in (
            {"query": RUN, "variables": {"data": data()}},
            {"method": "agent/run", "params": {"agentId": "a"}, "body": {"threadId": "t", "runId": "r"}},
        ):
            status, _ = await answer(post(served, body, headers))
            assert status == 415
    assert agent.inputs == []


@pytest.mark.attack(12)
@pytest.mark.parametrize(
    "value",
    [
        "1e999",
        "NaN",
        "-Infinity",
        "1" * 400,
        "-" + "9" * 30,
        '"\\ud800"',
        '{"a": 1, "a": 2}',
        "1.7976931348623159e308",
    ],
)
async def test_numbers_and_texts_that_json_can_hardly_say_never_fail_the_server(value: str) -> None:
    agent = Echo()
    body = b'{"query": %b, "variables": {"data": %b, "properties": {"x": %b}}}' % (
        *(orjson.dumps(part) for part in (RUN, data())),
        value.encode(),
    )
    async with serve({"a": agent}) as served:
        status, told = await answer(post(served, body))
        assert status in (200, 400)
        assert ("errors" in told) == (agent.inputs == [])


@pytest.mark.attack(12)
@pytest.mark.parametrize(
    "literal", ["9" * 30, "9" * 5000, "-1e400", '"\\ud800"', "{a: 1, a: 2}", "[" * 100 + "]" * 100]
)
async def test_numbers_and_texts_in_a_document_never_fail_the_server(literal: str) -> None:
    query = RUN.replace("properties: $properties", f"properties: {{x: {literal}}}").replace(
        ", $properties: JSONObject", ""
    )
    async with serve({"a": Echo()}) as served:
        status, told = await answer(ask(served, query, {"data": data()}))
        assert status in (200, 400)
        assert "internal" not in str(told)


@pytest.mark.attack(12)
async def test_json_in_texts_is_bounded_like_the_json_around_it() -> None:
    agent = Echo()
    deep = "[" * 200 + "]" * 200
    fields: list[dict[str, Any]] = [
        {"agentStates": [{"agentName": "a", "state": f'{{"x": {deep}}}'}]},
        {"agentStates": [{"agentName": "a", "state": "{}", "config": f'{{"x": {deep}}}'}]},
        {"frontend": {"actions": [{"name": "f", "description": "", "jsonSchema": f'{{"x": {deep}}}'}]}},
    ]
    async with serve({"a": agent}) as served:
        for field in fields:
            told = await errors(ask(served, RUN, {"data": data(**field)}))
            assert told == ["Expected 100 levels of nesting at most"]
        nested: Any = {}
        for _ in range(200):
            nested = {"x": nested}
        assert await errors(ask(served, RUN, {"data": data(), "properties": nested})) == [
            "Expected 100 levels of nesting at most"
        ]
    assert agent.inputs == []


@pytest.mark.attack(12)
@pytest.mark.parametrize("bomb", [",".join(["[" * 95 + "]" * 95] * 20_000), ",".join(["0"] * 200_000)])
async def test_values_are_counted_in_variables_and_in_the_json_of_strings(bomb: str) -> None:
    agent = Echo()
    bomb = f"[{bomb}]"
    created = {"id": "c1", "createdAt": "2026-01-01T00:00:00.000Z"}
    call = {**created, "actionExecutionMessage": {"name": "f", "arguments": bomb}}
    body = json.dumps({"query": RUN, "variables": {"data": data(), "properties": {"x": "@"}}})
    async with serve({"a": agent}) as served:
        for exchange in (
            post(served, body.replace('"@"', bomb).encode()),
            ask(served, RUN, {"data": data(agentStates=[{"agentName": "a", "state": bomb}])}),
            ask(served, RUN, {"data": data(call)}),
        ):
            assert await errors(exchange) == ["Expected 200000 JSON values at most"]
    assert agent.inputs == []


@pytest.mark.attack(12)
async def test_errors_about_variables_do_not_tell_the_variables_again() -> None:
    long = "x" * 100_000
    wrong = {long + str(number): long for number in range(5)}
    async with serve({"a": Echo()}) as served:
        exchange = ask(served, RUN, {"data": {**data(**wrong), "messages": [None] * 100_000}})
        async with exchange:
            assert len(await exchange.body()) < 100_000


@pytest.mark.attack(13)
async def test_an_operation_that_cannot_be_told_is_refused() -> None:
    two = "query a { hello } query b { hello }"
    async with serve({"a": Echo()}) as served:
        for body in (
            {"query": two},
            {"query": two, "operationName": "c"},
            {"query": "{ hello }", "operationName": "x"},
        ):
            assert await errors(post(served, body)) == ["Could not determine what operation to execute."]
        _, told = await answer(post(served, {"query": two, "operationName": "b"}))
    assert told == {"data": {"hello": "Hello World"}}


@pytest.mark.attack(14)
@pytest.mark.parametrize(
    "selection",
    [
        "messages @stream(initialCount: -1) { ... on TextMessageOutput { content } }",
        "messages @stream(initialCount: 2147483647) { ... on TextMessageOutput { content @stream } }",
        "... @defer { ... @defer { threadId status { ... @defer { ... on BaseResponseStatus { code } } } } }",
        "... @defer { threadId } ... @defer { messages @stream { ... @defer { __typename } } }",
    ],
)
async def test_incremental_directives_anywhere_are_answered(selection: str) -> None:
    headers = {"accept": "multipart/mixed"}
    body = {"query": STREAMED % selection, "variables": {"data": data()}}
    async with serve({"a": Echo()}) as served, post(served, body, headers) as exchange:
        assert exchange.status == 200
        assert (await exchange.body()).endswith(b"-----\r\n")


@pytest.mark.attack(15)
async def test_a_boundary_in_what_an_agent_says_divides_nothing() -> None:
    hostile = '\r\n---\r\nContent-Type: application/json\r\n\r\n{"data":null}\r\n-----\r\n'
    async with serve({"a": Echo(hostile)}) as served:
        selection = "messages @stream { ... on TextMessageOutput { content @stream } }"
        body = {"query": STREAMED % selection, "variables": {"data": data()}}
        async with post(served, body, {"accept": "multipart/mixed"}) as exchange:
            parts = (await exchange.body()).split(b"\r\n---")
    bodies = [orjson.loads(part.partition(b"\r\n\r\n")[2]) for part in parts[1:-1]]
    items = [
        entry["items"]
        for part in bodies
        for entry in part.get("incremental", ())
        if "content" in entry["path"]
    ]
    assert items == [[hostile]]


@pytest.mark.attack(16)
@pytest.mark.parametrize("version", ["1.5.20", "1.10.6", "1.74.0"])
async def test_what_another_version_selects_or_leaves_out_is_told_by_name(version: str) -> None:
    headers = {"x-copilotkit-runtime-client-gql-version": version}
    async with serve({"a": Echo()}) as served:
        body: Any = {"query": RUN, "variables": {"data": data(newField=1)}, "newMember": True}
        told = await errors(post(served, body, headers))
        assert ['Field "newField" is not defined' in text for text in told] == [True]
        body = {"query": RUN.replace("threadId", "threadId newField"), "variables": {"data": data()}}
        assert await errors(post(served, body, headers)) == [
            'Cannot query field "newField" on type "CopilotResponse".'
        ]
        body = {"query": RUN, "variables": {"data": data()}, "newMember": True}
        assert (await answer(post(served, body, headers)))[1]["data"]["generateCopilotResponse"][
            "threadId"
        ] == "t1"


@pytest.mark.attack(17)
async def test_an_exception_says_nothing_to_the_client() -> None:
    async def broken(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        raise RuntimeError("sk-secret at /srv/app.py")
        yield {}

    def refuse(request: Any) -> None:
        raise ValueError("postgres://user:password@db")

    async with serve({"a": broken}) as served:
        told = str(await run(served))
    async with serve({"a": Echo()}, on_before_request=refuse) as served:
        told += str(await run(served))
    assert "secret" not in told
    assert "password" not in told
    assert "Traceback" not in told
    assert "error id" in told


@pytest.mark.attack(28)
@pytest.mark.parametrize("id", ["x" * 1025, "a\0b", "a\nb", "\x1b[2J"])
async def test_ids_that_no_store_could_hold_are_refused(id: str) -> None:
    agent = Echo()
    load = "query ($data: LoadAgentStateInput!) { loadAgentState(data: $data) { state } }"
    limit = "Expected 1024 characters at most, and no control characters"
    async with serve({"a": agent}) as served:
        for fields, name in (
            ({"threadId": id}, "threadId"),
            ({"agentSession": {"agentName": id}}, "agentName"),
            ({"agentSession": {"agentName": "a", "threadId": id}, "threadId": None}, "threadId"),
        ):
            assert await errors(ask(served, RUN, {"data": data(**fields)})) == [f"{name}: {limit}"]
        for given in ({"threadId": id, "agentName": "a"}, {"threadId": "t", "agentName": id}):
            assert len(await errors(ask(served, load, {"data": given}))) == 1
    assert agent.inputs == []


@pytest.mark.parametrize("id", ["x" * 65_536, "call_1\n__thought__" + "c2ln" * 1000])
async def test_ids_that_left_in_an_answer_may_come_back(id: str) -> None:
    agent = Echo()
    created = {"createdAt": "2026-01-01T00:00:00.000Z"}
    messages = [
        {"id": id, **created, "actionExecutionMessage": {"name": "f", "arguments": "{}"}},
        {
            "id": "r",
            **created,
            "resultMessage": {"actionExecutionId": id, "actionName": "f", "result": ""},
        },
    ]
    async with serve({"a": agent}) as served:
        _, told = await answer(ask(served, RUN, {"data": data(messages=messages)}))
    assert "errors" not in told
    [input] = agent.inputs
    assert [message.id for message in input.messages] == [id, "r"]


@pytest.mark.attack(18)
async def test_the_size_of_a_request_is_bounded_on_this_contract_too() -> None:
    async with (
        serve({"a": Echo()}, limits=Limits(request_bytes=1000)) as served,
        served.request("POST", "", {"query": "{ hello }" + " " * 1000}) as exchange,
    ):
        assert exchange.status == 413
        assert "errors" in await exchange.json()
