"""A runtime behind the endpoint, and requests to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from copilotkit_runtime_py import CopilotRuntime, HeaderPolicy, RequestContext, create_router
from copilotkit_runtime_py.protocols.agui.endpoint import AGUIEndpoint
from copilotkit_runtime_py.protocols.request_body import RequestBody
from tests.protocols.agui.exchange import Exchange

Event = dict[str, Any]
PATH = "/copilotkit"


class Served:
    """A served runtime; each method is one kind of request.

    Args:
        runtime: the runtime.
        single: requests go in envelopes to the one URL, and not to paths below it.
        app: what serves the runtime, if that is not the router.
    """

    def __init__(
        self,
        runtime: CopilotRuntime,
        *,
        single: bool = False,
        headers: HeaderPolicy | None = None,
        app: Any = None,
    ) -> None:
        self.runtime = runtime
        self._single = single
        self.app = app
        if app is None:
            self.app = FastAPI()
            self.app.include_router(create_router(runtime, path=PATH, headers=headers))

    def request(
        self, method: str, path: str, body: Any = b"", headers: Mapping[str, str] | None = None
    ) -> Exchange:
        return Exchange(self.app, method, PATH + path, body, headers)

    def envelope(
        self, method: str, params: Any = None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        envelope = {"method": method, "params": params, "body": body}
        content = {name: value for name, value in envelope.items() if value is not None}
        return self.request("POST", "", content, headers)

    def agent(self, verb: str, name: str, body: Any, headers: Mapping[str, str] | None = None) -> Exchange:
        if self._single:
            return self.envelope(f"agent/{verb}", {"agentId": name}, body, headers)
        return self.request("POST", f"/agent/{name}/{verb}", body, headers)

    def run(self, name: str = "agent", **options: Any) -> Exchange:
        return self.agent("run", name, run_body(**options))

    def connect(
        self, name: str = "agent", headers: Mapping[str, str] | None = None, **options: Any
    ) -> Exchange:
        return self.agent("connect", name, run_body(**{"messages": [], **options}), headers)

    def stop(self, name: str = "agent", thread: str = "t1", body: Any = None, **options: Any) -> Exchange:
        if self._single:
            return self.envelope("agent/stop", {"agentId": name, "threadId": thread}, body, **options)
        content = b"" if body is None else body
        return self.request("POST", f"/agent/{name}/stop/{thread}", content, **options)

    def resource(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        if self._single:
            return self.envelope("resource/request", {"path": path, "httpMethod": method}, body, headers)
        return self.request(method, path, b"" if body is None else body, headers)

    async def events(self, exchange: Exchange) -> list[Event]:
        async with exchange:
            assert (exchange.status, exchange.headers["content-type"]) == (200, "text/event-stream")
            return await exchange.all_events()

    async def json(self, exchange: Exchange) -> tuple[int, Any]:
        async with exchange:
            return exchange.status, await exchange.json()


def run_body(
    thread: str = "t1",
    run: str = "r1",
    messages: list[Event] | None = None,
    **more: Any,
) -> Event:
    """A `RunAgentInput` as the real client sends it."""
    said = [{"id": f"{run}-u", "role": "user", "content": "hi"}] if messages is None else messages
    body: Event = {"threadId": thread, "runId": run, "state": {}, "messages": said}
    return {**body, "tools": [], "context": [], "forwardedProps": {}, **more}


def without_input(events: list[Event]) -> list[Event]:
    """The events, RUN_STARTED without what it tells of the input."""
    return [{name: value for name, value in event.items() if name != "input"} for event in events]


@asynccontextmanager
async def serve(agents: Mapping[str, Any], *, single: bool = False, **options: Any) -> AsyncIterator[Served]:
    """Serves agents; options of `create_router` and of the runtime alike."""
    headers = options.pop("headers", None)
    runtime = CopilotRuntime(agents, **options)
    try:
        yield Served(runtime, single=single, headers=headers)
    finally:
        await runtime.aclose()


def owned(runtime: CopilotRuntime, *, heartbeat_seconds: float = 15.0) -> Served:
    """Serves a runtime to users who say in a header who they are."""

    endpoint = AGUIEndpoint(runtime, heartbeat_seconds=heartbeat_seconds)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        context = RequestContext(owner=request.headers.get("x-user", "anonymous"))
        body = await RequestBody.parse(await request.body(), runtime.limits)
        response: Response = await endpoint.handle_path(request, scope["path"], body, context)
        await response(scope, receive, send)

    return Served(runtime, app=app)
