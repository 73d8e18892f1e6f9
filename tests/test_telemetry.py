"""Traces and metrics, as an application's OpenTelemetry providers get them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from copilotkit_runtime_py import (
    AgentError,
    CopilotRuntime,
    Limits,
    RequestContext,
    create_router,
    telemetry,
)
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.hooks import AfterRequest
from copilotkit_runtime_py.logs.records import owner_hash
from copilotkit_runtime_py.runs.run import Run
from tests import scripted_agent
from tests.attacks import graphql
from tests.protocols.agui.served import PATH, Served, run_body, serve
from tests.providers.parity.contracts import CONTRACTS
from tests.scripted_agent import ScriptedAgent
from tests.test_usage import USED_BY_TEAM, team

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
Stream = AsyncIterator[Event]

ANN = RequestContext(owner="ann@example.com", headers={"authorization": "Bearer planted-header"})
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def asked(thread_id: str = "t1") -> RunAgentInput:
    said = [{"id": "u1", "role": "user", "content": "planted-content"}]
    body = {"threadId": thread_id, "runId": "r1", "messages": said, "state": {}}
    return RunAgentInput.model_validate({**body, "tools": [], "context": [], "forwardedProps": {}})


async def hello(input: RunAgentInput) -> Stream:
    yield events.text_start("m1")
    yield events.text_content("m1", "planted-content")


async def whole(runtime: CopilotRuntime, agent: str = "a") -> Run:
    run = await runtime.start(agent, asked(), ANN)
    await run.wait()
    return run


def ours(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of the runtime; FastAPI may have some of its own."""
    return [
        span
        for span in spans.get_finished_spans()
        if span.instrumentation_scope is not None
        and span.instrumentation_scope.name == "copilotkit_runtime_py"
    ]


def tree(spans: InMemorySpanExporter) -> list[str]:
    """The names of the spans, from the outermost to the innermost, of one trace without branches."""
    ids = {span.context.span_id: span for span in spans.get_finished_spans() if span.context is not None}
    assert len({span.context.trace_id for span in ours(spans) if span.context is not None}) == 1

    def depth(span: ReadableSpan) -> int:
        parent = ids.get(span.parent.span_id) if span.parent is not None else None
        return 0 if parent is None else 1 + depth(parent)

    return [span.name for span in sorted(ours(spans), key=depth)]


def attributes(spans: InMemorySpanExporter, name: str) -> dict[str, Any]:
    (span,) = [span for span in ours(spans) if span.name == name]
    return dict(span.attributes or {})


def measured(reader: InMemoryMetricReader, name: str, agent: str | None = None) -> list[Any]:
    """The data points of a metric, of one agent if it is given."""
    data = reader.get_metrics_data()
    found = [
        metric
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
    ]
    points = [point for metric in found for point in metric.data.data_points]
    return [p for p in points if agent is None or (p.attributes or {}).get("gen_ai.agent.name") == agent]


async def test_a_request_a_run_its_agent_and_its_actions_are_one_trace(spans: InMemorySpanExporter) -> None:
    async def caller(input: RunAgentInput) -> Stream:
        if input.messages[-1].role == "user":
            yield events.tool_call_start("c1", "look")
            yield events.tool_call_args("c1", '{"secret": "planted-argument"}')
            yield events.tool_call_end("c1")

    async def look(secret: str) -> str:
        """Looks."""
        return "planted-result"

    async with serve({"agent": caller}, actions=[look]) as served:
        await served.events(served.agent("run", "agent", run_body(), {"traceparent": CALLER}))
    assert tree(spans) == [
        "copilotkit.request",
        "copilotkit.run",
        "invoke_agent agent",
        "execute_tool look",
    ]
    request, run = attributes(spans, "copilotkit.request"), attributes(spans, "copilotkit.run")
    assert request.pop("copilotkit.request_id")
    assert request == {
        "http.request.method": "POST",
        "http.route": "/copilotkit/{rest:path}",
        "http.response.status_code": 200,
        "copilotkit.owner": owner_hash("anonymous"),
        "copilotkit.operation": "agent/run",
    }
    assert run.pop("copilotkit.run.events") > 4
    assert run == {
        "gen_ai.agent.name": "agent",
        "gen_ai.conversation.id": "t1",
        "copilotkit.run.id": "r1",
        "copilotkit.owner": owner_hash("anonymous"),
        "copilotkit.run.status": "finished",
    }
    assert attributes(spans, "execute_tool look") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look",
        "gen_ai.tool.call.id": "c1",
    }
    assert {f"{span.context.trace_id:032x}" for span in ours(spans) if span.context} == {CALLER.split("-")[1]}
    assert "planted" not in "".join(span.to_json() for span in spans.get_finished_spans())


async def test_the_span_of_a_graphql_request_lasts_to_the_end_of_its_stream(
    spans: InMemorySpanExporter,
) -> None:
    async with (
        serve({"agent": hello}) as served,
        graphql.ask(served, graphql.RUN, {"data": graphql.data()}) as exchange,
    ):
        await exchange.json()
    assert tree(spans) == ["copilotkit.request", "copilotkit.run", "invoke_agent agent"]


def test_a_request_goes_on_with_the_servers_trace_or_else_with_the_callers(
    spans: InMemorySpanExporter,
) -> None:
    headers = [(b"traceparent", CALLER.encode())]
    with telemetry.request_span("POST", "/alone", headers):
        pass
    with (
        trace.get_tracer("server").start_as_current_span("server") as server,
        telemetry.request_span("POST", "/below", headers),
    ):
        pass
    alone, below = ours(spans)
    assert alone.parent is not None
    assert below.parent == server.get_span_context()
    assert (f"{alone.parent.span_id:016x}", alone.kind) == (CALLER.split("-")[2], trace.SpanKind.SERVER)
    assert below.kind is trace.SpanKind.INTERNAL


async def test_a_remote_agent_gets_the_trace_and_no_baggage(spans: InMemorySpanExporter) -> None:
    with ScriptedAgent({"echo": scripted_agent.echo}) as remote:
        async with serve({"agent": remote.url("echo")}) as served:
            headers = {"traceparent": CALLER, "baggage": "user=planted"}
            await served.events(served.agent("run", "agent", run_body(), headers))
        (call,) = remote.calls
    (agent,) = [span for span in spans.get_finished_spans() if span.name.startswith("invoke_agent")]
    assert agent.context is not None
    assert agent.kind is trace.SpanKind.CLIENT
    assert call.headers["traceparent"] == f"{CALLER[:36]}{agent.context.span_id:016x}-01"
    assert "baggage" not in call.headers


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("planted-text"), "INTERNAL_ERROR"),
        (AgentError("planted-text", "planted-code"), "AGENT_ERROR"),
        (AgentError("planted-text", "TIMEOUT"), "TIMEOUT"),
    ],
)
async def test_a_failed_run_tells_its_kind_and_no_text(
    error: Exception, code: str, spans: InMemorySpanExporter, reader: InMemoryMetricReader
) -> None:
    async def failing(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        raise error

    def count() -> int:
        points = measured(reader, "copilotkit.errors")
        return sum(
            point.value
            for point in points
            if point.attributes == {"error.type": code, "gen_ai.agent.name": "a"}
        )

    before = count()
    runtime = CopilotRuntime({"a": failing})
    await whole(runtime)
    await runtime.aclose()
    assert attributes(spans, "copilotkit.run")["error.type"] == code
    assert {span.status.status_code for span in spans.get_finished_spans()} == {trace.StatusCode.ERROR}
    assert "planted" not in "".join(span.to_json() for span in spans.get_finished_spans())
    assert count() == before + 1


async def test_a_run_that_is_stopped_has_not_failed(spans: InMemorySpanExporter) -> None:
    async def endless(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        await asyncio.Event().wait()

    runtime = CopilotRuntime({"a": endless})
    run = await runtime.start("a", asked(), ANN)
    await asyncio.sleep(0)
    run.stop()
    await run.wait()
    assert attributes(spans, "copilotkit.run")["copilotkit.run.status"] == "stopped"
    assert {span.status.status_code for span in spans.get_finished_spans()} == {trace.StatusCode.UNSET}
    await runtime.aclose()


async def test_runs_are_counted_and_measured(reader: InMemoryMetricReader) -> None:
    go = asyncio.Event()

    async def waiting(input: RunAgentInput) -> Stream:
        await go.wait()
        yield events.text_start("m1")

    runtime = CopilotRuntime({"measured": waiting})
    run = await runtime.start("measured", asked(), ANN)
    assert [point.value for point in measured(reader, "copilotkit.runs.active", "measured")] == [1]
    go.set()
    await run.wait()
    assert [point.value for point in measured(reader, "copilotkit.runs.active", "measured")] == [0]
    (counted,) = measured(reader, "copilotkit.run.events", "measured")
    assert (counted.count, counted.sum) == (1, len(run.entries))
    (latency,) = measured(reader, "copilotkit.run.first_event", "measured")
    (duration,) = measured(reader, "copilotkit.run.duration", "measured")
    assert (latency.count, duration.count) == (1, 1)
    assert 0 < latency.sum <= duration.sum
    await runtime.aclose()


async def test_the_tokens_of_a_run_are_counted_by_model(
    reader: InMemoryMetricReader, spans: InMemorySpanExporter
) -> None:
    async def reporting(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        usage = [
            {"provider": "acme", "model": "small", "inputTokens": 10, "outputTokens": 5},
            {"model": "large", "inputTokens": 1},
        ]
        yield {**events.run_finished(input.thread_id, input.run_id), "usage": usage}

    runtime = CopilotRuntime({"counted": reporting})
    await (await runtime.start("counted", asked(), ANN)).wait()
    run = attributes(spans, "copilotkit.run")
    assert (run["gen_ai.usage.input_tokens"], run["gen_ai.usage.output_tokens"]) == (11, 5)
    assert "gen_ai.provider.name" not in run
    counts = {
        (point.attributes.get("gen_ai.request.model"), point.attributes["gen_ai.token.type"]): point.value
        for point in measured(reader, "copilotkit.tokens", "counted")
    }
    assert counts == {("small", "input"): 10, ("small", "output"): 5, ("large", "input"): 1}
    await runtime.aclose()


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_two_models_and_a_subagent_are_counted_on_both_contracts(
    contract: str, reader: InMemoryMetricReader, spans: InMemorySpanExporter
) -> None:
    name, told, started = f"team_{contract}", list[AfterRequest](), list[Run]()
    limits = Limits(tokens_per_minute_per_owner=60)
    runtime = CopilotRuntime({name: team()}, on_after_request=told.append, limits=limits)
    runtime.observe(started.append)
    app = FastAPI()
    app.include_router(create_router(runtime, path=PATH, identify=lambda: "ann"))
    chat = CONTRACTS[contract](Served(runtime, app=app), name)

    first = await chat.say("Hi")
    await started[0].wait()
    async with chat.exchange() as exchange:
        refused = b"".join([chunk async for chunk in exchange.chunks()])

    assert (first.texts[-1], first.failure) == ("ok", None)
    assert b"You may use 60 tokens a minute" in refused
    assert [after.usage for after in told] == [USED_BY_TEAM]
    run = attributes(spans, "copilotkit.run")
    assert (run["gen_ai.usage.input_tokens"], run["gen_ai.usage.output_tokens"]) == (50, 19)
    counts = {
        (point.attributes["gen_ai.request.model"], point.attributes["gen_ai.token.type"]): point.value
        for point in measured(reader, "copilotkit.tokens", name)
    }
    assert counts == {
        ("large", "input"): 40,
        ("large", "output"): 14,
        ("small", "input"): 10,
        ("small", "output"): 5,
    }
    await runtime.aclose()


async def test_the_model_of_a_run_that_uses_one_is_named(spans: InMemorySpanExporter) -> None:
    async def reporting(input: RunAgentInput) -> Stream:
        usage = [{"provider": "acme", "model": "small", "inputTokens": 10}]
        yield {**events.run_finished(input.thread_id, input.run_id), "usage": usage}

    runtime = CopilotRuntime({"a": reporting})
    await whole(runtime)
    for span in ("copilotkit.run", "invoke_agent a"):
        found = attributes(spans, span)
        assert (found["gen_ai.provider.name"], found["gen_ai.request.model"]) == ("acme", "small")
    await runtime.aclose()


async def test_the_time_to_keep_events_is_measured(reader: InMemoryMetricReader, tmp_path: Any) -> None:
    def count() -> int:
        return sum(point.count for point in measured(reader, "copilotkit.store.append"))

    before = count()
    runtime = CopilotRuntime({"a": hello}, state_store=f"sqlite:///{tmp_path / 'threads.db'}")
    await whole(runtime)
    await runtime.aclose()
    assert count() > before


async def test_a_refused_request_is_an_error(reader: InMemoryMetricReader) -> None:
    def count() -> int:
        points = measured(reader, "copilotkit.errors")
        labels = {"error.type": "RATE_LIMITED", "gen_ai.agent.name": "a"}
        return sum(point.value for point in points if point.attributes == labels)

    before = count()
    runtime = CopilotRuntime({"a": hello}, limits=Limits(runs_per_process=0))
    with pytest.raises(Exception, match="as many runs"):
        await runtime.start("a", asked(), ANN)
    await runtime.aclose()
    assert count() == before + 1


async def test_what_a_run_reports_does_not_depend_on_how_many_events_it_has(
    spans: InMemorySpanExporter,
) -> None:
    async def verbose(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        for _ in range(1000):
            yield events.text_content("m1", "x")

    runtime = CopilotRuntime({"a": verbose})
    await whole(runtime)
    await runtime.aclose()
    assert len(ours(spans)) == 2


def test_without_opentelemetry_everything_works_and_nothing_is_imported() -> None:
    program = """
import asyncio, sys
import fastapi  # newer ones need it themselves
sys.modules["opentelemetry"] = None  # as if it were not installed
from ag_ui.core import RunAgentInput
from copilotkit_runtime_py import CopilotRuntime, RequestContext, events, telemetry

async def hello(input):
    yield events.text_start("m1")

async def main():
    assert not telemetry.INSTALLED
    runtime = CopilotRuntime({"a": hello})
    with telemetry.request_span("POST", "/", []), telemetry.tool_span("look", "c1"):
        telemetry.annotate(operation="x")
        telemetry.answered(500)
    body = {"threadId": "t", "runId": "r", "messages": [], "tools": [], "context": [], "state": {}}
    input = RunAgentInput.model_validate({**body, "forwardedProps": {}})
    run = await runtime.start("a", input, RequestContext())
    await run.wait()
    headers = {}
    telemetry.inject(headers)
    assert (run.status, headers) == ("finished", {})
    await runtime.aclose()

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=50)
