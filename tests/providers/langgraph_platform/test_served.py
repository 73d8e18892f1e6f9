"""Graphs on a server behind the whole runtime: what goes over the wire, and what the command line does."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from click.testing import CliRunner, Result
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from copilotkit_runtime_py.cli import cli
from copilotkit_runtime_py.providers.langgraph_platform.provider import LangGraphPlatform
from tests.langgraph_server import LangGraphDev
from tests.protocols.agui.served import Event, Served, serve

from .test_access import guarded

__all__ = ["guarded"]

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

FAILURE = """mutation ($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) {
    status { ... on FailedResponseStatus { reason details } }
} }"""
LOAD = """query ($data: LoadAgentStateInput!) {
    loadAgentState(data: $data) { threadExists state }
}"""


@pytest.fixture
async def sdk(server: LangGraphDev) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


async def last(served: Served, **options: Any) -> Event:
    """Returns the last event of a run on the AG-UI contract."""
    return (await served.events(served.run(**options)))[-1]


async def ask(served: Served, query: str, data: Any) -> Any:
    """Returns the answer on the GraphQL contract."""
    body = {"query": query, "variables": {"data": data}}
    headers = {"accept": "application/json"}
    status, answer = await served.json(served.request("POST", "", body, headers))
    assert status == 200
    return answer


async def command(*arguments: str) -> Result:
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(cli, arguments))


async def failure(served: Served, thread: str) -> tuple[str, int]:
    """Returns what a run on the GraphQL contract says of its failure: a sentence, and a status."""
    data = {
        "metadata": {"requestType": "Chat"},
        "frontend": {"actions": [], "url": "http://localhost"},
        "threadId": thread,
        "messages": [
            {
                "id": "u1",
                "createdAt": "2026-01-01T00:00:00Z",
                "textMessage": {"content": "hi", "role": "user"},
            }
        ],
        "agentSession": {"agentName": "agent"},
        "agentStates": [],
    }
    body = await ask(served, FAILURE, data)
    details = body["data"]["generateCopilotResponse"]["status"]["details"]
    return details["description"], details["originalError"]["statusCode"]


async def test_a_refused_key_is_the_same_on_both_contracts(guarded: LangGraphDev) -> None:
    async with serve(
        {"agent": LangGraphPlatform(guarded.url, graph="chat", api_key="another-key-than-that")}
    ) as served:
        error = await last(served)
        told = await failure(served, "t2")

    assert error == {
        "type": "RUN_ERROR",
        "message": "HTTP 401: Invalid key '***'",
        "code": "INCOMPLETE_STREAM",
    }
    assert told == ("HTTP 401: Invalid key '***'", 401)


async def test_a_graph_that_is_not_there_is_the_same_on_both_contracts(server: LangGraphDev) -> None:
    async with serve({"agent": LangGraphPlatform(server.url, graph="nowhere")}) as served:
        error = await last(served)
        told = await failure(served, "t2")

    text = "The LangGraph server has no graph 'nowhere'."
    assert error == {"type": "RUN_ERROR", "message": text, "code": "INCOMPLETE_STREAM"}
    assert told == (text, 404)


async def test_a_thread_that_is_busy_on_the_server_is_the_same_on_both_contracts(
    server: LangGraphDev, sdk: LangGraphClient
) -> None:
    thread = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread, "counts", input=said("1000"))
    async with serve({"agent": LangGraphPlatform(server.url, graph="counts")}) as served:
        error = await last(served, thread=thread)
        told = await failure(served, thread)
        await sdk.runs.cancel(thread, run["run_id"], wait=True)
        after = await last(
            served, thread=thread, run="r2", messages=[{"id": "u2", "role": "user", "content": "2"}]
        )

    text = f"Thread '{thread}' has a run in progress. Stop it, or wait for its end."
    assert error == {"type": "RUN_ERROR", "message": text, "code": "THREAD_BUSY"}
    assert told == (text, 409)
    assert after["type"] == "RUN_FINISHED"


async def test_a_run_that_somebody_cancels_on_the_server_says_so(
    server: LangGraphDev, sdk: LangGraphClient
) -> None:
    thread = (await sdk.threads.create())["thread_id"]
    messages = [{"id": "u1", "role": "user", "content": "1000"}]
    async with (
        serve({"agent": LangGraphPlatform(server.url, graph="counts")}) as served,
        served.run(thread=thread, messages=messages) as exchange,
    ):
        events: list[Event] = []
        async for event in exchange.events():
            events.append(event)
            if len(events) == 10:
                (run,) = await sdk.runs.list(thread)
                await sdk.runs.cancel(thread, run["run_id"])

    error = {"message": "The run was cancelled on the LangGraph server.", "code": "RUN_CANCELLED"}
    assert events[-1] == {"type": "RUN_ERROR", **error}


async def test_a_run_says_what_its_models_used(server: LangGraphDev) -> None:
    async with serve({"agent": LangGraphPlatform(server.url, graph="uses")}) as served:
        finished = await last(served)

    (used,) = finished["usage"]
    counted = {name: used[name] for name in ("model", "inputTokens", "outputTokens", "totalTokens")}
    assert counted == {"model": "m1", "inputTokens": 14, "outputTokens": 6, "totalTokens": 20}


async def test_another_process_shows_a_thread_of_the_server_and_deletes_it_there(
    server: LangGraphDev, sdk: LangGraphClient
) -> None:
    thread = str(uuid.uuid4())
    async with serve({"agent": LangGraphPlatform(server.url, graph="chat")}) as served:
        before = await served.events(served.run(thread=thread))
    async with serve({"agent": LangGraphPlatform(server.url, graph="chat")}) as served:
        connected = await served.events(served.connect(thread=thread))
        loaded = await ask(served, LOAD, {"threadId": thread, "agentName": "agent"})
        await served.events(served.run(thread=thread, run="r2"))
        status, _ = await served.json(
            served.resource("DELETE", f"/threads/{thread}", {"agentId": "agent", "userId": "u"})
        )
        left = await sdk.threads.search(ids=[thread])

    def of(events: list[Event], type: str) -> Event:
        return [event for event in events if event["type"] == type][-1]

    for type in ("MESSAGES_SNAPSHOT", "STATE_SNAPSHOT"):
        assert of(connected, type) == of(before, type)
    assert loaded["data"]["loadAgentState"]["threadExists"] is True
    assert '"note":"2 messages"' in loaded["data"]["loadAgentState"]["state"].replace(": ", ":")
    assert (status, left) == (200, [])


async def test_threads_of_the_server_are_imported_and_go_on(
    server: LangGraphDev, sdk: LangGraphClient, folder: Path
) -> None:
    ids = []
    for graph in ("chat", "questions"):
        thread = await sdk.threads.create(metadata={"made_by": "import test"})
        await sdk.runs.wait(thread["thread_id"], graph, input=said(f"to {graph}"))
        ids.append(thread["thread_id"])
    busy = (await sdk.threads.create(metadata={"made_by": "import test"}))["thread_id"]
    run = await sdk.runs.create(busy, "chat", input=said("later"), after_seconds=600)
    (folder / "ownership.py").write_text(
        "def describe(thread):\n"
        "    return ('ada', 'Mine') if thread.metadata.get('made_by') == 'import test' else None\n"
    )

    agents = [f"{graph}=langgraph+{server.url}/{graph}" for graph in ("chat", "questions")]
    arguments = ["threads", "import", "--describe", "ownership.py:describe", "--agent"]
    for _ in range(2):
        for agent in agents:
            result = await command(*arguments, agent)
            assert result.exit_code == 0, result.output
    listed = await command("threads", "list", "--owner", "ada")
    await sdk.runs.cancel(busy, run["run_id"])

    assert {id for id in (*ids, busy) if id in listed.output} == set(ids)
    assert listed.output.count("Mine") == 2


async def test_the_doctor_says_in_which_form_to_register_the_servers_graphs(server: LangGraphDev) -> None:
    result = await command("doctor", server.url)

    assert result.exit_code == 1
    assert f"serve --agent NAME=langgraph+{server.url}/chat'" in " ".join(result.output.split())
