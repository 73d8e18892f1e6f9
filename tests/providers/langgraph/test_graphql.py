"""A graph behind the GraphQL contract: what takes both to work."""

from __future__ import annotations

import operator
import re
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from copilotkit_runtime_py import CopilotRuntime, create_router

pytestmark = pytest.mark.anyio

MUTATION = """mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) {
    status { ... on BaseResponseStatus { code } }
    metaEvents { ... on LangGraphInterruptEvent { name value } }
  }
}"""


class Answers(MessagesState):
    got: Annotated[list[Any], operator.add]


def ask_name(state: Answers) -> dict[str, Any]:
    return {"got": [["name", interrupt({"question": "name?"})]]}


def ask_color(state: Answers) -> dict[str, Any]:
    return {"got": [["color", interrupt("color?")]]}


async def test_several_questions_at_once_are_answered_by_what_they_asked() -> None:
    builder = StateGraph(Answers).add_node("name", ask_name).add_node("color", ask_color)
    builder.add_edge(START, "name").add_edge(START, "color")
    graph = builder.compile(checkpointer=InMemorySaver())
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime({"form": graph}), path="/copilotkit"))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:

        async def send(*answers: dict[str, str]) -> dict[str, Any]:
            data = {
                "threadId": "t1",
                "metadata": {},
                "frontend": {"actions": []},
                "messages": [],
                "metaEvents": list(answers),
            }
            body = {"query": MUTATION, "variables": {"data": data}}
            answer = await client.post("/copilotkit", json=body, headers={"accept": "application/json"})
            response: dict[str, Any] = answer.json()["data"]["generateCopilotResponse"]
            return response

        asked = (await send())["metaEvents"]
        assert sorted(event["value"] for event in asked) == ["color?", '{"question":"name?"}']
        replies = {event["value"]: re.sub(r"\W", "", event["value"]) for event in asked}
        in_other_order = [event | {"response": replies[event["value"]]} for event in reversed(asked)]
        assert await send(*in_other_order) == {"status": {"code": "Success"}, "metaEvents": []}

    state = await graph.aget_state({"configurable": {"thread_id": "t1"}})
    assert dict(state.values["got"]) == {"name": "questionname", "color": "color"}
