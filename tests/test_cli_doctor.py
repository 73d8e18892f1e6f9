import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
import trustme
from ag_ui.core import RunAgentInput
from click.testing import CliRunner, Result
from fastapi import FastAPI, Header, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilotkit_runtime_py import CopilotRuntime, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.cli import cli
from tests.serving import serving

ENDPOINT = "/api/copilotkit"
ORIGIN = "http://localhost:3000"


async def agent(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield events.text_start("m1")
    await anyio.sleep(0.4)  # it thinks
    yield events.text_content("m1", "hello")


def runtime_app(*, cors: bool = True, development: bool = False, **options: Any) -> FastAPI:
    app = FastAPI()
    if cors:
        app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN], allow_methods=["*"], allow_headers=["*"])
    runtime = CopilotRuntime(agents={"chat": agent}, development=development)
    app.include_router(create_router(runtime, path=ENDPOINT, **options))
    return app


Change = Callable[[Message], Message]


def changing(app: ASGIApp, change: Change) -> ASGIApp:
    """A proxy that changes the head of every answer."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        async def pass_on(message: Message) -> None:
            await send(change(message) if message["type"] == "http.response.start" else message)

        await app(scope, receive, pass_on)

    return proxy


def with_header(name: bytes, value: bytes, *, on: bytes = b"") -> Change:
    def change(message: Message) -> Message:
        kind = dict(message["headers"]).get(b"content-type", b"")
        changed = kind.startswith(on)
        return {**message, "headers": [*message["headers"], *([(name, value)] if changed else [])]}

    return change


def buffering(app: ASGIApp, *, tells_length: bool = False) -> ASGIApp:
    """A proxy that passes answers on when they are whole."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                body = b"".join(each["body"] for each in held[1:])
                length = [(b"content-length", str(len(body)).encode())] if tells_length else []
                others = [each for each in held[0]["headers"] if not length or each[0] != length[0][0]]
                await send({**held[0], "headers": [*others, *length]})
                await send({"type": "http.response.body", "body": body})

        await app(scope, receive, hold if scope["type"] == "http" else send)

    return proxy


def answering(respond: Callable[[Scope], Awaitable[ASGIApp]] | ASGIApp) -> ASGIApp:
    """A server that gives the same answer to everything."""

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(scope, receive, send)  # type: ignore[call-arg]

    return server


def doctor(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", url, "--timeout", "20", *arguments])


def found(url: str, *arguments: str) -> dict[str, dict[str, str]]:
    """What the command tells of each check, by the group's and the check's names."""
    result = doctor(url, "--json", *arguments)
    told = json.loads(result.output)
    assert result.exit_code == (0 if told["ok"] else 1)
    assert told["ok"] is all(check["status"] != "failed" for check in told["checks"])
    return {f"{check['group'].partition(' (')[0]}: {check['check']}": check for check in told["checks"]}


def failures(url: str, *arguments: str) -> dict[str, tuple[str, str]]:
    checks = found(url, *arguments)
    return {
        name: (each["detail"], each["cure"]) for name, each in checks.items() if each["status"] == "failed"
    }


def causes(url: str, *arguments: str) -> dict[str, str]:
    return {name: cause for name, (cause, _) in failures(url, *arguments).items()}


@pytest.fixture(scope="module")
def healthy() -> Iterator[str]:
    with serving(runtime_app()) as base:
        yield base + ENDPOINT


def test_nothing_is_wrong_with_a_runtime_of_our_own(healthy: str) -> None:
    checks = json.loads(doctor(healthy, "--json", "--run", "Hello").output)["checks"]

    assert {check["status"] for check in checks} == {"ok"}
    assert [check["check"] for check in checks] == [
        "reachable",
        "access",
        "runtime",
        "HTTP version",
        "clock",
        "hello",
        "availableAgents",
        "generateCopilotResponse",
        "multipart",
        "version header",
        "info",
        "/info",
        "/threads",
        "/connect",
        "mixed content",
        "preflight",
        "answer",
        "preflight of /threads",
        "compression",
        "events",
        "parts",
    ]


def test_the_report_has_a_line_for_each_check_and_says_how_it_ends(healthy: str) -> None:
    result = doctor(healthy, "--agent", "absent", "--client", "single-route", "--origin", "http://127.0.0.1")

    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert "  ✓ access: no credentials are asked for" in lines
    assert "  ✗ info: there is no agent 'absent'. The page can ask for: chat, default." in lines
    assert lines[-1] == "3 of 9 checks failed."


def test_no_agent_runs_unless_it_is_asked_for() -> None:
    ran: list[str] = []

    async def watched(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        ran.append(input.messages[-1].content)  # type: ignore[arg-type]
        yield events.text_start("m1")

    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"chat": watched}), path=ENDPOINT))
    with serving(app) as base:
        checks = found(base + ENDPOINT)
        quiet = list(ran)
        found(base + ENDPOINT, "--run", "Hello")

    assert quiet == []
    assert ran == ["Hello", "Hello"]
    assert checks["Streaming: events"]["status"] == checks["Streaming: parts"]["status"] == "skipped"


def test_a_development_server_is_measured_without_a_run() -> None:
    with serving(runtime_app(development=True)) as base:
        checks = found(base + ENDPOINT)

    assert checks["Streaming: events"]["detail"] == "the first piece of an open stream arrived"


def test_a_proxy_that_holds_a_run_back_is_found() -> None:
    with serving(buffering(runtime_app())) as base:
        told = failures(base + ENDPOINT, "--run", "Hello")

    assert set(told) == {"Streaming: events", "Streaming: parts"}
    for cause, cure in told.values():
        assert cause.startswith("the whole answer arrived at once, after ")
        assert "nginx: proxy_buffering off" in cure


def test_a_proxy_that_holds_an_open_stream_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilotkit_runtime_py.cli.doctor.streaming.OPEN_SECONDS", 0.5)
    with serving(buffering(runtime_app(development=True))) as base:
        assert causes(base + ENDPOINT) == {"Streaming: events": "nothing of an open stream arrived in 0 s"}


def test_a_proxy_that_tells_the_length_of_a_run_is_found() -> None:
    async def quick(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        yield events.text_start("m1")

    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"chat": quick}), path=ENDPOINT))
    with serving(buffering(app, tells_length=True)) as base:
        told = causes(base + ENDPOINT, "--run", "Hello", "--origin", base)

    assert set(told) == {"Streaming: events", "Streaming: parts"}
    assert set(told.values()) == {"a stream comes with a content-length: a proxy collects it first"}


def test_a_proxy_that_compresses_streams_is_found() -> None:
    change = with_header(b"content-encoding", b"gzip", on=b"text/event-stream")
    with serving(changing(runtime_app(), change)) as base:
        assert causes(base + ENDPOINT) == {
            "Streaming: compression": "streams are compressed (gzip), which can hold pieces back"
        }


def test_pages_that_are_not_let_in_are_told_with_the_option_that_lets_them() -> None:
    with serving(runtime_app(cors=False, allow_local_pages=False)) as base:
        told = failures(base + ENDPOINT)

    assert set(told) == {
        "Pages of another origin: preflight",
        "Pages of another origin: preflight of /threads",
        "Pages of another origin: answer",
    }
    for cause, cure in told.values():
        assert cause == f"pages of {ORIGIN} are not let in: there is no access-control-allow-origin header"
        assert f"--cors {ORIGIN}" in cure


def test_a_page_of_an_origin_that_is_not_named_is_told(healthy: str) -> None:
    told = causes(healthy, "--origin", "https://app.example.com")

    assert set(told) == {
        "Pages of another origin: preflight",
        "Pages of another origin: preflight of /threads",
        "Pages of another origin: answer",
    }


def test_an_origin_that_is_allowed_twice_is_told() -> None:
    app = changing(runtime_app(), with_header(b"access-control-allow-origin", b"*"))
    with serving(app) as base:
        told = causes(base + ENDPOINT)

    assert set(told.values()) == {"access-control-allow-origin is there 2 times, and browsers accept one"}


def test_a_wildcard_for_headers_does_not_stand_for_authorization() -> None:
    def change(message: Message) -> Message:
        kept = [each for each in message["headers"] if each[0] != b"access-control-allow-headers"]
        return {**message, "headers": [*kept, (b"access-control-allow-headers", b"*")]}

    with serving(changing(runtime_app(), change)) as base:
        told = causes(base + ENDPOINT, "--header", "Authorization: Bearer t")

    assert told == {"Pages of another origin: preflight": "the page may not send the headers authorization"}


def test_a_page_by_https_may_not_call_http_elsewhere(healthy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilotkit_runtime_py.cli.doctor.cors.is_loopback", lambda host: False)

    told = causes(healthy, "--origin", "https://app.example.com")

    assert told["Pages of another origin: mixed content"] == (
        "a page that came by https may not call http (mixed content)"
    )


def test_a_page_of_the_same_origin_needs_no_leave(healthy: str) -> None:
    checks = found(healthy, "--origin", healthy.removesuffix(ENDPOINT))

    assert checks["Pages of another origin: preflight"]["status"] == "skipped"


async def token(authorization: Annotated[str, Header()] = "") -> str:
    if authorization != "Bearer good":
        raise HTTPException(401, "Not authenticated")
    return "ada"


def test_credentials_that_are_asked_for_are_explained_and_can_be_given() -> None:
    with serving(runtime_app(identify=token)) as base:
        without = failures(base + ENDPOINT)
        wrong = causes(base + ENDPOINT, "--header", "Authorization: Bearer bad")
        right = causes(base + ENDPOINT, "--header", "Authorization: Bearer good")

    (cause, cure) = without["Connection: access"]
    assert (list(without), cause) == (["Connection: access"], "the server asks for credentials (401)")
    assert "--header 'Authorization: Bearer …'" in cure
    assert wrong == {"Connection: access": "the server refuses the credentials (401)"}
    assert right == {}


def test_a_preflight_that_is_asked_for_credentials_is_told() -> None:
    inner = runtime_app(cors=False)

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"authorization" not in dict(scope["headers"]):
            await JSONResponse({"detail": "Not authenticated"}, 401)(scope, receive, send)
        else:
            await inner(scope, receive, send)

    with serving(proxy) as base:
        told = causes(base + ENDPOINT, "--header", "Authorization: Bearer good")

    assert told["Pages of another origin: preflight"] == (
        "the preflight is asked for credentials (401), which browsers leave out"
    )


def test_a_proxy_that_passes_on_the_url_alone_is_told_with_the_two_ways_out() -> None:
    inner = runtime_app()

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != ENDPOINT:
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
        else:
            await inner(scope, receive, send)

    with serving(proxy) as base:
        told = failures(
            base + ENDPOINT, "--client", "rest", "--client", "single-route", "--client", "graphql"
        )
        single = causes(base + ENDPOINT, "--client", "graphql", "--client", "single-route")

    cause, cure = told["CopilotKit 1.50 and newer: /info"]
    assert cause == f"there is no {base}{ENDPOINT}/info (404)"
    assert "useSingleEndpoint" in cure
    assert single == {}


@pytest.mark.parametrize(
    ("speaks", "silent"),
    [
        ("graphql", {"CopilotKit 1.50 and newer: info", "CopilotKit 1.50 and newer: /info"}),
        ("rest", {"CopilotKit 1.8 to 1.10: hello", "CopilotKit 1.50 and newer: info"}),
        ("single", {"CopilotKit 1.8 to 1.10: hello", "CopilotKit 1.50 and newer: /info"}),
    ],
)
def test_a_contract_that_a_runtime_does_not_speak_is_no_fault(speaks: str, silent: set[str]) -> None:
    inner = runtime_app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await inner(scope, receive, send)
            return
        below = scope["path"] != ENDPOINT
        text = b"" if below else (await receive())["body"]

        async def body() -> Message:
            return {"type": "http.request", "body": text, "more_body": False}

        kind = "rest" if below else "single" if b'"method"' in text else "graphql"
        if kind == speaks:
            await inner(scope, receive if below else body, send)
        else:
            status = 400 if kind == "single" else 404
            refusal = JSONResponse({"error": "Not found"}, status, {"access-control-allow-origin": ORIGIN})
            await refusal(scope, receive, send)

    with serving(app) as base:
        checks = found(base + ENDPOINT)

    assert {name for name, check in checks.items() if check["detail"].startswith("not spoken: ")} == silent
    assert [name for name, check in checks.items() if check["status"] == "failed"] == []


def test_a_clock_that_is_wrong_is_told() -> None:
    app = changing(runtime_app(), with_header(b"date", b"Sun, 06 Nov 1994 08:49:37 GMT"))
    with serving(app, date_header=False) as base:
        (cause,) = causes(base + ENDPOINT).values()

    assert cause.startswith("the server's clock is ")
    assert cause.endswith(" s behind this one")


def test_a_runtime_of_another_version_alarms_the_client() -> None:
    def change(message: Message) -> Message:
        kept = [each for each in message["headers"] if each[0] != b"x-copilotkit-runtime-version"]
        return {**message, "headers": [*kept, (b"x-copilotkit-runtime-version", b"1.8.0")]}

    with serving(changing(runtime_app(), change)) as base:
        assert causes(base + ENDPOINT) == {
            "CopilotKit 1.8 to 1.10: version header": "the runtime reports version 1.8.0, "
            "and a client of 1.10.6 shows a warning"
        }


def test_a_body_whose_line_ends_were_changed_is_told() -> None:
    inner = runtime_app()

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        async def rewrite(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": message["body"].replace(b"\r\n---", b"\n===")}
            await send(message)

        await inner(scope, receive, rewrite if scope["type"] == "http" else send)

    with serving(proxy) as base:
        told = causes(base + ENDPOINT, "--client", "graphql")

    assert set(told) == {"CopilotKit 1.8 to 1.10: multipart"}


async def langgraph_info(request: Any) -> JSONResponse:
    return JSONResponse({"version": "0.4.0", "langgraph_py_version": "1.1.0"})


async def langgraph_ok(request: Any) -> JSONResponse:
    return JSONResponse({"ok": True})


def agui_agent() -> FastAPI:
    app = FastAPI()

    @app.post("/")
    async def run(input: RunAgentInput) -> None:
        """Never called: the requests of frontends are none of an agent's."""

    return app


@pytest.mark.parametrize(
    ("app", "path", "cause", "cure"),
    [
        (
            Starlette(),
            ENDPOINT,
            "no runtime is at this path (404)",
            "Compare it with the server's --endpoint",
        ),
        (
            Starlette(routes=[Route("/ok", langgraph_ok), Route("/info", langgraph_info)]),
            "/",
            "this is a LangGraph server, not a CopilotKit runtime",
            "'copilotkit-runtime-py serve --agent NAME=langgraph+{base}/GRAPH'",
        ),
        (agui_agent(), "/", "this is an AG-UI agent, not a CopilotKit runtime", "--agent NAME={base}/"),
        (
            answering(HTMLResponse("<!doctype html>")),
            ENDPOINT,
            "a web page comes instead of an answer (200)",
            "route the URL's path",
        ),
        (
            answering(JSONResponse({"ok": "yes"})),
            ENDPOINT,
            "no runtime is at this path (200)",
            "Compare it with",
        ),
        (
            answering(JSONResponse({}, 502)),
            ENDPOINT,
            "a proxy answers, and the server behind it does not (502)",
            "Start the server",
        ),
        (
            answering(RedirectResponse("/elsewhere")),
            ENDPOINT,
            "the URL redirects to /elsewhere",
            "Give that URL to the page",
        ),
        (
            answering(JSONResponse({}, 421)),
            ENDPOINT,
            "the server is not to be addressed by this host name (421)",
            "--allowed-host 127.0.0.1",
        ),
    ],
)
def test_what_is_no_runtime_is_told_for_what_it_is(app: ASGIApp, path: str, cause: str, cure: str) -> None:
    with serving(app) as base:
        told = list(failures(base + path).values())

    assert [each for each, _ in told] == [cause]
    assert cure.format(base=base) in told[0][1]


def test_a_runtime_at_another_path_is_found(healthy: str) -> None:
    base = healthy.removesuffix(ENDPOINT)

    assert list(failures(f"{base}/chat").values()) == [
        ("no runtime is at this path (404)", f"There is one at {healthy}.")
    ]


def test_a_runtime_that_speaks_only_graphql_is_told_for_what_it_is() -> None:
    inner = runtime_app()

    async def old(scope: Scope, receive: Receive, send: Send) -> None:
        async def body() -> Message:
            return {"type": "http.request", "body": text, "more_body": False}

        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        text = (await receive())["body"]
        if scope["path"] != ENDPOINT or b'"method"' in text:
            await JSONResponse({"errors": [{"message": "Unknown"}]}, 400)(scope, receive, send)
        else:
            await inner(scope, body, send)

    with serving(old) as base:
        checks = found(base + ENDPOINT, "--client", "graphql")
        told = causes(base + ENDPOINT, "--client", "single-route")

    assert checks["Connection: runtime"]["detail"] == "a runtime answers GraphQL"
    assert told["CopilotKit 1.50 and newer: info"] == "the runtime does not list its agents here"


def test_a_server_that_is_not_there_is_told() -> None:
    told = failures("http://127.0.0.1:1/api/copilotkit")

    (cause, cure) = told["Connection: reachable"]
    assert (len(told), cause) == (1, "nothing listens at 127.0.0.1:1")
    assert "Start the server" in cure


def test_a_host_that_does_not_exist_is_told() -> None:
    assert causes("http://surely.invalid/") == {"Connection: reachable": "there is no host surely.invalid"}


def test_a_certificate_that_nobody_trusts_is_told() -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with (
        certificate.private_key_and_cert_chain_pem.tempfile() as file,
        serving(runtime_app(), ssl_certfile=file) as base,
    ):
        told = causes(base + ENDPOINT)

    (cause,) = told.values()
    assert cause.startswith(f"the TLS certificate of {base.removeprefix('https://')} is not trusted: ")


def test_a_certificate_of_an_authority_of_ones_own_can_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    with (
        certificate.private_key_and_cert_chain_pem.tempfile() as file,
        serving(runtime_app(), ssl_certfile=file) as base,
    ):
        assert causes(base + ENDPOINT) == {}


def test_https_where_plain_http_is_spoken_is_told(healthy: str) -> None:
    ((cause, cure),) = failures(healthy.replace("http:", "https:")).values()

    assert cause.startswith("no TLS connection with 127.0.0.1:")
    assert "write http:// in the URL" in cure


@contextmanager
def old_server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"data": {"hello": "Hello World"}}')

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{ENDPOINT}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_cannot_stream_and_answers_strangely_is_told() -> None:
    with old_server() as url:
        told = causes(url, "--client", "graphql")

    assert told["Connection: HTTP version"] == "the server speaks HTTP/1.0, which has no streams"
    assert told["CopilotKit 1.8 to 1.10: availableAgents"] == (
        "the answer is JSON of another shape than a runtime's"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://host/"], "This is not a URL"),
        (["http://[::1"], "This is not a URL"),
        (["http://me:s3cret@host/"], "without credentials"),
        (["http://host/?a=1"], "without credentials, '?' and '#'"),
        (["http://host/", "--header", "Authorization"], "is not a header"),
        (["http://host/", "--header", "X-Näme: a"], "is not a header"),
        (["http://host/", "--origin", "*"], "Name one origin"),
        (["http://host/", "--origin", "http://Host/path"], "write http://host"),
        (["http://host/", "--client", "0.1"], "is not one of 'graphql', 'single-route', 'rest'"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_asked(arguments: list[str], message: str) -> None:
    result = doctor(*arguments)

    assert result.exit_code == 2
    assert message in result.output
    assert "s3cret" not in result.output


def test_a_runtime_without_agents_is_told() -> None:
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={}), path=ENDPOINT))
    with serving(app) as base:
        told = causes(base + ENDPOINT, "--client", "single-route", "--origin", base)

    assert told == {"CopilotKit 1.50 and newer: info": "there are no agents"}


def test_what_a_server_says_does_not_control_the_terminal() -> None:
    with serving(answering(JSONResponse({"data": {"hello": "a\x1b[2J\nb"}}))) as base:
        lines = doctor(base + ENDPOINT, "--client", "graphql").output.splitlines()

    assert "  ✓ hello: 'a�[2J b'" in lines
