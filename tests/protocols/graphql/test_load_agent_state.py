"""What a page gets back when it is loaded again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from ag_ui.core import RunAgentInput
from fastapi import FastAPI
from starlette.testclient import TestClient

from copilotkit_runtime_py import CopilotRuntime, create_router

SEND = """
mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) { messages { ... on TextMessageOutput { content } } }
}
"""
LOAD = """
{ loadAgentState(data: { threadId: "t", agentName: "echo" }) { threadExists messages } }
"""


async def echo(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield {"type": "TEXT_MESSAGE_START", "messageId": "answer", "role": "assistant"}
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "answer", "delta": str(len(input.messages))}
    yield {"type": "TEXT_MESSAGE_END", "messageId": "answer"}


def text(id: str, role: str) -> dict[str, Any]:
    return {
        "id": id,
        "createdAt": "2025-01-01T00:00:00.000Z",
        "textMessage": {"role": role, "content": f"the {id}"},
    }


def test_the_page_does_not_get_its_own_instructions_back() -> None:
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime(agents={"echo": echo}), path="/"))
    data = {
        "threadId": "t",
        "metadata": {"requestType": "Chat"},
        "frontend": {"actions": []},
        "messages": [text("instructions", "system"), text("question", "user"), text("note", "system")],
        "agentSession": {"agentName": "echo"},
    }

    with TestClient(app) as client:
        client.post("/", json={"query": SEND, "variables": {"data": data}})
        loaded = client.post("/", json={"query": LOAD}).json()["data"]["loadAgentState"]

    assert loaded["threadExists"] is True
    assert json.loads(loaded["messages"]) == [
        {"id": "question", "role": "user", "content": "the question"},
        {"id": "note", "role": "system", "content": "the note"},
        {"id": "answer", "role": "assistant", "content": "3"},
    ]
