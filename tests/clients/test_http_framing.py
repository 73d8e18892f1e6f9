"""The bytes of an answer, as a socket sees them."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.clients.conftest import Serve
from tests.clients.driver import chat
from tests.clients.exchange import DOCUMENTS
from tests.clients.socket_client import RawRequest, generate
from tests.clients.wire import check_stream, comparable, merge, multipart, server_sent
from tests.scripted_agent import RUN_STARTED, ScriptedAgent, Step, run, text

GREETING = run(*text("m1", "Hel", "lo"))
START: Step = {"event": {"type": "TEXT_MESSAGE_START", "messageId": "m1", "role": "assistant"}}


def delta(text: str, **step: Any) -> Step:
    return {"event": {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": text}, **step}


def part(payload: dict[str, Any]) -> bytes:
    data = json.dumps(payload, separators=(",", ":")).encode()
    head = b"\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(data)
    return head + data + b"\r\n---"


def incremental(**entry: Any) -> dict[str, Any]:
    return {"incremental": [entry], "hasNext": True}


FIRST = {
    "data": {
        "generateCopilotResponse": {
            "threadId": "t1",
            "runId": None,
            "extensions": None,
            "messages": [],
            "metaEvents": [],
            "__typename": "CopilotResponse",
        }
    },
    "hasNext": True,
}


def test_the_first_payload_comes_before_the_agent_says_anything(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", [{"gate": "speak"}, *GREETING])})
    with RawRequest(url, generate(chat("a"))) as request:
        assert (request.status, request.headers["content-type"]) == (200, 'multipart/mixed; boundary="-"')
        assert request.chunk() == b"\r\n---" + part(FIRST)
        agent.open_gate("speak")
        rest = b"".join(request.chunks())
    assert rest.endswith(b'"hasNext":false}\r\n-----\r\n')


def test_the_delimiter_that_ends_a_part_leaves_with_it(serve: Serve, agent: ScriptedAgent) -> None:
    script = [RUN_STARTED, START, delta("one", gate="1"), delta("two", gate="2"), {"hang": True}]
    url = serve({"a": agent.play("a", script)})
    path = ["generateCopilotResponse", "messages", 0, "content"]
    with RawRequest(url, generate(chat("a"))) as request:
        while b"TextMessageOutput" not in (chunk := request.chunk()):
            assert chunk.endswith(b"\r\n---")
        agent.open_gate("1")
        assert request.chunk() == part(incremental(items=["one"], path=[*path, 0]))
        agent.open_gate("2")
        assert request.chunk() == part(incremental(items=["two"], path=[*path, 1]))


def test_what_is_ready_at_once_leaves_as_few_parts(serve: Serve, agent: ScriptedAgent) -> None:
    words = [f"{number} " for number in range(500)]
    url = serve({"a": agent.play("a", run(*text("m1", *words)))})
    with RawRequest(url, generate(chat("a"))) as request:
        parts = multipart(b"".join(request.chunks()).decode())
    check_stream(parts)
    assert len(parts) < 50
    (message,) = comparable(merge(parts))["messages"]
    assert message["content"] == "".join(words)


def test_server_sent_events_are_framed_with_line_feeds(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", GREETING)})
    with RawRequest(url, generate(chat("a")), accept="text/event-stream") as request:
        assert request.headers["content-type"].startswith("text/event-stream")
        body = b"".join(request.chunks()).decode()
    assert body.startswith(":\n\nevent: next\ndata: ")
    parts = server_sent(body)
    check_stream(parts)
    (message,) = comparable(merge(parts))["messages"]
    assert message["content"] == "Hello"


def test_multipart_wins_over_server_sent_events(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", GREETING)})
    with RawRequest(url, generate(chat("a")), accept="text/event-stream, multipart/mixed") as request:
        assert request.headers["content-type"] == 'multipart/mixed; boundary="-"'
        check_stream(multipart(b"".join(request.chunks()).decode()))


def test_a_mutation_without_directives_is_one_json_document(serve: Serve, agent: ScriptedAgent) -> None:
    document = (
        "mutation($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) { %s } }"
    )
    status = "status { ... on BaseResponseStatus { code } }"
    fields = f"threadId {status} messages {{ ... on TextMessageOutput {{ content }} }}"
    body = {"query": document % fields, "variables": {"data": chat("a")["data"]}}
    url = serve({"a": agent.play("a", run(*text("m1", "Hel", "lo", delay=2)))})
    answer = httpx.post(url, json=body, headers={"accept": "application/json"})
    response = answer.json()["data"]["generateCopilotResponse"]
    response["messages"][0]["content"] = "".join(response["messages"][0]["content"])
    assert response == {"threadId": "t1", "status": {"code": "Success"}, "messages": [{"content": "Hello"}]}


def test_a_query_is_answered_by_get(serve: Serve) -> None:
    answer = httpx.get(serve({}), params={"query": "{ hello }"}, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {"data": {"hello": "Hello World"}})


def test_a_mutation_by_get_is_refused_and_runs_nothing(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", GREETING)})
    params = {
        "query": DOCUMENTS["generateCopilotResponse"],
        "variables": json.dumps(chat("a")),
    }
    answer = httpx.get(url, params=params, headers={"accept": "multipart/mixed"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert agent.calls == []


def test_an_answer_in_a_form_that_nobody_wants_is_refused_before_the_run(
    serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", GREETING)})
    answer = httpx.post(url, json=generate(chat("a")), headers={"accept": "application/json"})
    assert (answer.status_code, answer.content) == (406, b"")
    assert answer.headers["accept"] == "text/event-stream; charset=utf-8, multipart/mixed"
    assert agent.calls == []


def test_the_version_header_is_the_clients_own_or_none(serve: Serve) -> None:
    url, name = serve({}), "x-copilotkit-runtime-version"
    asked = httpx.post(
        url, json={"query": "{ hello }"}, headers={"x-copilotkit-runtime-client-gql-version": "1.8.14"}
    )
    assert asked.headers[name] == "1.8.14"
    assert name not in httpx.post(url, json={"query": "{ hello }"}).headers


def test_a_body_above_the_limit_is_refused(serve: Serve) -> None:
    answer = httpx.post(serve({}), json={"query": "{ hello }" + " " * 34_000_000})
    assert answer.status_code == 413


def test_a_run_that_breaks_off_still_ends_with_a_last_part(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", [RUN_STARTED, START, delta("hi"), {"destroy": True}])})
    with RawRequest(url, generate(chat("a"))) as request:
        body = b"".join(request.chunks()).decode()
    assert body.endswith('"hasNext":false}\r\n-----\r\n')
    check_stream(multipart(body))


def test_what_is_ready_with_the_first_payload_follows_it_at_once(serve: Serve, agent: ScriptedAgent) -> None:
    document = """mutation($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) {
        messages { id }
        metaEvents @stream { name }
    } }"""
    question: Step = {"event": {"type": "CUSTOM", "name": "on_interrupt", "value": "May I?"}}
    url = serve({"a": agent.play("a", run(*text("m1", "hi", delay=1), question))})
    with RawRequest(url, {"query": document, "variables": {"data": chat("a")["data"]}}) as request:
        parts = multipart(b"".join(request.chunks()).decode())
    assert {"hasNext": True} not in parts
    response = merge(parts)["generateCopilotResponse"]
    assert response == {"messages": [{"id": "m1"}], "metaEvents": [{"name": "LangGraphInterruptEvent"}]}
