import asyncio
import contextlib
import gzip
import json
import logging
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from ag_ui.core import RunAgentInput
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers import remote
from copilotkit_runtime_py.providers.remote import RemoteProvider
from tests.mcp_server import served as starlette_served

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
START = {"type": "RUN_STARTED", "threadId": "t1", "runId": "r1"}
FINISH = {"type": "RUN_FINISHED", "threadId": "t1", "runId": "r1"}


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: Any


Handler = Callable[[Request, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(
    handle: Handler, port: int = 0, certificate: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The URL of a server that leaves every byte of its answers to `handle`, one request per connection."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                await handle(await read_request(reader), reader, writer)
                if writer.is_closing():
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=certificate)
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/agent"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


async def read_request(reader: asyncio.StreamReader) -> Request:
    line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(line, headers, json.loads(body or b"null"))


def answering(*pieces: bytes) -> Handler:
    """Writes the pieces, one network packet each, and closes the connection."""

    async def handle(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    return handle


def sse(*sent: Event) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in sent)


def run_input(**fields: Any) -> RunAgentInput:
    return RunAgentInput.model_validate({"threadId": "t1", "runId": "r1", "messages": [], **fields})


@contextlib.asynccontextmanager
async def provider_at(url: str, **options: Any) -> AsyncIterator[RemoteProvider]:
    provider = RemoteProvider(url, **options)
    try:
        yield provider
    finally:
        await provider.aclose()


async def outcome(
    handle: Handler,
    *,
    input: RunAgentInput | None = None,
    context: RequestContext | None = None,
    certificate: ssl.SSLContext | None = None,
    **options: Any,
) -> tuple[list[Event], str | None]:
    """The events of a run against `handle`, and the text of the error that ended it, if one did."""
    received: list[Event] = []
    async with served(handle, certificate=certificate) as url, provider_at(url, **options) as provider:
        try:
            async for event in provider.run(input or run_input(), context or RequestContext()):
                received.append(event)  # noqa: PERF401 - what came before an error counts
        except AgentError as error:
            return received, error.message
        return received, None


async def request_for(input: RunAgentInput, context: RequestContext, **options: Any) -> Request:
    """What the agent is sent."""
    requests: list[Request] = []

    async def handle(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(request)
        await answering(STREAM, sse(START, FINISH))(request, reader, writer)

    assert await outcome(handle, input=input, context=context, **options) == ([START, FINISH], None)
    return requests[0]


@pytest.mark.anyio
async def test_events_of_the_stream_come_out_as_they_are() -> None:
    sent = [
        START,
        events.text_start("m1"),
        events.text_content("m1", "wörld 🌍"),
        events.text_end("m1"),
        FINISH,
    ]
    assert await outcome(answering(STREAM, sse(*sent))) == (sent, None)


@pytest.mark.anyio
async def test_the_agent_gets_the_input_as_the_node_runtime_sends_it() -> None:
    tool = {"name": "setColor", "description": "d", "parameters": {"type": "object"}}
    call = {"id": "tc1", "type": "function", "function": {"name": "setColor", "arguments": "{}"}}
    messages = [
        {"id": "u1", "role": "user", "content": "hello"},
        {"id": "a1", "role": "assistant", "toolCalls": [call]},
        {"id": "r1", "role": "tool", "content": "ok", "toolCallId": "tc1"},
    ]
    activity = {"id": "x1", "role": "activity", "activityType": "plan", "content": {}}
    request = await request_for(
        run_input(
            protocolVersion="1.0",
            parentRunId="r0",
            unknown=1,
            messages=[*messages, activity],
            tools=[tool],
            context=[{"description": "d", "value": "v"}],
            state={"k": None},
            forwardedProps={"config": {}},
            resume=[{"interruptId": "i1", "status": "resolved", "payload": {"ok": True}}],
        ),
        RequestContext(),
    )
    assert request.line == "POST /agent HTTP/1.1"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["content-type"] == "application/json"
    assert request.body == {
        "threadId": "t1",
        "runId": "r1",
        "tools": [tool],
        "context": [{"description": "d", "value": "v"}],
        "forwardedProps": {"config": {}},
        "state": {"k": None},
        "messages": messages,
        "resume": [{"interruptId": "i1", "status": "resolved", "payload": {"ok": True}}],
    }


@pytest.mark.anyio
async def test_members_that_older_agents_require_are_always_there() -> None:
    request = await request_for(run_input(), RequestContext())
    assert request.body == {
        "threadId": "t1",
        "runId": "r1",
        "tools": [],
        "context": [],
        "forwardedProps": {},
        "state": {},
        "messages": [],
    }


@pytest.mark.anyio
async def test_an_input_larger_than_the_socket_takes_at_once_arrives_whole() -> None:
    message = {"id": "u1", "role": "user", "content": "x" * 8_000_000}
    request = await request_for(run_input(messages=[message]), RequestContext())
    assert request.body["messages"] == [message]


@pytest.mark.anyio
async def test_configured_headers_win_over_forwarded_ones_in_any_case() -> None:
    context = RequestContext(
        headers={"authorization": "Bearer user", "x-user": "José", "accept": "text/html"}
    )
    request = await request_for(
        run_input(),
        context,
        headers={"Authorization": "Bearer service", "X-Extra": "1", "Content-Type": "x/y"},
    )
    host = request.headers.pop("host")
    assert host.startswith("127.0.0.1:")
    assert request.headers == {
        "authorization": "Bearer service",
        "x-user": "José",
        "x-extra": "1",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": request.headers["content-length"],
        "user-agent": "copilotkit-runtime-py",
    }


@pytest.mark.anyio
async def test_a_cookie_of_one_run_is_not_sent_with_the_next() -> None:
    seen: list[dict[str, str]] = []

    async def handle(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(request.headers)
        head = STREAM.replace(b"Connection", b"Set-Cookie: session=alice; Path=/\r\nConnection")
        await answering(head, sse(START, FINISH))(request, reader, writer)

    async with served(handle) as url, provider_at(url) as provider:
        for _ in range(2):
            assert [event async for event in provider.run(run_input(), RequestContext())] == [START, FINISH]
    assert ["cookie" in headers for headers in seen] == [False, False]


@pytest.mark.anyio
async def test_neither_proxies_nor_logins_are_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    request = await request_for(run_input(), RequestContext())
    assert "authorization" not in request.headers


@pytest.mark.anyio
async def test_a_stream_in_single_bytes_and_with_crlf_is_understood() -> None:
    stream = b"\xef\xbb\xbf: hi\r\n\r\n" + sse(START, FINISH).replace(b"\n", b"\r\n")
    pieces = [b"1\r\n%c\r\n" % byte for byte in stream]
    assert await outcome(answering(CHUNKED, *pieces, b"0\r\n\r\n")) == ([START, FINISH], None)


@pytest.mark.anyio
async def test_the_last_event_needs_no_blank_line_and_empty_data_is_no_event() -> None:
    stream = b"event: ping\ndata:\n\n" + sse(START, FINISH).rstrip(b"\n")
    assert await outcome(answering(STREAM, stream)) == ([START, FINISH], None)


@pytest.mark.anyio
async def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    stream = (
        b'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"m1","delta":"a\\ud83d","n":"\\ud83d\\ude00"}\n\n'
    )
    expected = events.text_content("m1", "a\ufffd") | {"n": "😀"}
    assert await outcome(answering(STREAM, stream)) == ([expected], None)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"data: {not json}\n\n", "The agent sent an event that is not valid JSON"),
        (b'data: {"type":"RUN_FI', "The agent sent an event that is not valid JSON"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "The agent sent an event that is not valid JSON"),
        (b'data: {"n": NaN}\n\n', "The agent sent an event that is not valid JSON"),
        (b"data: [1]\n\n", "The agent sent an event that is not a JSON object"),
        (b"data: " + b"x" * 1_000_000, "The agent sent an event of more than 200000 bytes"),
    ],
    ids=["malformed", "cut off", "deep", "not a number", "no object", "too large"],
)
@pytest.mark.anyio
async def test_events_before_a_bad_one_are_delivered_and_those_after_are_not(
    bad: bytes, message: str
) -> None:
    answer = answering(STREAM + sse(START) + bad + sse(FINISH))
    if bad.endswith(b"FI"):
        answer = answering(STREAM + sse(START) + bad)
    assert await outcome(answer, max_event_bytes=200_000) == ([START], message)


def refusing(status: int, content_type: str, body: bytes, *more: bytes) -> Handler:
    head = b"HTTP/1.1 %d No\r\nContent-Type: %b\r\n%bConnection: close\r\n\r\n"
    return answering(head % (status, content_type.encode(), b"".join(more)) + body)


@pytest.mark.parametrize(
    ("handle", "message"),
    [
        (refusing(500, "application/json", b'{"detail": "internal"}'), 'HTTP 500: {"detail":"internal"}'),
        (refusing(422, "application/json", b'"no"'), "HTTP 422: no"),
        (refusing(400, "application/json", b"{not json"), "HTTP 400: {not json"),
        (refusing(401, "text/plain", b"who are you"), "HTTP 401: who are you"),
        (refusing(502, "text/html", b"<p>\xff" + b"x" * 5000), "HTTP 502: <p>" + "x" * 2044),
        (refusing(503, "text/plain", b"", b"Content-Length: 9\r\n"), "HTTP 503: "),
    ],
)
@pytest.mark.anyio
async def test_a_refusal_is_told_with_status_and_bounded_body(handle: Handler, message: str) -> None:
    assert await outcome(handle) == ([], message)


@pytest.mark.anyio
async def test_a_redirect_is_not_followed_and_its_target_is_told_to_the_operator_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle = refusing(307, "text/plain", b"", b"Location: /agent/\r\n")
    with caplog.at_level(logging.WARNING, "copilotkit_runtime_py"):
        assert await outcome(handle) == ([], "HTTP 307: ")
    assert "redirects to /agent/" in caplog.text


@pytest.mark.parametrize("path", ["", "/agent", "/threads"])
@pytest.mark.anyio
async def test_a_langgraph_server_is_recognised_and_the_target_for_it_is_named(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    async def info(request: StarletteRequest) -> Response:
        asked.append(request.url.path)
        return JSONResponse({"version": "0.16.7", "flags": {"assistants": True, "crons": False}})

    async def search(request: StarletteRequest) -> Response:
        return JSONResponse([{"graph_id": "travel"}])

    async def threads(request: StarletteRequest) -> Response:
        return JSONResponse({"detail": "invalid"}, 422)

    routes = [
        Route("/info", info),
        Route("/assistants/search", search, methods=["POST"]),
        Route("/threads", threads, methods=["POST"]),
    ]
    with starlette_served(Starlette(routes=routes)) as port:
        async with provider_at(f"http://127.0.0.1:{port}{path}") as provider:
            for _ in range(2):
                with pytest.raises(AgentError) as raised:
                    await anext(aiter(provider.run(run_input(), RequestContext())))
                assert raised.value.message.endswith("register its graph as langgraph+https://host/graph")
    assert f"register its graphs as langgraph+http://127.0.0.1:{port}/travel" in caplog.text
    assert asked == ["/info"]


@pytest.mark.anyio
async def test_an_answer_that_is_no_event_stream_has_no_events_and_is_told_to_the_operator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = answering(
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"hello":1}'
    )
    with caplog.at_level(logging.WARNING, "copilotkit_runtime_py"):
        assert await outcome(answer) == ([], None)
    assert "sent no event, and the content type application/json" in caplog.text


@pytest.mark.anyio
async def test_an_agent_that_refuses_the_connection_is_a_failed_fetch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(answering()) as url:
        pass
    async with provider_at(url + "?key=secret") as provider:
        with pytest.raises(AgentError) as raised:
            await anext(aiter(provider.run(run_input(), RequestContext())))
    assert (raised.value.message, raised.value.agent_code) == ("fetch failed", "INCOMPLETE_STREAM")
    assert f"agent {url} fetch failed" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.anyio
async def test_an_agent_that_hangs_up_without_an_answer_is_not_asked_again() -> None:
    requests = 0

    async def handle(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        writer.close()

    assert await outcome(handle) == ([], "fetch failed")
    assert requests == 1


@pytest.mark.anyio
async def test_a_host_name_that_dns_cannot_carry_is_a_failed_fetch() -> None:
    async with provider_at(f"http://{'a' * 64}.invalid/agent", connect_timeout=0.5) as provider:
        with pytest.raises(AgentError, match=r"^fetch failed$"):
            await anext(aiter(provider.run(run_input(), RequestContext())))


@pytest.mark.anyio
async def test_a_connection_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    connect, attempts = loop.sock_connect, 0

    async def flaky(*args: Any, **options: Any) -> Any:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ConnectionRefusedError
        return await connect(*args, **options)

    monkeypatch.setattr(loop, "sock_connect", flaky)
    assert await outcome(answering(STREAM, sse(START, FINISH))) == ([START, FINISH], None)
    assert attempts == 2


@pytest.mark.anyio
async def test_everything_that_arrived_with_a_cut_is_delivered() -> None:
    sent = sse(START, events.text_start("m1"))
    answer = answering(CHUNKED + b"%x\r\n%b\r\n" % (len(sent), sent))
    assert await outcome(answer) == ([START, events.text_start("m1")], "terminated")


@pytest.mark.anyio
async def test_a_reset_connection_is_a_cut() -> None:
    seen = asyncio.Event()

    async def handle(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + sse(START))
        await seen.wait()
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    async with served(handle) as url, provider_at(url) as provider:
        stream = aiter(provider.run(run_input(), RequestContext()))
        assert await anext(stream) == START
        seen.set()
        with pytest.raises(AgentError, match=r"^terminated$"):
            await anext(stream)


@pytest.mark.anyio
async def test_what_arrives_with_a_cut_while_the_reader_is_busy_is_delivered() -> None:
    closed = asyncio.Event()
    rest = sse(events.text_start("m1"), events.text_content("m1", "a"))

    async def handle(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = sse(START)
        writer.write(CHUNKED + b"%x\r\n%b\r\n" % (len(start), start))
        await go_on.wait()
        writer.write(b"%x\r\n%b\r\n" % (len(rest), rest))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    go_on = asyncio.Event()
    async with served(handle) as url, provider_at(url) as provider:
        stream = aiter(provider.run(run_input(), RequestContext()))
        assert await anext(stream) == START
        go_on.set()
        await closed.wait()
        for _ in range(10):  # data and end arrive
            await asyncio.sleep(0)
        assert await anext(stream) == events.text_start("m1")
        assert await anext(stream) == events.text_content("m1", "a")
        with pytest.raises(AgentError, match=r"^terminated$"):
            await anext(stream)


@pytest.mark.anyio
async def test_a_cut_before_the_first_event_is_told() -> None:
    assert await outcome(answering(CHUNKED)) == ([], "terminated")


@pytest.mark.parametrize("answer", [b"", CHUNKED], ids=["before the answer", "in the stream"])
@pytest.mark.anyio
async def test_an_agent_that_stays_silent_is_given_up(answer: bytes) -> None:
    async def handle(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await reader.read()

    message = "The agent sent nothing for 0.05 seconds"
    assert await outcome(handle, idle_timeout=0.05) == ([], message)


@pytest.mark.anyio
async def test_a_compressed_stream_is_understood() -> None:
    head = STREAM.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection")
    assert await outcome(answering(head + gzip.compress(sse(START, FINISH)))) == ([START, FINISH], None)


@pytest.mark.anyio
async def test_what_cannot_be_decompressed_is_a_broken_stream() -> None:
    head = STREAM.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection")
    assert await outcome(answering(head + sse(START))) == ([], "terminated")


@pytest.mark.anyio
async def test_an_event_comes_out_before_the_next_one_is_sent() -> None:
    gate = asyncio.Event()

    async def handle(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + sse(START))
        await gate.wait()
        await answering(sse(FINISH))(request, reader, writer)

    async with served(handle) as url, provider_at(url) as provider:
        stream = aiter(provider.run(run_input(), RequestContext()))
        assert await anext(stream) == START
        gate.set()
        assert [event async for event in stream] == [FINISH]


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[trustme.CA]:
    """A certificate authority that the provider trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    remote._ssl_context.cache_clear()
    yield authority
    remote._ssl_context.cache_clear()


def certified(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.mark.anyio
async def test_an_encrypted_stream_is_understood(authority: trustme.CA) -> None:
    long = events.text_content("m1", "x" * 1_000_000)
    answer = answering(STREAM, sse(START), sse(long), sse(FINISH))
    certificate = certified(authority, "127.0.0.1")
    assert await outcome(answer, certificate=certificate) == ([START, long, FINISH], None)


@pytest.mark.parametrize("trusted", [True, False], ids=["wrong host", "unknown authority"])
@pytest.mark.anyio
async def test_an_agent_that_cannot_prove_who_it_is_gets_no_request(
    authority: trustme.CA, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, host = (authority, "other.example") if trusted else (trustme.CA(), "127.0.0.1")
    answer = answering(STREAM, sse(START, FINISH))
    assert await outcome(answer, certificate=certified(signer, host)) == ([], "fetch failed")


def hanging_agent(left: asyncio.Event) -> Handler:
    async def handle(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + sse(START))
        assert await reader.read() == b""
        left.set()
        writer.close()

    return handle


@pytest.mark.anyio
async def test_closing_the_stream_closes_the_connection() -> None:
    left = asyncio.Event()
    async with served(hanging_agent(left)) as url, provider_at(url) as provider:
        async with contextlib.aclosing(provider.run(run_input(), RequestContext())) as stream:  # type: ignore[type-var]
            assert await anext(stream) == START
        async with asyncio.timeout(5):
            await left.wait()


@pytest.mark.anyio
async def test_closing_the_stream_closes_an_encrypted_connection(authority: trustme.CA) -> None:
    left = asyncio.Event()
    certificate = certified(authority, "127.0.0.1")
    async with served(hanging_agent(left), certificate=certificate) as url, provider_at(url) as provider:
        async with contextlib.aclosing(provider.run(run_input(), RequestContext())) as stream:  # type: ignore[type-var]
            assert await anext(stream) == START
        async with asyncio.timeout(5):
            await left.wait()


@pytest.mark.anyio
async def test_stopping_a_run_closes_the_connection_to_an_agent_that_does_not_read_its_request() -> None:
    loop = asyncio.get_running_loop()
    large = run_input(messages=[{"id": "u1", "role": "user", "content": "x" * 20_000_000}])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with provider_at(f"http://127.0.0.1:{listener.getsockname()[1]}/agent") as provider:
            run = asyncio.ensure_future(anext(aiter(provider.run(large, RequestContext()))))
            connection, _ = await loop.sock_accept(listener)
            with connection:
                assert await loop.sock_recv(connection, 10)
                run.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await run
                sent = 0
                async with asyncio.timeout(10):
                    with contextlib.suppress(ConnectionResetError):
                        while received := await loop.sock_recv(connection, 1_000_000):
                            sent += len(received)
    assert sent < 20_000_000


@pytest.mark.parametrize("after_first_event", [True, False])
@pytest.mark.anyio
async def test_cancelling_the_run_closes_its_connection_and_no_other(after_first_event: bool) -> None:
    async def handle(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run_id = request.body["runId"]
        if after_first_event:
            writer.write(STREAM + sse(START))
        waiting[run_id].set()
        if run_id == "other":
            await gate.wait()
            await answering(b"" if after_first_event else STREAM, sse(FINISH))(request, reader, writer)
        else:
            assert await reader.read() == b""
            left.set()
            writer.close()

    async def consume(provider: RemoteProvider, run_id: str) -> list[Event]:
        return [event async for event in provider.run(run_input(runId=run_id), RequestContext())]

    left, gate = asyncio.Event(), asyncio.Event()
    waiting = {"stopped": asyncio.Event(), "other": asyncio.Event()}
    async with served(handle) as url, provider_at(url) as provider:
        stopped = asyncio.create_task(consume(provider, "stopped"))
        other = asyncio.create_task(consume(provider, "other"))
        async with asyncio.timeout(5):
            await waiting["stopped"].wait()
            await waiting["other"].wait()
            stopped.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stopped
            await left.wait()
            gate.set()
            assert await other == ([START, FINISH] if after_first_event else [FINISH])


@pytest.mark.anyio
async def test_a_connection_serves_one_run_after_another() -> None:
    connections: set[int] = set()

    async def handle(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(id(writer))
        sent = sse(START, FINISH)
        writer.write(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent), sent))

    async with served(handle) as url, provider_at(url) as provider:
        for _ in range(3):
            assert [event async for event in provider.run(run_input(), RequestContext())] == [START, FINISH]
    assert len(connections) == 1


@pytest.mark.anyio
async def test_a_connection_that_the_agent_has_closed_is_not_used_again() -> None:
    async def handle(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = sse(START, FINISH)
        writer.write(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent), sent))
        writer.close()
        await writer.wait_closed()

    async with served(handle) as url, provider_at(url) as provider:
        for _ in range(3):
            assert [event async for event in provider.run(run_input(), RequestContext())] == [START, FINISH]
            for _ in range(10):  # the close arrives
                await asyncio.sleep(0)


@pytest.mark.anyio
async def test_more_runs_than_a_default_pool_holds_stream_at_once() -> None:
    count, running = 150, 0
    all_running = asyncio.Event()

    async def handle(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running
        running += 1
        if running == count:
            all_running.set()
        await all_running.wait()
        own = {"type": "RUN_STARTED", "threadId": "t1", "runId": request.body["runId"]}
        await answering(STREAM, sse(own))(request, reader, writer)

    async def run_id_of(provider: RemoteProvider, run_id: str) -> list[str]:
        return [event["runId"] async for event in provider.run(run_input(runId=run_id), RequestContext())]

    async with served(handle) as url, provider_at(url) as provider, asyncio.timeout(20):
        ids = [f"r{i}" for i in range(count)]
        assert await asyncio.gather(*(run_id_of(provider, id) for id in ids)) == [[id] for id in ids]


@pytest.mark.parametrize("first_closes", [True, False])
def test_a_provider_serves_one_event_loop_after_another(first_closes: bool) -> None:
    async def run(port: int, closes: bool) -> list[Event]:
        async with served(answering(STREAM, sse(START, FINISH)), port):
            received = [event async for event in provider.run(run_input(), RequestContext())]
            if closes:
                await provider.aclose()
            return received

    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    provider = RemoteProvider(f"http://127.0.0.1:{port}/agent")
    assert asyncio.run(run(port, first_closes)) == [START, FINISH]
    assert asyncio.run(run(port, True)) == [START, FINISH]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "localhost:8000",
        "http://",
        "/agent",
        "http://[::1",
        "http://user:pw@host/",
        "http://u:pw@[::1",
        "ftp://u:pw@h",
        "",
    ],
)
def test_what_is_no_usable_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL") as raised:
        RemoteProvider(url)
    assert "pw" not in str(raised.value)


def test_a_header_that_http_cannot_carry_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="latin-1"):
        RemoteProvider("http://host/", headers={"x-name": "名前"})


def test_the_http_client_is_imported_only_for_remote_agents() -> None:
    program = """
import sys
from copilotkit_runtime_py import CopilotRuntime
async def agent(input):
    yield {}
CopilotRuntime({"agent": agent})
assert "aiohttp" not in sys.modules
CopilotRuntime({"agent": "http://127.0.0.1:1/"})
assert "aiohttp" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
