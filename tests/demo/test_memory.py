import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import copilotkit_runtime_py.demo.agent as demo
from copilotkit_runtime_py.app.application import create_app
from copilotkit_runtime_py.app.settings import Settings, demo_agent
from copilotkit_runtime_py.demo.model import ScriptedChatModel


def say(client: TestClient, text: str, **fields: Any) -> list[dict[str, Any]]:
    body = {
        "threadId": "t",
        "runId": "r",
        "messages": [{"id": text, "role": "user", "content": text}],
        "tools": [],
        "context": [],
        "state": {},
        "forwardedProps": {},
        **fields,
    }
    lines = client.post("/api/copilotkit/agent/demo/run", json=body).text.splitlines()
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event.get("delta", "") for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_demo_asks_and_takes_the_answer(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "model", ScriptedChatModel(delay=0))
    url = "memory" if store == "memory" else f"sqlite:///{tmp_path}/threads.db"
    settings = Settings(agents=demo_agent(), store=url)

    with TestClient(create_app(settings)) as client:
        asked = say(client, "book a table for two")
        booked = say(client, "book a table for two", forwardedProps={"command": {"resume": "yes"}})

    assert [event["value"] for event in asked if event.get("name") == "on_interrupt"] == [
        "Shall I book a table for 2? (yes or no)"
    ]
    assert text_of(booked) == "The table for 2 is booked. Enjoy your meal!"
