"""Message changes grow a `CopilotResponse`."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.protocols.graphql.client import Client
from copilotkit_runtime_py.protocols.graphql.executor.live import Deferred, LiveList
from copilotkit_runtime_py.protocols.graphql.projection import (
    ACTION,
    TEXT,
    AddCopilotKitInterrupt,
    AddInterrupt,
    AddResult,
    AddState,
    End,
    Fail,
    Finish,
    Grow,
    StartAction,
    StartText,
)
from copilotkit_runtime_py.protocols.graphql.response import (
    ResponseBuilder,
    denied_status,
    failed_status,
    messages_from_flat,
)
from copilotkit_runtime_py.protocols.graphql.types import (
    ActionExecutionMessageOutput,
    AgentStateMessageOutput,
    CopilotKitLangGraphInterruptEvent,
    FailedMessageStatus,
    FailedResponseStatus,
    LangGraphInterruptEvent,
    ResultMessageOutput,
    SuccessMessageStatus,
    SuccessResponseStatus,
    TextMessageOutput,
)
from tests.running import StreamRun


def builder(version: str | None = None) -> ResponseBuilder:
    return ResponseBuilder(StreamRun(), Client(version))


def plain(value: Any) -> Any:
    """A value as far as it has grown; `...` where it may go on."""
    if isinstance(value, LiveList):
        return [plain(item) for item in value.items] + ([] if value.closed else [...])
    if isinstance(value, Deferred):
        return plain(value.value) if value.done else ...
    if isinstance(value, FailedMessageStatus):
        return value.reason
    if isinstance(value, SuccessMessageStatus | SuccessResponseStatus):
        return value.code.value
    if dataclasses.is_dataclass(value):
        left_out = {"created_at", "type", "scope"}
        kept = {name: plain(item) for name, item in vars(value).items() if name not in left_out}
        return {"is": type(value).__name__, **kept}
    return value


def messages(*changes: Any) -> Any:
    growing = builder()
    growing.apply(changes)
    return plain(growing.response.messages)


def text(id: str, content: list[Any], status: Any) -> dict[str, Any]:
    return {
        "is": "TextMessageOutput",
        "id": id,
        "status": status,
        "role": "assistant",
        "content": content,
        "parent_message_id": None,
    }


def action(id: str, arguments: list[Any], status: Any, parent: str | None = None) -> dict[str, Any]:
    return {
        "is": "ActionExecutionMessageOutput",
        "id": id,
        "status": status,
        "name": "f",
        "arguments": arguments,
        "parent_message_id": parent,
    }


def test_a_response_begins_empty() -> None:
    assert plain(builder().response) == {
        "is": "CopilotResponse",
        "thread_id": "t1",
        "status": ...,
        "run_id": None,
        "messages": [...],
        "extensions": None,
        "meta_events": [...],
    }


def test_texts_and_actions_grow_side_by_side() -> None:
    changes = [
        StartText("x"),
        StartAction("x", "f", "x"),
        Grow(TEXT, "x", "a"),
        Grow(ACTION, "x", "{"),
        Grow(TEXT, "x", "b"),
        End(TEXT, "x", None),
        Grow(ACTION, "x", "}"),
    ]
    assert messages(*changes[:5]) == [
        text("x", ["a", "b", ...], ...),
        action("x", ["{", ...], ..., "x"),
        ...,
    ]
    assert messages(*changes, End(ACTION, "x", "cut"), Finish()) == [
        text("x", ["a", "b"], "Success"),
        action("x", ["{", "}"], "cut", "x"),
    ]


def test_two_messages_of_one_id_are_two() -> None:
    one = [StartText("m"), Grow(TEXT, "m", "a"), End(TEXT, "m", None)]
    two = [StartText("m"), Grow(TEXT, "m", "b"), End(TEXT, "m", None)]
    assert messages(*one, *two) == [text("m", ["a"], "Success"), text("m", ["b"], "Success"), ...]


def test_a_result_is_named_after_its_call() -> None:
    assert messages(AddResult("c", "f", "done")) == [
        {
            "is": "ResultMessageOutput",
            "id": "result-c",
            "status": "Success",
            "action_execution_id": "c",
            "action_name": "f",
            "result": "done",
        },
        ...,
    ]


def test_a_state_tells_the_run_and_has_an_id_of_its_own() -> None:
    first, second, _ = messages(
        AddState("plan", '{"a":1}', active=True, running=True),
        AddState("", "{}", active=False, running=False),
    )
    ids = [first.pop("id"), second.pop("id")]
    assert all(re.fullmatch(r"ck-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id) for id in ids)
    assert ids[0] != ids[1]
    assert first == {
        "is": "AgentStateMessageOutput",
        "status": "Success",
        "thread_id": "t1",
        "agent_name": "a",
        "node_name": "plan",
        "run_id": "r1",
        "active": True,
        "role": "assistant",
        "state": '{"a":1}',
        "running": True,
    }
    assert (second["active"], second["running"]) == (False, False)


def test_a_message_has_the_time_of_its_beginning() -> None:
    growing = builder()
    before = datetime.now(UTC)
    growing.apply([StartText("m")])
    (message,) = growing.response.messages.items
    assert before <= message.created_at <= datetime.now(UTC)


def test_interrupts_are_meta_events() -> None:
    growing = builder()
    shown = {"id": "m", "role": "assistant", "content": "sure?"}
    growing.apply([AddInterrupt("name?"), AddCopilotKitInterrupt("sure?", [shown, {"role": "reasoning"}])])
    first, second = growing.response.meta_events.items
    assert isinstance(first, LangGraphInterruptEvent)
    assert isinstance(second, CopilotKitLangGraphInterruptEvent)
    assert (first.type, first.name, first.value, first.response) == (
        "MetaEvent",
        "LangGraphInterruptEvent",
        "name?",
        None,
    )
    assert second.data.value == "sure?"
    assert plain(second.data.messages[0]) == text("m", ["sure?"], "Success")
    assert len(second.data.messages) == 1


def test_an_end_closes_everything() -> None:
    growing = builder()
    growing.apply([Finish()])
    response = plain(growing.response)
    assert (response["status"], response["messages"], response["meta_events"]) == ("Success", [], [])


@pytest.mark.parametrize(
    ("version", "texts"),
    [
        (None, []),
        ("1.10.6", []),
        ("1.9.2", []),
        ("1.9.2-next.1", []),
        ("1.74.0", []),
        ("odd", []),
        ("1.9.1", ["No politics."]),
        ("1.8.5", ["No politics."]),
    ],
)
@pytest.mark.parametrize("code", [None, "GUARDRAILS_VALIDATION_FAILED"])
def test_pages_that_show_no_failed_status_get_a_message_that_says_why(
    version: str | None, texts: list[str], code: str | None
) -> None:
    growing = builder(version)
    growing.apply([Fail("No politics.", code)])
    messages = growing.response.messages.items
    assert all(isinstance(message, TextMessageOutput) for message in messages)
    assert ["".join(message.content.items) for message in messages] == texts  # type: ignore[attr-defined]
    assert all(plain(message.status) == "Success" for message in messages)
    assert isinstance(growing.response.status.value, FailedResponseStatus)


def test_a_failure_is_explained_as_clients_read_it() -> None:
    growing = builder()
    growing._run.error = AgentError("HTTP 404: gone", status_code=404)
    growing.apply([Fail("HTTP 404: gone", "GONE")])
    assert growing.response.messages.closed
    assert growing.response.meta_events.closed
    status = growing.response.status.value
    assert isinstance(status, FailedResponseStatus)
    assert (status.code, status.reason) == ("Failed", "UNKNOWN_ERROR")
    original = {"code": "UNKNOWN", "statusCode": 404, "severity": "critical", "visibility": "toast"}
    extensions = {
        "name": "CopilotError",
        "troubleshootingUrl": None,
        **original,
        "code": "GONE",
        "originalError": {"message": "HTTP 404: gone"},
    }
    details: Any = status.details
    assert details == {
        "description": "HTTP 404: gone",
        "originalError": {**original, "extensions": extensions},
    }


def test_a_failure_without_a_code_is_unknown() -> None:
    details: Any = failed_status("boom").details
    assert details["originalError"]["extensions"]["code"] == "UNKNOWN"


def test_a_denial_says_the_reason() -> None:
    details: Any = denied_status("no cars").details
    assert details == {"guardrailsReason": "no cars"}


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"id": "m", "role": "assistant", "content": "x"}, [text("m", ["x"], "Success")]),
        ({"id": "m", "content": "x"}, [text("m", ["x"], "Success")]),
        ({"id": "m", "role": "assistant", "content": None}, []),
        (
            {"id": "m", "role": "assistant", "content": "", "toolCalls": [CALL]},
            [action("c", ["{}"], "Success", "m")],
        ),
        ({"id": "m", "role": "assistant", "toolCalls": [5, {"id": "c"}, {"function": 5}]}, []),
        ({"id": "m", "role": "assistant", "toolCalls": 5}, []),
        (
            {"id": "c", "name": "f", "arguments": {"a": 1}, "parentMessageId": "m"},
            [action("c", ['{"a":1}'], "Success", "m")],
        ),
        ({"id": "c", "name": "f", "arguments": "{}", "parentMessageId": 5}, [action("c", ["{}"], "Success")]),
        ({"id": "m", "role": "reasoning", "content": "hm"}, []),
        ({"id": "m", "role": ["user"], "content": "hm"}, []),
    ],
)
def test_flat_messages_and_agui_messages_are_messages(given: dict[str, Any], made: list[Any]) -> None:
    assert [plain(message) for message in messages_from_flat(given)] == made


@pytest.mark.parametrize(
    "given",
    [
        {"id": "r", "result": {"x": 1}, "actionExecutionId": "c", "actionName": "f"},
        {"id": "r", "role": "tool", "toolCallId": "c", "content": '{"x":1}', "actionName": "f"},
    ],
)
def test_results_of_either_form_are_messages(given: dict[str, Any]) -> None:
    (made,) = messages_from_flat(given)
    assert isinstance(made, ResultMessageOutput)
    assert (made.id, made.action_execution_id, made.action_name, made.result) == ("r", "c", "f", '{"x":1}')


def test_a_message_without_an_id_gets_one() -> None:
    (made,) = messages_from_flat({"content": "x"})
    assert re.fullmatch(r"ck-[0-9a-f-]{36}", made.id)


def test_every_kind_of_message_has_a_status_of_its_own() -> None:
    growing = builder()
    growing.apply(
        [StartText("m"), StartAction("c", "f", None), AddResult("c", "f", ""), AddState("", "{}", True, True)]
    )
    kinds = [type(message) for message in growing.response.messages.items]
    assert kinds == [
        TextMessageOutput,
        ActionExecutionMessageOutput,
        ResultMessageOutput,
        AgentStateMessageOutput,
    ]
    assert len({id(message.status) for message in growing.response.messages.items}) == 4
