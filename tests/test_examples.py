import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from copilotkit_runtime_py.app.application import create_app
from copilotkit_runtime_py.settings import Settings
from examples.fastapi_app import app as fastapi_app

EXAMPLES = Path(__file__).parents[1] / "examples"
QUERY = """mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) {
    status { ... on BaseResponseStatus { code } }
    messages { ... on TextMessageOutput { content } ... on AgentStateMessageOutput { state } }
    metaEvents { ... on LangGraphInterruptEvent { value } }
  }
}"""


def say(client: TestClient, text: str, **data: Any) -> dict[str, Any]:
    message = {
        "id": "u1",
        "createdAt": "2025-01-01T00:00:00.000Z",
        "textMessage": {"role": "user", "content": text},
    }
    data = {"metadata": {}, "frontend": {"actions": []}, "messages": [message], "threadId": "t1", **data}
    answer = client.post(
        "/api/copilotkit",
        json={"query": QUERY, "variables": {"data": data}},
        headers={"accept": "application/json"},
    )
    response: dict[str, Any] = answer.json()["data"]["generateCopilotResponse"]
    assert response["status"] == {"code": "Success"}
    return response


def text(response: dict[str, Any]) -> str:
    return "".join(chunk for message in response["messages"] for chunk in message.get("content", []))


def test_the_fastapi_app_repeats_what_it_is_told() -> None:
    with TestClient(fastapi_app) as client:
        response = say(client, "good morning")

    assert text(response) == "good morning "


def test_the_langgraph_app_asks_before_it_books() -> None:
    app = create_app(Settings(config=EXAMPLES / "langgraph_app" / "langgraph.json"))

    answer = {"name": "LangGraphInterruptEvent", "value": "", "response": "yes"}
    with TestClient(app) as client:
        asked = say(client, "a table for two")
        booked = say(client, "a table for two", metaEvents=[answer])

    assert asked["metaEvents"] == [{"value": "Book 'a table for two'?"}]
    assert text(booked) == "Booked: a table for two."
    assert json.loads(booked["messages"][-1]["state"])["booked"] == ["a table for two"]
