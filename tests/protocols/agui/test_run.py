"""Running an agent, stopping it, and what else happens to a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import (
    AgentError,
    BeforeRequest,
    CopilotKitError,
    CopilotRuntime,
    Limits,
    Provider,
    RequestContext,
)
from copilotkit_runtime_py.agui import events as ev
from copilotkit_runtime_py.providers.remote import RemoteProvider
from tests.protocols.agui.served import Event, owned, run_body, serve, without_input
from tests.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.anyio

STOPPED = {
    "stopped": True,
    "interrupt": {"type": "RUN_ERROR", "message": "Run stopped by user", "code": "STOPPED"},
}
BUSY = "Thread 't1' has a run in progress. Stop it, or wait for its end."


class Hanging:
    """An agent that says one word and then nothing, with a tool call in the air."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def __call__(self, input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.text_start("m")
        yield ev.text_content("m", "thinking")
        yield ev.tool_call_start("c", "look")
        yield ev.tool_call_args("c", '{"a')
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def talk(input: RunAgentInput) -> AsyncIterator[Event]:
    yield ev.text_start(input.run_id)
    yield ev.text_content(input.run_id, "hello")
    yield ev.text_end(input.run_id)


TALKED = [ev.text_start("r1"), ev.text_content("r1", "hello"), ev.text_end("r1")]


async def until_it_hangs(events: AsyncIterator[Event]) -> list[Event]:
    return [await anext(events) for _ in range(5)]


@pytest.mark.parametrize("single", [False, True])
async def test_a_run_is_streamed_with_ids_and_headers_that_proxies_respect(single: bool) -> None:
    async with serve({"agent": talk}, single=single) as served, served.run() as run:
        assert run.status == 200
        assert run.headers == {
            "content-type": "text/event-stream",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
        }
        body = (await run.body()).decode()
    lines = body.split("\n\n")
    assert [line.partition("\n")[0] for line in lines] == [f"id: 1:{index}" for index in range(5)] + [""]
    assert lines[2] == 'id: 1:2\ndata: {"type":"TEXT_MESSAGE_CONTENT","messageId":"r1","delta":"hello"}'


async def test_headers_leave_before_the_agent_says_a_word() -> None:
    go = asyncio.Event()

    async def silent(input: RunAgentInput) -> AsyncIterator[Event]:
        await go.wait()
        yield ev.text_start("m")

    async with serve({"agent": silent}) as served, served.run() as run:
        assert run.status == 200
        go.set()
        assert len(await run.all_events()) == 4


async def test_a_frontend_that_leaves_does_not_stop_the_run() -> None:
    go = asyncio.Event()

    async def patient(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.text_start("m")
        await go.wait()
        yield ev.text_end("m")

    async with serve({"agent": patient}) as served:
        async with served.run() as run:
            await anext(run.events())
        async with served.connect() as reader:
            events = reader.events()
            await anext(events)
            go.set()
            assert [event["type"] async for event in events][-1] == "RUN_FINISHED"


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("body", [None, {"runId": "r1"}, {}])
async def test_a_stopped_run_ends_well_with_its_ids_and_every_reader_sees_it(single: bool, body: Any) -> None:
    agent = Hanging()
    async with serve({"agent": hanging(agent)}, single=single) as served:
        async with served.run() as run, served.connect() as reader:
            events = run.events()
            seen = await until_it_hangs(events)
            assert await served.json(served.stop(body=body)) == (200, STOPPED)
            rest = [event async for event in events]
            assert await reader.all_events() == seen + rest
        assert agent.cancelled.is_set()
        answered = '{"status":"stopped","reason":"stop_requested","message":"Run stopped by user"}'
        assert rest == [
            ev.text_end("m"),
            ev.tool_call_end("c"),
            ev.tool_call_result("c-result", "c", answered),
            ev.run_finished("t1", "r1"),
        ]
        status, answer = await served.json(served.stop())
        assert (status, answer) == (200, {"stopped": False, "message": "No active run for thread 't1'."})


def hanging(agent: Hanging) -> Any:
    async def run(input: RunAgentInput) -> AsyncIterator[Event]:
        stream = agent(input)
        try:
            async for event in stream:
                yield event
        finally:
            await stream.aclose()  # type: ignore[attr-defined]

    return run


async def test_the_next_run_after_a_stop_is_a_run_like_any_other() -> None:
    agent = Hanging()
    async with serve({"agent": hanging(agent), "other": talk}) as served, served.run() as run:
        await until_it_hangs(run.events())
        await served.json(served.stop())
        events = await served.events(served.run("other", run="r2"))
    assert without_input(events)[0] == ev.run_started("t1", "r2")
    assert events[-1] == ev.run_finished("t1", "r2")


async def test_one_users_stop_leaves_the_runs_of_others_alone() -> None:
    agent = Hanging()
    runtime = CopilotRuntime({"agent": hanging(agent)})
    served = owned(runtime)
    async with served.agent("run", "agent", run_body(), {"x-user": "ada"}) as run:
        events = run.events()
        await until_it_hangs(events)
        stop = served.stop(headers={"x-user": "eve"})
        assert await served.json(stop) == (
            200,
            {"stopped": False, "message": "No active run for thread 't1'."},
        )
        assert not agent.cancelled.is_set()
        assert await served.json(served.stop(headers={"x-user": "ada"})) == (200, STOPPED)
        assert [event["type"] async for event in events][-1] == "RUN_FINISHED"
    await runtime.aclose()


async def test_a_stop_that_names_another_run_stops_nothing() -> None:
    agent = Hanging()
    async with serve({"agent": hanging(agent)}) as served, served.run() as run:
        await until_it_hangs(run.events())
        answer = await served.json(served.stop(body={"runId": "other"}))
        message = "Run 'other' is not the active run for thread 't1'."
        assert answer == (200, {"stopped": False, "message": message})
        assert not agent.cancelled.is_set()


@pytest.mark.parametrize("single", [False, True])
async def test_a_busy_thread_refuses_in_the_stream_that_was_asked_for(single: bool) -> None:
    agent = Hanging()
    async with serve({"agent": hanging(agent)}, single=single) as served, served.run() as run:
        await until_it_hangs(run.events())
        refused = await served.events(served.run(run="r2"))
        assert refused == [ev.run_error(BUSY, "THREAD_BUSY")]
        assert not agent.cancelled.is_set()


async def test_a_busy_thread_is_a_conflict_for_callers_who_ask_for_no_stream() -> None:
    agent = Hanging()
    async with serve({"agent": hanging(agent)}) as served, served.run() as run:
        await until_it_hangs(run.events())
        plain = served.agent("run", "agent", run_body(), {"accept": "*/*"})
        assert await served.json(plain) == (409, {"error": BUSY, "message": BUSY, "code": "THREAD_BUSY"})


async def test_supersede_stops_the_run_in_progress_and_keeps_both() -> None:
    agent = Hanging()
    agents = {"agent": hanging(agent), "other": talk}
    async with serve(agents, on_busy_thread="supersede") as served:
        async with served.run() as first:
            events = first.events()
            await until_it_hangs(events)
            second = await served.events(served.run("other", run="r2"))
            assert [event async for event in events][-1] == ev.run_finished("t1", "r1")
        replayed = await served.events(served.connect())
    assert second[-1] == ev.run_finished("t1", "r2")
    started = [event["runId"] for event in replayed if event["type"] == "RUN_STARTED"]
    assert started == ["r1", "r2"]


async def test_enqueue_runs_one_after_the_other() -> None:
    go = asyncio.Event()

    async def patient(input: RunAgentInput) -> AsyncIterator[Event]:
        await go.wait()
        yield ev.text_start(input.run_id)

    async with serve({"agent": patient}, on_busy_thread="enqueue") as served:
        ended: list[str] = []

        async def run(id: str) -> None:
            ended.append((await served.events(served.run(run=id)))[-1]["runId"])

        async with served.run(run="r1") as first, anyio.create_task_group() as tasks:
            tasks.start_soon(run, "r2")
            await anyio.wait_all_tasks_blocked()
            assert ended == []
            go.set()
            assert (await first.all_events())[-1]["runId"] == "r1"
    assert ended == ["r2"]


async def test_what_a_hook_says_when_it_refuses_reaches_the_user() -> None:
    def refuse(request: BeforeRequest) -> None:
        raise CopilotKitError("Your plan has no more runs today.")

    async with serve({"agent": talk}, on_before_request=refuse) as served:
        assert await served.events(served.run()) == [
            ev.run_error("Your plan has no more runs today.", "UNKNOWN")
        ]


@pytest.mark.parametrize("verb", ["run", "connect", "suggest"])
@pytest.mark.parametrize("single", [False, True])
async def test_an_unknown_agent_is_not_found(verb: str, single: bool) -> None:
    async with serve({"agent": talk, "other": talk}, single=single) as served:
        answer = await served.json(served.agent(verb, "no/body", run_body()))
    # The REST path has the slash decoded, so it names another path.
    if single:
        expected = {"error": "Agent not found", "message": "Agent 'no/body' does not exist"}
    else:
        expected = {"error": "Not found"}
    assert answer == (404, expected)


async def test_ids_in_paths_are_percent_decoded_after_they_are_split() -> None:
    async with serve({"a/b c": talk}) as served:
        events = await served.events(served.run("a%2Fb%20c", thread="x/y"))
        assert events[-1] == ev.run_finished("x/y", "r1")
        status, answer = await served.json(served.stop("a%2Fb%20c", "x%2Fy"))
    assert (status, answer) == (200, {"stopped": False, "message": "No active run for thread 'x/y'."})


async def test_default_is_the_agent_of_frontends_that_name_none() -> None:
    async with serve({"only": talk}) as served:
        events = await served.events(served.run("default"))
    assert without_input(events)[1:-1] == TALKED


async def test_properties_reach_the_agent_and_the_servers_own_win() -> None:
    seen: list[Any] = []

    async def look(input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        seen.append((input.forwarded_props, dict(context.properties)))
        yield ev.text_start("m")

    async with serve({"agent": look}, properties={"tenant": "server"}) as served:
        await served.events(served.run(forwardedProps={"tenant": "client", "p": 1}))
    assert seen == [({"tenant": "server", "p": 1}, {"tenant": "server", "p": 1})]


async def test_activities_stay_in_the_log_and_are_not_sent_to_the_agent() -> None:
    seen: list[str] = []

    async def look(input: RunAgentInput) -> AsyncIterator[Event]:
        seen.extend(message.role for message in input.messages)
        yield ev.text_start("m")

    activity = {"id": "a", "role": "activity", "activityType": "PLAN", "content": {"steps": []}}
    async with serve({"agent": look}) as served:
        events = await served.events(
            served.run(messages=[{"id": "u", "role": "user", "content": "hi"}, activity])
        )
    assert seen == ["user"]
    assert events[0]["input"]["messages"][1] == activity


async def test_an_agent_that_writes_crlf_is_understood() -> None:
    lines = [
        '{"type":"RUN_STARTED","threadId":"t1","runId":"r1"}',
        '{"type":"TEXT_MESSAGE_START","messageId":"r1","role":"assistant"}',
        '{"type":"TEXT_MESSAGE_CONTENT","messageId":"r1","delta":"hello"}',
        '{"type":"TEXT_MESSAGE_END","messageId":"r1"}',
        '{"type":"RUN_FINISHED","threadId":"t1","runId":"r1"}',
    ]
    with ScriptedAgent({"crlf": [{"raw": f"data: {line}\r\n\r\n"} for line in lines]}) as agent:
        async with serve({"agent": RemoteProvider(agent.url("crlf"))}) as served:
            events = await served.events(served.run())
    assert without_input(events)[1:-1] == TALKED


async def test_an_agent_whose_connection_breaks_takes_nothing_else_with_it() -> None:
    started = {"event": {"type": "RUN_STARTED", "threadId": "t1", "runId": "r1"}}
    opened = {"event": ev.text_start("m")}
    with ScriptedAgent({"cut": [started, opened, {"destroy": True}]}) as agent:
        async with serve({"agent": RemoteProvider(agent.url("cut")), "other": talk}) as served:
            broken = await served.events(served.run())
            after = await served.events(served.run("other", run="r2"))
    assert broken[1:] == [
        ev.text_start("m"),
        ev.text_end("m"),
        ev.run_error("terminated", "INCOMPLETE_STREAM"),
    ]
    assert after[-1] == ev.run_finished("t1", "r2")


async def test_everything_valid_before_a_fault_arrives_and_junk_after_the_end_is_ignored() -> None:
    async def faulty(input: RunAgentInput) -> AsyncIterator[Event]:
        for event in TALKED:
            yield event
        if input.run_id == "r1":
            yield ev.text_content("ghost", "boo")
        else:
            yield ev.run_finished("t1", input.run_id)
            yield {"type": "NONSENSE"}
            yield ev.text_content("ghost", "boo")

    async with serve({"agent": faulty}) as served:
        first = await served.events(served.run(run="r1"))
        second = await served.events(served.run(run="r2"))
    assert first[1:4] == TALKED
    assert [event["type"] for event in first[4:]] == ["RUN_ERROR"]
    assert second[1:] == [*TALKED, ev.run_finished("t1", "r2")]


async def test_a_python_exception_says_nothing_and_an_agents_own_error_its_message() -> None:
    async def failing(input: RunAgentInput) -> AsyncIterator[Event]:
        if input.run_id == "r1":
            raise RuntimeError("sk-secret")
        raise AgentError("The model is overloaded.", "OVERLOADED")
        yield {}

    async with serve({"agent": failing}) as served:
        first = await served.events(served.run(run="r1"))
        second = await served.events(served.run(run="r2"))
    assert first[-1]["message"].startswith("An internal error occurred (error id ")
    assert second[-1] == ev.run_error("The model is overloaded.", "OVERLOADED")


async def test_a_body_beyond_the_limit_is_refused_before_it_is_read() -> None:
    async with serve({"agent": talk}, limits=Limits(request_bytes=1000)) as served:
        async with served.request("POST", "/agent/agent/run", b"{}", {"content-length": "1001"}) as declared:
            assert declared.status == 413
            assert "exceeds 1000 bytes" in (await declared.json())["message"]
        async with served.request("POST", "/agent/agent/run", b" " * 1001) as actual:
            assert actual.status == 413
        assert len(await served.events(served.run())) == 5


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{bad", "unexpected character"),
        (b"[]", "Expected an object"),
        (b"null", "Expected an object"),
        ({"runId": "r"}, "threadId: Expected a string"),
        ({"threadId": "", "runId": "r"}, "threadId: Expected a string"),
        ({"threadId": "t", "runId": 5}, "runId: Expected a string"),
        ({"threadId": "t\x00", "runId": "r"}, "threadId: Expected 1024 characters at most"),
        ({"threadId": "t" * 10_000, "runId": "r"}, "threadId: Expected 1024 characters at most"),
        ({"threadId": "t", "runId": "r"}, "messages: Field required"),
        (
            {"threadId": "t", "runId": "r", "messages": [{"role": "user", "content": "x"}]},
            "messages.0.user.id",
        ),
        ({"threadId": "t", "runId": "r", "messages": ["x"]}, "messages.0"),
        ({"threadId": "t", "runId": "r", "messages": [], "tools": [{"name": 1}]}, "tools.0.name"),
    ],
)
async def test_a_malformed_body_is_refused_with_what_is_wrong(body: Any, problem: str) -> None:
    async with serve({"agent": talk}) as served:
        status, answer = await served.json(served.request("POST", "/agent/agent/run", body))
    assert (status, answer["error"]) == (400, "Invalid request body")
    assert problem in answer["details"]


async def test_too_many_messages_or_tools_are_refused() -> None:
    limits = Limits(messages_per_request=1, tools_per_request=1)
    tool = {"name": "f", "description": "", "parameters": {}}
    message = {"id": "m", "role": "user", "content": "x"}
    async with serve({"agent": talk}, limits=limits) as served:
        assert (await served.events(served.run(messages=[message] * 2)))[-1]["code"] == "BAD_REQUEST"
        assert (await served.events(served.run(tools=[tool] * 2)))[-1]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("depth", [100, 500, 5_000, 500_000])
async def test_deep_nesting_is_refused_and_harms_nobody(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    body = b'{"threadId":"t","runId":"r","messages":[],"state":%b}' % deep
    async with serve({"agent": talk}) as served:
        for path in ("/agent/agent/run", "/agent/agent/connect"):
            async with served.request("POST", path, body) as exchange:
                assert exchange.status == 400
        envelope = b'{"method":"agent/run","params":{"agentId":"agent"},"body":%b}' % body
        async with served.request("POST", "", envelope) as exchange:
            assert exchange.status == 400
        assert len(await served.events(served.run())) == 5


@pytest.mark.parametrize("exit", [SystemExit, KeyboardInterrupt])
async def test_an_agent_that_wants_to_end_the_process_ends_its_run(exit: type[BaseException]) -> None:
    async def leaving(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.text_start("m1")
        raise exit

    async def calling(input: RunAgentInput) -> AsyncIterator[Event]:
        if len(input.messages) == 1:
            yield ev.tool_call_start("c1", "leave")
            yield ev.tool_call_end("c1")

    def leave() -> None:
        raise exit

    async with serve({"agent": leaving, "calling": calling}, actions=[leave]) as served:
        events = await served.events(served.run())
        assert (events[-1]["type"], "internal error" in events[-1]["message"]) == ("RUN_ERROR", True)
        events = await served.events(served.run("calling", thread="t2"))
        assert [event["type"] for event in events][-2:] == ["TOOL_CALL_RESULT", "RUN_FINISHED"]


async def test_nothing_of_an_agent_runs_before_its_thread_is_claimed() -> None:
    opened: list[str] = []

    class Eager(Provider):
        def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
            opened.append(input.run_id)
            return self._run()

        async def _run(self) -> AsyncIterator[Event]:
            yield ev.text_start("m1")
            await go.wait()

    go = asyncio.Event()
    limits = Limits(busy_seconds=0.0)
    async with serve({"agent": Eager()}, limits=limits) as served, served.run() as first:
        events = first.events()
        while (await anext(events))["type"] != "TEXT_MESSAGE_START":
            pass
        accept = {"accept": "text/event-stream"}
        refused = await served.events(served.agent("run", "agent", run_body(run="r2"), accept))
        assert [event["type"] for event in refused] == ["RUN_ERROR"]
        assert opened == ["r1"]
        go.set()
        assert [event["type"] async for event in events][-1] == "RUN_FINISHED"
