"""Who asks: what a FastAPI dependency says of a request, and what becomes of one that it refuses."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import Cookie, Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from copilotkit_runtime_py import BeforeRequest, CopilotRuntime, RequestContext, create_router
from copilotkit_runtime_py.agui import events
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import PATH, Event, Served, run_body

pytestmark = pytest.mark.anyio

SEND = """mutation ($data: GenerateCopilotResponseInput!, $properties: JSONObject) {
  generateCopilotResponse(data: $data, properties: $properties) { threadId messages { __typename } }
}"""
AS_URQL = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"


@dataclasses.dataclass
class Account:
    id: uuid.UUID
    plan: str


ADA = Account(uuid.UUID(int=1), "paid")


async def greeter(input: RunAgentInput) -> AsyncIterator[Event]:
    yield events.text_start("m1")
    yield events.text_content("m1", "hello")


def application(identify: Any, **options: Any) -> tuple[FastAPI, list[RequestContext]]:
    """An application, and the contexts of the runs that it starts."""
    contexts: list[RequestContext] = []

    def before(request: BeforeRequest) -> None:
        contexts.append(request.context)

    runtime = CopilotRuntime({"agent": greeter}, on_before_request=before, **options)
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH, identify=identify))
    app.state.runtime = runtime
    return app, contexts


def client(app: FastAPI, *, single: bool = False) -> Served:
    return Served(app.state.runtime, single=single, app=app)


def graphql(app: Any, query: str, headers: dict[str, str] | None = None, **variables: Any) -> Exchange:
    fields = {"accept": AS_URQL, **(headers or {})}
    return Exchange(app, "POST", PATH, {"query": query, "variables": variables}, fields)


def data(thread: str = "t1", **more: Any) -> dict[str, Any]:
    return {"metadata": {}, "frontend": {"actions": []}, "messages": [], "threadId": thread, **more}


def by_header(x_user: Annotated[str, Header()]) -> str:
    return x_user


async def by_async_cookie(session: Annotated[str | None, Cookie()] = None) -> Account | None:
    return ADA if session == "ada" else None


async def claims(
    token: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer(auto_error=False))],
) -> AsyncIterator[dict[str, str]]:
    if token is None or token.credentials != "sesame":
        raise HTTPException(401, "Who are you?", {"www-authenticate": "Bearer"})
    yield {"sub": "ada"}


def by_sub_dependency(claims: Annotated[dict[str, str], Depends(claims)]) -> str:
    return claims["sub"]


class ByObject:
    def __call__(self, x_user: Annotated[str, Header()]) -> str:
        return x_user


def by_generator(x_user: Annotated[str, Header()]) -> Iterator[str]:
    yield x_user


@pytest.mark.parametrize(
    ("identify", "headers", "owner", "user"),
    [
        (by_header, {"x-user": "ada"}, "ada", "ada"),
        (by_generator, {"x-user": "ada"}, "ada", "ada"),
        (ByObject(), {"x-user": "ada"}, "ada", "ada"),
        (by_async_cookie, {"cookie": "session=ada"}, str(ADA.id), ADA),
        (by_sub_dependency, {"authorization": "Bearer sesame"}, "ada", "ada"),
        (None, {"x-user": "ada"}, "anonymous", None),
    ],
)
async def test_the_user_that_a_dependency_returns_owns_the_run(
    identify: Any, headers: dict[str, str], owner: str, user: Any
) -> None:
    app, contexts = application(identify)
    for exchange in (
        client(app).agent("run", "agent", run_body(), headers),
        client(app, single=True).agent("run", "agent", run_body(), headers),
        graphql(app, SEND, headers, data=data()),
    ):
        async with exchange:
            assert exchange.status == 200
            await exchange.body()
    assert [(context.owner, context.user) for context in contexts] == [(owner, user)] * 3


async def test_the_user_reaches_the_function_that_makes_the_agent() -> None:
    plans: list[str] = []

    def concierge(context: RequestContext) -> Any:
        plans.append(context.user.plan)
        return greeter

    app = FastAPI()
    runtime = CopilotRuntime({"agent": concierge})
    app.include_router(create_router(runtime, path=PATH, identify=by_async_cookie))
    served = Served(runtime, app=app)
    await served.events(served.agent("run", "agent", run_body(), {"cookie": "session=ada"}))
    assert set(plans) == {"paid"}


async def test_nothing_in_a_body_says_who_asks() -> None:
    forged = {
        "user_id": "ada", "userId": "ada", "owner": "ada", "user": {"id": "ada"}, "x-user": "ada",
        "config": {"configurable": {"user_id": "ada", "langgraph_auth_user_id": "ada"}},
    }  # fmt: skip
    app, contexts = application(by_header)
    eve = {"x-user": "eve"}
    body = run_body(forwardedProps=forged, state=forged, user_id="ada", owner="ada")
    for exchange in (
        client(app).agent("run", "agent", body, eve),
        client(app).request("POST", "/agent/agent/run?user_id=ada&x-user=ada", body, eve),
        graphql(app, SEND, eve, data=data(), properties=forged),
    ):
        async with exchange:
            await exchange.body()
    assert [(context.owner, context.user) for context in contexts] == [("eve", "eve")] * 3


async def test_an_override_of_the_dependency_takes_effect() -> None:
    app, contexts = application(by_sub_dependency)
    app.dependency_overrides[by_sub_dependency] = lambda: "tester"
    async with client(app).run() as run:
        assert run.status == 200
        await run.body()
    assert [context.owner for context in contexts] == ["tester"]


ERROR = {"error": "Who are you?", "message": "Who are you?", "code": "AUTHENTICATION_ERROR"}
RUN_ERROR = {"type": "RUN_ERROR", "message": "Who are you?", "code": "AUTHENTICATION_ERROR"}
EXTENSIONS = {
    "name": "CopilotError",
    "statusCode": 401,
    "code": "AUTHENTICATION_ERROR",
    "visibility": "banner",
    "severity": "critical",
    "troubleshootingUrl": "https://docs.copilotkit.ai/coagents/troubleshooting/common-issues#authentication-errors",
}
ERRORS = {"errors": [{"message": "Who are you?", "extensions": EXTENSIONS}]}


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_of_a_run_is_a_stream_whose_error_the_frontend_can_show(status: int) -> None:
    def refuse() -> str:
        raise HTTPException(status, "Who are you?")

    app, contexts = application(refuse)
    for single in (False, True):
        served = client(app, single=single)
        assert await served.events(served.run()) == [RUN_ERROR]
        plain = served.agent("run", "agent", run_body(), {"accept": "application/json"})
        assert await served.json(plain) == (status, ERROR)
    assert contexts == []


@pytest.mark.parametrize("single", [False, True])
async def test_other_refusals_have_their_status_and_a_message(single: bool) -> None:
    app, _ = application(by_sub_dependency)
    served = client(app, single=single)
    asked = [served.envelope("info")] if single else [served.request("GET", "/info")]
    asked += [
        served.connect(),
        served.agent("suggest", "agent", run_body()),
        served.stop(),
        served.resource("GET", "/threads"),
        served.resource("GET", "/threads/t1/messages"),
        served.resource("PATCH", "/threads/t1", {"name": "x"}),
        served.resource("POST", "/threads/clear", {}),
        served.envelope("nonsense") if single else served.request("GET", "/nonsense"),
        served.agent("run", "nobody", run_body(), {"accept": "application/json"}),
    ]
    for exchange in asked:
        assert await served.json(exchange) == (401, ERROR)
        assert exchange.headers["www-authenticate"] == "Bearer"
    heard = served.envelope("transcribe", {}, {}) if single else served.request("POST", "/transcribe")
    refused = {"error": "auth_failed", "message": "Who are you?", "retryable": False}
    assert await served.json(heard) == (401, refused)


async def test_a_graphql_client_of_copilotkit_is_told_why_and_any_other_gets_the_status() -> None:
    app, contexts = application(by_sub_dependency)
    async with graphql(app, SEND, data=data()) as exchange:
        assert (exchange.status, await exchange.json()) == (200, ERRORS)
        assert exchange.headers["content-type"].startswith("application/graphql-response+json")
    for accept in ("application/json", "application/graphql-response+json", "*/*", "text/csv"):
        async with graphql(app, "{ hello }", {"accept": accept}) as exchange:
            assert (exchange.status, await exchange.json()) == (401, ERRORS)
            assert exchange.headers["www-authenticate"] == "Bearer"
    plain = {"accept": "application/json"}
    async with Exchange(app, "GET", PATH + "?query={hello}", headers=plain) as exchange:
        assert (exchange.status, await exchange.json()) == (401, ERRORS)
    async with Exchange(app, "POST", PATH, b"{ malformed", plain) as exchange:
        assert (exchange.status, await exchange.json()) == (401, ERRORS)
    assert contexts == []


async def test_the_playground_is_as_open_as_the_dependency_has_it() -> None:
    app, _ = application(by_sub_dependency)
    page = {"accept": "text/html"}
    async with Exchange(app, "GET", PATH, headers=page) as exchange:
        assert (exchange.status, await exchange.body()) == (401, b"Who are you?")
    async with Exchange(app, "GET", PATH, headers={**page, "authorization": "Bearer sesame"}) as exchange:
        assert exchange.status == 200


async def test_a_browser_may_ask_without_credentials_what_it_may_send() -> None:
    app, _ = application(by_sub_dependency)
    for path in ("", "/info", "/agent/agent/run"):
        async with Exchange(app, "OPTIONS", PATH + path) as exchange:
            assert exchange.status == 204


async def test_dependencies_of_the_router_and_of_the_application_refuse_in_the_same_form() -> None:
    def closed() -> None:
        raise HTTPException(403, "Who are you?")

    runtime = CopilotRuntime({"agent": greeter})
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH), dependencies=[Depends(closed)])
    served = Served(runtime, app=app)
    assert await served.json(served.request("GET", "/info")) == (403, ERROR)
    assert await served.events(served.run()) == [RUN_ERROR]


async def test_whom_a_dependency_does_not_know_is_refused_and_not_anonymous() -> None:
    app, contexts = application(by_async_cookie)
    served = client(app)
    refused = {"error": "Not authenticated", "message": "Not authenticated", "code": "AUTHENTICATION_ERROR"}
    assert await served.json(served.request("GET", "/info")) == (401, refused)
    event = {"type": "RUN_ERROR", "message": "Not authenticated", "code": "AUTHENTICATION_ERROR"}
    assert await served.events(served.run()) == [event]
    assert contexts == []


async def test_what_a_dependency_asks_for_and_does_not_get_is_named() -> None:
    app, _ = application(by_header)
    served = client(app)
    message = "header.x-user: Field required"
    refused = {"error": message, "message": message, "code": "BAD_REQUEST"}
    assert await served.json(served.request("GET", "/info")) == (422, refused)


async def test_a_refusal_may_have_any_status_and_its_detail_need_not_be_a_text() -> None:
    def busy() -> str:
        raise HTTPException(429, {"internal": "counter 7"}, {"retry-after": "5"})

    app, _ = application(busy)
    served = client(app)
    message = "The request was refused."
    exchange = served.request("GET", "/info")
    assert await served.json(exchange) == (429, {"error": message, "message": message, "code": "UNKNOWN"})
    assert exchange.headers["retry-after"] == "5"


@pytest.mark.parametrize("user", [{"sub": "ada"}, "", 7, object(), SimpleNamespace(id=None)])
async def test_a_user_without_an_id_is_a_fault_that_is_logged_and_lets_nobody_in(
    user: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app, contexts = application(lambda: user)
    served = client(app)
    status, answer = await served.json(served.request("GET", "/info"))
    assert (status, "internal error" in answer["message"]) == (500, True)
    assert "'identify' returned" in caplog.text
    [event] = await served.events(served.run())
    assert event["type"] == "RUN_ERROR"
    assert contexts == []


async def asked_at(app: Any, address: str) -> None:
    exchange = Exchange(app, "GET", PATH + "/info")
    exchange._scope["server"] = (address, 8000)
    async with exchange:
        assert exchange.status == 200


async def test_anonymous_users_of_other_machines_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    app, _ = application(None)
    known, _ = application(lambda: "ada")
    with caplog.at_level(logging.WARNING):
        for address in ("127.0.0.1", "::1"):
            await asked_at(app, address)
        await asked_at(known, "192.168.1.5")
        assert caplog.messages == []
        for _ in range(2):
            await asked_at(app, "192.168.1.5")
    assert [message[:38] for message in caplog.messages] == ["Other machines can reach this server, "]
