"""Pages on which a user chats with an animal: the real clients, over the ASGI application."""

from __future__ import annotations

import asyncio
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from copilotkit_runtime_py.agui.sse import EventStreamParser
from copilotkit_runtime_py.runs.run import Run as AgentRun
from tests.clients.exchange import DOCUMENTS
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Served

from .animal import Animal, Turn
from .judge import Judge
from .models import brake

AGENT: Final = "animal"
MAX_ROUNDS: Final = 5


@dataclass(frozen=True)
class Call:
    """A tool call that the page shows."""

    id: str
    name: str
    arguments: Any


@dataclass
class Shown:
    """One message of the page: `text`, `reasoning`, `call` or `result`, or the user's.

    Attributes:
        kind: what it is.
        id: the message's id, or the call's.
        content: the text, the call or the result.
    """

    kind: str
    id: str
    content: Any


@dataclass
class Run:
    """One run as the page saw it.

    Attributes:
        raw: the bytes of the answer.
        events: the events, on the AG-UI contract.
        error: what the page told the user of a failure.
    """

    raw: bytes = b""
    events: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


class Page(ABC):
    """One page on one thread.

    Args:
        judge: the clients.
        served: the server.
        animal: the agent.
        thread: the thread.

    Attributes:
        runs: the runs so far.
        question: what the agent wants to know, if it has asked.
        view: what the client shows.
        was_stopped: the user has stopped a run in its middle.
        left: the page has hung up to do so.
    """

    def __init__(self, judge: Judge, served: Served, animal: Animal, thread: str) -> None:
        self.judge = judge
        self.served = served
        self.animal = animal
        self.thread = thread
        self.runs: list[Run] = []
        self.question: Any = None
        self.view: dict[str, Any] = {"messages": []}
        self.was_stopped = False
        self.left = False
        self._numbers = itertools.count(1)

    async def play(self, turn: Turn) -> None:
        """Does what a user does, and what the page does by itself then: it runs its tools."""
        if turn.text is None and self.question is None:
            return  # several questions were answered together
        id = self.new_id("user")
        if turn.edits is not None:
            id = [each.id for each in self.shown() if each.kind == "user"][turn.edits - 1]
            self._rewind(before=turn.edits)
        messages: list[dict[str, Any]] = []
        if turn.text is not None:
            messages = [{"id": id, "role": "user", "content": turn.text}]
        await self.run(messages, turn)
        for _ in range(MAX_ROUNDS):
            results = [
                {
                    "id": self.new_id("result"),
                    "role": "tool",
                    "toolCallId": call.id,
                    "call": call.id,
                    "name": call.name,
                    "content": self.animal.tools[call.name](call.arguments),
                }
                for call in self.open_calls()
            ]
            if not results or self.runs[-1].error is not None:
                return
            await self.run(results, Turn(text=""))
        raise AssertionError(f"the agent makes calls without end: {self.open_calls()}")

    async def stopped(self, text: str, chunks: int) -> bool:
        """Sends a message, and presses stop after so many chunks of its models. Whether it came to that."""
        brake.hold_after(chunks)
        messages = [{"id": self.new_id("user"), "role": "user", "content": text}]
        started: list[AgentRun] = []
        forget = self.served.runtime.observe(started.append)
        await self.run(messages, Turn(text=text), stop=True)
        forget()
        brake.release()
        with anyio.fail_after(10):
            for run in started:
                await run.wait()
        return self.was_stopped

    async def regenerate(self) -> None:
        """Has the last message answered again."""
        self._rewind()
        await self.run([], Turn(text=""))

    def _rewind(self, **options: Any) -> None:
        self.view = self.judge.do_each("rewind", self.pages(), **options)[0]
        self.question = None

    def new_id(self, kind: str) -> str:
        return f"{self.thread}-{kind}-{next(self._numbers)}"

    def open_calls(self) -> list[Call]:
        """The calls of the page's tools that it has to answer. Of one that was cut off, nothing is known."""
        shown = self.shown()
        answered = {each.id for each in shown if each.kind == "result"}
        calls = [each.content for each in shown if each.kind == "call" and each.id not in answered]
        return [call for call in calls if call.name in self.animal.tools and isinstance(call.arguments, dict)]

    def close(self) -> None:
        self.judge.do_each("close", self.pages())

    @abstractmethod
    def pages(self) -> list[str]: ...

    @abstractmethod
    async def run(self, messages: list[dict[str, Any]], turn: Turn, *, stop: bool = False) -> Run:
        """Runs the agent."""

    @abstractmethod
    async def reloaded(self) -> list[Shown]:
        """What the page shows when it is loaded again."""

    @abstractmethod
    def shown(self) -> list[Shown]:
        """What the page shows now."""

    async def _read(self, exchange: Exchange, *, stop: bool) -> bytes:
        """Returns the whole answer, or what came of it until the user stopped it."""
        raw = b""
        held = asyncio.ensure_future(brake.held.wait()) if stop else None
        async with exchange:
            assert exchange.status == 200
            chunks = exchange.chunks()
            while True:
                chunk = asyncio.ensure_future(anext(chunks, None))
                if held is not None and not self.was_stopped:
                    await asyncio.wait({chunk, held}, return_when=asyncio.FIRST_COMPLETED)
                    if not chunk.done():
                        self.was_stopped = True
                        if await self.press_stop():
                            chunk.cancel()
                            break
                received = await chunk
                if received is None:
                    break
                raw += received
        if held is not None:
            held.cancel()
        return raw

    @abstractmethod
    async def press_stop(self) -> bool:
        """Stops the run. Whether the answer is over with that."""


class AGUIPage(Page):
    """A page of `@ag-ui/client`, with a second one beside it that is of another version and gets the same."""

    version, other = "0.0.59", "1.0.0"

    def __init__(self, judge: Judge, served: Served, animal: Animal, thread: str) -> None:
        super().__init__(judge, served, animal, thread)
        self._pages = [
            judge.open("agui", version=version, thread=thread) for version in (self.version, self.other)
        ]

    def pages(self) -> list[str]:
        return self._pages

    async def run(self, messages: list[dict[str, Any]], turn: Turn, *, stop: bool = False) -> Run:
        asked = {
            "messages": [{k: v for k, v in each.items() if k not in ("call", "name")} for each in messages],
            "state": turn.state,
            "parameters": {
                "runId": f"{self.thread}-run-{next(self._numbers)}",
                "tools": [
                    {"name": name, "description": f"Does {name}.", "parameters": {"type": "object"}}
                    for name in self.animal.tools
                ],
                **self._answer(turn),
            },
        }
        body, its = (each["body"] for each in self.judge.do_each("ask", self._pages, **asked))
        assert its["messages"] == body["messages"]
        raw = await self._read(self.served.agent("run", AGENT, body), stop=stop)
        return self._receive(raw)

    def _answer(self, turn: Turn) -> dict[str, Any]:
        """The answer to all that was asked. A client of AG-UI 1.0 sends no message without one."""
        answers = turn.text is None
        if pending := self.view.get("pending"):
            entry = {"status": "resolved", "payload": turn.answer} if answers else {"status": "cancelled"}
            return {"resume": [{"interruptId": each["id"], **entry} for each in pending]}
        command = {"resume": turn.answer, "interruptEvent": self.question}
        return {"forwardedProps": {"command": command}} if answers else {}

    def _receive(self, raw: bytes) -> Run:
        response = {"status": 200, "type": "text/event-stream", "body": raw.decode()}
        view, its = self.judge.do_each("answer", self._pages, **response)
        self.view, self.question = view, view["question"]
        run = Run(raw, list(_events(raw)), view["error"])
        self.runs.append(run)
        assert its["error"] == view["error"], f"{self.other}: {its['error']}; {self.version}: {view['error']}"
        assert its["messages"] == view["messages"]
        assert its["state"] == view["state"]
        return run

    async def press_stop(self) -> bool:
        status, _ = await self.served.json(self.served.stop(AGENT, self.thread))
        assert status == 200
        return False

    async def reloaded(self) -> list[Shown]:
        page = type(self)(self.judge, self.served, self.animal, self.thread)
        asked, _ = self.judge.do_each("ask", page.pages(), parameters={"runId": "c"})
        raw = await self._read(self.served.agent("connect", AGENT, asked["body"]), stop=False)
        run = page._receive(raw)
        assert run.error is None, f"after a reload: {run.error}"
        page.close()
        return page.shown()

    def shown(self) -> list[Shown]:
        found: list[Shown] = []
        for message in self.view["messages"]:
            role, content = message["role"], message.get("content")
            if role == "tool":
                found.append(Shown("result", message["toolCallId"], content))
            elif role == "assistant":
                if content:
                    found.append(Shown("text", message["id"], content))
                found += [
                    Shown(
                        "call", call["id"], Call(call["id"], function["name"], _parsed(function["arguments"]))
                    )
                    for call in message.get("toolCalls") or ()
                    for function in (call["function"],)
                ]
            else:
                found.append(Shown(role, message["id"], content))
        return found


class NewestAGUIPage(AGUIPage):
    """A page of the newest `@ag-ui/client`, which declares AG-UI 1.0."""

    version, other = "1.0.0", "0.0.59"


class GraphQLPage(Page):
    """A page of CopilotKit 1.10."""

    version = "1.10.6"

    def __init__(self, judge: Judge, served: Served, animal: Animal, thread: str) -> None:
        super().__init__(judge, served, animal, thread)
        self._page = self._open()

    def _open(self) -> str:
        return self.judge.open("graphql", version=self.version, thread=self.thread, agent=AGENT)

    def pages(self) -> list[str]:
        return [self._page]

    async def run(self, messages: list[dict[str, Any]], turn: Turn, *, stop: bool = False) -> Run:
        asked: dict[str, Any] = {
            "messages": messages,
            "state": turn.state,
            "tools": [
                {"name": name, "description": f"Does {name}.", "jsonSchema": '{"type": "object"}'}
                for name in self.animal.tools
            ],
        }
        if turn.text is None:
            asked["answer"] = turn.answer if isinstance(turn.answer, str) else json.dumps(turn.answer)
        body = self.judge.do("ask", self._page, **asked)["body"]
        headers = {"accept": "multipart/mixed, application/json"}
        raw = await self._read(self.served.request("POST", "", body, headers), stop=stop)
        response = {"status": 200, "type": 'multipart/mixed; boundary="-"', "body": raw.decode()}
        self.view = self.judge.do("answer", self._page, **response)
        self.question = self.view["question"]
        run = Run(raw, [], self.view["error"] if not stop else None)
        self.runs.append(run)
        return run

    async def press_stop(self) -> bool:
        self.left = True
        return True

    async def reloaded(self) -> list[Shown]:
        page = self._open()
        body = self.judge.do("ask", page, load=True)["body"]
        assert body["query"].split("(")[0] == DOCUMENTS["loadAgentState"].split("(")[0]
        exchange = self.served.request("POST", "", body, {"accept": "application/json"})
        raw = await self._read(exchange, stop=False)
        response = {"status": 200, "type": "application/json", "body": raw.decode()}
        loaded = self.judge.do("answer", page, **response)["loaded"]
        self.judge.do("close", page)
        return [shown for message in json.loads(loaded["messages"]) for shown in _loaded(message)]

    def shown(self) -> list[Shown]:
        return [shown for message in self.view["messages"] for shown in _received(message)]


def _received(message: Mapping[str, Any]) -> Iterator[Shown]:
    match message["type"]:
        case "TextMessage":
            yield Shown(
                "text" if message["role"] == "assistant" else "user", message["id"], message["content"]
            )
        case "ActionExecutionMessage":
            arguments = message["arguments"]
            yield Shown("call", message["id"], Call(message["id"], message["name"], _parsed(arguments)))
        case "ResultMessage":
            yield Shown("result", message["actionExecutionId"], message["result"])


def _loaded(message: Mapping[str, Any]) -> Iterator[Shown]:
    if "actionExecutionId" in message:
        yield Shown("result", message["actionExecutionId"], message["result"])
    elif "arguments" in message:
        call = Call(message["id"], message["name"], _parsed(message["arguments"]))
        yield Shown("call", message["id"], call)
    elif message.get("content"):
        kind = "text" if message["role"] == "assistant" else message["role"]
        yield Shown(kind, message["id"], message["content"])


def _events(raw: bytes) -> Iterator[dict[str, Any]]:
    for data in EventStreamParser(1 << 30).feed(raw):
        yield json.loads(data)


def _parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


CONTRACTS: dict[str, type[Page]] = {"agui": AGUIPage, "agui-1.0": NewestAGUIPage, "graphql": GraphQLPage}


@contextmanager
def opened(page: Page) -> Iterator[Page]:
    """Closes the page at the end."""
    try:
        yield page
    finally:
        page.close()
