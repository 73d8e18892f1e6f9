import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import copilotkit_runtime_py.protocols.graphql as package
from copilotkit_runtime_py.protocols.graphql.executor.document import DocumentCache
from copilotkit_runtime_py.protocols.graphql.executor.incremental import IncrementalExecution
from copilotkit_runtime_py.protocols.graphql.executor.live import LiveList
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA
from copilotkit_runtime_py.protocols.graphql.types import (
    CopilotKitLangGraphInterruptEvent,
    CopilotKitLangGraphInterruptEventData,
    CopilotResponse,
    LangGraphInterruptEvent,
    MessageRole,
    ResultMessageOutput,
    SuccessMessageStatus,
    SuccessResponseStatus,
    TextMessageOutput,
)

from .one_response import DATA, OneResponse, operation, selecting

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 1, 12, 0, 0, 5999, tzinfo=UTC)
OPERATIONS = (Path(package.__path__[0]) / "contract" / "operations.graphql").read_text()
ROOT = "generateCopilotResponse"


async def started(
    selection: str, response: CopilotResponse, fragments: str = ""
) -> tuple[IncrementalExecution, dict[str, Any]]:
    """Starts an execution whose first payload is ready; returns it with the root field's value."""
    execution = IncrementalExecution(selecting(selection, fragments), OneResponse(response))
    payload = await execution.start()
    assert payload is not None
    assert list(payload) == ["data"]
    return execution, payload["data"][ROOT]


def text_message(number: int = 1, content: LiveList[str] | None = None) -> TextMessageOutput:
    message = TextMessageOutput(id=f"m{number}", created_at=NOON, role=MessageRole.assistant)
    if content is not None:
        message.content = content
    return message


def result_message(number: int = 1) -> ResultMessageOutput:
    return ResultMessageOutput(id=f"r{number}", action_execution_id="a", action_name="act", result="1")


async def test_the_clients_mutation_is_answered_as_the_wire_contract_says() -> None:
    response = CopilotResponse(thread_id="t1")
    node = DocumentCache(SCHEMA).document(OPERATIONS).operation("generateCopilotResponse", {"data": DATA})
    execution = IncrementalExecution(node, OneResponse(response))
    messages, status = [ROOT, "messages"], {"code": "Success"}

    assert await execution.start() == {
        "data": {
            ROOT: {
                "threadId": "t1",
                "runId": None,
                "extensions": None,
                "messages": [],
                "metaEvents": [],
                "__typename": "CopilotResponse",
            }
        }
    }
    assert (execution.flush(), execution.done) == ([], False)

    message = text_message()
    response.messages.append(message)
    assert execution.flush() == [
        {
            "items": [
                {
                    "__typename": "TextMessageOutput",
                    "id": "m1",
                    "createdAt": "2026-01-01T12:00:00.005Z",
                    "content": [],
                    "role": "assistant",
                    "parentMessageId": None,
                }
            ],
            "path": [*messages, 0],
        }
    ]

    message.content.append("The ")
    assert execution.flush() == [{"items": ["The "], "path": [*messages, 0, "content", 0]}]

    message.content.append("quick ")
    message.content.close()
    message.status.set(SuccessMessageStatus())
    response.meta_events.append(LangGraphInterruptEvent(value="Sure?"))
    response.meta_events.close()
    response.messages.close()
    response.status.set(SuccessResponseStatus())
    assert execution.flush() == [
        {"items": ["quick "], "path": [*messages, 0, "content", 1]},
        {
            "data": {
                "status": {**status, "__typename": "SuccessMessageStatus"},
                "__typename": "TextMessageOutput",
            },
            "path": [*messages, 0],
        },
        {
            "items": [
                {
                    "type": "MetaEvent",
                    "name": "LangGraphInterruptEvent",
                    "value": "Sure?",
                    "__typename": "LangGraphInterruptEvent",
                }
            ],
            "path": [ROOT, "metaEvents", 0],
        },
        {
            "data": {
                "status": {**status, "__typename": "SuccessResponseStatus"},
                "__typename": "CopilotResponse",
            },
            "path": [ROOT],
        },
    ]
    assert execution.done


async def test_a_burst_leaves_in_one_go_each_item_before_its_children() -> None:
    response = CopilotResponse(thread_id="t")
    execution, _ = await started(
        "messages @stream { id ... on TextMessageOutput { content @stream } }",
        response,
    )

    for number in (1, 2):
        response.messages.append(text_message(number, LiveList(["a", "b"], closed=True)))
    response.messages.close()

    messages = [ROOT, "messages"]
    assert execution.flush() == [
        {"items": [{"id": "m1", "content": []}], "path": [*messages, 0]},
        {"items": ["a"], "path": [*messages, 0, "content", 0]},
        {"items": ["b"], "path": [*messages, 0, "content", 1]},
        {"items": [{"id": "m2", "content": []}], "path": [*messages, 1]},
        {"items": ["a"], "path": [*messages, 1, "content", 0]},
        {"items": ["b"], "path": [*messages, 1, "content", 1]},
    ]
    assert execution.done


async def test_items_that_are_ready_together_are_one_entry_each() -> None:
    message = text_message()
    response = CopilotResponse(thread_id="t", messages=LiveList([message], closed=True))
    execution, _ = await started("messages { ... on TextMessageOutput { content @stream } }", response)

    message.content.append("a")
    message.content.append("b")

    path = [ROOT, "messages", 0, "content"]
    assert execution.flush() == [{"items": [text], "path": [*path, i]} for i, text in enumerate("ab")]


async def test_a_document_without_directives_has_one_payload_when_all_is_over() -> None:
    message, response = text_message(), CopilotResponse(thread_id="t")
    text = "messages { ... on TextMessageOutput { content } status { __typename } }"
    execution = IncrementalExecution(selecting(text), OneResponse(response))
    polls = [await execution.start()]

    steps: list[Callable[[], None]] = [
        partial(response.messages.append, message),
        partial(message.content.append, "a"),
        response.messages.close,
        partial(message.content.append, "b"),
        message.content.close,
    ]
    for step in steps:
        step()
        polls.append(execution.poll_initial())
    message.status.set(SuccessMessageStatus())

    assert polls == [None] * 6
    assert execution.poll_initial() == {
        "data": {
            ROOT: {"messages": [{"content": ["a", "b"], "status": {"__typename": "SuccessMessageStatus"}}]}
        }
    }
    assert execution.done
    with pytest.raises(RuntimeError, match="taken"):
        execution.poll_initial()


async def test_an_item_that_waits_holds_back_the_items_after_it() -> None:
    response = CopilotResponse(thread_id="t")
    execution, _ = await started("messages @stream { id status { __typename } }", response)
    first, second = text_message(1), text_message(2)

    response.messages.append(first)
    response.messages.append(second)
    second.status.set(SuccessMessageStatus())
    response.messages.close()
    assert execution.flush() == []
    first.status.set(SuccessMessageStatus())

    assert [entry["path"] for entry in execution.flush()] == [[ROOT, "messages", 0], [ROOT, "messages", 1]]
    assert execution.done


async def test_the_initial_count_is_waited_for() -> None:
    response = CopilotResponse(thread_id="t")
    text = "messages @stream(initialCount: 2) { id }"
    execution = IncrementalExecution(selecting(text), OneResponse(response))

    assert await execution.start() is None
    response.messages.append(text_message(1))
    assert execution.poll_initial() is None
    response.messages.append(text_message(2))
    response.messages.append(text_message(3))

    assert execution.poll_initial() == {"data": {ROOT: {"messages": [{"id": "m1"}, {"id": "m2"}]}}}
    assert execution.flush() == [{"items": [{"id": "m3"}], "path": [ROOT, "messages", 2]}]
    assert not execution.done


async def test_a_list_that_closes_early_is_all_in_the_first_payload() -> None:
    response = CopilotResponse(thread_id="t", messages=LiveList([text_message()], closed=True))

    execution, root = await started("messages @stream(initialCount: 2) { id }", response)

    assert root == {"messages": [{"id": "m1"}]}
    assert execution.done


async def test_a_negative_initial_count_is_an_error() -> None:
    execution = IncrementalExecution(
        selecting("metaEvents @stream(initialCount: -1) { name }"), OneResponse()
    )

    payload = await execution.start()

    assert payload is not None
    assert payload["data"] == {ROOT: {"metaEvents": None}}
    assert payload["errors"][0]["message"] == "initialCount must be a positive integer"


async def test_a_plain_list_is_streamed_too() -> None:
    text = "{ availableAgents { agents @stream(initialCount: 1) { name } } }"
    execution = IncrementalExecution(operation(text), OneResponse())

    assert await execution.start() == {"data": {"availableAgents": {"agents": [{"name": "a"}]}}}
    assert execution.flush() == [
        {"items": [{"name": name}], "path": ["availableAgents", "agents", index]}
        for index, name in ((1, "b"), (2, "c"))
    ]
    assert execution.done


async def test_labels_are_passed_on() -> None:
    response = CopilotResponse(thread_id="t", messages=LiveList([result_message()]))
    execution, _ = await started(
        """
            messages @stream(label: "list") { id ... @defer(label: "part") { id } }
            ... @defer(label: "root") { threadId }
        """,
        response,
    )

    assert execution.flush() == [
        {"items": [{"id": "r1"}], "path": [ROOT, "messages", 0], "label": "list"},
        {"data": {"id": "r1"}, "path": [ROOT, "messages", 0], "label": "part"},
        {"data": {"threadId": "t"}, "path": [ROOT], "label": "root"},
    ]


async def test_a_deferred_fragment_comes_once_however_many_ways_lead_to_it() -> None:
    execution, root = await started(
        "...Outer @defer ...Outer @defer ...Outer",
        CopilotResponse(thread_id="t"),
        """fragment Outer on CopilotResponse {
            threadId ... @defer { runId ... @defer { extensions { __typename } } }
        }""",
    )

    assert root == {"threadId": "t"}
    assert [entry["data"] for entry in execution.flush()] == [
        {"threadId": "t"},
        {"runId": None},
        {"extensions": None},
        {"threadId": "t"},
    ]


async def test_root_fields_may_be_deferred() -> None:
    text = "{ hello ... @defer { availableAgents { agents { name } } __typename } }"
    execution = IncrementalExecution(operation(text), OneResponse())

    assert await execution.start() == {"data": {"hello": "Hello World"}}
    assert execution.flush() == [
        {
            "data": {
                "availableAgents": {"agents": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
                "__typename": "Query",
            },
            "path": [],
        }
    ]
    assert execution.done


async def test_introspection_may_stand_in_an_incremental_document() -> None:
    text = '{ __type(name: "Agent") { fields @stream(initialCount: 1) { name type { ofType { name } } } } }'
    execution = IncrementalExecution(operation(text), OneResponse())

    first = {"name": "id", "type": {"ofType": {"name": "String"}}}
    assert await execution.start() == {"data": {"__type": {"fields": [first]}}}
    assert [entry["items"][0]["name"] for entry in execution.flush()] == ["name", "description"]


async def test_arguments_and_aliases_reach_the_resolvers() -> None:
    resolvers = OneResponse()
    text = """query ($a: LoadAgentStateInput!) {
        one: loadAgentState(data: $a) { threadId }
        two: loadAgentState(data: {threadId: "2", agentName: "b"}) { id: threadId }
    }"""
    execution = IncrementalExecution(operation(text, {"a": {"threadId": "1", "agentName": "a"}}), resolvers)

    assert await execution.start() == {"data": {"one": {"threadId": "1"}, "two": {"id": "2"}}}
    assert [(call.agent_name, call.thread_id) for call in resolvers.calls] == [("a", "1"), ("b", "2")]


async def test_the_inputs_of_the_mutation_reach_the_resolver() -> None:
    resolvers = OneResponse()
    text = """mutation ($data: GenerateCopilotResponseInput!, $p: JSONObject) {
        generateCopilotResponse(data: $data, properties: $p) { threadId }
    }"""
    data = {**DATA, "messages": [{"id": "1", "createdAt": "2026-01-01T12:00:00Z"}], "threadId": "t"}

    await IncrementalExecution(operation(text, {"data": data, "p": {"a": [1]}}), resolvers).start()

    ((received, properties),) = resolvers.calls
    assert properties == {"a": [1]}
    assert (received.thread_id, received.messages[0].created_at) == (
        "t",
        datetime(2026, 1, 1, 12, tzinfo=UTC),
    )
    assert not received.run_id


def calls_of_a_flush(
    execution: IncrementalExecution, message: TextMessageOutput
) -> tuple[int, list[dict[str, Any]]]:
    """Appends a chunk; counts the Python functions that sending it calls."""
    message.content.append("chunk")
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        entries = execution.flush()
    finally:
        sys.setprofile(None)
    return calls, entries


@pytest.mark.parametrize("messages", [1, 1000])
async def test_a_chunk_costs_the_same_however_many_messages_are_open(messages: int) -> None:
    response = CopilotResponse(thread_id="t")
    node = DocumentCache(SCHEMA).document(OPERATIONS).operation("generateCopilotResponse", {"data": DATA})
    execution = IncrementalExecution(node, OneResponse(response))
    await execution.start()
    for number in range(messages):
        response.messages.append(text_message(number))
    assert len(execution.flush()) == messages

    calls, entries = calls_of_a_flush(execution, response.messages.items[0])  # type: ignore[arg-type]

    assert entries == [{"items": ["chunk"], "path": [ROOT, "messages", 0, "content", 0]}]
    assert calls <= 5


async def test_an_interrupt_with_messages_waits_for_their_statuses() -> None:
    message = text_message(content=LiveList(["a"], closed=True))
    data = CopilotKitLangGraphInterruptEventData(value="v", messages=[message])
    response = CopilotResponse(thread_id="t")
    execution, _ = await started(
        "metaEvents @stream { ... on CopilotKitLangGraphInterruptEvent "
        "{ data { messages { id status { __typename } } } } }",
        response,
    )

    response.meta_events.append(CopilotKitLangGraphInterruptEvent(data=data))
    assert execution.flush() == []
    message.status.set(SuccessMessageStatus())

    item = {"data": {"messages": [{"id": "m1", "status": {"__typename": "SuccessMessageStatus"}}]}}
    assert execution.flush() == [{"items": [item], "path": [ROOT, "metaEvents", 0]}]
