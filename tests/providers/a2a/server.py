"""A server of `a2a-sdk`, with an agent that does what the user's message says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from a2a.helpers.proto_helpers import new_data_part, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Message,
    Part,
    Role,
    Task,
    TaskState,
    TaskStatus,
)
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.mcp_server import served


class Agent(AgentExecutor):
    """Does what the text of the message says.

    Attributes:
        heard: the messages that have come, with the task that each belongs to.
        cancelled: set when a task was cancelled.
    """

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.cancelled = threading.Event()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.message is not None
        self.heard.append(context.message)
        order = context.get_user_input()
        if order.startswith("say "):
            await event_queue.enqueue_event(message(order.removeprefix("say ")))
            return
        assert context.task_id is not None
        assert context.context_id is not None
        if context.current_task is None:
            submitted = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
            await event_queue.enqueue_event(
                Task(id=context.task_id, context_id=context.context_id, status=submitted)
            )
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        await self._work(order, task, context)

    async def _work(self, order: str, task: TaskUpdater, context: RequestContext) -> None:
        if context.current_task is not None:
            await task.start_work()
            await task.add_artifact([text(f"booked for {order}")], "booking")
            await task.complete()
            return
        await task.start_work(message("on it"))
        match order:
            case "stream":
                await task.add_artifact([text("one ")], "answer")
                await task.add_artifact([text("two ")], "answer", append=True)
                await task.add_artifact([text("three")], "answer", append=True, last_chunk=True)
                await task.complete(message("one two three"))
            case "several":
                await task.add_artifact([text("a")], "first", name="First")
                await task.add_artifact([text("b")], "second")
                await task.add_artifact([text("A")], "first", append=True)
                await task.complete(message("both are done"))
            case "progress":
                await task.start_work(message("almost"))
                await task.complete()
            case "data":
                link = Part(url="https://x.example/p.png", media_type="image/png", filename="plot")
                await task.add_artifact([new_data_part({"rows": [1, 2]}), link], "table", name="Table")
                await task.complete()
            case "ask" | "authorize":
                await task.add_artifact([text("found a table")], "search")
                ask = task.requires_input if order == "ask" else task.requires_auth
                await ask(message("For how many?"))
            case "fail":
                await task.failed(message("no tables left"))
            case "reject":
                await task.reject()
            case "crash":
                raise ValueError("the agent's secret")
            case "wait":
                await asyncio.Event().wait()
            case _:
                await task.complete(message(f"you said {order}"))

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id is not None
        assert context.context_id is not None
        self.cancelled.set()
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def text(value: str) -> Part:
    return new_text_part(value)


def message(value: str) -> Message:
    return Message(message_id=f"m-{value}", role=Role.ROLE_AGENT, parts=[text(value)])


class Server:
    """What was asked of the server.

    Attributes:
        url: where its card is.
        headers: those of every request, in lower case.
    """

    def __init__(self, app: ASGIApp, agent: Agent) -> None:
        self.url = ""
        self.agent = agent
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.paths.append(scope["path"])
            self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await self._app(scope, receive, send)


@contextmanager
def a2a_server(
    *, streaming: bool = True, binding: str = "JSONRPC", version: str = "1.0", host: str = "http://internal"
) -> Iterator[Server]:
    """Serves the agent. Its card names an address that only the server itself can reach."""
    agent = Agent()
    path = "/rpc" if binding == "JSONRPC" else "/rest"
    interface = AgentInterface(url=f"{host}{path}", protocol_binding=binding, protocol_version=version)
    card = AgentCard(
        name="test",
        description="A test",
        version="1",
        capabilities=AgentCapabilities(streaming=streaming),
        default_input_modes=["text"],
        default_output_modes=["text"],
        skills=[AgentSkill(id="s", name="s", description="s", tags=["s"])],
        supported_interfaces=[interface],
    )
    handler = DefaultRequestHandler(agent, InMemoryTaskStore(), card)
    legacy: dict[str, Any] = {"enable_v0_3_compat": version != "1.0"}
    routes = [
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/rpc", **legacy),
        *create_rest_routes(handler, path_prefix="/rest", **legacy),
    ]
    server = Server(Starlette(routes=routes), agent)
    with served(server) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server
