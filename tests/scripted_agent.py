"""An AG-UI agent that plays a script: an HTTP server whose answers are written down step by step.

A script is a list of steps, or a function from the RunAgentInput to one. A step is a dict with one of

- `event`: an AG-UI event, sent as one server-sent event; `{{threadId}}`, `{{runId}}` and `{{now}}` in its
  strings stand for the ids of the input and the monotonic clock in nanoseconds;
- `raw`: text that is sent as it is, whether it is an event or not;
- `http`: `{"status", "headers", "body"}`, an answer that is no stream;
- `gate`: a name; nothing is sent until `open_gate(name)`;
- `hang`: nothing is sent until the caller leaves;
- `end`: the response ends here; `destroy`: the connection is cut here;
- `drop`: the connection is cut instead of an answer, if this is the first step;

and may have a `delay` before it, in milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias

Step: TypeAlias = dict[str, Any]
Script: TypeAlias = list[Step] | Callable[[dict[str, Any]], list[Step]]

PREFIX = "/agent/"
FLUSH_AT = 64 * 1024


@dataclass
class Call:
    """A request that the agent got.

    Attributes:
        agent: the name of the script.
        headers: the request's headers, names in lower case.
        input: the RunAgentInput.
        played: resolves when the connection is over: True if the script came to its end, False if the
            caller left before.
    """

    agent: str
    headers: dict[str, str]
    input: dict[str, Any]
    played: Future[bool] = field(default_factory=Future)


class ConnectionCut(Exception):
    """The script says that the connection breaks here."""


class ScriptedAgent:
    """A server of scripts, one agent for each, in a thread of its own while the context is open."""

    def __init__(self, scripts: Mapping[str, Script] | None = None) -> None:
        self.scripts: dict[str, Script] = dict(scripts or {})
        self.calls: list[Call] = []
        self.port = 0
        self._called = threading.Condition()
        self._serving: set[asyncio.Task[None]] = set()
        self._gates: dict[str, asyncio.Event] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def listen(self, port: int = 0) -> asyncio.Server:
        """Starts to serve in the running loop."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server
        return server

    async def _close(self) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    @property
    def base_url(self) -> str:
        """The address to which an agent's name is appended."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    def url(self, name: str) -> str:
        """The address of the agent that plays the script `name`."""
        return self.base_url + name

    def play(self, name: str, script: Script) -> str:
        """Adds a script, and returns the address of its agent."""
        self.scripts[name] = script
        return self.url(name)

    def open_gate(self, name: str) -> None:
        """Lets every script pass the gate, now and later."""
        self._loop.call_soon_threadsafe(lambda: self._gate(name).set())

    def wait_for_call(self, name: str, count: int = 1, timeout: float = 10) -> Call:
        """Returns the `count`-th request to an agent, once it has come."""

        def calls() -> list[Call]:
            return [call for call in self.calls if call.agent == name]

        with self._called:
            if not self._called.wait_for(lambda: len(calls()) >= count, timeout):
                raise TimeoutError(f"the agent {name} was called {len(calls())} times in {timeout} s")
            return calls()[count - 1]

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        early = b""
        try:
            while not writer.is_closing():
                call = await read_call(reader, early)
                with self._called:
                    self.calls.append(call)
                    self._called.notify_all()
                early = await self._answer(call, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            # The server is closing. Passed on, it would be logged by asyncio's streams as their own fault.
            writer.transport.abort()
        finally:
            self._serving.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Plays the script, until the caller leaves. Returns what came of the next request meanwhile."""
        script = self.scripts.get(call.agent, NO_SUCH_AGENT)
        steps = script(call.input) if callable(script) else script
        playing = asyncio.ensure_future(self._play(steps, call.input, writer))
        hearing = asyncio.ensure_future(hear(reader))
        early = b""
        try:
            await asyncio.wait({playing, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done() and (early := hearing.result()):
                await playing
            call.played.set_result(playing.done() and playing.exception() is None)
            if hearing.done() and not early:
                writer.close()
        finally:
            playing.cancel()
            hearing.cancel()
            await asyncio.gather(playing, hearing, return_exceptions=True)
        return early

    async def _play(self, steps: list[Step], run_input: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        stream = EventStream(writer)
        if not steps or not steps[0].keys() & {"http", "drop"}:
            stream.open()
        try:
            for step in steps:
                if "delay" in step or "gate" in step or "hang" in step:
                    await stream.flush()
                    await self._pause(step)
                if "http" in step:
                    stream.answer(**step["http"])
                elif "raw" in step:
                    stream.send(step["raw"])
                elif "event" in step:
                    stream.send(sse(step["event"], run_input))
                elif "destroy" in step or "drop" in step:
                    raise ConnectionCut
                elif "end" in step:
                    break
                if stream.size > FLUSH_AT:
                    await stream.flush()
            stream.end()
            await stream.flush()
        except ConnectionCut:
            await stream.flush()
            writer.transport.abort()

    async def _pause(self, step: Step) -> None:
        if "delay" in step:
            await asyncio.sleep(step["delay"] / 1000)
        if "gate" in step:
            await self._gate(step["gate"]).wait()
        if "hang" in step:
            await asyncio.Event().wait()


class EventStream:
    """The body of one answer, in HTTP/1.1 chunks that leave together at the next pause."""

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.size = 0
        self._writer = writer
        self._buffer: list[bytes] = []
        self._chunked = False

    def open(self) -> None:
        self._chunked = True
        self._add(self.HEAD)

    def send(self, text: str) -> None:
        data = text.encode()
        self._add(b"%x\r\n%b\r\n" % (len(data), data))

    def answer(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        fields = {"content-type": "application/json", **(headers or {})}
        data = body.encode()
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items())]
        self._add("\r\n".join([*lines, f"content-length: {len(data)}", "", ""]).encode() + data)

    def end(self) -> None:
        if self._chunked:
            self._add(b"0\r\n\r\n")

    async def flush(self) -> None:
        if self._buffer:
            self._writer.write(b"".join(self._buffer))
            self._buffer.clear()
            self.size = 0
            await self._writer.drain()

    def _add(self, data: bytes) -> None:
        self._buffer.append(data)
        self.size += len(data)


async def hear(reader: asyncio.StreamReader) -> bytes:
    """Returns one byte, or none if the caller has left."""
    try:
        return await reader.read(1)
    except ConnectionError:
        return b""


async def read_call(reader: asyncio.StreamReader, early: bytes = b"") -> Call:
    """Reads one POST request with a Content-Length, whose first bytes may have been read."""
    head = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path = request_line.split(" ")[1]
    return Call(agent=path.removeprefix(PREFIX), headers=headers, input=json.loads(body or b"{}"))


def sse(event: dict[str, Any], run_input: dict[str, Any]) -> str:
    """One server-sent event, its placeholders filled in."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    if "{{" in text:
        text = text.replace("{{threadId}}", str(run_input.get("threadId")))
        text = text.replace("{{runId}}", str(run_input.get("runId")))
        text = text.replace("{{now}}", str(time.monotonic_ns()))
    return f"data: {text}\n\n"


NO_SUCH_AGENT: Script = [{"http": {"status": 404, "body": '{"detail":"no such script"}'}}]

RUN_STARTED: Step = {"event": {"type": "RUN_STARTED", "threadId": "{{threadId}}", "runId": "{{runId}}"}}
RUN_FINISHED: Step = {"event": {"type": "RUN_FINISHED", "threadId": "{{threadId}}", "runId": "{{runId}}"}}


def text(message_id: str, *deltas: str, delay: float | None = None) -> list[Step]:
    """The steps of one text message, its deltas with a delay before each if one is given."""
    pause = {} if delay is None else {"delay": delay}
    return [
        {"event": {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}},
        *(
            {"event": {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}, **pause}
            for delta in deltas
        ),
        {"event": {"type": "TEXT_MESSAGE_END", "messageId": message_id}},
    ]


def run(*steps: Step) -> list[Step]:
    """A whole run around the steps."""
    return [RUN_STARTED, *steps, RUN_FINISHED]


def echo(run_input: dict[str, Any]) -> list[Step]:
    """A run that says, as JSON, what it was given."""
    told = {
        "n": len(run_input["messages"]) if "messages" in run_input else None,
        "tools": [tool["name"] for tool in run_input.get("tools") or []],
        "context": run_input.get("context"),
        "fp": run_input.get("forwardedProps"),
        "state": run_input.get("state"),
    }
    known = {name: value for name, value in told.items() if value is not None}
    return run(*text("m1", json.dumps(known, ensure_ascii=False, separators=(",", ":"))))


def ask_name(run_input: dict[str, Any]) -> list[Step]:
    """A run that interrupts to ask for a name, and says the answer when it is resumed."""
    command = (run_input.get("forwardedProps") or {}).get("command") or {}
    if "resume" in command:
        return run(*text("m2", f"resumed with: {command['resume']}", delay=1))
    question = {"event": {"type": "CUSTOM", "name": "on_interrupt", "value": "What is your name?"}}
    return run(*text("m1", "need input", delay=1), question)


FUNCTIONS: dict[str, Script] = {"echo": echo, "ask_name": ask_name}
