"""Agents that depend on who asks, on both contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx
import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Header

from copilotkit_runtime_py import AgentTool, CopilotRuntime, RequestContext, create_router
from tests.protocols.agui.served import run_body

pytestmark = pytest.mark.anyio

Agent = Callable[[RunAgentInput], AsyncIterator[dict[str, Any]]]


def saying(text: str) -> Agent:
    async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": f"{input.run_id}-m", "delta": text}

    return agent


def user(x_user: Annotated[str, Header()]) -> str:
    return x_user


def app() -> FastAPI:
    teams = {
        "ann": {"sales": saying("I sell."), "shared": saying("Ann's.")},
        "bob": {"support": saying("I help."), "shared": saying("Bob's.")},
    }

    async def agents(context: RequestContext) -> dict[str, Agent]:
        return teams[context.owner]

    runtime = CopilotRuntime(
        agents, agents_cache_key=lambda context: context.owner, actions=[AgentTool(name="support")]
    )
    application = FastAPI()
    application.include_router(create_router(runtime, identify=user))
    return application


def client(name: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app())
    return httpx.AsyncClient(
        transport=transport, base_url="http://test/api/copilotkit", headers={"x-user": name}
    )


@pytest.mark.parametrize(("name", "agents"), [("ann", ["sales", "shared"]), ("bob", ["support", "shared"])])
async def test_each_user_sees_their_own_agents(name: str, agents: list[str]) -> None:
    async with client(name) as asking:
        info = (await asking.get("/info")).json()
        query = "{ availableAgents { agents { name } } }"
        answer = (await asking.post("", json={"query": query})).json()

    assert list(info["agents"]) == agents
    assert [agent["name"] for agent in answer["data"]["availableAgents"]["agents"]] == agents


@pytest.mark.parametrize(("name", "text"), [("ann", "Ann's."), ("bob", "Bob's.")])
async def test_one_name_is_another_agent_for_another_user(name: str, text: str) -> None:
    async with client(name) as asking:
        answer = await asking.post("/agent/shared/run", json=run_body(thread=f"of-{name}"))

    assert f'"delta":"{text}"' in answer.text


async def test_the_agent_of_another_user_does_not_exist() -> None:
    async with client("bob") as asking:
        answer = await asking.post("/agent/sales/run", json=run_body())

    assert answer.status_code == 404
