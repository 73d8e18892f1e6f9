"""A2A agents by URL, against a server of `a2a-sdk`."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest
from a2a.types import TaskState
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.a2a import A2AProvider
from copilotkit_runtime_py.providers.resolve import as_provider
from copilotkit_runtime_py.providers.target import TargetError, load_target
from tests.protocols.agui.served import serve
from tests.providers.a2a.server import Server, a2a_server
from tests.servers import free_port

pytestmark = pytest.mark.anyio

ANN = RequestContext(owner="ann")


@pytest.fixture
def server() -> Iterator[Server]:
    with a2a_server() as server:
        yield server


def user(content: Any, id: str = "u1") -> dict[str, Any]:
    return {"id": id, "role": "user", "content": content}


def request(*messages: dict[str, Any], run: str = "r1", thread: str = "t1", **more: Any) -> RunAgentInput:
    return RunAgentInput.model_validate(
        {"threadId": thread, "runId": run, "messages": list(messages), **more}
    )


async def talk(
    server: Server, input: RunAgentInput, context: RequestContext = ANN, **options: Any
) -> list[Event]:
    provider = A2AProvider(server.url, **options)
    try:
        return [event async for event in provider.run(input, context)]
    finally:
        await provider.aclose()


def said(id: str, *deltas: str) -> list[Event]:
    return [events.text_start(id), *(events.text_content(id, delta) for delta in deltas), events.text_end(id)]


def thought(id: str, text: str) -> list[Event]:
    return [
        {"type": "REASONING_START", "messageId": id},
        {"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": id, "delta": text},
        {"type": "REASONING_MESSAGE_END", "messageId": id},
        {"type": "REASONING_END", "messageId": id},
    ]


ON_IT = thought("r1-a2a-1", "on it")


async def test_a_message_is_the_answer(server: Server) -> None:
    assert await talk(server, request(user("say hello"))) == said("r1-a2a-1", "hello")


async def test_an_artifact_is_a_message_that_grows_and_progress_is_reasoning(server: Server) -> None:
    assert await talk(server, request(user("stream"))) == [
        *ON_IT,
        *said("r1-a2a-2", "one ", "two ", "three"),
    ]


async def test_artifacts_may_grow_at_the_same_time_and_a_closing_message_comes_last(server: Server) -> None:
    first, second = "r1-a2a-2", "r1-a2a-3"
    assert await talk(server, request(user("several"))) == [
        *ON_IT,
        events.text_start(first),
        events.text_content(first, "a"),
        events.text_start(second),
        events.text_content(second, "b"),
        events.text_content(first, "A"),
        events.text_end(first),
        events.text_end(second),
        *said("r1-a2a-4", "both are done"),
    ]


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_every_binding_and_version_is_spoken(binding: str, streaming: bool, version: str) -> None:
    with a2a_server(streaming=streaming, binding=binding, version=version) as server:
        received = await talk(server, request(user("stream")))
    text = "".join(event["delta"] for event in received if event["type"] == "TEXT_MESSAGE_CONTENT")
    assert text == "one two three"
    assert received[-1]["type"] == "TEXT_MESSAGE_END"


async def test_the_last_progress_is_the_answer_of_an_agent_that_gives_no_other(server: Server) -> None:
    assert await talk(server, request(user("progress"))) == [
        *ON_IT,
        *thought("r1-a2a-2", "almost"),
        *said("r1-a2a-3", "almost"),
    ]


async def test_links_are_text_and_data_is_an_activity(server: Server) -> None:
    parts = [
        {"data": {"rows": [1.0, 2.0]}},
        {"url": "https://x.example/p.png", "filename": "plot", "mediaType": "image/png"},
    ]
    table = {"artifactId": "table", "name": "Table", "parts": parts}
    assert await talk(server, request(user("data"))) == [
        *ON_IT,
        events.text_start("r1-a2a-2"),
        events.text_content("r1-a2a-2", "![plot](https://x.example/p.png)"),
        events.activity_snapshot("r1-a2a-3", "a2a-artifact", table),
        events.text_end("r1-a2a-2"),
    ]


@pytest.mark.parametrize(
    ("order", "message"), [("fail", "no tables left"), ("reject", "The agent rejected the request")]
)
async def test_a_task_that_fails_ends_the_run_with_the_agents_own_words(
    server: Server, order: str, message: str
) -> None:
    with pytest.raises(AgentError) as raised:
        await talk(server, request(user(order)))
    assert raised.value.message == message


def question(received: list[Event]) -> dict[str, Any]:
    (interrupt,) = received[-1]["outcome"]["interrupts"]
    asked: dict[str, Any] = interrupt
    return asked


@pytest.mark.parametrize("order", ["ask", "authorize"])
async def test_a_task_that_needs_input_interrupts_the_run_and_the_answer_continues_it(
    server: Server, order: str
) -> None:
    asked = await talk(server, request(user(order)))
    interrupt = question(asked)
    assert interrupt == {
        "id": interrupt["id"],
        "reason": {"ask": "a2a:input_required", "authorize": "a2a:auth_required"}[order],
        "message": "For how many?",
    }
    assert asked == [
        *ON_IT,
        events.text_start("r1-a2a-2"),
        events.text_content("r1-a2a-2", "found a table"),
        events.text_end("r1-a2a-2"),
        *said(interrupt["id"], "For how many?"),
        events.run_finished("t1", "r1", [interrupt]),
    ]
    resume = [{"interruptId": interrupt["id"], "status": "resolved", "payload": "two"}]
    answered = await talk(server, request(user(order), run="r2", resume=resume))
    assert answered == said("r2-a2a-1", "booked for two")
    tasks = [message.task_id for message in server.agent.heard]
    assert tasks[1] in interrupt["id"]


@pytest.mark.parametrize("legacy", [True, False], ids=["command", "plain message"])
async def test_a_question_is_also_answered_by_clients_that_know_no_interrupts(
    server: Server, legacy: bool
) -> None:
    asked = question(await talk(server, request(user("ask"))))
    history = [user("ask"), {"id": asked["id"], "role": "assistant", "content": "For how many?"}]
    if legacy:
        answer = request(*history, run="r2", forwardedProps={"command": {"resume": "two"}})
    else:
        answer = request(*history, user("two", "u2"), run="r2")
    assert await talk(server, answer) == said("r2-a2a-1", "booked for two")


async def test_the_answer_to_a_question_that_lapsed_starts_a_new_task(server: Server) -> None:
    asked = question(await talk(server, request(user("ask"))))
    history = [user("ask"), {"id": asked["id"], "role": "assistant", "content": "For how many?"}]
    await talk(server, request(*history, user("two", "u2"), run="r2"))
    received = await talk(server, request(*history, user("three", "u3"), run="r3"))
    assert received == [*thought("r3-a2a-1", "on it"), *said("r3-a2a-2", "you said three")]


async def test_a_question_that_is_dismissed_cancels_its_task(server: Server) -> None:
    asked = question(await talk(server, request(user("ask"))))
    resume = [{"interruptId": asked["id"], "status": "cancelled"}]
    assert await talk(server, request(user("ask"), run="r2", resume=resume)) == []
    assert server.agent.cancelled.is_set()
    assert len(server.agent.heard) == 1


async def test_an_answer_to_another_agents_question_is_refused(server: Server) -> None:
    resume = [{"interruptId": "i1", "status": "resolved", "payload": 1}]
    with pytest.raises(AgentError, match="did not ask"):
        await talk(server, request(user("ask"), resume=resume))


async def test_the_agent_gets_what_the_user_has_said_since_its_last_answer(server: Server) -> None:
    image = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
    link = {"type": "document", "source": {"type": "url", "value": "https://x.example/d.pdf"}}
    await talk(
        server,
        request(
            user("before"),
            {"id": "a1", "role": "assistant", "content": "yes"},
            user("first", "u2"),
            user([{"type": "text", "text": "second"}, image, link], "u3"),
            context=[{"description": "the page", "value": "home"}],
        ),
    )
    (heard,) = server.agent.heard
    assert [(part.text, part.raw, part.url, part.media_type) for part in heard.parts] == [
        ("first", b"", "", ""),
        ("second", b"", "", ""),
        ("", base64.b64decode("aGk="), "", "image/png"),
        ("", b"", "https://x.example/d.pdf", ""),
    ]
    assert dict(heard.metadata["agui"])["threadId"] == "t1"


async def test_a_thread_is_a_context_of_its_own_for_each_user(server: Server) -> None:
    for thread, owner in (("t1", "ann"), ("t1", "ann"), ("t1", "bob"), ("t2", "ann")):
        await talk(server, request(user("say hi"), thread=thread), RequestContext(owner=owner))
    first, again, bobs, other = (message.context_id for message in server.agent.heard)
    assert first == again
    assert len({first, bobs, other}) == 3


async def test_stopping_a_run_cancels_its_task(server: Server) -> None:
    provider = A2AProvider(server.url)
    async with aclosing(provider.run(request(user("wait")), ANN)) as stream:  # type: ignore[type-var]
        assert await anext(stream) == ON_IT[0]
    assert await asyncio.to_thread(server.agent.cancelled.wait, 5)
    await provider.aclose()


async def test_headers_reach_the_agent_and_no_other_host_is_asked(server: Server) -> None:
    context = RequestContext(owner="ann", headers={"authorization": "Bearer user", "x-user": "ann"})
    await talk(server, request(user("say hi")), context, headers={"Authorization": "Bearer service"})
    assert server.paths == ["/.well-known/agent-card.json", "/rpc"]
    for headers in server.headers:
        assert (headers["authorization"], headers["x-user"]) == ("Bearer service", "ann")


async def test_no_text_of_an_exception_and_no_address_reaches_the_client(server: Server) -> None:
    with pytest.raises(AgentError) as crashed:
        await talk(server, request(user("crash")))
    server.url += "/elsewhere"
    with pytest.raises(AgentError) as lost:
        await talk(server, request(user("say hi")))
    server.url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(AgentError) as unreachable:
        await talk(server, request(user("say hi")), connect_timeout=1)
    messages = [crashed.value.message, lost.value.message, unreachable.value.message]
    assert messages == ["Internal error", "HTTP 404", "fetch failed"]


async def test_an_agent_that_stays_silent_is_given_up(server: Server) -> None:
    with pytest.raises(AgentError, match=r"^The agent sent nothing for 0.2 seconds$"):
        await talk(server, request(user("wait")), idle_timeout=0.2)


async def test_an_event_that_is_too_large_ends_the_run(server: Server) -> None:
    with pytest.raises(AgentError, match=r"^(terminated|fetch failed)$"):
        await talk(server, request(user(f"say {'x' * 500_000}")), max_event_bytes=300_000)


@pytest.mark.parametrize("messages", [[], [user("")], [user("a"), {"id": "a", "role": "assistant"}]])
async def test_a_run_without_a_message_is_refused(server: Server, messages: list[dict[str, Any]]) -> None:
    with pytest.raises(AgentError, match="There is no message for the agent"):
        await talk(server, request(*messages))


async def test_a_question_is_asked_and_answered_through_the_runtime(server: Server) -> None:
    async with serve({"agent": f"a2a+{server.url}"}) as served:
        asked = await served.events(served.run(messages=[user("ask")], protocolVersion="1.0"))
        interrupt = question(asked)
        resume = [{"interruptId": interrupt["id"], "status": "resolved", "payload": "two"}]
        messages = [
            user("ask"),
            {"id": interrupt["id"], "role": "assistant", "content": interrupt["message"]},
        ]
        answered = await served.events(
            served.run(run="r2", messages=messages, resume=resume, protocolVersion="1.0")
        )
        shown = await served.events(served.connect())
    assert [event["delta"] for event in answered if event["type"] == "TEXT_MESSAGE_CONTENT"] == [
        "booked for two"
    ]
    assert answered[-1]["type"] == "RUN_FINISHED"
    assert "booked for two" in json.dumps(shown)


def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copilotkit_runtime_py.providers.a2a", None)
    advice = r"A2A agents need an extra: pip install 'copilotkit-runtime-py\[a2a\]'"
    with pytest.raises(ModuleNotFoundError, match=advice):
        as_provider("a2a+https://agents.example/")
    with pytest.raises(TargetError, match=advice):
        load_target("a2a+https://agents.example/")


def test_the_scheme_names_the_protocol() -> None:
    assert type(as_provider("a2a+https://agents.example/")) is A2AProvider
    assert type(load_target("a2a+http://agents.example/")) is A2AProvider
    for url in ("a2a+https://user:pw@host/", "a2a+https://host/?key=pw", "a2a+https://", "a2a+ftp://u:pw@h"):
        with pytest.raises(ValueError, match="URL") as raised:
            as_provider(url)
        assert "pw" not in str(raised.value)
    with pytest.raises(TargetError, match="pass them in headers"):
        load_target("a2a+https://user:pw@host/")


def test_states_of_a_task_are_all_known() -> None:
    from copilotkit_runtime_py.providers.a2a import task_events

    known = {*task_events._UNDER_WAY, *task_events._ASKS, *task_events._FAILURES}
    assert set(TaskState.values()) - known == {TaskState.TASK_STATE_COMPLETED}
