"""Runs agents that speak A2A."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final, cast

import httpx
from a2a.client import Client, ClientCallContext
from a2a.types import CancelTaskRequest, GetTaskRequest, SendMessageRequest, Task, TaskState
from a2a.utils.errors import A2AError
from ag_ui.core import RunAgentInput

from ... import telemetry
from ...agui.events import Event
from ...backoff import pause_after
from ...context import RequestContext
from ...logs.records import get_logger
from ..address import checked_address
from ..base import Provider
from .connection import agent_error, connect, http_client
from .request import Request, request_of
from .task_events import TaskEvents

logger = get_logger(__name__)

_CANCEL_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.5
_LONGEST_POLL_SECONDS: Final = 5.0
_WAITING: Final = (TaskState.TASK_STATE_INPUT_REQUIRED, TaskState.TASK_STATE_AUTH_REQUIRED)


class A2AProvider(Provider):
    """Runs an agent that speaks the Agent2Agent protocol, version 1.0 or 0.3, by JSON-RPC or HTTP.

    The agent remembers the conversation, so it is sent only what the user has written since its last answer.
    A thread is a context of A2A, a run is a task. A task that requires input ends its run with an interrupt;
    the answer, or the next message, continues the task. Stopping a run cancels its task.

    Headers are handled as by `RemoteProvider`: those of the request context are forwarded, `headers` win over
    them, and nothing is sent to another host than that of the URL.

    Args:
        url: where the agent's card is, without `/.well-known/agent-card.json`.
        headers: sent with every request, such as a service token.
        connect_timeout: seconds for connecting.
        idle_timeout: seconds that the agent may send nothing, or None for no limit.
        max_event_bytes: the maximum size of one event, or of an answer that is not a stream.
        description: one sentence for frontends and other agents.

    Raises:
        ValueError: the URL is not http(s), or contains credentials or a query.
    """

    is_remote = True

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 5.0,
        idle_timeout: float | None = 300.0,
        max_event_bytes: int = 16 * 1024 * 1024,
        description: str = "",
    ) -> None:
        self._url = httpx.URL(str(checked_address(url)))
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._max_event_bytes = max_event_bytes
        self._http: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
        self._clients: dict[asyncio.AbstractEventLoop, Client] = {}
        self.description = description

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams what the agent sends as AG-UI events. Closing the stream cancels the task.

        Raises:
            AgentError: the agent cannot be reached, refuses or fails, or there is no message for it.
        """
        request = request_of(input)
        call = self._call(context)
        translated: TaskEvents | None = None
        client: Client | None = None
        try:
            client = await self._client(call)
            continued = await self._task_to_continue(client, request, call)
            translated = TaskEvents(input, continued)
            if not request.cancelled:
                message = request.message(input, context.owner, continued.id if continued else None)
                sent = client.send_message(SendMessageRequest(message=message), context=call)
                async with aclosing(cast(Any, sent)) as responses:
                    async for response in responses:
                        for event in translated.translate(response):
                            yield event
                async for event in self._poll(client, translated, call):
                    yield event
                for event in translated.finish():
                    yield event
        except A2AError as error:
            logger.warning("A2A agent %s: %r", self._url, error)
            self._clients.pop(asyncio.get_running_loop(), None)  # its card may have changed
            received = translated is not None and translated.task_id is not None
            raise agent_error(error, received=received, idle_timeout=self._idle_timeout) from error
        finally:
            task_id = None if translated is None else translated.task_to_cancel(request.cancelled)
            if client is not None and task_id is not None:
                await _cancel(client, task_id, call)

    async def aclose(self) -> None:
        """Closes the connections. The provider remains usable, and connects anew."""
        loop = asyncio.get_running_loop()
        self._clients.pop(loop, None)
        http = self._http.pop(loop, None)
        if http is not None:
            await http.aclose()

    def _call(self, context: RequestContext) -> ClientCallContext:
        headers = {"user-agent": "copilotkit-runtime-py", **context.headers, **self._headers}
        headers = {name: value for name, value in headers.items() if value.isascii()}  # as httpx demands
        telemetry.inject(headers)
        return ClientCallContext(service_parameters=headers)

    async def _client(self, call: ClientCallContext) -> Client:
        """Returns the client of the running loop, since connections cannot change loops."""
        loop = asyncio.get_running_loop()
        for other in [other for other in self._http if other.is_closed()]:
            del self._http[other]
            self._clients.pop(other, None)
        http = self._http.get(loop)
        if http is None:
            http = http_client(self._connect_timeout, self._idle_timeout, self._max_event_bytes)
            self._http[loop] = http
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = await connect(http, self._url, call.service_parameters or {})
        return client

    async def _task_to_continue(
        self, client: Client, request: Request, call: ClientCallContext
    ) -> Task | None:
        """Returns the task that still waits for this answer. A question that lapsed starts a new task."""
        if request.task_id is None:
            return None
        with suppress(A2AError):
            task = await client.get_task(GetTaskRequest(id=request.task_id), context=call)
            if task.status.state in _WAITING:
                return task
        return None

    async def _poll(
        self, client: Client, translated: TaskEvents, call: ClientCallContext
    ) -> AsyncIterator[Event]:
        """Yields the events of a task that goes on although the agent's answer has ended."""
        polls = 0
        while translated.under_way and translated.task_id is not None:
            await asyncio.sleep(pause_after(polls, first=_POLL_SECONDS, longest=_LONGEST_POLL_SECONDS))
            polls += 1
            task = await client.get_task(GetTaskRequest(id=translated.task_id), context=call)
            for event in translated.translate_task(task):
                yield event


async def _cancel(client: Client, task_id: str, call: ClientCallContext) -> None:
    """Cancels a task, in little time: the run that it belongs to is over."""
    with suppress(A2AError, TimeoutError):
        async with asyncio.timeout(_CANCEL_SECONDS):
            await client.cancel_task(CancelTaskRequest(id=task_id), context=call)
