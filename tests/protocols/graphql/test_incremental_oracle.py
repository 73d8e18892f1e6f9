"""Our executor must deliver what graphql-core does, incrementally and plainly."""

from __future__ import annotations

import asyncio
from typing import Any

from graphql import (
    REMOVE,
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    GraphQLDeferDirective,
    GraphQLStreamDirective,
    Visitor,
    parse,
    validate,
    visit,
)
from graphql.execution import experimental_execute_incrementally
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.protocols.graphql.document import Document
from copilotkit_runtime_py.protocols.graphql.incremental import Execution
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA
from copilotkit_runtime_py.protocols.graphql.types import CopilotResponse

from .merging import merged, merged_by_id, text_joined
from .one_response import DATA, OneResponse
from .random_documents import VARIABLES, documents
from .random_responses import Step, scripts

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
INCREMENTAL = {GraphQLDeferDirective.name, GraphQLStreamDirective.name}


class WithoutIncremental(Visitor):
    """Takes `@defer` and `@stream` out of a document."""

    def enter_directive(self, node: DirectiveNode, *_: object) -> Any:
        return REMOVE if node.name.value in INCREMENTAL else None


def variables(text: str) -> dict[str, Any]:
    return {"data": DATA, **{name: value for name, value in VARIABLES.items() if f"${name}:" in text}}


async def ours(text: str, response: CopilotResponse, steps: list[Step], looks: list[bool]) -> Any:
    """Executes a document while the steps are made; `looks` says after which the executor is polled."""
    operation = Document(SCHEMA, parse(text)).operation("run", variables(text))
    execution = Execution(operation, OneResponse(response))
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
    return merged(payloads)


async def by_graphql_core(text: str, document: DocumentNode, response: CopilotResponse) -> Any:
    """What graphql-core delivers for the complete response."""
    result: Any = experimental_execute_incrementally(
        SCHEMA, document, context_value=OneResponse(response), variable_values=variables(text)
    )
    result = await result
    if isinstance(result, ExecutionResult):
        assert result.errors is None
        return result.data
    parts = [part.formatted async for part in result.subsequent_results]
    return merged_by_id([result.initial_result.formatted, *parts])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(data=st.data(), incremental=st.booleans(), joins=st.booleans())
def test_every_document_delivers_what_graphql_core_delivers(
    data: st.DataObject, incremental: bool, joins: bool
) -> None:
    text = data.draw(documents(incremental=incremental))
    assert validate(SCHEMA, parse(text)) == []
    response, steps = data.draw(scripts(joins=joins))
    looks = data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))

    got = asyncio.run(ours(text, response, steps, looks))

    document = parse(text)
    plain = visit(document, WithoutIncremental())
    expected = asyncio.run(by_graphql_core(text, plain, response))
    assert asyncio.run(by_graphql_core(text, document, response)) == expected
    assert (text_joined(got) if joins else got) == (text_joined(expected) if joins else expected)
