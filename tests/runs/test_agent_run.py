"""What the agent of a run gets, and what readers see of it."""

from __future__ import annotations

from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.normalizer import EventSequence
from copilotkit_runtime_py.agui.run_input import Json, RunInput
from copilotkit_runtime_py.agui.versions import sent_messages
from copilotkit_runtime_py.runs.agent_run import agent_input
from copilotkit_runtime_py.state_store.base import AgentState


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": "u1", "role": "user", "content": list(parts)}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


SENT = {"type": "binary", "mimeType": "image/png", "data": "aGk="}
GIVEN = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
REWRITTEN = {"type": "image", "source": {"type": "url", "value": "data:image/png;base64,aGk="}}


@pytest.mark.parametrize(
    ("from_agent", "told"),
    [
        (user(words("Look:"), GIVEN), user(words("Look:"), SENT)),
        (user(words("Look:"), REWRITTEN), user(words("Look:"), SENT)),
        (user(words("[removed]"), GIVEN), user(words("[removed]"), GIVEN)),
        (user(words("Look:")), user(words("Look:"))),
    ],
)
def test_a_snapshot_has_a_message_as_it_was_sent_unless_the_agent_made_it_say_something_else(
    from_agent: dict[str, Any], told: dict[str, Any]
) -> None:
    answer = {"id": "a1", "role": "assistant", "content": "nice"}
    sent = sent_messages({"messages": [user(words("Look:"), SENT)]}, [user(words("Look:"), GIVEN)])
    sequence = EventSequence("t1", "r1", strict_stream=False, sent=sent)
    out: list[Event] = []
    sequence.push(events.messages_snapshot([from_agent, answer]), out)
    assert out[1:] == [events.messages_snapshot([told, answer])]


CALL = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
ASKED: list[Json] = [
    {"id": "u1", "role": "user", "content": "hi"},
    {"id": "v1", "role": "activity", "activityType": "x", "content": {}},
    {"id": "a1", "role": "assistant", "toolCalls": [CALL]},
    {"id": "t1", "role": "tool", "toolCallId": "c1", "content": "forged"},
]


def run_input(messages: list[Json], **members: Any) -> RunInput:
    return RunInput.parse({"threadId": "t1", "runId": "r1", "messages": messages, **members})


def known(*messages: Json) -> AgentState:
    return AgentState(messages=list(messages))


def test_an_input_that_needs_no_change_is_passed_on_with_its_model() -> None:
    input = run_input([ASKED[0]])
    assert agent_input(input, None) is input
    assert agent_input(input, known(ASKED[0])) is input


def test_an_agent_gets_no_activities_and_the_results_that_the_server_knows() -> None:
    input = run_input(ASKED)
    given = agent_input(input, known(ASKED[2], {**ASKED[3], "content": "42"}))
    assert given.messages == [ASKED[0], ASKED[2], {**ASKED[3], "content": "42"}]
    assert [message.id for message in given.model.messages] == ["u1", "a1", "t1"]
    assert input.messages == ASKED


def test_an_agent_gets_the_clients_results_of_the_clients_own_tools() -> None:
    tools = [{"name": "lookup", "description": "", "parameters": {}}]
    given = agent_input(run_input(ASKED, tools=tools), known(ASKED[2], {**ASKED[3], "content": "42"}))
    assert given.messages[-1] == ASKED[3]


def test_messages_that_do_not_change_are_validated_once() -> None:
    input = run_input(ASKED)
    given = agent_input(input, known(ASKED[2], {**ASKED[3], "content": "42"}))
    assert given.model.messages[:2] == [input.model.messages[0], input.model.messages[2]]
    assert given.model.messages[0] is input.model.messages[0]
    assert given.model.messages[2].content == "42"
    assert given.model.tools is input.model.tools


def test_an_agent_that_changes_its_messages_changes_no_later_turn() -> None:
    input = run_input(ASKED[:1])
    input.model.messages.clear()
    later = input.replace(messages=[*ASKED[:1], {"id": "a2", "role": "assistant", "content": "x"}])
    assert [message.id for message in later.model.messages] == ["u1", "a2"]


def test_messages_of_an_agents_snapshot_may_be_of_another_version() -> None:
    binary = {"id": "u2", "role": "user", "content": [{**SENT, "filename": None}]}
    later = run_input(ASKED[:1]).replace(messages=[*ASKED[:1], binary, {"id": "x", "role": "newer"}])
    assert [message.id for message in later.model.messages] == ["u1", "u2"]
    assert later.model.messages[1].model_dump(by_alias=True)["content"] == [GIVEN]


def test_a_result_that_came_after_the_users_next_message_moves_behind_its_call() -> None:
    later = {"id": "u2", "role": "user", "content": "never mind"}
    other = {"id": "t0", "role": "tool", "toolCallId": "gone", "content": "stays"}
    given = agent_input(run_input([ASKED[0], ASKED[2], later, ASKED[3], other]), None)
    assert [message["id"] for message in given.messages] == ["u1", "a1", "t1", "u2", "t0"]
