"""The payloads of one operation, as they are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from graphql import GraphQLError

from ...context import RequestContext
from ...runtime import CopilotRuntime
from .client import Client
from .executor.document import Operation
from .executor.incremental import IncrementalExecution
from .multipart import Encoder
from .resolvers import RequestResolvers

Payload = dict[str, Any]

_NOTHING: Final = b""


class ExecutionFeed:
    """The payloads of an operation, as they become ready. It owns the runs behind them.

    Args:
        runtime: the runtime.
        operation: the operation.
        context: the caller, and other facts of the HTTP request.
        client: the client.
        encoder: makes the bytes.
    """

    def __init__(
        self,
        runtime: CopilotRuntime,
        operation: Operation,
        context: RequestContext,
        *,
        client: Client,
        encoder: Encoder,
    ) -> None:
        self._runtime = runtime
        self._encoder = encoder
        self._incremental = operation.is_incremental
        self._resolvers = RequestResolvers(runtime, context, client, wake=self._on_news)
        self._execution = IncrementalExecution(operation, self._resolvers, format_error=self._format_error)
        self._wake: Callable[[], None] | None = None
        self._out = encoder.start()
        self._first_is_out = False
        self._ended = False

    async def start(self) -> Payload | None:
        """Calls the root resolvers. Returns the answer, and ends the feed, if it is complete then."""
        first = await self._execution.start()
        if first is not None and self._execution.done:
            self._ended = True
            return first
        if first is not None:
            self._add_first(first)
        return None

    def open(self, wake: Callable[[], None]) -> ExecutionFeed:
        """Calls `wake` when there may be something to take."""
        self._wake = wake
        return self

    def take(self) -> bytes:
        """Returns the payloads since the last call, as one part."""
        if self._ended:
            return _NOTHING
        execution = self._execution
        self._resolvers.advance()
        if not self._first_is_out:
            first = execution.poll_initial()
            if first is not None:
                self._add_first(first)
        if self._first_is_out and self._incremental:
            entries = execution.flush()
            if entries:
                self._out += self._encoder.part({"incremental": entries, "hasNext": not execution.done})
            elif execution.done:
                self._out += self._encoder.part({"hasNext": False})
        if execution.done:
            self._ended = True
            self._out += self._encoder.end()
        out, self._out = self._out, _NOTHING
        return out

    def heartbeat(self) -> bytes:
        """Returns a part that keeps the stream open; clients accept it after the first payload."""
        return self._encoder.heartbeat() if self._first_is_out else _NOTHING

    @property
    def exhausted(self) -> bool:
        """Whether everything was taken and nothing can follow."""
        return self._ended

    def close(self) -> None:
        """Leaves the runs. A client that leaves before the end stops them: it has no other way."""
        self._resolvers.close(stop=not self._ended)

    def _add_first(self, payload: Payload) -> None:
        self._first_is_out = True
        more = {"hasNext": True} if self._incremental else {}
        self._out += self._encoder.part({**payload, **more})

    def _on_news(self) -> None:
        if self._wake is not None:
            self._wake()

    def _format_error(self, error: GraphQLError) -> Payload:
        formatted: Payload = {**error.formatted}
        if error.original_error is not None:
            masked = self._runtime.masked(error.original_error)
            formatted["message"] = masked.message
            formatted["extensions"] = masked.extensions()
        return formatted
