"""GraphQL input becomes AG-UI input, and AG-UI messages the flat form."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py import Limits
from copilotkit_runtime_py.errors import InvalidRequestError
from copilotkit_runtime_py.protocols.graphql.convert import (
    flat_messages,
    messages_from_input,
    run_input,
)
from copilotkit_runtime_py.protocols.graphql.inputs import (
    ActionInputAvailability,
    AgentSessionInput,
    AgentStateInput,
    CopilotContextInput,
    CopilotRequestType,
    GenerateCopilotResponseMetadataInput,
    MessageInput,
    MetaEventInput,
)
from copilotkit_runtime_py.protocols.graphql.types import MetaEventName
from tests.protocols.graphql.requests import (
    action,
    agent_state,
    call,
    image,
    message,
    request,
    result,
    text,
)

Json = dict[str, Any]

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def body(data: Any, agent_name: str = "a", **options: Any) -> Json:
    """What the agent gets, in JSON form."""
    options = {"properties": {}, "limits": Limits(), **options}
    given = asyncio.run(run_input(data, agent_name=agent_name, **options))
    return given.json


def tool_call(id: str, name: str = "f", arguments: str = "{}") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_the_smallest_request_is_served() -> None:
    given = body(request(message("u1", text_message=text()), thread_id="t1"))
    assert re.fullmatch(UUID, given.pop("runId"))
    assert given == {
        "threadId": "t1",
        "messages": [{"id": "u1", "role": "user", "content": "hi"}],
        "tools": [],
        "context": [],
        "forwardedProps": {"config": {}, "threadMetadata": {}},
        "state": {},
    }


def test_the_run_id_is_never_the_clients() -> None:
    data = request(thread_id="t1", run_id="mine")
    assert len({"mine", body(data)["runId"], body(data)["runId"]}) == 3


def test_the_thread_is_the_requests_else_the_sessions_else_a_new_one() -> None:
    session = AgentSessionInput(agent_name="a", thread_id="t2")
    assert body(request(thread_id="t1", agent_session=session))["threadId"] == "t1"
    assert body(request(agent_session=session))["threadId"] == "t2"
    assert body(request(thread_id="", agent_session=session))["threadId"] == "t2"
    assert re.fullmatch(
        f"ck-{UUID}", body(request(agent_session=AgentSessionInput(agent_name="a")))["threadId"]
    )
    assert body(request())["threadId"] != body(request())["threadId"]


@pytest.mark.parametrize("role", ["user", "assistant", "system", "developer"])
def test_a_text_keeps_its_role(role: str) -> None:
    given = message("m1", text_message=text("hi", role))
    assert messages_from_input([given]) == [{"id": "m1", "role": role, "content": "hi"}]
    assert body(request(given))["messages"] == [{"id": "m1", "role": role, "content": "hi"}]


@pytest.mark.parametrize(
    ("kind", "roles"),
    [(CopilotRequestType.Task, ["system", "user"]), (CopilotRequestType.Chat, ["system"] * 2)],
)
def test_a_task_of_instructions_only_is_what_the_user_asks(
    kind: CopilotRequestType, roles: list[str]
) -> None:
    data = request(*(message(id, text_message=text("Do it.", "system")) for id in ("s1", "s2")))
    data.metadata = GenerateCopilotResponseMetadataInput(request_type=kind)
    assert [each["role"] for each in body(data)["messages"]] == roles


def test_a_task_with_a_conversation_keeps_its_instructions() -> None:
    data = request(message("u1", text_message=text()), message("s1", text_message=text("Do it.", "system")))
    data.metadata = GenerateCopilotResponseMetadataInput(request_type=CopilotRequestType.Task)
    assert [each["role"] for each in body(data)["messages"]] == ["user", "system"]


def test_an_action_execution_is_a_call_of_the_message_it_names() -> None:
    assert messages_from_input(
        [
            message("m1", text_message=text("let me see", "assistant")),
            message("c1", action_execution_message=call("f", '{"a":1}', parent_message_id="m1")),
            message("c2", action_execution_message=call("g", "", parent_message_id="m1")),
        ]
    ) == [
        {
            "id": "m1",
            "role": "assistant",
            "content": "let me see",
            "toolCalls": [tool_call("c1", "f", '{"a":1}'), tool_call("c2", "g", "")],
        }
    ]


def test_an_action_execution_without_a_message_gets_one() -> None:
    assert messages_from_input(
        [
            message("c1", action_execution_message=call()),
            message("c2", action_execution_message=call(parent_message_id="p1")),
            message("c3", action_execution_message=call(parent_message_id="p1")),
        ]
    ) == [
        {"id": "c1", "role": "assistant", "toolCalls": [tool_call("c1")]},
        {"id": "p1", "role": "assistant", "toolCalls": [tool_call("c2"), tool_call("c3")]},
    ]


def test_an_action_execution_does_not_join_a_message_of_somebody_else() -> None:
    assert messages_from_input(
        [
            message("u1", text_message=text()),
            message("c1", action_execution_message=call(parent_message_id="u1")),
        ]
    ) == [
        {"id": "u1", "role": "user", "content": "hi"},
        {"id": "c1", "role": "assistant", "toolCalls": [tool_call("c1")]},
    ]


def test_arguments_that_are_no_json_reach_the_agent_as_they_are() -> None:
    assert messages_from_input([message("c1", action_execution_message=call("f", "{oops"))]) == [
        {"id": "c1", "role": "assistant", "toolCalls": [tool_call("c1", "f", "{oops")]}
    ]


def test_a_result_is_a_tool_message() -> None:
    assert messages_from_input([message("result-c1", result_message=result("c1", "20°"))]) == [
        {"id": "result-c1", "role": "tool", "content": "20°", "toolCallId": "c1"}
    ]


@pytest.mark.parametrize(("format", "mime_type"), [("png", "image/png"), ("image/jpeg", "image/jpeg")])
def test_an_image_of_the_user_is_a_content_part(format: str, mime_type: str) -> None:
    part = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": mime_type}}
    given = message("i1", image_message=image(format))
    assert messages_from_input([given]) == [{"id": "i1", "role": "user", "content": [part]}]
    assert body(request(given))["messages"] == [{"id": "i1", "role": "user", "content": [part]}]


def test_what_agents_have_no_message_for_is_left_out() -> None:
    assert (
        messages_from_input(
            [
                message("s1", agent_state_message=agent_state("{oops")),
                message("i1", image_message=image(role="assistant")),
                message("n1"),
            ]
        )
        == []
    )


def test_of_several_kinds_the_first_counts() -> None:
    kinds: list[tuple[str, Any, str]] = [
        ("text_message", text(), "user"),
        ("image_message", image(), "user"),
        ("action_execution_message", call(), "assistant"),
        ("result_message", result("c1"), "tool"),
    ]
    for n, (_, _, role) in enumerate(kinds):
        given = message("m1", agent_state_message=agent_state(), **{k: v for k, v, _ in kinds[n:]})
        (converted,) = messages_from_input([given])
        assert converted["role"] == role
        assert isinstance(converted.get("content"), list) == (n == 1)


def test_tools_are_the_actions_that_are_not_disabled_each_once() -> None:
    schema = '{"type":"object","properties":{"a":{"type":"string"}}}'
    actions = [
        action("f", schema),
        action("g", available=ActionInputAvailability.disabled),
        action("h", available=ActionInputAvailability.remote),
        action("i", available=ActionInputAvailability.enabled),
        action("f", "{oops"),
    ]
    assert body(request(actions=actions))["tools"] == [
        {"name": "f", "description": "does f", "parameters": json.loads(schema)},
        {"name": "h", "description": "does h", "parameters": {"type": "object"}},
        {"name": "i", "description": "does i", "parameters": {"type": "object"}},
    ]


@pytest.mark.parametrize("schema", ["", "{oops", "[]", "null", '"x"'])
def test_a_schema_that_is_no_object_is_refused_by_name(schema: str) -> None:
    with pytest.raises(InvalidRequestError, match="The jsonSchema of action 'f' must be a JSON object"):
        body(request(actions=[action("f", schema)]))


def test_the_state_and_the_config_are_those_of_the_agent() -> None:
    entries = [
        AgentStateInput(agent_name="b", state='{"b":1}', config='{"x":1}'),
        AgentStateInput(
            agent_name="a", state='{"a":1}', config='{"recursion_limit":9,"streamSubgraphs":true}'
        ),
        AgentStateInput(agent_name="a", state='{"a":2}'),
    ]
    given = body(request(agent_states=entries))
    assert given["state"] == {"a": 1}
    assert given["forwardedProps"] == {
        "config": {"recursion_limit": 9},
        "threadMetadata": {},
        "streamSubgraphs": True,
    }
    assert body(request(agent_states=entries), agent_name="c")["state"] == {}
    single = request(agent_state=AgentStateInput(agent_name="a", state='{"a":3}'))
    assert body(single)["state"] == {"a": 3}


def test_a_state_or_a_config_that_is_no_json_is_empty() -> None:
    given = body(request(agent_states=[AgentStateInput(agent_name="a", state="{oops", config="[1]")]))
    assert (given["state"], given["forwardedProps"]["config"]) == ({}, {})


def test_the_node_and_the_properties_are_forwarded() -> None:
    session = AgentSessionInput(agent_name="a", node_name="ask")
    given = body(request(agent_session=session), properties={"tenant": 5, "config": {"mine": 1}})
    assert given["forwardedProps"] == {
        "config": {"mine": 1},
        "threadMetadata": {},
        "nodeName": "ask",
        "tenant": 5,
    }


def test_context_is_passed_on() -> None:
    given = body(request(context=[CopilotContextInput(description="page", value="/cart")]))
    assert given["context"] == [{"description": "page", "value": "/cart"}]


def answer(value: str = "?", **fields: Any) -> MetaEventInput:
    return MetaEventInput(name=MetaEventName.LangGraphInterruptEvent, value=value, **fields)


def test_the_first_answer_resumes_as_the_text_it_is() -> None:
    def command(*answers: MetaEventInput) -> Any:
        return body(request(meta_events=list(answers)))["forwardedProps"].get("command")

    assert command() is None
    assert command(answer(response='{"a":1}'), answer(response="second")) == {"resume": '{"a":1}'}
    assert command(answer(response="")) == {"resume": ""}
    assert command(answer(), answer(response="second")) == {}
    assert command(answer(response=None)) == {}


def interrupt(id: str, value: Any) -> Json:
    return {"id": id, "reason": "x", "metadata": {"langgraph": {"raw": value}}}


def test_answers_go_to_the_interrupts_they_answer() -> None:
    def resume(interrupts: list[Json], *answers: MetaEventInput) -> Any:
        return body(request(meta_events=list(answers)), interrupts=interrupts).get("resume")

    waiting = [interrupt("i1", "name?"), interrupt("i2", {"sure": True})]
    assert resume([], answer(response="x")) is None
    assert resume(waiting) is None
    assert resume(waiting, answer("name?")) is None
    assert resume(waiting, answer('{"sure":true}', response='{"ok":1}'), answer("other", response="Ann")) == [
        {"interruptId": "i2", "status": "resolved", "payload": {"ok": 1}},
        {"interruptId": "i1", "status": "resolved", "payload": "Ann"},
    ]
    assert resume(waiting, answer("?", response="x")) == [
        {"interruptId": "i1", "status": "resolved", "payload": "x"}
    ]
    assert resume(waiting[:1], *[answer("name?", response=str(n)) for n in range(3)]) == [
        {"interruptId": "i1", "status": "resolved", "payload": 0}
    ]


def test_a_text_of_a_tool_is_a_result_that_names_no_call() -> None:
    assert body(request(message("m1", text_message=text("x", "tool"))))["messages"] == [
        {"id": "m1", "role": "tool", "content": "x", "toolCallId": ""}
    ]


def test_messages_are_flattened_one_kind_each() -> None:
    part = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
    assert flat_messages(
        [
            {"id": "s", "role": "system", "content": "be nice"},
            {"id": "u", "role": "user", "content": [{"type": "text", "text": "look"}, part]},
            {
                "id": "m",
                "role": "assistant",
                "content": "I see",
                "toolCalls": [tool_call("c1", "f", '{"a":1}'), tool_call("c2", "g", "{oops")],
            },
            {"id": "r1", "role": "tool", "toolCallId": "c1", "content": "done"},
            {"id": "r2", "role": "tool", "toolCallId": "c9", "content": {"x": 1}},
            {"id": "t", "role": "reasoning", "content": "hm"},
            {"id": "a", "role": "activity", "content": {}},
            {"id": "e", "role": "assistant", "content": None, "toolCalls": None},
        ]
    ) == [
        {"id": "s", "role": "system", "content": "be nice"},
        {"id": "u", "role": "user", "content": "look"},
        {"id": "u", "role": "user", "format": "png", "bytes": "aGk="},
        {"id": "m", "role": "assistant", "content": "I see"},
        {"id": "c1", "name": "f", "arguments": {"a": 1}, "parentMessageId": "m"},
        {"id": "c2", "name": "g", "arguments": {}, "parentMessageId": "m"},
        {"id": "r1", "result": "done", "actionExecutionId": "c1", "actionName": "f"},
        {"id": "r2", "result": '{"x":1}', "actionExecutionId": "c9", "actionName": "unknown"},
    ]


@pytest.mark.parametrize(
    "content",
    [5, {"x": 1}, ["text"], [{"type": "image"}], [{"type": "image", "source": {"type": "data"}}], [{}]],
)
def test_content_of_another_kind_has_no_flat_form(content: Any) -> None:
    assert flat_messages([{"id": "u", "role": "user", "content": content}]) == []


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
ARGUMENTS = st.dictionaries(WORDS, st.integers(-9, 9) | WORDS | st.none(), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[MessageInput]:
    """What a client sends: ids are unique, calls have a parent or none, results name their call."""
    messages: list[MessageInput] = []
    calls: list[str] = []
    texts: list[str] = []
    for n in range(draw(st.integers(0, 8))):
        id = f"m{n}"
        kind = draw(st.sampled_from(["text", "image", "call", "result"]))
        if kind == "text":
            role = draw(st.sampled_from(["user", "assistant", "system", "developer"]))
            messages.append(message(id, text_message=text(draw(WORDS), role)))
            texts += [id] if role == "assistant" else []
        elif kind == "image":
            messages.append(message(id, image_message=image(draw(st.sampled_from(["png", "jpeg"])), "aGk=")))
        elif kind == "call":
            arguments = json.dumps(draw(ARGUMENTS))
            parent = draw(st.sampled_from([None, *texts]))
            made = call(draw(WORDS), arguments, parent_message_id=parent)
            messages.append(message(id, action_execution_message=made))
            calls.append(id)
        elif calls:
            messages.append(message(id, result_message=result(calls.pop(), draw(WORDS))))
    return messages


def flat(given: MessageInput, names: dict[str, str]) -> Json:
    """The flat form of a message, straight from the input."""
    if given.text_message:
        return {
            "id": given.id,
            "role": given.text_message.role.value,
            "content": given.text_message.content,
        }
    if given.image_message:
        return {"id": given.id, "role": "user", "format": given.image_message.format, "bytes": "aGk="}
    if given.action_execution_message:
        names[given.id] = given.action_execution_message.name
        return {
            "id": given.id,
            "name": given.action_execution_message.name,
            "arguments": json.loads(given.action_execution_message.arguments),
            "parentMessageId": given.action_execution_message.parent_message_id or given.id,
        }
    assert given.result_message
    call_id = given.result_message.action_execution_id
    return {
        "id": given.id,
        "result": given.result_message.result,
        "actionExecutionId": call_id,
        "actionName": names[call_id],
    }


@given(conversations())
def test_a_conversation_survives_the_way_through_agui(messages: list[MessageInput]) -> None:
    names: dict[str, str] = {}
    sent = [flat(given, names) for given in messages]
    came_back = flat_messages(body(request(*messages))["messages"])
    assert sorted(came_back, key=lambda m: str(m["id"])) == sorted(sent, key=lambda m: str(m["id"]))
    # A call stands with its parent, everything else where it was.
    order = [m["id"] for m in came_back if m.get("parentMessageId", m["id"]) == m["id"]]
    assert order == [m["id"] for m in sent if m.get("parentMessageId", m["id"]) == m["id"]]


def test_an_approval_is_given_only_by_what_shows_its_question() -> None:
    def approval(id: str) -> Json:
        return {
            "id": id,
            "reason": "tool_call",
            "toolCallId": id,
            "metadata": {"approval": {"toolName": "f"}},
        }

    def resume(interrupts: list[Json], *answers: MetaEventInput) -> Any:
        return body(request(meta_events=list(answers)), interrupts=interrupts).get("resume")

    def addressed(id: str) -> Json:
        return {"interruptId": id, "status": "resolved", "payload": {"approved": True}}

    yes = '{"approved":true}'
    waiting = [approval("c1"), approval("c2"), interrupt("i1", "name?")]
    assert resume(waiting, answer(json.dumps(approval("c2")), response=yes)) == [addressed("c2")]
    late = answer(json.dumps(approval("c0")), response=yes)
    assert resume(waiting, late) == resume([], late) == [addressed("c0")]
    assert resume(waiting, *[answer("other?", response=yes)] * 2) == [addressed("i1")]
