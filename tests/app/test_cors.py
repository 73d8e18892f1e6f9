"""Which pages of other origins may call a server, over real sockets."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from ag_ui.core import RunAgentInput
from fastapi import Depends, FastAPI, HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from copilotkit_runtime_py import CopilotRuntime, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.app import cors
from copilotkit_runtime_py.app.application import create_app
from copilotkit_runtime_py.app.settings import Settings
from tests.app.test_mounting import asked, served

pytestmark = pytest.mark.anyio

PAGE = "http://localhost:5173"
URL = "/api/copilotkit"
RUN = {"threadId": "t1", "runId": "r1", "messages": [{"id": "u1", "role": "user", "content": "hello"}]}
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-copilotkit-runtime-client-gql-version",
}
ALLOWED = {"allow-origin": PAGE, "expose-headers": "x-copilotkit-runtime-version"}


async def greeter(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield events.text_start("m1")
    yield events.text_content("m1", "hello")


def own_app(**options: Any) -> FastAPI:
    """The three lines of the README."""
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime({"greeter": greeter}), **options))
    return app


def cors_headers(answer: httpx.Response) -> dict[str, str]:
    """The CORS headers of an answer, each of which is there once."""
    prefix = "access-control-"
    found = {
        name.decode().lower().removeprefix(prefix): value.decode()
        for name, value in answer.headers.raw
        if name.lower().startswith(prefix.encode())
    }
    assert len(found) == sum(name.lower().startswith(prefix.encode()) for name, _ in answer.headers.raw)
    return found


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:5173", "http://localhost:3000", "http://127.0.0.1:3000", "http://127.8.9.1:4321",
        "http://[::1]:3000", "http://localhost", "https://localhost:8443", "http://localhost:65535",
    ],
)  # fmt: skip
async def test_a_page_of_this_machine_is_let_in_without_a_setting(origin: str) -> None:
    async with served(own_app()) as client:
        question = await client.options(URL, headers={"origin": origin, **PREFLIGHT})
        answer = await client.post(URL, json=asked(), headers={"origin": origin})

    assert question.status_code == 200
    assert question.headers["access-control-allow-origin"] == origin
    assert question.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert "access-control-allow-credentials" not in question.headers
    assert cors_headers(answer) == {**ALLOWED, "allow-origin": origin}
    assert answer.headers["vary"] == "Origin"
    assert "Success" in answer.text


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.com", "http://localhost:3000.evil.com", "http://127.0.0.1.evil.com",
        "http://evil.com", "http://evil.com:3000", "http://evil.com/localhost", "http://user@localhost",
        "http://localhost:", "http://localhost:123456", "http://0.0.0.0:3000", "http://127.0.0.1:80@evil.com",
        "http://192.168.1.5:3000", "http://[::2]:3000", "http://127.0.0", "http://2130706433", "localhost",
        "file://", "null", "", "http://localhost:3000, http://evil.com", "HTTP://LOCALHOST:3000",
        "chrome-extension://localhost",
    ],
)  # fmt: skip
async def test_no_other_page_is_let_in(origin: str) -> None:
    async with served(own_app()) as client:
        question = await client.options(URL, headers={"origin": origin, **PREFLIGHT})
        answer = await client.get(f"{URL}/info", headers={"origin": origin})

    assert (question.status_code, cors_headers(question)) == (204, {})
    assert (answer.status_code, cors_headers(answer)) == (200, {})


@pytest.mark.parametrize("host", ["rebound.evil.com:8000", "localhost.evil.com", "192.168.1.5:8000", "["])
async def test_a_page_is_not_let_in_by_a_name_that_was_bound_to_this_machine(host: str) -> None:
    async with served(own_app()) as client:
        question = await client.options(URL, headers={"origin": PAGE, "host": host, **PREFLIGHT})
        answer = await client.get(f"{URL}/info", headers={"origin": PAGE, "host": host})

    assert (cors_headers(question), cors_headers(answer)) == ({}, {})


@pytest.mark.parametrize(
    "header",
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"],
)
async def test_a_page_is_not_let_in_through_a_proxy(header: str) -> None:
    async with served(own_app()) as client:
        question = await client.options(URL, headers={"origin": PAGE, header: "127.0.0.1", **PREFLIGHT})
        answer = await client.get(f"{URL}/info", headers={"origin": PAGE, header: "127.0.0.1"})

    assert (cors_headers(question), cors_headers(answer)) == ({}, {})


def came_from(client: str, server: str, **headers: str) -> Scope:
    sent = {"host": "localhost:8000", "origin": PAGE, **headers}
    return {
        "type": "http",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": (client, 50_000),
        "server": (server, 8000),
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
    }


def test_a_page_is_not_let_in_from_another_machine_or_by_another_address() -> None:
    assert cors.is_local_page(came_from("127.0.0.1", "127.0.0.1"))
    assert cors.is_local_page(came_from("::1", "::1"))
    assert cors.is_local_page(came_from("::ffff:127.0.0.1", "::ffff:127.0.0.1"))
    assert not cors.is_local_page(came_from("192.168.1.7", "192.168.1.5"))
    assert not cors.is_local_page(came_from("172.17.0.1", "172.17.0.2"))  # a published port of a container
    assert not cors.is_local_page(came_from("127.0.0.1", "192.168.1.5"))
    assert not cors.is_local_page({**came_from("127.0.0.1", "127.0.0.1"), "client": None})
    twice = came_from("127.0.0.1", "127.0.0.1")
    twice["headers"].append((b"origin", b"http://evil.com"))
    assert not cors.is_local_page(twice)


async def test_a_page_of_this_machine_sees_streams_and_errors_of_both_contracts() -> None:
    def known() -> None:
        raise HTTPException(401, "Who are you?")

    guarded = FastAPI()
    guarded.include_router(create_router(CopilotRuntime({"a": greeter})), dependencies=[Depends(known)])
    headers = {"origin": PAGE}
    async with served(own_app()) as client, served(guarded) as closed:
        answers = [
            await client.post(f"{URL}/agent/greeter/run", json=RUN, headers=headers),
            await client.post(URL, json={"method": "info"}, headers=headers),
            await client.post(f"{URL}/agent/nobody/run", json=RUN, headers=headers),
            await client.post(URL, content=b"{", headers={**headers, "content-type": "application/json"}),
            await client.get(f"{URL}/nowhere", headers=headers),
            await client.patch(f"{URL}/threads/t9", json={"name": "n", "agentId": "a"}, headers=headers),
            await closed.post(URL, json=asked(), headers=headers),
            await closed.get(f"{URL}/info", headers=headers),
        ]

    assert [cors_headers(answer) for answer in answers] == [ALLOWED] * len(answers)
    assert answers[0].text.rstrip().rpartition("data: ")[2].startswith('{"type":"RUN_FINISHED"')
    assert answers[-1].status_code == 401


async def test_local_pages_can_be_kept_out() -> None:
    async with served(own_app(allow_local_pages=False)) as client:
        question = await client.options(URL, headers={"origin": PAGE, **PREFLIGHT})
        answer = await client.get(f"{URL}/info", headers={"origin": PAGE})

    assert (cors_headers(question), cors_headers(answer)) == ({}, {})


class OwnCors:
    """CORS middleware of somebody's own, which lets no page in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def test_cors_middleware_of_the_application_decides() -> None:
    open_to_page, closed, own = own_app(), own_app(), own_app()
    open_to_page.add_middleware(CORSMiddleware, allow_origins=[PAGE], allow_credentials=True)
    closed.add_middleware(CORSMiddleware, allow_origins=["https://app.example.com"])
    own.add_middleware(OwnCors)
    headers = {"origin": PAGE}

    async with served(open_to_page) as client:
        answer = await client.get(f"{URL}/info", headers=headers)
    assert cors_headers(answer) == {"allow-origin": PAGE, "allow-credentials": "true"}
    assert answer.headers["vary"] == "Origin"
    for app in (closed, own):
        async with served(app) as client:
            assert cors_headers(await client.get(f"{URL}/info", headers=headers)) == {}


async def test_cors_middleware_around_the_application_adds_nothing_twice() -> None:
    app = CORSMiddleware(own_app(), allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])

    async with served(app) as client:
        answer = await client.get(f"{URL}/info", headers={"origin": PAGE})

    assert cors_headers(answer) == {"allow-origin": "*", "expose-headers": "x-copilotkit-runtime-version"}


async def test_other_routes_of_the_application_stay_closed() -> None:
    app = own_app()
    app.add_api_route("/secret", lambda: "secret")

    async with served(app) as client:
        assert cors_headers(await client.get("/secret", headers={"origin": PAGE})) == {}


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


REFUSED = (
    "Refused a page of https://app.example.com (CORS). To allow it, start with --cors "
    "https://app.example.com; in an app of your own, add CORSMiddleware with allow_origins=['https://app.example.com']."
)


async def test_the_first_refused_preflight_is_logged_with_what_to_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for app in (own_app(), create_app(Settings(cors=("https://other.example.com",)))):
        caplog.clear()
        async with served(app) as client:
            for _ in range(3):
                await client.options(URL, headers={"origin": "https://app.example.com", **PREFLIGHT})
            await client.options(URL, headers={"origin": "https://app.example.com"})  # no preflight

        assert [line for line in refusals(caplog) if "No agent" not in line] == [REFUSED]


async def test_what_is_logged_of_refused_origins_is_bounded_and_plain(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(own_app()) as client:
        await client.options(URL, headers={"origin": "null", **PREFLIGHT})
        await client.options(URL, headers={"origin": f"https://{'x' * 5000}", **PREFLIGHT})
        for number in range(50):
            await client.options(URL, headers={"origin": f"https://{number}.example.com", **PREFLIGHT})

    lines = refusals(caplog)
    assert len(lines) == 20
    assert lines[0].startswith("Refused a page that has no origin of its own")
    assert max(map(len, lines)) < 300


async def test_a_host_that_is_refused_over_loopback_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    from copilotkit_runtime_py.app.hosts import LoopbackHosts

    async with served(LoopbackHosts(PlainTextResponse("in"))) as client:
        for _ in range(2):
            await client.get("/", headers={"host": "app.example.com:8000"})

    assert refusals(caplog) == [
        "Refused a request for the host app.example.com over loopback. To allow it, as behind a proxy or a "
        "tunnel, start with --allowed-host app.example.com."
    ]


async def test_the_served_app_lets_pages_of_this_machine_in_until_cors_is_set() -> None:
    agents = {"remote": "http://127.0.0.1:1/"}
    headers = {"origin": PAGE}
    for settings, expected in (
        (Settings(agents=agents), ALLOWED),
        (Settings(agents=agents, cors=()), {}),
        (Settings(agents=agents, cors=("https://app.example.com",)), None),
    ):
        async with served(create_app(settings)) as client:
            found = cors_headers(await client.get(f"{URL}/info", headers=headers))
        if expected is None:
            assert "allow-origin" not in found
        else:
            assert found == expected
