"""Listing and managing threads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.agui import events as ev
from copilotkit_runtime_py.guardrails import Guardrails, RuleValidator
from tests.protocols.agui.served import Event, Served, owned, run_body, serve, without_input

pytestmark = pytest.mark.anyio


async def talk(input: RunAgentInput) -> AsyncIterator[Event]:
    yield ev.text_start("m1")
    yield ev.text_content("m1", "hello")
    yield ev.text_end("m1")
    yield ev.tool_call_start("c1", "look", "m1")
    yield ev.tool_call_args("c1", "{}")
    yield ev.tool_call_end("c1")
    yield ev.tool_call_result("r1", "c1", "seen")
    yield ev.state_snapshot({"n": 1})


async def listed(served: Served, query: str = "") -> list[str]:
    status, answer = await served.json(served.resource("GET", f"/threads{query}"))
    assert status == 200
    return [row["id"] for row in answer["threads"]]


@pytest.mark.parametrize("single", [False, True])
async def test_threads_are_listed_that_of_the_latest_run_first(single: bool) -> None:
    async with serve({"one": talk, "two": talk}, single=single, default_agent="two") as served:
        for thread, agent in (("a", "one"), ("b", "two"), ("c", "one"), ("a", "one")):
            await served.events(served.run(agent, thread=thread))
        status, answer = await served.json(served.resource("GET", "/threads?agentId=one"))
        assert status == 200
        first = answer["threads"][0]
        times = [first.pop(name) for name in ("createdAt", "lastRunAt", "updatedAt")]
        assert times == sorted(times)
        assert all(time[-5:-4] == "." for time in times)
        assert first == {
            "id": "a",
            "name": "hi",
            "agentId": "one",
            "organizationId": "",
            "createdById": "",
            "archived": False,
        }
        assert answer["nextCursor"] is None
        assert [row["id"] for row in answer["threads"]] == ["a", "c"]
        assert await listed(served, "?agentId=default") == ["b"]
        assert await listed(served, "?agentId=nobody") == []
        assert await listed(served) == ["a", "c", "b"]


async def names(served: Served) -> list[str | None]:
    _, answer = await served.json(served.resource("GET", "/threads"))
    return [row["name"] for row in answer["threads"]]


async def test_a_thread_is_named_after_the_users_first_message_until_it_is_renamed() -> None:
    async with serve({"agent": talk}) as served:
        messages = [
            {"id": "s", "role": "system", "content": "Be brief."},
            {"id": "u1", "role": "user", "content": "Plan the\nsummer party"},
        ]
        async with served.run(messages=messages) as run:
            await run.all_events()
            assert await names(served) == ["Plan the summer party"]
        later = [*messages, {"id": "u2", "role": "user", "content": "And the winter party"}]
        await served.events(served.run(run="r2", messages=later))
        assert await names(served) == ["Plan the summer party"]
        await served.json(served.resource("PATCH", "/threads/t1", {"name": "Party"}))
        await served.events(served.run(run="r3", messages=later))
        assert await names(served) == ["Party"]


async def test_a_thread_has_its_title_while_its_first_run_goes_on() -> None:
    told, go_on = asyncio.Event(), asyncio.Event()

    async def slow(input: RunAgentInput) -> AsyncIterator[Event]:
        told.set()
        await go_on.wait()
        yield ev.text_start("m1")
        yield ev.text_end("m1")

    async with serve({"agent": slow}) as served:
        run = asyncio.create_task(served.events(served.run()))
        await told.wait()
        assert await names(served) == ["hi"]
        go_on.set()
        await run


async def test_what_a_guardrail_denies_is_no_title() -> None:
    guardrails = Guardrails(RuleValidator(deny=[re.compile("secret")]))
    denied = {"id": "u1", "role": "user", "content": "a secret"}
    allowed = {"id": "u2", "role": "user", "content": "a question"}
    async with serve({"agent": talk}, guardrails=guardrails) as served:
        await served.events(served.run(messages=[denied]))
        assert await names(served) == [None]
        await served.events(served.run(run="r2", messages=[denied, allowed]))
        assert await names(served) == ["a question"]


async def test_long_lists_come_in_pages() -> None:
    async with serve({"agent": talk}) as served:
        for thread in "abcde":
            await served.events(served.run(thread=thread))
        seen, cursor = [], ""
        while True:
            _, page = await served.json(served.resource("GET", f"/threads?limit=2{cursor}"))
            seen.append([row["id"] for row in page["threads"]])
            if page["nextCursor"] is None:
                break
            cursor = f"&cursor={page['nextCursor']}"
        assert seen == [["e", "d"], ["c", "b"], ["a"]]
        assert await listed(served, "?cursor=gone") == []
        assert await listed(served, "?limit=-1") == await listed(served, "?limit=x") == list("edcba")


@pytest.mark.parametrize("single", [False, True])
async def test_threads_are_renamed_archived_restored_and_deleted(single: bool) -> None:
    common = {"agentId": "agent"}
    async with serve({"agent": talk}, single=single) as served:
        for thread in ("a", "b"):
            await served.events(served.run(thread=thread))
        renamed = served.resource("PATCH", "/threads/a", {**common, "name": "Trip"})
        status, row = await served.json(renamed)
        assert (status, row["name"], row["archived"]) == (200, "Trip", False)
        archive = served.resource("POST", "/threads/a/archive", common)
        assert await served.json(archive) == (200, {"threadId": "a", "archived": True})
        assert await listed(served) == ["b"]
        assert await listed(served, "?includeArchived=true") == ["b", "a"]
        restored = served.resource("PATCH", "/threads/a", {**common, "archived": False})
        assert (await served.json(restored))[1]["archived"] is False
        delete = served.resource("DELETE", "/threads/a", common)
        assert await served.json(delete) == (200, {"threadId": "a", "deleted": True})
        assert await listed(served, "?includeArchived=true") == ["b"]
        assert await served.events(served.connect(thread="a")) == []


@pytest.mark.parametrize("body", [{"name": 5}, {"archived": "yes"}, []])
async def test_a_malformed_change_is_refused(body: Any) -> None:
    async with serve({"agent": talk}) as served:
        await served.events(served.run())
        answer = await served.json(served.resource("PATCH", "/threads/t1", body))
    assert answer == (400, {"error": "Invalid request body"})


@pytest.mark.parametrize("single", [False, True])
async def test_a_thread_can_be_inspected(single: bool) -> None:
    async with serve({"agent": talk}, single=single) as served:
        await served.events(served.run())
        replayed = await served.events(served.connect())
        assert await served.json(served.resource("GET", "/threads/t1/messages")) == (
            200,
            {
                "messages": [
                    {"id": "r1-u", "role": "user", "content": "hi"},
                    {
                        "id": "m1",
                        "role": "assistant",
                        "content": "hello",
                        "toolCalls": [{"id": "c1", "name": "look", "args": "{}"}],
                    },
                    {"id": "r1", "role": "tool", "content": "seen", "toolCallId": "c1"},
                ]
            },
        )
        assert await served.json(served.resource("GET", "/threads/t1/events")) == (200, {"events": replayed})
        assert await served.json(served.resource("GET", "/threads/t1/state")) == (200, {"state": {"n": 1}})


async def test_the_activities_of_a_thread_can_be_inspected() -> None:
    async def planning(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.activity_snapshot("a1", "plan", {"step": 1})
        yield ev.activity_delta("a1", "plan", [{"op": "replace", "path": "/step", "value": 2}])
        yield ev.messages_snapshot([{"id": "r1-u", "role": "user", "content": "hi"}])

    async with serve({"agent": planning}) as served:
        await served.events(served.run())
        _, shown = await served.json(served.resource("GET", "/threads/t1/messages"))
    activity = {"id": "a1", "role": "activity", "activityType": "plan", "content": {"step": 2}}
    assert shown["messages"] == [{"id": "r1-u", "role": "user", "content": "hi"}, activity]


async def test_an_unknown_thread_has_nothing_to_inspect() -> None:
    async with serve({"agent": talk}) as served:
        for name, nothing in (("messages", []), ("events", []), ("state", None)):
            answer = await served.json(served.resource("GET", f"/threads/never/{name}"))
            assert answer == (200, {name: nothing})


async def test_a_thread_of_an_agent_that_is_no_longer_served_can_be_listed() -> None:
    async with serve({"agent": talk, "other": talk}) as served:
        await served.events(served.run())
        del served.runtime.agents["agent"]
        assert await listed(served) == ["t1"]
        assert await served.json(served.resource("GET", "/threads/t1/messages")) == (200, {"messages": []})


async def test_what_belongs_to_the_paid_platform_is_refused_and_says_so() -> None:
    async with serve({"agent": talk}) as served:
        for path in ("/threads/subscribe", "/annotate"):
            status, answer = await served.json(served.resource("POST", path, {}))
            assert status == 422
            assert answer["error"].startswith("Missing CopilotKitIntelligence configuration.")


async def test_the_threads_of_others_do_not_exist() -> None:
    runtime = CopilotRuntime({"agent": talk})
    served = owned(runtime)
    ada, eve = {"x-user": "ada"}, {"x-user": "eve"}
    for user, thread in ((ada, "hers"), (eve, "mine")):
        await served.events(served.agent("run", "agent", run_body(thread), user))
    not_found = {
        "error": "Thread 'hers' was not found.",
        "message": "Thread 'hers' was not found.",
        "code": "THREAD_NOT_FOUND",
    }
    for method, path in (("PATCH", ""), ("POST", "/archive"), ("DELETE", "")):
        request = served.resource(method, f"/threads/hers{path}", {"name": "x"}, eve)
        assert await served.json(request) == (404, not_found)
    for name, nothing in (("messages", []), ("events", []), ("state", None)):
        request = served.resource("GET", f"/threads/hers/{name}", None, eve)
        assert await served.json(request) == (200, {name: nothing})
    async with served.resource("POST", "/threads/clear", None, eve) as cleared:
        assert cleared.status == 204
    for user, threads in ((ada, ["hers"]), (eve, [])):
        _, answer = await served.json(served.resource("GET", "/threads", None, user))
        assert [(row["id"], row["name"]) for row in answer["threads"]] == [(id, "hi") for id in threads]
    await runtime.aclose()


async def test_deleting_a_thread_stops_its_run() -> None:
    cancelled = asyncio.Event()

    async def hanging(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.text_start("m")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve({"agent": hanging}) as served, served.run() as run:
        events = run.events()
        started = [await anext(events), await anext(events)]
        deleted = served.resource("DELETE", "/threads/t1", {"agentId": "agent"})
        assert (await served.json(deleted))[0] == 200
        assert cancelled.is_set()
        rest = [event async for event in events]
        assert without_input(started + rest)[-1] == ev.run_finished("t1", "r1")
        assert await listed(served) == []


async def test_an_agent_that_cannot_forget_a_thread_does_not_keep_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refusing() -> Any:
        raise PermissionError("no tenant")

    async def hello(input: RunAgentInput) -> AsyncIterator[Event]:
        yield ev.custom("x", 1)

    async with serve({"refusing": refusing, "agent": hello}) as served:
        await served.events(served.run())
        assert await served.json(served.resource("DELETE", "/threads/t1")) == (
            200,
            {"threadId": "t1", "deleted": True},
        )
        _, answer = await served.json(served.resource("GET", "/threads"))
        assert answer["threads"] == []
    assert "no tenant" in caplog.text
