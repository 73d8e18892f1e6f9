from typing import Any

import pytest
from graphql import GraphQLError

from copilotkit_runtime_py.errors import AgentNotFoundError
from copilotkit_runtime_py.protocols.graphql.executor.incremental import IncrementalExecution
from copilotkit_runtime_py.protocols.graphql.executor.live import Deferred, LiveList
from copilotkit_runtime_py.protocols.graphql.inputs import LoadAgentStateInput
from copilotkit_runtime_py.protocols.graphql.types import (
    CopilotKitLangGraphInterruptEvent,
    CopilotKitLangGraphInterruptEventData,
    CopilotResponse,
    FailedMessageStatus,
    LangGraphInterruptEvent,
    LoadAgentStateResponse,
    MessageRole,
    SuccessMessageStatus,
    TextMessageOutput,
)

from .one_response import DATA, OneResponse, operation, selecting

pytestmark = pytest.mark.anyio

ROOT = "generateCopilotResponse"
NOTHING: Any = None


def broken_event() -> LangGraphInterruptEvent:
    return LangGraphInterruptEvent(value=NOTHING)


class Unknown(OneResponse):
    """Resolvers that know no agent."""

    async def load_agent_state(self, data: LoadAgentStateInput) -> LoadAgentStateResponse:
        raise AgentNotFoundError(data.agent_name, ["a"])


async def test_a_resolver_that_raises_makes_an_error_that_the_caller_formats() -> None:
    def code(error: GraphQLError) -> dict[str, Any]:
        assert isinstance(error.original_error, AgentNotFoundError)
        return {"message": error.original_error.code, "path": error.path}

    text = '{ a: loadAgentState(data: {threadId: "t", agentName: "ghost"}) { state } }'
    execution = IncrementalExecution(operation(text), Unknown(), format_error=code)

    payload = await execution.start()

    assert payload == {"errors": [{"message": "AGENT_NOT_FOUND", "path": ["a"]}], "data": None}
    assert list(payload) == ["errors", "data"]
    assert execution.done


async def test_a_mutation_stops_at_the_first_field_that_fails() -> None:
    class Broken(OneResponse):
        async def generate_copilot_response(self, data: object, properties: object) -> CopilotResponse:
            self.calls.append(data)
            raise ValueError("no")

    resolvers = Broken()
    text = """mutation ($data: GenerateCopilotResponseInput!) {
        a: generateCopilotResponse(data: $data) { threadId }
        b: generateCopilotResponse(data: $data) { threadId }
    }"""

    payload = await IncrementalExecution(operation(text, {"data": DATA}), resolvers).start()

    assert payload == {
        "errors": [{"message": "no", "locations": [{"line": 2, "column": 9}], "path": ["a"]}],
        "data": None,
    }
    assert len(resolvers.calls) == 1


async def test_null_goes_up_to_the_nearest_position_that_may_be_null() -> None:
    response = CopilotResponse(thread_id="t", meta_events=LiveList([broken_event()], closed=True))
    text = "threadId metaEvents { name ... on LangGraphInterruptEvent { value } }"

    payload = await IncrementalExecution(selecting(text), OneResponse(response)).start()

    assert payload is not None
    assert payload["data"] == {ROOT: {"threadId": "t", "metaEvents": None}}
    assert [(e["message"], e["path"]) for e in payload["errors"]] == [
        (
            "Cannot return null for non-nullable field LangGraphInterruptEvent.value.",
            [ROOT, "metaEvents", 0, "value"],
        )
    ]


async def test_what_null_has_replaced_is_not_waited_for() -> None:
    waiting, late = (TextMessageOutput(id=name, role=MessageRole.assistant) for name in "wl")
    data = CopilotKitLangGraphInterruptEventData(value="v", messages=[waiting, late])
    event = CopilotKitLangGraphInterruptEvent(data=data)
    response = CopilotResponse(thread_id="t", meta_events=LiveList([event], closed=True))
    text = (
        "metaEvents { ... on CopilotKitLangGraphInterruptEvent { data { messages "
        "{ ... on TextMessageOutput { content @stream } "
        "status { ... on FailedMessageStatus { reason } } } } } } threadId"
    )
    execution = IncrementalExecution(selecting(text), OneResponse(response))
    assert await execution.start() is None

    late.status.set(FailedMessageStatus(reason=NOTHING))

    payload = execution.poll_initial()
    assert payload is not None
    assert payload["data"] == {ROOT: {"metaEvents": None, "threadId": "t"}}
    assert [e["path"] for e in payload["errors"]] == [
        [ROOT, "metaEvents", 0, "data", "messages", 1, "status", "reason"]
    ]
    assert execution.done
    waiting.content.append("unheard")
    waiting.status.set(SuccessMessageStatus())
    assert execution.flush() == []


async def test_an_item_that_fails_ends_its_stream_and_no_other() -> None:
    response = CopilotResponse(thread_id="t")
    text = "messages @stream { id } metaEvents @stream { ... on LangGraphInterruptEvent { value } }"
    execution = IncrementalExecution(selecting(text), OneResponse(response))
    await execution.start()

    for event in (LangGraphInterruptEvent(value="ok"), broken_event(), LangGraphInterruptEvent(value="late")):
        response.meta_events.append(event)
    entries = execution.flush()
    response.meta_events.append(LangGraphInterruptEvent(value="later"))
    response.meta_events.close()
    response.messages.append(TextMessageOutput(id="m", role=MessageRole.user))
    response.messages.close()

    assert entries[0] == {"items": [{"value": "ok"}], "path": [ROOT, "metaEvents", 0]}
    assert (entries[1]["items"], entries[1]["path"]) == (None, [ROOT, "metaEvents", 1])
    assert [e["path"] for e in entries[1]["errors"]] == [[ROOT, "metaEvents", 1, "value"]]
    assert len(entries) == 2
    assert execution.flush() == [{"items": [{"id": "m"}], "path": [ROOT, "messages", 0]}]
    assert execution.done


async def test_an_item_that_fails_late_ends_its_stream() -> None:
    response = CopilotResponse(thread_id="t")
    text = "messages @stream { id status { ... on FailedMessageStatus { reason } } }"
    execution = IncrementalExecution(selecting(text), OneResponse(response))
    await execution.start()
    message = TextMessageOutput(id="m", role=MessageRole.user)

    response.messages.append(message)
    assert execution.flush() == []
    message.status.set(FailedMessageStatus(reason=NOTHING))
    response.messages.close()

    (entry,) = execution.flush()
    assert (entry["items"], entry["path"]) == (None, [ROOT, "messages", 0])
    assert execution.done


async def test_a_streamed_leaf_that_fails_ends_its_stream() -> None:
    message = TextMessageOutput(id="m", role=MessageRole.user, content=LiveList([NOTHING, "b"], closed=True))
    response = CopilotResponse(thread_id="t", messages=LiveList([message], closed=True))
    text = "messages { ... on TextMessageOutput { content @stream } }"
    execution = IncrementalExecution(selecting(text), OneResponse(response))
    await execution.start()

    (entry,) = execution.flush()

    assert (entry["items"], entry["path"]) == (None, [ROOT, "messages", 0, "content", 0])
    assert execution.done


async def test_a_deferred_fragment_that_fails_is_null() -> None:
    response = CopilotResponse(thread_id=NOTHING)
    execution = IncrementalExecution(selecting("runId ... @defer { threadId }"), OneResponse(response))
    assert await execution.start() == {"data": {ROOT: {"runId": None}}}

    (entry,) = execution.flush()

    assert (entry["data"], entry["path"]) == (None, [ROOT])
    assert [e["path"] for e in entry["errors"]] == [[ROOT, "threadId"]]
    assert execution.done


@pytest.mark.parametrize(
    ("selection", "response", "message"),
    [
        ("messages { id }", {"messages": 5}, "Expected Iterable"),
        ("messages { id }", {"messages": ["x"]}, "Expected value of type 'BaseMessageOutput' but got: 'x'"),
        ("messages { id }", {"messages": [broken_event()]}, "but got: <LangGraphInterruptEvent instance>"),
        ("status { __typename }", {"status": Deferred.of(SuccessMessageStatus())}, "ResponseStatus"),
        ("threadId", {"thread_id": {}}, "String cannot represent value: {}"),
    ],
)
async def test_a_value_of_the_wrong_type_is_an_error(
    selection: str, response: dict[str, Any], message: str
) -> None:
    source = CopilotResponse(**{"thread_id": "t", **response})
    execution = IncrementalExecution(selecting(selection), OneResponse(source))

    payload = await execution.start()

    assert payload is not None
    assert payload["data"] is None
    assert message in payload["errors"][0]["message"]
