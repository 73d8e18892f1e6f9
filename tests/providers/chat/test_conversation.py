"""What of a request's conversation the model is given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.chat import ChatProvider
from copilotkit_runtime_py.providers.chat.conversation import conversation
from tests.providers.chat.scripted import ScriptedModel, asks, user

NO_RESULT = "The call was not answered; there is no result."


def given_to_model(*messages: dict[str, Any], accept: bool = True, **fields: Any) -> list[BaseMessage]:
    return conversation(asks(*messages, **fields), instructions="Be kind.", accept_instructions=accept)


def says(role: str, content: str, id: str = "m") -> dict[str, Any]:
    return {"id": id, "role": role, "content": content}


def calling(*ids: str, id: str = "a1", arguments: str = '{"x": 1}') -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    calls = [{"id": call, "type": "function", "function": function} for call in ids]
    return {"id": id, "role": "assistant", "toolCalls": calls}


def result(call: str, content: str = "done", id: str = "r") -> dict[str, Any]:
    return {"id": id, "role": "tool", "toolCallId": call, "content": content}


def called(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "f", "args": {"x": 1}, "id": id} for id in ids])


def unanswered(id: str) -> ToolMessage:
    return ToolMessage(NO_RESULT, tool_call_id=id, status="error")


BE_KIND = SystemMessage("Be kind.")


@pytest.mark.anyio
async def test_the_model_gets_the_conversation_without_ids_and_names() -> None:
    model = ScriptedModel()
    messages = [
        {**user("Hi"), "name": "Eve <eve@example.com>"},
        says("assistant", "Hello"),
        user("Bye", "u2"),
    ]
    provider = ChatProvider(model, instructions="Be kind.")
    async for _ in provider.run(asks(*messages), RequestContext()):
        pass
    assert model.asked == [[BE_KIND, HumanMessage("Hi"), AIMessage("Hello"), HumanMessage("Bye")]]


def test_all_instructions_become_one_message_at_the_start_behind_the_servers() -> None:
    messages = [says("system", "It is a shop."), user("Hi"), says("developer", "Be brief.", "d"), user("So?")]
    assert given_to_model(*messages) == [
        SystemMessage("Be kind.\n\nIt is a shop.\n\nBe brief."),
        HumanMessage("Hi"),
        HumanMessage("So?"),
    ]


def test_instructions_and_context_of_the_frontend_can_be_refused() -> None:
    messages = given_to_model(
        says("system", "Obey."), user("Hi"), accept=False, context=[{"description": "d", "value": "v"}]
    )
    assert messages == [BE_KIND, HumanMessage("Hi")]


def test_context_is_told_unless_the_instructions_tell_it_already() -> None:
    context = [
        {"description": "The page", "value": "/cart"},
        {"description": "The user", "value": '{"name":"Eve"}'},
    ]
    told = given_to_model(says("system", "You see: 1. The page: /cart"), user("Hi"), context=context)
    assert told[0] == SystemMessage(
        'Be kind.\n\nYou see: 1. The page: /cart\n\nWhat the application tells:\n\nThe user:\n{"name":"Eve"}'
    )


@pytest.mark.parametrize(
    "messages", [[says("user", " ")], [says("system", "Obey.")], [result("c9")]], ids=str
)
def test_a_request_that_says_nothing_is_refused(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(AgentError, match="no message to answer"):
        given_to_model(*messages)


def test_results_follow_their_calls_wherever_they_stood() -> None:
    messages = [
        user("Do both"),
        calling("c1", "c2"),
        result("c2", "two"),
        user("And?"),
        result("c1", "one"),
        result("c1", "one again"),
        result("c9", "for nobody"),
    ]
    assert given_to_model(*messages) == [
        BE_KIND,
        HumanMessage("Do both"),
        called("c1", "c2"),
        ToolMessage("one", tool_call_id="c1"),
        ToolMessage("two", tool_call_id="c2"),
        HumanMessage("And?"),
    ]


def test_a_call_without_a_result_is_given_one_that_says_so() -> None:
    messages = [user("Do it"), calling("c1"), user("Never mind")]
    assert given_to_model(*messages)[2:] == [called("c1"), unanswered("c1"), HumanMessage("Never mind")]


def test_messages_that_say_nothing_are_left_out() -> None:
    messages = [user("Hi"), says("assistant", ""), says("assistant", "\n"), user(" \n ", "u2"), user("So?")]
    assert given_to_model(*messages)[1:] == [HumanMessage("Hi"), HumanMessage("So?")]


def test_an_image_is_passed_on_without_the_empty_text_beside_it() -> None:
    image = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
    messages = [{"id": "u1", "role": "user", "content": [{"type": "text", "text": ""}, image]}]
    block = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    assert given_to_model(*messages)[1:] == [HumanMessage([block])]


CALL_IDS = st.sampled_from(["c1", "c2", "c3", ""])
CONTENT = st.sampled_from(["", " ", "text"])
MESSAGES = st.one_of(
    st.builds(says, st.sampled_from(["user", "assistant", "system", "developer"]), CONTENT),
    st.lists(CALL_IDS, max_size=3).map(lambda ids: calling(*ids)),
    st.builds(result, CALL_IDS, CONTENT),
    st.builds(calling, CALL_IDS, arguments=st.sampled_from(["", "{oops", "[]", '{"a":1}'])),
)


@given(st.lists(MESSAGES, max_size=8))
def test_whatever_a_client_sends_the_conversation_is_one_that_vendors_accept(
    messages: list[dict[str, Any]],
) -> None:
    whole = given_to_model(user("Hi"), *messages)
    open_calls: list[str | None] = []
    seen: set[str | None] = set()
    assert isinstance(whole[0], SystemMessage)
    for message in whole[1:]:
        assert not isinstance(message, SystemMessage)
        if isinstance(message, ToolMessage):
            assert message.tool_call_id == open_calls.pop(0)
            continue
        assert not open_calls
        if isinstance(message, AIMessage):
            open_calls = [call["id"] for call in message.tool_calls]
        assert message.text.strip() or open_calls
        assert len(set(open_calls)) == len(open_calls)
        assert seen.isdisjoint(open_calls)
        seen.update(open_calls)
    assert not open_calls
