"""GraphQL requests to a served runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Served

JSON = {"accept": "application/json"}
RUN = """
    mutation ($data: GenerateCopilotResponseInput!, $properties: JSONObject) {
        generateCopilotResponse(data: $data, properties: $properties) {
            threadId
            status { ... on BaseResponseStatus { code } }
            messages { ... on TextMessageOutput { content } }
        }
    }
"""


def post(served: Served, body: Any, headers: Mapping[str, str] | None = None) -> Exchange:
    return served.request("POST", "", body, {**JSON, **(headers or {})})


def ask(served: Served, query: str, variables: Any = None) -> Exchange:
    return post(served, {"query": query, "variables": variables or {}})


def data(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the real client sends to have an answer."""
    said = [
        {
            "id": "u1",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "textMessage": {"content": "hi", "role": "user"},
        }
    ]
    return {
        "metadata": {"requestType": "Chat"},
        "frontend": {"actions": []},
        "threadId": "t1",
        "messages": [*said, *messages],
        **more,
    }


async def answer(exchange: Exchange) -> tuple[int, Any]:
    async with exchange:
        body = await exchange.body()
        return exchange.status, json.loads(body) if body else None


async def errors(exchange: Exchange) -> list[str]:
    """The messages of the errors of an answer that says nothing else."""
    status, body = await answer(exchange)
    assert status in (200, 400), body
    assert not body.get("data"), body
    return [error["message"] for error in body["errors"]]
