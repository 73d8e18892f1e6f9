"""A run on the server: started once, followed to its end, and cancelled when it has no reader any more."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeAlias

import httpx
import orjson
from langgraph_sdk.errors import ConflictError, NotFoundError
from langgraph_sdk.schema import Run

from ...agui.sse import EventStreamParser, EventTooLargeError
from ...backoff import pause_after
from ...errors import AgentError, ThreadBusyError
from ...logs.records import get_logger
from .cursor import Cursor
from .server import ATTEMPTS, FAULT, Server, is_passing, may_have_arrived, pause_before_retry

logger = get_logger(__name__)

RawPart: TypeAlias = tuple[str, bytes]
"""An event of the server's stream: its name, and its data as JSON."""

RUN: Final = "copilotkit_run"
"""The key of a run's metadata that names the call that started it."""

_MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
# The server sends a comment every few seconds. A connection that is silent for longer is taken for lost.
_SILENT_SECONDS: Final = 60.0
_JOINS: Final = 6
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
_RELEASE_SECONDS: Final = 10.0
_RUN_PATH: Final = re.compile(r"/threads/[^/]+/runs/(?P<id>[^/?#]+)")


class GraphFailedError(Exception):
    """A node of the graph raised an exception. The text is the server's, and not for clients."""


class ServerRun:
    """One run on the server.

    Args:
        server: the server.
        thread_id: the thread's id outside of the server, for messages.
        server_thread_id: its id on the server.
        headers: sent with every request.
        in_progress: the runs that this process follows; this one is among them while it is followed.
    """

    def __init__(
        self,
        server: Server,
        thread_id: str,
        server_thread_id: str,
        headers: Mapping[str, str],
        in_progress: set[str],
    ) -> None:
        self._server = server
        self._thread_id = thread_id
        self._path = f"/threads/{server_thread_id}/runs"
        self._server_thread_id = server_thread_id
        self._headers = headers
        self._in_progress = in_progress
        self._key = uuid.uuid4().hex
        self._id: str | None = None
        self._over = False
        self._cursor = Cursor()

    @asynccontextmanager
    async def following(self, payload: Mapping[str, Any]) -> AsyncIterator[AsyncGenerator[RawPart]]:
        """Starts the run and yields its parts as they come. What is not over at the exit is cancelled.

        A connection that breaks is replaced, and the run joined where it left off. The run is started once:
        where it is not known whether the server has seen the request, it is asked.

        Args:
            payload: the body of the request that starts the run.

        Raises:
            ThreadBusyError: the thread has a run in progress that was not started here.
            AgentError: the server refuses, cannot be reached, or ends the run.
            GraphFailedError: the graph raised an exception.
        """
        self._in_progress.add(self._key)
        starting = asyncio.create_task(self._start(payload), name=f"start of a run on {self._path}")
        try:
            async with aclosing(self._parts(starting)) as parts:
                yield parts
        finally:
            try:
                await self._release(starting)
            finally:
                self._in_progress.discard(self._key)

    async def _parts(self, starting: asyncio.Task[httpx.Response]) -> AsyncGenerator[RawPart]:
        # The server may have started the run when this is cancelled, so the request is not.
        response = await asyncio.shield(starting)
        joins = 0
        while True:
            cut: Exception | None = None
            try:
                async for part in self._read(response):
                    joins = 0
                    if part[0] == "error":
                        self._over = True
                        raise _failure(part[1])
                    if part[0] == "end":
                        self._over = True
                        return
                    yield part
            except httpx.TransportError as error:
                cut = error
            finally:
                await response.aclose()
            if cut is None and await self._has_ended():
                return
            response, joins = await self._join(cut, joins)

    async def _read(self, response: httpx.Response) -> AsyncGenerator[RawPart]:
        parser = EventStreamParser(_MAX_EVENT_BYTES)
        try:
            async with aclosing(_chunks(response)) as chunks:
                async for chunk in chunks:
                    for data in parser.feed(chunk):
                        if self._cursor.passes(parser.id, data):
                            yield parser.name.decode("utf-8", "replace"), data
        except EventTooLargeError as error:
            raise AgentError(
                f"The LangGraph server sent an event of more than {_MAX_EVENT_BYTES} bytes", FAULT
            ) from error

    # Start

    async def _start(self, payload: Mapping[str, Any]) -> httpx.Response:
        body = {**payload, "metadata": {**payload.get("metadata", {}), RUN: self._key}}
        for attempt in range(ATTEMPTS):
            try:
                return await self._open("POST", f"{self._path}/stream", orjson.dumps(body))
            except httpx.HTTPError as error:
                if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 409:
                    busy = cancel_leftovers(
                        self._server, self._server_thread_id, self._headers, self._in_progress
                    )
                    if not await busy:
                        raise ThreadBusyError(self._thread_id) from error
                    body["multitask_strategy"] = "interrupt"
                    continue
                if may_have_arrived(error) and await self._find():
                    return (await self._join(None, 0))[0]
                if attempt + 1 == ATTEMPTS or not is_passing(error):
                    raise self._server.fault(error) from error
                await asyncio.sleep(pause_before_retry(error, attempt))
        raise ThreadBusyError(self._thread_id)

    async def _open(
        self, method: str, path: str, content: bytes | None = None, last_event_id: str | None = None
    ) -> httpx.Response:
        """Opens the stream of the run.

        Raises:
            httpx.HTTPError: the server refuses, or cannot be reached.
            AgentError: the server answers with something else than a stream.
        """
        headers = {**self._headers, "accept": "text/event-stream", "accept-encoding": "identity"}
        if content is not None:
            headers["content-type"] = "application/json"
        if last_event_id is not None:
            headers["last-event-id"] = last_event_id
        http = self._server.http
        timeout = httpx.Timeout(_SILENT_SECONDS, connect=http.timeout.connect, pool=None)
        request = http.build_request(method, path, headers=headers, content=content, timeout=timeout)
        response = await http.send(request, stream=True)
        try:
            if not response.is_success:
                await response.aread()
                response.raise_for_status()
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise AgentError("The LangGraph server answered with no stream.", FAULT, status_code=502)
            where = response.headers.get("content-location") or response.headers.get("location", "")
            if found := _RUN_PATH.search(where):
                self._id = found["id"]
        except BaseException:
            await response.aclose()
            raise
        return response

    async def _find(self) -> bool:
        """Whether the server has started the run after all."""
        for run in await _newest(self._server, self._server_thread_id, self._headers):
            if _key(run) == self._key:
                self._id = run["run_id"]
                return True
        return False

    # Breaks

    async def _join(self, cut: Exception | None, joins: int) -> tuple[httpx.Response, int]:
        """Opens the stream again, where it left off.

        Args:
            cut: why it broke, if that is known.
            joins: how often it was opened since the last event.

        Returns:
            The stream, and how often it was opened since the last event.
        """
        while joins < _JOINS and self._id is not None:
            if joins:
                await asyncio.sleep(pause_after(joins - 1, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
            joins += 1
            try:
                response = await self._open(
                    "GET", f"{self._path}/{self._id}/stream", last_event_id=self._cursor.rewind()
                )
            except httpx.HTTPError as error:
                cut = error
                if not is_passing(error):
                    raise self._server.fault(error) from error
            else:
                return response, joins
        logger.warning("the stream of %s broke off: %r", self._server.url, cut)
        raise AgentError("The connection to the LangGraph server broke off.", FAULT, status_code=502) from cut

    async def _has_ended(self) -> bool:
        """Whether the run is over, and not only the connection.

        Raises:
            AgentError: it was cancelled by somebody else, or took too long.
            GraphFailedError: it failed.
        """
        if self._id is None:
            return True
        client, id = self._server.client, self._id
        run = await self._server.ask(
            lambda: client.runs.get(self._server_thread_id, id, headers=self._headers)
        )
        if run["status"] in ("pending", "running"):
            return False
        self._over = True
        match run["status"]:
            case "error":
                raise GraphFailedError("the run failed; its log on the server has the reason")
            case "interrupted":
                raise AgentError("The run was cancelled on the LangGraph server.", "RUN_CANCELLED")
            case "timeout":
                raise AgentError("The run took too long for the LangGraph server.", "TIMEOUT")
        return True

    # End

    async def _release(self, starting: asyncio.Task[httpx.Response]) -> None:
        """Lets go of the run, and cancels it if it is not over."""
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                if not starting.done():
                    await asyncio.wait({starting})
                if starting.exception() is None:
                    await starting.result().aclose()
                if self._id is not None and not self._over:
                    await _cancel(self._server, self._server_thread_id, self._id, self._headers)
        except (TimeoutError, httpx.HTTPError, AgentError) as error:
            logger.warning(
                "run %s on %s may go on: it could not be cancelled: %r", self._id, self._path, error
            )
        finally:
            starting.cancel()


async def cancel_leftovers(
    server: Server, server_thread_id: str, headers: Mapping[str, str], in_progress: Collection[str]
) -> bool:
    """Cancels the runs that keep a thread busy, if they have no reader any more. Returns whether that is so.

    The runtime lets one run on a thread at a time. So another one that it started was left over by a process
    that was killed, or was stopped and has not ended yet.

    Args:
        server: the server.
        server_thread_id: the thread's id on the server.
        headers: sent with every request.
        in_progress: the runs that this process follows.

    Raises:
        AgentError: the server refuses, or cannot be reached.
    """
    runs = await _newest(server, server_thread_id, headers)
    busy = [run for run in runs if run["status"] in ("pending", "running")]
    keys = {_key(run) for run in busy}
    if None in keys or not keys.isdisjoint(in_progress):
        return False
    for run in busy:
        await _cancel(server, server_thread_id, run["run_id"], headers)
    return True


async def _newest(server: Server, server_thread_id: str, headers: Mapping[str, str]) -> list[Run]:
    """Returns the newest runs of a thread."""
    client = server.client
    return await server.ask(lambda: client.runs.list(server_thread_id, limit=20, headers=headers))


async def _cancel(server: Server, server_thread_id: str, run_id: str, headers: Mapping[str, str]) -> None:
    """Cancels a run. One that is over, or gone, stays as it is."""
    client = server.client

    async def call() -> None:
        with contextlib.suppress(NotFoundError, ConflictError):
            await client.runs.cancel(server_thread_id, run_id, headers=headers)

    await server.ask(call)


def _key(run: Run) -> Any:
    """Returns the mark of the call that started a run; None if that was another program."""
    return (run.get("metadata") or {}).get(RUN)


def _failure(data: bytes) -> Exception:
    """Returns the exception for an `error` event of the server's stream."""
    try:
        error = orjson.loads(data)
    except orjson.JSONDecodeError:
        error = {}
    name, text = (error.get("error"), error.get("message")) if isinstance(error, dict) else (None, error)
    if name == "GraphRecursionError":
        return AgentError("The agent took too many steps.", "GRAPH_RECURSION_LIMIT")
    if name in ("UserInterrupt", "UserRollback"):
        return AgentError("The run was cancelled on the LangGraph server.", "RUN_CANCELLED")
    return GraphFailedError(f"{name}: {text}")


def _chunks(response: httpx.Response) -> AsyncGenerator[bytes]:
    chunks: Any = response.aiter_bytes()
    return chunks  # type: ignore[no-any-return]
