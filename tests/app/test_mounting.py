"""The runtime inside a person's own application, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from ag_ui.core import RunAgentInput
from fastapi import Depends, FastAPI, Header, HTTPException
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from copilotkit_runtime_py import CopilotRuntime, StopGeneration, create_router
from copilotkit_runtime_py.agui import events

pytestmark = pytest.mark.anyio

MUTATION = """mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) {
    threadId
    messages @stream { __typename ... on TextMessageOutput { content @stream } }
    ... on CopilotResponse @defer { status { ... on BaseResponseStatus { code } } }
  }
}"""


async def greeter(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield events.text_start("m1")
    yield events.text_content("m1", "hello")


def asked(thread_id: str = "t1") -> dict[str, Any]:
    data = {"metadata": {}, "frontend": {"actions": []}, "messages": [], "threadId": thread_id}
    return {"query": MUTATION, "variables": {"data": data}}


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
        serving = asyncio.create_task(server.serve([listener]))
        host, port = listener.getsockname()
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=20) as client:
            yield client
        server.should_exit = True
        await serving


async def hello(client: httpx.AsyncClient, path: str, **headers: str) -> tuple[int, Any]:
    answer = await client.post(path, json={"query": "{ hello }"}, headers=headers)
    return answer.status_code, answer.json()


HELLO = (200, {"data": {"hello": "Hello World"}})


async def test_the_router_answers_below_a_prefix_and_in_an_application_below_another() -> None:
    runtime = CopilotRuntime({"greeter": greeter})
    inner = FastAPI()
    inner.include_router(create_router(runtime, path="/"))
    app = FastAPI()
    app.include_router(create_router(runtime), prefix="/v1")
    app.mount("/inner", inner)
    outer = Starlette(routes=[Mount("/outer", app)])
    async with served(outer) as client:
        assert await hello(client, "/outer/v1/api/copilotkit") == HELLO
        assert await hello(client, "/outer/v1/api/copilotkit/") == HELLO
        assert await hello(client, "/outer/inner/") == HELLO
        info = await client.get("/outer/inner/info")
        assert list(info.json()["agents"]) == ["greeter", "default"]
        info = await client.get("/outer/v1/api/copilotkit/info")
        assert list(info.json()["agents"]) == ["greeter", "default"]


async def test_a_dependency_refuses_both_contracts_before_the_runtime_sees_the_request() -> None:
    def user(authorization: Annotated[str, Header()] = "") -> None:
        if authorization != "Bearer sesame":
            raise HTTPException(401, "Who are you?")

    runtime = CopilotRuntime({"greeter": greeter})
    app = FastAPI()
    app.include_router(create_router(runtime), dependencies=[Depends(user)])
    async with served(app) as client:
        status, refused = await hello(client, "/api/copilotkit")
        assert (status, refused["errors"][0]["message"]) == (401, "Who are you?")
        assert (await client.get("/api/copilotkit/info")).status_code == 401
        assert await hello(client, "/api/copilotkit", authorization="Bearer sesame") == HELLO


async def test_two_runtimes_in_one_process_share_nothing() -> None:
    one = CopilotRuntime({"one": greeter})
    two = CopilotRuntime({"two": greeter})
    app = FastAPI()
    app.include_router(create_router(one, path="/one"))
    app.include_router(create_router(two, path="/two"))
    state = {"query": '{ loadAgentState(data: {threadId: "t1", agentName: "%s"}) { threadExists } }'}
    async with served(app) as client:
        await client.post("/one", json=asked())
        known = await client.post("/one", json={"query": state["query"] % "one"})
        unknown = await client.post("/two", json={"query": state["query"] % "two"})
    assert known.json()["data"] == {"loadAgentState": {"threadExists": True}}
    assert unknown.json()["data"] == {"loadAgentState": {"threadExists": False}}


async def pass_on(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    return await call_next(request)


async def test_a_stream_passes_middleware_and_so_does_the_news_that_the_client_left() -> None:
    stopped: asyncio.Queue[str] = asyncio.Queue()
    released = asyncio.Event()

    async def endless(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        try:
            yield events.text_start("m1")
            yield events.text_content("m1", "first")
            await asyncio.Event().wait()
        finally:
            released.set()

    def on_stop(event: StopGeneration) -> None:
        stopped.put_nowait(event.request.thread_id)

    runtime = CopilotRuntime({"endless": endless}, on_stop_generation=on_stop)
    app = FastAPI()
    app.include_router(create_router(runtime))
    app.middleware("http")(pass_on)
    app.add_middleware(GZipMiddleware)
    async with served(app) as client:
        async with client.stream("POST", "/api/copilotkit", json=asked("t7")) as answer:
            text = ""
            async for chunk in answer.aiter_text():
                text += chunk
                if "first" in text:
                    break
        await asyncio.wait_for(released.wait(), 10)
        assert await asyncio.wait_for(stopped.get(), 10) == "t7"
        assert stopped.empty()
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith(("run ", "agent "))] == []


async def test_a_client_that_leaves_while_it_sends_is_no_error() -> None:
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"greeter": greeter}), path="/copilotkit"))
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            outcome.set_exception(error)
        else:
            if scope["type"] == "http":
                outcome.set_result(None)

    async with served(watched) as client:
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"POST /copilotkit HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(outcome, 10)
