"""What a user sees of another's threads: on no route of either contract anything."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Header

from copilotkit_runtime_py import CopilotRuntime, create_router
from copilotkit_runtime_py.agui import events
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import PATH, Event, Served, run_body

pytestmark = pytest.mark.anyio

ADA = {"x-user": "ada"}
EVE = {"x-user": "eve"}
LOAD = '{ loadAgentState(data: {threadId: "t1", agentName: "agent"}) { threadExists state messages } }'
SEND = """mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) { threadId messages { ... on TextMessageOutput { content } } }
}"""
NOT_FOUND = {
    "error": "Thread 't1' was not found.",
    "message": "Thread 't1' was not found.",
    "code": "THREAD_NOT_FOUND",
}
NO_RUN = {"stopped": False, "message": "No active run for thread 't1'."}


def user(x_user: Annotated[str, Header()]) -> str:
    return x_user


class Diarist:
    """An agent that tells a secret, and goes on once it may."""

    def __init__(self, *, may_end: bool) -> None:
        self.threads: list[str] = []
        self.may_end = asyncio.Event()
        if may_end:
            self.may_end.set()

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        self.threads.append(input.thread_id)
        yield events.text_start("m1")
        yield events.text_content("m1", "the secret")
        yield events.state_snapshot({"pin": 1234})
        await self.may_end.wait()


@asynccontextmanager
async def serving(*, single: bool, may_end: bool = True) -> AsyncIterator[tuple[Served, Diarist]]:
    agent = Diarist(may_end=may_end)

    async def diarist(input: RunAgentInput) -> AsyncIterator[Event]:
        async for event in agent.run(input):
            yield event

    runtime = CopilotRuntime({"agent": diarist})
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH, identify=user))
    try:
        yield Served(runtime, single=single, app=app), agent
    finally:
        await runtime.aclose()


async def ask(served: Served, query: str, who: dict[str, str], **variables: Any) -> Any:
    body = {"query": query, "variables": variables}
    async with Exchange(served.app, "POST", PATH, body, {**who, "accept": "application/json"}) as exchange:
        return await exchange.json()


async def body_of(exchange: Exchange) -> tuple[int, bytes]:
    async with exchange:
        return exchange.status, await exchange.body()


async def seen_by(served: Served, who: dict[str, str]) -> list[Any]:
    """All that a user can read of the thread, and in the list of threads."""
    _, listed = await served.json(served.resource("GET", "/threads?includeArchived=true", headers=who))
    loaded = await ask(served, LOAD, who)
    return [
        [(row["id"], row["name"], row["archived"]) for row in listed["threads"]],
        *[
            (await served.json(served.resource("GET", f"/threads/t1/{part}", headers=who)))[1]
            for part in ("messages", "events", "state")
        ],
        await served.events(served.connect(headers=who)),
        loaded["data"]["loadAgentState"],
    ]


NOTHING: list[Any] = [
    [],
    {"messages": []},
    {"events": []},
    {"state": None},
    [],
    {"threadExists": False, "state": "{}", "messages": "[]"},
]


@pytest.mark.parametrize("single", [False, True])
async def test_of_a_thread_that_is_over_another_user_sees_and_changes_nothing(single: bool) -> None:
    async with serving(single=single) as (served, agent):
        await served.events(served.agent("run", "agent", run_body(), ADA))
        before = await seen_by(served, ADA)
        assert "the secret" in json.dumps(before)
        assert await seen_by(served, EVE) == NOTHING

        run = served.agent("run", "agent", run_body(run="r2"), EVE)
        assert await served.json(run) == (404, NOT_FOUND)
        suggest = served.agent("suggest", "agent", run_body(run="r3"), EVE)
        assert await served.json(suggest) == (404, NOT_FOUND)
        assert await served.json(served.stop(headers=EVE)) == (200, NO_RUN)
        rename = served.resource("PATCH", "/threads/t1", {"agentId": "agent", "name": "mine"}, EVE)
        assert await served.json(rename) == (404, NOT_FOUND)
        archive = served.resource("POST", "/threads/t1/archive", {"agentId": "agent"}, EVE)
        assert await served.json(archive) == (404, NOT_FOUND)
        delete = served.resource("DELETE", "/threads/t1", {"agentId": "agent"}, EVE)
        assert await served.json(delete) == (404, NOT_FOUND)
        assert await body_of(served.resource("POST", "/threads/clear", {}, EVE)) == (204, b"")

        data = {"metadata": {}, "frontend": {"actions": []}, "messages": [], "threadId": "t1"}
        sent = await ask(served, SEND, EVE, data=data)
        assert sent["data"] is None
        assert sent["errors"][0]["extensions"]["code"] == "THREAD_NOT_FOUND"

        assert agent.threads == ["t1"]
        assert await seen_by(served, ADA) == before
        assert await seen_by(served, EVE) == NOTHING


@pytest.mark.parametrize("single", [False, True])
async def test_a_cursor_of_anothers_thread_replays_nothing(single: bool) -> None:
    async with serving(single=single) as (served, _):
        _, stream = await body_of(served.agent("run", "agent", run_body(), ADA))
        ids = re.findall(rb"^id: (.*)$", stream, re.MULTILINE)
        assert len(ids) > 4
        for id in (ids[0].decode(), ids[2].decode(), ids[-1].decode()):
            by_header = served.connect(headers={**EVE, "last-event-id": id})
            assert await served.events(by_header) == []
            assert await served.events(served.connect(headers=EVE, lastSeenEventId=id)) == []
            # A cursor is a place on a thread, not a key to one.
            own = served.connect(thread="t2", headers={**EVE, "last-event-id": id})
            assert await served.events(own) == []
        assert await served.events(served.connect(headers={**ADA, "last-event-id": ids[0].decode()}))


@pytest.mark.parametrize("single", [False, True])
async def test_a_run_in_progress_is_its_owners_to_follow_and_to_stop(single: bool) -> None:
    async with serving(single=single, may_end=False) as (served, agent):
        async with served.agent("run", "agent", run_body(), ADA) as exchange:
            stream = exchange.events()
            async for event in stream:
                if event["type"] == "STATE_SNAPSHOT":
                    break
            assert await seen_by(served, EVE) == NOTHING
            assert await served.json(served.stop(headers=EVE)) == (200, NO_RUN)
            assert await served.json(served.stop(headers=EVE, body={"runId": "r1"})) == (200, NO_RUN)
            assert await body_of(served.resource("POST", "/threads/clear", {}, EVE)) == (204, b"")
            delete = served.resource("DELETE", "/threads/t1", {"agentId": "agent"}, EVE)
            assert await served.json(delete) == (404, NOT_FOUND)
            run = served.agent("run", "agent", run_body(run="r2"), EVE)
            assert await served.json(run) == (404, NOT_FOUND)
            suggest = served.agent("suggest", "agent", run_body(run="r3"), EVE)
            assert await served.json(suggest) == (404, NOT_FOUND)
            agent.may_end.set()
            assert [event["type"] async for event in stream] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]
        assert agent.threads == ["t1"]


async def test_clearing_deletes_all_of_ones_own_threads_and_no_others() -> None:
    async with serving(single=False) as (served, _):
        for who, thread in ((ADA, "t1"), (EVE, "t2"), (EVE, "t3")):
            await served.events(served.agent("run", "agent", run_body(thread=thread), who))
        before = await seen_by(served, ADA)
        assert await body_of(served.resource("POST", "/threads/clear", {}, EVE)) == (204, b"")
        assert await seen_by(served, EVE) == NOTHING
        assert await seen_by(served, ADA) == before
