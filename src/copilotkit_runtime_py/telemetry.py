"""Traces and metrics by OpenTelemetry, if its API is installed (the extra `otel`).

They go where the application's OpenTelemetry providers send them, and nowhere without one. Spans name agents,
tools and ids; they hold no message, no argument, no text of an exception and no header. Nothing here is
called for single events: a run is counted when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from .errors import AgentError, CopilotKitError, InternalError
from .logs.records import owner_hash

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from .agui.usage import TokenMeter

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError:  # pragma: no cover - the tests have it
    INSTALLED = False
else:
    INSTALLED = True

_NAME: Final = "copilotkit_runtime_py"
# Within a request's span there may be others, such as FastAPI's own.
_request: ContextVar[Span | None] = ContextVar("copilotkit_runtime_py_request_span", default=None)
# Ids are the client's choice.
_LONGEST_ID: Final = 200
# The codes that the runtime itself gives to an agent's failure. Codes of agents would make too many series.
_AGENT_CODES: Final = frozenset({"INCOMPLETE_STREAM", "LIMIT_EXCEEDED", "TIMEOUT"})

# OpenTelemetry's default boundaries are meant for milliseconds.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_COUNTS: Final = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 10_000, 100_000, 1_000_000)

if INSTALLED:
    # Both stand in for the providers that the application may set later.
    _tracer: Final = trace.get_tracer(_NAME)
    _meter: Final = metrics.get_meter(_NAME)
    # Baggage is not passed on: a client could send some, and it would reach other hosts.
    _propagator: Final = TraceContextTextMapPropagator()
    _active: Final = _meter.create_up_down_counter(
        "copilotkit.runs.active", unit="{run}", description="Runs in progress."
    )
    _run_seconds: Final = _meter.create_histogram(
        "copilotkit.run.duration",
        unit="s",
        description="From the start of a run to its end.",
        explicit_bucket_boundaries_advisory=_SECONDS,
    )
    _first_event: Final = _meter.create_histogram(
        "copilotkit.run.first_event",
        unit="s",
        description="From the start of a run to its agent's first event.",
        explicit_bucket_boundaries_advisory=_SECONDS,
    )
    _events: Final = _meter.create_histogram(
        "copilotkit.run.events",
        unit="{event}",
        description="Events of a run.",
        explicit_bucket_boundaries_advisory=_COUNTS,
    )
    _tokens: Final = _meter.create_counter(
        "copilotkit.tokens", unit="{token}", description="Tokens that models used in runs."
    )
    _errors: Final = _meter.create_counter(
        "copilotkit.errors", unit="{error}", description="Requests that were refused and runs that failed."
    )
    _append_seconds: Final = _meter.create_histogram(
        "copilotkit.store.append",
        unit="s",
        description="How long the store takes to write a batch of events.",
        explicit_bucket_boundaries_advisory=_SECONDS,
    )


@contextmanager
def request_span(method: str, route: str, headers: list[tuple[bytes, bytes]]) -> Iterator[None]:
    """A span around a request, to the end of its answer.

    It continues the trace of the server's own instrumentation, which newer FastAPIs have built in, or else
    with that of the caller.

    Args:
        method: the HTTP method.
        route: the path of the router.
        headers: the request's, as ASGI has them.
    """
    # Without a tracer provider, a trace that a caller sends is still passed on to agents.
    if not (_tracing() or (INSTALLED and any(name == b"traceparent" for name, _ in headers))):
        yield
        return
    context, kind = None, trace.SpanKind.INTERNAL
    if not trace.get_current_span().get_span_context().is_valid:
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        context, kind = _propagator.extract(sent), trace.SpanKind.SERVER
    attributes = {"http.request.method": method, "http.route": route}
    with _span("copilotkit.request", attributes, kind=kind, context=context) as span:
        token = _request.set(span)
        try:
            yield
        finally:
            _request.reset(token)


@contextmanager
def agent_span(agent_name: str, usage: TokenMeter, *, is_remote: bool) -> Iterator[None]:
    """A span around everything that a provider does for a run, as the current one of its task.

    Args:
        agent_name: the agent.
        usage: the tokens that models use in the run, which says who provides them.
        is_remote: the agent runs in another process.
    """
    if not _tracing():
        yield
        return
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent_name}
    kind = trace.SpanKind.CLIENT if is_remote else trace.SpanKind.INTERNAL
    with _span(f"invoke_agent {agent_name}", attributes, kind=kind) as span:
        try:
            yield
        finally:
            span.set_attributes(_models(usage.used))


@contextmanager
def tool_span(tool_name: str, call_id: str) -> Iterator[None]:
    """A span around the call of a backend action."""
    if not _tracing():
        yield
        return
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool_name,
        "gen_ai.tool.call.id": call_id[:_LONGEST_ID],
    }
    with _span(f"execute_tool {tool_name}", attributes):
        yield


def annotate(**attributes: str | int) -> None:
    """Adds `copilotkit.*` attributes to the span of the request."""
    span = _request.get()
    if span is not None:
        span.set_attributes({f"copilotkit.{name}": value for name, value in attributes.items()})


def answered(status_code: int) -> None:
    """Records the status of the response on the span of the request."""
    span = _request.get()
    if span is not None:
        span.set_attribute("http.response.status_code", status_code)
        if status_code >= 500:
            span.set_status(trace.StatusCode.ERROR)


def inject(headers: MutableMapping[str, str]) -> None:
    """Adds the trace of the current span to the headers of a request to another host."""
    if INSTALLED:
        _propagator.inject(headers)


def failed(error: BaseException, agent_name: str | None = None) -> None:
    """Counts a request that was refused, or a run that failed.

    Args:
        error: the error.
        agent_name: the agent, if it is a registered one: other names are the client's choice.
    """
    if INSTALLED:
        agent = {} if agent_name is None else {"gen_ai.agent.name": agent_name}
        _errors.add(1, {**agent, "error.type": code_of(error)})


def code_of(error: BaseException) -> str:
    """Returns the code under which an error is counted: one of a small, fixed set."""
    if isinstance(error, AgentError):
        return error.agent_code if error.agent_code in _AGENT_CODES else "AGENT_ERROR"
    if isinstance(error, CopilotKitError) and not isinstance(error, InternalError):
        return error.code
    return "INTERNAL_ERROR"


@contextmanager
def append_timed() -> Iterator[None]:
    """Measures how long the store takes to write a batch of events."""
    began = time.monotonic()
    try:
        yield
    finally:
        if INSTALLED:
            _append_seconds.record(time.monotonic() - began)


class RunTrace:
    """The span of a run, and what is counted at its end.

    Args:
        agent_name: the agent.
        thread_id: the thread.
        run_id: the run.
        owner: the owner of the run; traces have a hash of it only.
    """

    def __init__(self, agent_name: str, thread_id: str, run_id: str, owner: str) -> None:
        self._span: Span | None = None
        if not INSTALLED:
            return
        self._labels = {"gen_ai.agent.name": agent_name}
        self._began = time.monotonic()
        _active.add(1, self._labels)
        if _tracing():
            self._span = _tracer.start_span(
                "copilotkit.run",
                attributes={
                    **self._labels,
                    "gen_ai.conversation.id": thread_id[:_LONGEST_ID],
                    "copilotkit.run.id": run_id[:_LONGEST_ID],
                    "copilotkit.owner": owner_hash(owner),
                },
            )

    @contextmanager
    def current(self) -> Iterator[None]:
        """Makes the run's span the current one for tasks that the block creates."""
        if self._span is None:
            yield
            return
        with trace.use_span(
            self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        ):
            yield

    def end(
        self,
        *,
        status: str,
        events: int,
        usage: Sequence[Mapping[str, Any]],
        first_event_after: float | None,
        error: BaseException | None,
    ) -> None:
        """Ends the span and counts the run.

        Args:
            status: how it ended.
            events: how many events it has.
            usage: the tokens that models used, as AG-UI's `TokenUsage` in JSON form.
            first_event_after: the seconds to the agent's first event, if there was one.
            error: what ended it, if it failed.
        """
        if not INSTALLED:
            return
        labels = {**self._labels, "copilotkit.run.status": status}
        for kind, member in (("input", "inputTokens"), ("output", "outputTokens")):
            counts = [(entry, entry[member]) for entry in usage if member in entry]
            if counts and self._span is not None:
                self._span.set_attribute(f"gen_ai.usage.{kind}_tokens", sum(count for _, count in counts))
            for entry, count in counts:
                names = {"gen_ai.provider.name": "provider", "gen_ai.request.model": "model"}
                model = {name: entry[member] for name, member in names.items() if member in entry}
                _tokens.add(count, {**self._labels, **model, "gen_ai.token.type": kind})
        if self._span is not None:
            self._span.set_attributes(_models(usage))
            self._span.set_attributes({"copilotkit.run.status": status, "copilotkit.run.events": events})
            if error is not None:
                self._span.set_attribute("error.type", code_of(error))
                self._span.set_status(trace.StatusCode.ERROR)
            self._span.end()
        _active.add(-1, self._labels)
        _run_seconds.record(time.monotonic() - self._began, labels)
        _events.record(events, labels)
        if first_event_after is not None:
            _first_event.record(first_event_after, self._labels)


def _models(usage: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Returns the attributes that name the provider and the model, where a run used only one."""
    names = {"gen_ai.provider.name": "provider", "gen_ai.request.model": "model"}
    found = {name: {entry.get(member) for entry in usage} for name, member in names.items()}
    return {name: str(*values) for name, values in found.items() if len(values) == 1 and None not in values}


def _tracing() -> bool:
    """Whether spans are recorded. Without a tracer provider they would only cost time."""
    return INSTALLED and not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def _span(
    name: str, attributes: Mapping[str, str], *, kind: Any = None, context: Any = None
) -> Iterator[Span]:
    with _tracer.start_as_current_span(
        name,
        context=context,
        kind=trace.SpanKind.INTERNAL if kind is None else kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", code_of(error))
            span.set_status(trace.StatusCode.ERROR)
            raise
