"""A graph that asks a question of its own while a call of its model waits for the user's approval."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.approving_agents import Mails
from tests.tools.test_approvals import Page, results

pytestmark = pytest.mark.anyio

USER = {"id": "u1", "role": "user", "content": "Send it"}
CALL: Any = {"name": "send", "args": {"to": "bob"}, "id": "c1"}


def asking_graph() -> Any:
    """Calls the tool and asks for a name in one superstep, and then says what came of both."""

    def call(state: MessagesState) -> dict[str, Any]:
        last = state["messages"][-1]
        if isinstance(last, ToolMessage):
            return {"messages": [AIMessage(f"Result: {last.text}")]}
        return {"messages": [AIMessage("", tool_calls=[CALL])]}

    def ask(state: MessagesState) -> dict[str, Any]:
        if isinstance(state["messages"][-1], ToolMessage):
            return {}
        return {"messages": [AIMessage(f"Hello {interrupt('Name?')}")]}

    builder = StateGraph(MessagesState).add_node("call", call).add_node("ask", ask)
    builder.add_edge(START, "call").add_edge(START, "ask")
    return builder.compile(checkpointer=InMemorySaver())


@pytest.mark.parametrize("outcome", [True, False])
async def test_the_graphs_question_is_answered_first_and_the_call_afterwards(outcome: bool) -> None:
    mails = Mails()
    graph = LangGraphProvider(asking_graph(), emit_interrupt_outcome=outcome)
    page = Page(CopilotRuntime({"a": graph}, actions=mails.actions))
    first = await page.send(USER)
    questions = [each["value"] for each in first if each["type"] == "CUSTOM"]
    assert questions == ["Name?"]
    if outcome:
        (own,) = first[-1]["outcome"]["interrupts"]
        answer: dict[str, Any] = {
            "resume": [{"interruptId": own["id"], "status": "resolved", "payload": "Ann"}]
        }
    else:
        answer = {"forwardedProps": {"command": {"resume": "Ann"}}}
    second = await page.send(**answer)
    assert "Hello Ann" in str(second)
    (asked,) = second[-1]["outcome"]["interrupts"]
    assert (asked["message"], mails.sent) == ("Send it?", [])
    third = await page.answer(**{asked["id"]: {"approved": True}})
    assert results(third) == {asked["id"]: "sent to bob"}
    assert "Result: sent to bob" in str(third)
    assert third[-1].get("outcome") is None
    assert mails.sent == ["bob"]
