"""An agent that a caller may not use does not exist for them, on any route of either contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Header

from copilotkit_runtime_py import AgentTool, CopilotRuntime, RequestContext, create_router
from copilotkit_runtime_py.agui import events
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import PATH, Event, Served, run_body

pytestmark = pytest.mark.anyio

ADA = {"x-user": "ada"}
EVE = {"x-user": "eve"}
SEND = """mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) { threadId messages { ... on TextMessageOutput { content } } }
}"""
LOAD = '{ loadAgentState(data: {threadId: "t1", agentName: "%s"}) { threadExists } }'


def user(x_user: Annotated[str, Header()]) -> str:
    return x_user


async def hello(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start("m1")
    yield events.text_content("m1", "hello")


@asynccontextmanager
async def serving(*, single: bool, privileged: set[str]) -> AsyncIterator[Served]:
    def authorize(context: RequestContext, agent_name: str) -> bool:
        return agent_name != "vault" or context.user in privileged

    runtime = CopilotRuntime({"vault": hello, "desk": hello}, default_agent="desk", authorize=authorize)
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH, identify=user))
    try:
        yield Served(runtime, single=single, app=app)
    finally:
        await runtime.aclose()


async def ask(served: Served, query: str, who: dict[str, str], **variables: Any) -> Any:
    body = {"query": query, "variables": variables}
    async with Exchange(served.app, "POST", PATH, body, {**who, "accept": "application/json"}) as exchange:
        return await exchange.json()


async def listed(served: Served, who: dict[str, str], query: str = "") -> list[str]:
    _, answer = await served.json(served.resource("GET", f"/threads{query}", headers=who))
    return [row["id"] for row in answer["threads"]]


@pytest.mark.parametrize("single", [False, True])
async def test_what_is_said_of_the_runtime_names_no_agent_that_the_caller_may_not_use(single: bool) -> None:
    async with serving(single=single, privileged={"ada"}) as served:
        for who, names in ((ADA, ["vault", "desk", "default"]), (EVE, ["desk", "default"])):
            info = (
                served.envelope("info", headers=who) if single else served.request("GET", "/info", b"", who)
            )
            _, answer = await served.json(info)
            assert list(answer["agents"]) == names
            available = await ask(served, "{ availableAgents { agents { name } } }", who)
            agents = available["data"]["availableAgents"]["agents"]
            assert [agent["name"] for agent in agents] == names[:-1]


@pytest.mark.parametrize("single", [False, True])
async def test_such_an_agent_and_an_unknown_one_get_the_same_answers(single: bool) -> None:
    async with serving(single=single, privileged=set()) as served:
        for name in ("vault", "ghost"):
            missing = {"error": "Agent not found", "message": f"Agent '{name}' does not exist"}
            for exchange in (
                served.agent("run", name, run_body(), EVE),
                served.agent("suggest", name, run_body(), EVE),
                served.connect(name, EVE),
                served.stop(name, headers=EVE),
            ):
                assert await served.json(exchange) == (404, missing)
            data = {"metadata": {}, "frontend": {"actions": []}, "messages": [], "threadId": "t1"}
            sent = await ask(served, SEND, EVE, data={**data, "agentSession": {"agentName": name}})
            loaded = await ask(served, LOAD % name, EVE)
            for answer in (sent, loaded):
                [error] = answer["errors"]
                assert error["extensions"]["code"] == "AGENT_NOT_FOUND"
                assert f"Agent '{name}' was not found. Available agents are: desk." in error["message"]
        assert await listed(served, EVE) == []


@pytest.mark.parametrize("single", [False, True])
async def test_threads_of_an_agent_that_their_owner_may_not_use_any_more_are_not_shown(single: bool) -> None:
    privileged = {"ada"}
    async with serving(single=single, privileged=privileged) as served:
        await served.events(served.agent("run", "vault", run_body(thread="t1"), ADA))
        await served.events(served.agent("run", "desk", run_body(thread="t2"), ADA))
        assert await listed(served, ADA) == ["t2", "t1"]
        assert await listed(served, ADA, "?agentId=vault") == ["t1"]
        for part in ("messages", "events"):
            _, answer = await served.json(served.resource("GET", f"/threads/t1/{part}", headers=ADA))
            assert answer[part] != []
        privileged.clear()
        assert await listed(served, ADA) == ["t2"]
        assert await listed(served, ADA, "?agentId=vault") == []
        for part, nothing in (("messages", []), ("events", []), ("state", None)):
            exchange = served.resource("GET", f"/threads/t1/{part}", headers=ADA)
            assert await served.json(exchange) == (200, {part: nothing})


@pytest.mark.parametrize("single", [False, True])
async def test_a_rule_that_fails_is_a_masked_error(single: bool) -> None:
    def broken(context: RequestContext, agent_name: str) -> bool:
        raise LookupError("the database at 10.0.0.7")

    runtime = CopilotRuntime({"desk": hello}, authorize=broken)
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH))
    served = Served(runtime, single=single, app=app)
    info = served.envelope("info") if single else served.request("GET", "/info")
    for exchange in (info, served.run(), served.connect(), served.stop(), served.resource("GET", "/threads")):
        status, answer = await served.json(exchange)
        assert (status, "internal error" in answer["message"], "10.0.0.7" in str(answer)) == (
            500,
            True,
            False,
        )
    answer = await ask(served, "{ availableAgents { agents { name } } }", {})
    assert "internal error" in answer["errors"][0]["message"]


@pytest.mark.parametrize("single", [False, True])
async def test_the_rule_is_asked_once_for_each_agent_of_a_request(single: bool) -> None:
    asked_about: list[str] = []

    def authorize(context: RequestContext, agent_name: str) -> bool:
        asked_about.append(agent_name)
        return True

    runtime = CopilotRuntime(
        {"desk": hello, "b": hello},
        default_agent="desk",
        authorize=authorize,
        actions=[AgentTool(name="b")],
    )
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH))
    served = Served(runtime, single=single, app=app)
    info = served.envelope("info") if single else served.request("GET", "/info")
    data = {"metadata": {}, "frontend": {"actions": []}, "messages": [], "threadId": "t2"}
    data |= {"agentSession": {"agentName": "desk"}, "metaEvents": []}
    resumed = {"name": "LangGraphInterruptEvent", "value": "?", "response": "yes"}
    requests: list[tuple[Any, list[str]]] = [
        (served.json(info), ["desk", "b"]),
        (served.events(served.agent("run", "desk", run_body(thread="t1"))), ["desk", "b"]),
        (served.events(served.agent("run", "b", run_body(thread="t1"))), ["b", "desk"]),
        (served.events(served.agent("suggest", "b", run_body(thread="t1"))), ["b"]),
        (served.events(served.connect("desk")), ["desk", "b"]),
        (served.json(served.stop("desk")), ["desk"]),
        (served.json(served.resource("GET", "/threads?agentId=desk")), ["desk", "b"]),
        (served.json(served.resource("GET", "/threads/t1/messages")), ["b"]),
        (served.json(served.resource("GET", "/threads/t1/events")), ["b", "desk"]),
        (ask(served, SEND, {}, data=data), ["desk", "b"]),
        (ask(served, SEND, {}, data={**data, "metaEvents": [resumed]}), ["desk", "b"]),
        (ask(served, "{ availableAgents { agents { name } } " + (LOAD % "desk")[2:], {}), ["desk", "b"]),
    ]
    for request, names in requests:
        await request
        assert asked_about == names
        asked_about.clear()
    await runtime.aclose()


@pytest.mark.parametrize("single", [False, True])
async def test_such_a_thread_cannot_be_read_through_another_agent(single: bool) -> None:
    privileged = {"ada"}
    async with serving(single=single, privileged=privileged) as served:
        await served.events(served.agent("run", "vault", run_body(thread="t1"), ADA))
        assert await served.events(served.connect("desk", ADA)) != []
        privileged.clear()
        assert await served.events(served.connect("desk", ADA)) == []
        loaded = await ask(served, LOAD % "desk", ADA)
        assert loaded["data"]["loadAgentState"]["threadExists"] is False
        await served.events(served.agent("run", "desk", run_body(thread="t1", run="r2"), ADA))
        shown = await served.events(served.connect("desk", ADA))
        assert [event["runId"] for event in shown if event["type"] == "RUN_STARTED"] == ["r2"]
        _, answer = await served.json(served.resource("GET", "/threads/t1/events", headers=ADA))
        assert {event["runId"] for event in answer["events"] if event["type"] == "RUN_STARTED"} == {"r2"}
