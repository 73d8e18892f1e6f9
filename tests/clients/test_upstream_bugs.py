"""What goes wrong with the Node runtime, and does not with this one."""

from __future__ import annotations

import json
import queue
from typing import Any

import httpx
import pytest

from copilotkit_runtime_py import AfterRequest
from tests.clients.conftest import Serve
from tests.clients.driver import LATER, Clients, chat
from tests.clients.exchange import DOCUMENTS
from tests.clients.socket_client import URQL_ACCEPT, RawRequest, generate
from tests.clients.wire import ROOT, check_stream, comparable, merge, multipart
from tests.scripted_agent import RUN_STARTED, ScriptedAgent, Step, ask_name, run, text


def event(type: str, **fields: Any) -> Step:
    return {"event": {"type": type, **fields}}


def respond(url: str, variables: dict[str, Any]) -> dict[str, Any]:
    """What a client ends up with."""
    with RawRequest(url, generate(variables)) as request:
        parts = multipart(b"".join(request.chunks()).decode())
    check_stream(parts)
    response: dict[str, Any] = comparable(merge(parts))
    return response


def ask(url: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The JSON answer to a request of a client."""
    answer = httpx.post(url, json=body, headers={"accept": URQL_ACCEPT, **headers})
    assert answer.status_code == 200
    result: dict[str, Any] = answer.json()
    return result


def texts(response: dict[str, Any]) -> list[str]:
    assert response["status"]["code"] == "Success"
    return [message["content"] for message in response["messages"]]


def test_one_runtime_serves_many_agents_also_after_a_name_that_does_not_exist(
    serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({name: agent.play(name, run(*text("m1", name))) for name in ("a", "b")})
    assert texts(respond(url, chat("a"))) == ["a"]
    assert texts(respond(url, chat("b"))) == ["b"]
    (error,) = ask(url, generate(chat("ghost")))["errors"]
    assert error["extensions"]["code"] == "AGENT_NOT_FOUND"
    assert texts(respond(url, chat("a"))) == ["a"]
    loaded = {
        "query": DOCUMENTS["loadAgentState"],
        "variables": {"data": {"threadId": "t1", "agentName": "b"}},
    }
    assert ask(url, loaded)["data"]["loadAgentState"]["threadExists"] is True


@pytest.mark.parametrize(
    "steps", [[{"destroy": True}], [RUN_STARTED, *text("m1", "half")[:2], {"destroy": True}]]
)
def test_an_agent_whose_connection_breaks_takes_nothing_else_with_it(
    steps: list[Step], serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"broken": agent.play("broken", steps), "a": agent.play("a", run(*text("m1", "well")))})
    status = respond(url, chat("broken"))["status"]
    assert (status["code"], status["details"]["description"]) == ("Failed", "terminated")
    assert texts(respond(url, chat("a"))) == ["well"]


def test_a_tool_call_whose_arguments_are_no_json_ends_like_any_other(
    serve: Serve, agent: ScriptedAgent
) -> None:
    call = [
        event("TOOL_CALL_START", toolCallId="c1", toolCallName="search"),
        event("TOOL_CALL_ARGS", toolCallId="c1", delta='{"q": '),
        event("TOOL_CALL_END", toolCallId="c1"),
    ]
    response = respond(serve({"a": agent.play("a", run(*call))}), chat("a"))
    (message,) = response["messages"]
    assert (response["status"]["code"], message["arguments"]) == ("Success", '{"q": ')


def test_a_request_for_guardrails_that_cannot_be_enforced_shows_nothing_of_the_agent(
    serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "secret")))})
    guardrails = {"inputValidationRules": {"allowList": ["cats"], "denyList": []}}
    with httpx.Client(headers={"x-copilotcloud-public-api-key": "ck_pub_1", "accept": URQL_ACCEPT}) as client:
        answer = client.post(url, json=generate(chat("a", cloud={"guardrails": guardrails})))
    assert "secret" not in answer.text
    assert "FailedResponseStatus" in answer.text
    assert agent.calls == []


def test_an_interrupt_that_asks_with_an_object_reaches_the_client_as_json(
    serve: Serve, agent: ScriptedAgent
) -> None:
    question = event("CUSTOM", name="on_interrupt", value={"question": "Sure?", "options": [1, 2]})
    (interrupt,) = respond(serve({"a": agent.play("a", run(question))}), chat("a"))["metaEvents"]
    assert json.loads(interrupt["value"]) == {"question": "Sure?", "options": [1, 2]}


def test_the_hook_after_a_request_gets_whole_messages(serve: Serve, agent: ScriptedAgent) -> None:
    ends: queue.Queue[AfterRequest] = queue.Queue()
    call = [
        event("TOOL_CALL_START", toolCallId="c1", toolCallName="search", parentMessageId="m1"),
        event("TOOL_CALL_END", toolCallId="c1"),
    ]
    script = run(*text("m1", "Hel", "lo"), *call)
    respond(serve({"a": agent.play("a", script)}, on_after_request=ends.put), chat("a"))
    function = {"name": "search", "arguments": ""}
    assert ends.get(timeout=5).output_messages == [
        {
            "id": "m1",
            "role": "assistant",
            "content": "Hello",
            "toolCalls": [{"id": "c1", "type": "function", "function": function}],
        }
    ]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [RUN_STARTED],
        [RUN_STARTED, *text("m1", "all"), {"end": True}],
        [RUN_STARTED, *text("m1", "half")[:2]],
        [{"http": {"status": 200, "body": "{}"}}],
        [{"http": {"status": 200, "body": "<html>", "headers": {"content-type": "text/html"}}}],
    ],
    ids=["empty", "only started", "no end", "open message", "json", "html"],
)
def test_a_run_that_does_not_end_is_no_success(steps: list[Step], serve: Serve, agent: ScriptedAgent) -> None:
    response = respond(serve({"a": agent.play("a", steps)}), chat("a"))
    assert response["status"]["code"] == "Failed"
    assert response["status"]["details"]["description"] != ""


def test_every_registered_agent_is_listed_with_an_id_that_stays(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.url("a"), "b": agent.url("b")})
    first, second = (ask(url, {"query": DOCUMENTS["availableAgents"]})["data"] for _ in range(2))
    listed = first["availableAgents"]["agents"]
    assert [each["name"] for each in listed] == ["a", "b"]
    assert len({each["id"] for each in listed}) == 2
    assert first == second


def test_the_code_of_an_agents_error_reaches_the_client(serve: Serve, agent: ScriptedAgent) -> None:
    script = [RUN_STARTED, event("RUN_ERROR", message="too many tokens", code="context_length_exceeded")]
    details = respond(serve({"a": agent.play("a", script)}), chat("a"))["status"]["details"]
    assert details["description"] == "too many tokens"
    assert details["originalError"]["extensions"]["code"] == "context_length_exceeded"


def test_the_cloud_key_stays_out_of_what_the_agent_gets(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "hi")))})
    body, key = generate(chat("a", cloud={})), "ck_pub_0123456789"
    httpx.post(url, json=body, headers={"accept": URQL_ACCEPT, "x-copilotcloud-public-api-key": key})
    call = agent.wait_for_call("a")
    assert key not in json.dumps([call.headers, call.input])


def test_an_agent_that_exits_is_said_to_run_no_more(serve: Serve, agent: ScriptedAgent) -> None:
    script = run(event("STATE_SNAPSHOT", snapshot={"done": True}), event("CUSTOM", name="Exit", value=None))
    messages = respond(serve({"a": agent.play("a", script)}), chat("a"))["messages"]
    assert [message["running"] for message in messages] == [True, False]


@pytest.mark.parametrize(("agent_name", "shown"), [("ghost", "AGENT_NOT_FOUND"), ("failing", "error id")])
def test_errors_show_no_stack_trace_and_no_path(agent_name: str, shown: str, serve: Serve) -> None:
    async def failing(input: Any) -> Any:
        raise RuntimeError("the password is hunter2")
        yield

    with httpx.Client(headers={"accept": URQL_ACCEPT}) as client:
        answer = client.post(serve({"failing": failing}), json=generate(chat(agent_name)))
    assert shown in answer.text
    for secret in ("hunter2", "Traceback", "stack", ".py"):
        assert secret not in answer.text


@pytest.mark.clients
def test_the_client_shows_what_is_wrong_with_a_request(clients: Clients, serve: Serve) -> None:
    wrong = chat("a", metadata={"requestType": "Nonsense"})
    result = clients.ask("generateCopilotResponse", serve({}), variables=wrong)
    assert 'Value "Nonsense" does not exist in "CopilotRequestType" enum.' in result["threw"]["message"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_foreign_origin_is_allowed_by_itself(origin: str, serve: Serve) -> None:
    url = serve({})
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = httpx.options(url, headers=asked)
    answer = httpx.post(url, json={"query": "{ hello }"}, headers={"Origin": origin})
    for headers in (preflight.headers, answer.headers):
        assert not [name for name in headers if name.startswith("access-control-")]


def test_a_form_of_a_foreign_page_is_refused(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", [])})
    data = "{frontend: {actions: []}, messages: [], metadata: {}}"
    mutation = f"mutation {{ generateCopilotResponse(data: {data}) {{ threadId }} }}"
    for content_type in (
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
    ):
        answer = httpx.post(url, content=f"query={mutation}", headers={"content-type": content_type})
        assert answer.status_code == 415
    assert agent.calls == []


@pytest.mark.clients
def test_the_task_of_a_later_client_is_answered(clients: Clients, serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "done")))})
    task = {
        "frontend": {"actions": [], "url": "http://localhost/"},
        "messages": chat()["data"]["messages"],
        "metadata": {"requestType": "Task"},
        "forwardedParameters": {"toolChoice": "required"},
    }
    result = clients.ask(
        "generateCopilotResponse", url, version=LATER, variables={"data": task, "properties": {}}
    )
    assert texts(comparable(result["final"])) == ["done"]


def test_without_a_thread_id_the_agent_and_the_client_are_told_the_same(
    serve: Serve, agent: ScriptedAgent
) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "hi")))})
    variables = chat("a")
    del variables["data"]["threadId"]
    with RawRequest(url, generate(variables)) as request:
        parts = multipart(b"".join(request.chunks()).decode())
    assert merge(parts)[ROOT]["threadId"] == agent.wait_for_call("a").input["threadId"] != ""


def test_an_image_of_the_user_reaches_the_agent(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", run(*text("m1", "nice")))})
    created = "2026-01-01T00:00:00.000Z"
    image = {
        "id": "i1",
        "createdAt": created,
        "imageMessage": {"format": "png", "bytes": "aGk=", "role": "user"},
    }
    assert texts(respond(url, chat("a", messages=[image]))) == ["nice"]
    source = {"type": "data", "value": "aGk=", "mimeType": "image/png"}
    (message,) = agent.calls[0].input["messages"]
    assert message == {"id": "i1", "role": "user", "content": [{"type": "image", "source": source}]}


def test_an_empty_delta_and_an_event_of_the_future_do_no_harm(serve: Serve, agent: ScriptedAgent) -> None:
    start, empty, full, end = text("m1", "", "hello")
    script = run(start, empty, event("HOLOGRAM", pixels=3), full, end)
    assert texts(respond(serve({"a": agent.play("a", script)}), chat("a"))) == ["hello"]


def test_an_interrupt_is_resumed_by_the_answer_alone(serve: Serve, agent: ScriptedAgent) -> None:
    url = serve({"a": agent.play("a", ask_name)})
    assert len(respond(url, chat("a"))["metaEvents"]) == 1
    answer = {"name": "LangGraphInterruptEvent", "value": "What is your name?", "response": "Ada"}
    assert texts(respond(url, chat("a", metaEvents=[answer]))) == ["resumed with: Ada"]
