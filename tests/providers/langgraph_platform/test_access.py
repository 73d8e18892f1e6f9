"""Keys, headers, and whose threads are whose."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError, ThreadNotFoundError
from copilotkit_runtime_py.providers.langgraph_platform.provider import LangGraphPlatform
from copilotkit_runtime_py.providers.langgraph_platform.threads import server_id
from copilotkit_runtime_py.providers.resolve import as_provider
from copilotkit_runtime_py.providers.target import TargetError, load_target
from tests.langgraph_server import LangGraphDev
from tests.providers.langgraph.scripted import request, user

from . import auth
from .conftest import MODULE
from .front import Front

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

AUTH = Path(auth.__file__)


@pytest.fixture(scope="module")
def guarded() -> Iterator[LangGraphDev]:
    """A server that asks for a key."""
    config = {"auth": {"path": f"{AUTH}:auth"}}
    with LangGraphDev({"chat": f"{MODULE}:chat"}, config=config) as running:
        yield running


async def talk(
    provider: LangGraphPlatform, thread: str, context: RequestContext | None = None
) -> list[Event]:
    sent = request(user("hi", "u"), thread=thread)
    return [event async for event in provider.run(sent, context or RequestContext())]


def new_thread() -> str:
    return str(uuid.uuid4())


async def test_a_refused_key_is_an_error_with_the_status_and_without_the_key(
    guarded: LangGraphDev, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = LangGraphPlatform(guarded.url, graph="chat", api_key="another-key-than-that")

    with pytest.raises(AgentError, match=r"^HTTP 401: Invalid key '\*\*\*'$") as caught:
        await talk(provider, new_thread())
    await provider.aclose()

    assert caught.value.status_code == 401
    for told in (caplog.text, repr(provider), repr(caught.value), repr(vars(provider))):
        assert "another-key" not in told


async def test_the_key_is_taken_from_the_environment(
    guarded: LangGraphDev, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", auth.KEY)
    provider = LangGraphPlatform(guarded.url, graph="chat")

    assert (await talk(provider, new_thread()))[-1]["type"] == "RUN_FINISHED"
    await provider.aclose()


async def test_what_the_policy_lets_through_goes_along(guarded: LangGraphDev) -> None:
    provider = LangGraphPlatform(guarded.url, graph="chat")
    context = RequestContext(headers={"authorization": "Bearer user-token"})

    assert (await talk(provider, new_thread(), context))[-1]["type"] == "RUN_FINISHED"
    with pytest.raises(AgentError, match="HTTP 401"):
        await talk(provider, new_thread())
    await provider.aclose()


async def test_the_servers_own_headers_win_over_a_callers(server: LangGraphDev) -> None:
    with Front(server.url).listening() as front:
        provider = LangGraphPlatform(front.url, graph="chat", api_key="own-key", headers={"X-Tenant": "own"})
        sent = {"x-api-key": "callers", "x-tenant": "callers", "x-other": "callers"}
        await talk(provider, new_thread(), RequestContext(headers=sent))
        await provider.aclose()

    for headers in front.headers:
        names = ("x-api-key", "x-tenant", "x-other")
        assert [headers[name] for name in names] == ["own-key", "own", "callers"]


async def test_a_caller_cannot_bring_an_api_key(server: LangGraphDev) -> None:
    with Front(server.url).listening() as front:
        provider = LangGraphPlatform(front.url, graph="chat")
        await talk(provider, new_thread(), RequestContext(headers={"x-api-key": "callers"}))
        await provider.aclose()

    assert not any("x-api-key" in headers for headers in front.headers)


async def test_a_graph_that_the_server_has_not_is_an_error_with_the_status(server: LangGraphDev) -> None:
    provider = LangGraphPlatform(server.url, graph="nowhere")

    with pytest.raises(AgentError, match="has no graph 'nowhere'") as caught:
        await talk(provider, new_thread())
    await provider.aclose()

    assert caught.value.status_code == 404


async def test_an_assistant_may_be_named_by_its_id(server: LangGraphDev) -> None:
    async with get_client(url=server.url) as sdk:
        assistant = await sdk.assistants.create("chat")
        provider = LangGraphPlatform(server.url, graph=assistant["assistant_id"])
        assert (await talk(provider, new_thread()))[-1]["type"] == "RUN_FINISHED"
        await provider.aclose()


async def test_a_thread_is_its_owners_alone(server: LangGraphDev) -> None:
    provider, thread = LangGraphPlatform(server.url, graph="chat"), new_thread()
    alice, bob = RequestContext(owner="alice"), RequestContext(owner="bob")
    await talk(provider, thread, alice)

    for other in (bob, RequestContext()):
        with pytest.raises(ThreadNotFoundError):
            await talk(provider, thread, other)
        with pytest.raises(ThreadNotFoundError):
            await provider.snapshot(thread, other)
        with pytest.raises(ThreadNotFoundError):
            await provider.forget(thread, other)
    found = await provider.snapshot(thread, alice)
    assert found is not None
    assert found.owner == "alice"
    await provider.forget(thread, alice)
    assert await provider.snapshot(thread, alice) is None
    await provider.aclose()


async def test_a_thread_that_another_program_made_has_no_owner(server: LangGraphDev) -> None:
    provider, thread = LangGraphPlatform(server.url, graph="chat"), new_thread()
    asked: Any = {"messages": [{"type": "human", "content": "hi", "id": "u0"}]}
    async with get_client(url=server.url) as sdk:
        await sdk.threads.create(thread_id=thread)
        await sdk.runs.wait(thread, "chat", input=asked)

    found = await provider.snapshot(thread, RequestContext(owner="alice"))
    await provider.aclose()

    assert found is not None
    assert found.owner is None
    assert [message["content"] for message in found.messages] == ["hi", "Reply 1 to hi"]


async def test_two_graphs_on_one_thread_do_not_meet(server: LangGraphDev) -> None:
    first, second = (LangGraphPlatform(server.url, graph=name) for name in ("chat", "subgraphs"))
    thread = new_thread()
    await talk(first, thread)
    await talk(second, thread)
    await talk(first, thread)

    snapshots = [await provider.snapshot(thread, RequestContext()) for provider in (first, second)]

    assert [each and len(each.state["steps"]) for each in snapshots] == [2, 2]
    await second.forget(thread, RequestContext())
    assert await first.snapshot(thread, RequestContext()) is not None
    assert await second.snapshot(thread, RequestContext()) is None
    await first.aclose()
    await second.aclose()


def test_a_thread_id_of_any_form_has_a_uuid() -> None:
    canonical = new_thread()
    ids = ["", "t", "a/b?c#d", "ü" * 500, canonical.upper(), canonical.replace("-", ""), f"{{{canonical}}}"]

    found = [server_id(id) for id in ids]

    assert server_id(canonical) == canonical
    assert found == [server_id(id) for id in ids]
    assert len({*found, canonical}) == len(ids) + 1
    assert [str(uuid.UUID(id)) for id in found] == found


async def test_a_remote_graph_is_an_agent(guarded: LangGraphDev) -> None:
    graph = RemoteGraph("chat", url=guarded.url, api_key=auth.KEY)
    provider = as_provider(graph)

    assert isinstance(provider, LangGraphPlatform)
    assert (await talk(provider, new_thread()))[-1]["type"] == "RUN_FINISHED"
    assert graph.client is not None
    await graph.client.aclose()


def test_a_target_names_server_and_graph() -> None:
    provider = load_target("langgraph+https://host.example:2024/base/my%20graph")

    assert repr(provider) == "LangGraphPlatform('https://host.example:2024/base', graph='my graph')"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("langgraph+https://host.example", "with the name of the graph last"),
        ("langgraph+https://host.example/", "with the name of the graph last"),
        ("langgraph+https://user:password@host.example/graph", "pass them in headers"),
        ("langgraph+https://host.example/graph?key=1", "with the name of the graph last"),
    ],
)
def test_a_malformed_target_is_refused_without_its_password(target: str, told: str) -> None:
    with pytest.raises(TargetError, match=told) as caught:
        load_target(target)

    assert "password" not in str(caught.value)


async def test_many_users_at_once_each_have_their_own_answer(server: LangGraphDev) -> None:
    provider = LangGraphPlatform(server.url, graph="chat")

    async def ask(number: int) -> str:
        sent = request(user(f"question {number}", "u"), thread=f"thread {uuid.uuid4()}")
        events = [e async for e in provider.run(sent, RequestContext(owner=f"user {number}"))]
        return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")

    answers = await asyncio.gather(*(ask(number) for number in range(8)))
    await provider.aclose()

    assert answers == [f"Reply 1 to question {number}" for number in range(8)]
