"""The AG-UI contract of CopilotRuntime 1.75, by REST paths and by single-route envelopes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ...agui import sse
from ...agui.events import encode, run_error
from ...agui.input_checks import check_id
from ...context import RequestContext
from ...errors import (
    AgentNotFoundError,
    AuthenticationError,
    CopilotKitError,
    RateLimitError,
    ThreadNotFoundError,
)
from ...generative_ui.app_request import asks_app
from ...hooks import RequestFailed
from ...runs.event_log import EventLog
from ...runs.request import RunRequest
from ...runs.run import Run
from ...runtime import CopilotRuntime
from ...telemetry import annotate
from ..request_body import RequestBody
from ..responses import HTTPError, error_body, invalid_request, json_response, not_found
from ..stream import EVENT_STREAM_HEADERS, ResponseFeed, StreamResponse
from .call import Call
from .debug import DebugFeed
from .event_id import parse_event_id
from .feeds import RunFeed, history, knows
from .info import runtime_info
from .input import is_suggestion, read_connect, read_run
from .routes import match
from .single_route import read_envelope
from .threads import Handler, ThreadOperations
from .transcribe import refused_transcription, transcribe

HEARTBEAT_SECONDS: Final = 15.0
# The content types that a form can have, and none (Fetch standard, "CORS-safelisted request-header").
_UNASKED: Final = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
_MEDIA_TYPE: Final = "text/event-stream"
_STOPPED: Final = {
    "stopped": True,
    "interrupt": {"type": "RUN_ERROR", "message": "Run stopped by user", "code": "STOPPED"},
}


class AGUIEndpoint:
    """Serves the AG-UI contract for one runtime.

    Args:
        runtime: the runtime.
        heartbeat_seconds: the longest silence on a stream, so that proxies keep it open.
        stop_unread_runs: a run stops when its last reader leaves.
    """

    def __init__(
        self,
        runtime: CopilotRuntime,
        *,
        heartbeat_seconds: float | None = None,
        stop_unread_runs: bool = False,
    ) -> None:
        self._runtime = runtime
        self._heartbeat_seconds = HEARTBEAT_SECONDS if heartbeat_seconds is None else heartbeat_seconds
        self._stop_unread_runs = stop_unread_runs
        self._handlers: dict[str, Handler] = {
            "info": self._info,
            "agent/run": self._run,
            "agent/connect": self._connect,
            "agent/suggest": self._suggest,
            "agent/stop": self._stop,
            "transcribe": self._transcribe,
            "inspector/metadata": _no_metadata,
            "inspector/learning": _nothing,
            "debug/events": self._debug,
            **ThreadOperations(runtime).handlers,
        }

    async def handle_path(
        self, request: Request, path: str, body: RequestBody, context: RequestContext
    ) -> Response:
        """Answers a request to a path below the endpoint.

        Args:
            request: the request.
            path: the path, still percent-encoded.
            body: the request's body.
            context: the caller, and other facts of the HTTP request.
        """
        try:
            operation, params = match(path, request.method)
            if operation != "transcribe" and _is_unasked(request):
                raise invalid_request("A page of another origin has to send JSON", 415)
        except HTTPError as error:
            return error.response()
        call = Call(
            operation=operation,
            params=params,
            query=request.query_params,
            body=body,
            request=request,
            context=context,
        )
        return await self._answer(call)

    async def handle_envelope(self, request: Request, envelope: Any, context: RequestContext) -> Response:
        """Answers a single-route request, whose body was parsed already."""
        try:
            fields = read_envelope(envelope, request.headers.get("content-type", ""))
        except HTTPError as error:
            return error.response()
        call = Call(
            operation=fields.operation,
            params=fields.params,
            query=fields.query,
            body=RequestBody.of(fields.body),
            request=request,
            context=context,
        )
        return await self._answer(call)

    def refuse_path(self, request: Request, path: str, error: CopilotKitError) -> Response:
        """Answers a refused request to a path below the endpoint."""
        try:
            operation = match(path, request.method).operation
        except HTTPError:
            operation = None
        return _refused(request, operation, error)

    def refuse_envelope(self, request: Request, envelope: Any, error: CopilotKitError) -> Response:
        """Answers a refused single-route request."""
        return _refused(request, envelope.get("method"), error)

    async def _answer(self, call: Call) -> Response:
        annotate(operation=call.operation)
        try:
            call.check_names(self._runtime.limits)
            return await self._handlers[call.operation](call)
        except HTTPError as error:
            return error.response()
        except Exception as error:
            await self._runtime.report(
                RequestFailed(
                    error=error,
                    thread_id=call.params.get("threadId"),
                    agent_name=call.params.get("agentId"),
                    context=call.context,
                )
            )
            return self._refusal(error, call)

    def _refusal(self, error: Exception, call: Call) -> Response:
        masked = self._runtime.masked(error)
        status_code = 404 if isinstance(masked, AgentNotFoundError) else masked.status_code
        return json_response(error_body(masked, call.params.get("agentId")), status_code, masked.headers)

    async def _info(self, call: Call) -> Response:
        return json_response(await runtime_info(self._runtime, call.context))

    async def _run(self, call: Call) -> Response:
        agent = await self._runtime.agents_for(call.context).resolve(call.agent_id)
        request = await read_run(call, agent, self._runtime)
        if is_suggestion(request.input):
            return await self._start_ephemeral(request)
        if asks_app(request.input):
            run = await self._runtime.start_app_request(request)
            return self._ephemeral_stream(request, run)
        if "last-event-id" in call.request.headers and (resumed := await self._resume_run(call, request)):
            return resumed
        try:
            run = await self._runtime.start_run(request)
        except (AgentNotFoundError, ThreadNotFoundError) as error:
            return self._refusal(error, call)
        except Exception as error:
            if _MEDIA_TYPE not in call.request.headers.get("accept", ""):
                return self._refusal(error, call)
            return _refused_run(self._runtime.masked(error))
        return self._followed((), run, knows_subagents=request.input.protocol_version is not None)

    async def _resume_run(self, call: Call, request: RunRequest) -> Response | None:
        """Answers a client that repeats the request for a run after its stream was cut.

        Such a client (TanStack AI) has no `connect`. It gets the rest of the run, and of no other run.
        Returns None if the thread has no such run.
        """
        after = parse_event_id(call.request.headers["last-event-id"])
        input, since = request.input, after.run if after is not None else 1
        view = await self._runtime.connect(request.agent, input.thread_id, request.context, since=since)
        run = view.run if view.run is not None and view.run.id == input.run_id else None
        logs = [log for log in view.logs if log.run.id == input.run_id]
        number = run.number if run is not None else logs[0].run.number if logs else None
        if number is None:
            return None
        if after is not None and (after.run != number or not await knows(view, after)):
            after = None
        view = dataclasses.replace(view, logs=logs, run=run)
        position = after.index + 1 if after is not None and run is not None else 0
        past = await history(view, after, input)
        is_newer = input.protocol_version is not None
        return self._followed(past, run, position, knows_subagents=is_newer)

    async def _suggest(self, call: Call) -> Response:
        agent = await self._runtime.agents_for(call.context).resolve(call.agent_id)
        return await self._start_ephemeral(await read_run(call, agent, self._runtime))

    async def _start_ephemeral(self, request: RunRequest) -> Response:
        return self._ephemeral_stream(request, await self._runtime.start_ephemeral(request))

    def _ephemeral_stream(self, request: RunRequest, run: Run) -> Response:
        is_newer = request.input.protocol_version is not None
        return self._stream(
            lambda wake: RunFeed((), run, wake, numbered=False, knows_subagents=is_newer, stops_run=True)
        )

    async def _connect(self, call: Call) -> Response:
        agent = await self._runtime.agents_for(call.context).resolve(call.agent_id)
        request = await read_connect(call, self._runtime)
        after = parse_event_id(call.request.headers.get("last-event-id") or request.last_seen)
        thread_id = request.input.thread_id
        since = after.run if after is not None else 1
        view = await self._runtime.connect(agent, thread_id, call.context, since=since)
        if after is not None and not await knows(view, after):
            # This thread has not sent the id. It may be of a deleted thread of the same name.
            after = None
            view = await self._runtime.connect(agent, thread_id, call.context)
        run, position = view.run, 0
        if after is not None and run is not None and after.run == run.number:
            position = after.index + 1
        past = await history(view, after, request.input)
        is_newer = request.input.protocol_version is not None
        return self._followed(past, run, position, knows_subagents=is_newer)

    async def _stop(self, call: Call) -> Response:
        await self._runtime.agents_for(call.context).resolve(call.agent_id)
        run_id = _run_to_stop(call)
        check_id("runId", run_id, self._runtime.limits)
        if await self._runtime.stop(call.thread_id, call.context, run_id=run_id):
            return json_response(_STOPPED)
        if run_id is not None and await self._runtime.is_running(call.thread_id, call.context):
            message = f"Run '{run_id}' is not the active run for thread '{call.thread_id}'."
        else:
            message = f"No active run for thread '{call.thread_id}'."
        return json_response({"stopped": False, "message": message})

    async def _transcribe(self, call: Call) -> Response:
        try:
            self._runtime.count_start(call.context)
        except RateLimitError as error:
            return refused_transcription(error)
        return await transcribe(call, self._runtime.transcription_service)

    async def _debug(self, call: Call) -> Response:
        if not self._runtime.development:
            return Response(
                "Not Found", status_code=404, headers={"content-type": "text/plain;charset=UTF-8"}
            )
        return self._stream(lambda wake: DebugFeed(self._runtime, wake))

    def _followed(
        self,
        past: Iterable[bytes],
        run: EventLog | None,
        position: int = 0,
        *,
        knows_subagents: bool,
    ) -> Response:
        """Answers with the frames of a thread's past, and those of a run in progress."""
        return self._stream(
            lambda wake: RunFeed(
                past,
                run,
                wake,
                position=position,
                knows_subagents=knows_subagents,
                stops_run=self._stop_unread_runs,
            )
        )

    def _stream(self, open_feed: Callable[[Callable[[], None]], ResponseFeed]) -> StreamResponse:
        return StreamResponse(
            open_feed,
            heartbeat_seconds=self._heartbeat_seconds,
            reader_seconds=self._runtime.limits.reader_seconds,
            headers=EVENT_STREAM_HEADERS,
        )


def _is_unasked(request: Request) -> bool:
    """Whether a page of another origin may have sent this, with cookies and without a preflight.

    Frontends send JSON, which needs a preflight; transcription accepts forms, and changes nothing.
    """
    origin = request.headers.get("origin")
    if request.method != "POST" or origin is None:
        return False
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type in _UNASKED and origin.partition("://")[2] != request.headers.get("host")


def _run_to_stop(call: Call) -> str | None:
    """Returns the run that a request to stop names, if it names one."""
    if call.body.is_empty:
        return None
    body = call.json()
    if not isinstance(body, dict) or body.keys() - {"runId"}:
        raise HTTPError(400, {"error": "Invalid stop request"})
    run_id = body.get("runId")
    if "runId" in body and not isinstance(run_id, str):
        raise HTTPError(400, {"error": "Invalid runId"})
    return run_id


def _refused_run(error: CopilotKitError) -> Response:
    """Answers a request for a run that the runtime or a hook refuses with a stream, as requested.

    Of any other status than 200 the frontend shows `HTTP 409: {"error":...}`, JSON and all, and twice; of a
    RUN_ERROR it shows the message, once (`@copilotkit/core` 1.74). The chat can be used after either.
    """
    event = run_error(error.message, error.code)
    return Response(sse.encode(encode(event)), headers=EVENT_STREAM_HEADERS)


def _refused(request: Request, operation: object, error: CopilotKitError) -> Response:
    """Answers a refused request, in the form in which clients read this operation's errors."""
    if operation == "agent/run" and _MEDIA_TYPE in request.headers.get("accept", ""):
        return _refused_run(error)
    if operation == "transcribe" and isinstance(error, AuthenticationError):
        return refused_transcription(error)
    return json_response(error_body(error), error.status_code, error.headers)


async def _no_metadata(call: Call) -> Response:
    return Response(status_code=204, headers={"cache-control": "no-store, private"})


async def _nothing(call: Call) -> Response:
    raise not_found()
