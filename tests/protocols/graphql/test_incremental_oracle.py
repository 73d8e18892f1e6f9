"""Our executor must deliver what graphql-core does, incrementally and plainly."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    REMOVE,
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    GraphQLDeferDirective,
    GraphQLFieldResolver,
    GraphQLStreamDirective,
    Visitor,
    parse,
    validate,
    visit,
)
from graphql.execution import experimental_execute_incrementally
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.agui.events import encode
from copilotkit_runtime_py.protocols.graphql.executor.document import Document
from copilotkit_runtime_py.protocols.graphql.executor.incremental import IncrementalExecution
from copilotkit_runtime_py.protocols.graphql.executor.live import Deferred, LiveList
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA
from copilotkit_runtime_py.protocols.graphql.types import CopilotResponse

from .merging import merged, merged_by_id
from .one_response import DATA, OneResponse
from .random_documents import VARIABLES, documents
from .random_responses import Step, broken_scripts, scripts

# graphql-core drops coroutines that it made for siblings of a position that became null.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'Executor:RuntimeWarning")

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
INCREMENTAL = {GraphQLDeferDirective.name, GraphQLStreamDirective.name}


@pytest.fixture(scope="module", autouse=True)
def _leftovers() -> Iterator[None]:
    """Collects what graphql-core left behind while its warnings are still expected."""
    yield
    gc.collect()


class WithoutIncremental(Visitor):
    """Takes `@defer` and `@stream` out of a document."""

    def enter_directive(self, node: DirectiveNode, *_: object) -> Any:
        return REMOVE if node.name.value in INCREMENTAL else None


def errors(payload: dict[str, Any]) -> list[Any]:
    """All errors of a payload."""
    entries = payload.get("incremental", ())
    return [*payload.get("errors", ()), *(error for entry in entries for error in entry.get("errors", ()))]


def variables(text: str) -> dict[str, Any]:
    return {"data": DATA, **{name: value for name, value in VARIABLES.items() if f"${name}:" in text}}


async def ours(
    text: str, response: CopilotResponse, steps: list[Step], looks: list[bool]
) -> list[dict[str, Any]]:
    """Executes a document while the steps are made; `looks` says after which the executor is polled."""
    operation = Document(SCHEMA, parse(text)).operation("run", variables(text))
    execution = IncrementalExecution(operation, OneResponse(response))
    first = await execution.start()
    payloads: list[dict[str, Any]] = [first] if first else []
    for number, step in enumerate(steps):
        step()
        if looks[number] or number == len(steps) - 1:
            if not payloads:
                first = execution.poll_initial()
                payloads += [first] if first else []
            if payloads:
                payloads.append({"incremental": execution.flush()})
    assert execution.done
    assert operation.is_incremental or len([p for p in payloads if p.get("incremental", True)]) == 1
    assert json.loads(encode(payloads)) == payloads
    return payloads


def read_live_values(resolve: GraphQLFieldResolver, source: Any, info: Any, **arguments: Any) -> Any:
    """Middleware that lets graphql-core read sources that are complete."""
    value = resolve(source, info, **arguments)
    if isinstance(value, LiveList):
        assert value.closed
        return value.items
    return value.value if isinstance(value, Deferred) else value


async def by_graphql_core(text: str, document: DocumentNode, response: CopilotResponse) -> Any:
    """What graphql-core delivers for the complete response: the merged data."""
    result: Any = experimental_execute_incrementally(
        SCHEMA,
        document,
        context_value=OneResponse(response),
        variable_values=variables(text),
        middleware=[read_live_values],
    )
    result = await result
    if isinstance(result, ExecutionResult):
        return result.data
    parts = [part.formatted async for part in result.subsequent_results]
    return merged_by_id([result.initial_result.formatted, *parts])


@settings(suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(data=st.data(), incremental=st.booleans())
def test_every_document_delivers_what_graphql_core_delivers(data: st.DataObject, incremental: bool) -> None:
    text = data.draw(documents(incremental=incremental))
    assert validate(SCHEMA, parse(text)) == []
    response, steps = data.draw(scripts())
    looks = data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))

    payloads = asyncio.run(ours(text, response, steps, looks))

    got = merged(payloads)
    assert [error for payload in payloads for error in errors(payload)] == []
    document = parse(text)
    plain = visit(document, WithoutIncremental())
    expected = asyncio.run(by_graphql_core(text, plain, response))
    assert asyncio.run(by_graphql_core(text, document, response)) == expected
    assert got == expected


@settings(suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(data=st.data(), incremental=st.booleans())
def test_broken_values_become_the_nulls_that_graphql_core_makes(
    data: st.DataObject, incremental: bool
) -> None:
    text = data.draw(documents(incremental=incremental))
    response, steps = data.draw(broken_scripts())
    looks = data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))

    payloads = asyncio.run(ours(text, response, steps, looks))

    plain = visit(parse(text), WithoutIncremental())
    expected = asyncio.run(by_graphql_core(text, plain, response))
    if not incremental or not any(errors(payload) for payload in payloads):
        assert merged(payloads) == expected
