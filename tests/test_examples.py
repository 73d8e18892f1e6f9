import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from copilotkit_runtime_py.app.application import create_app
from copilotkit_runtime_py.settings import Settings
from examples.fastapi_app import app as fastapi_app
from tests.test_packaging import ROOT, UV

EXAMPLES = ROOT / "examples"
QUERY = """mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) {
    status { ... on BaseResponseStatus { code } }
    messages { ... on TextMessageOutput { content } ... on AgentStateMessageOutput { state } }
    metaEvents { ... on LangGraphInterruptEvent { value } }
  }
}"""


def say(client: TestClient | httpx.Client, text: str, **data: Any) -> dict[str, Any]:
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


@contextmanager
def started(example: str) -> Iterator[httpx.Client]:
    """Runs the command that an example gives, in an environment of its own, and yields a client of it."""
    source = (EXAMPLES / example).read_text(encoding="utf-8")
    command = re.search(r"^    (uv run .*\\\n.*)$", source, re.MULTILINE)
    assert command is not None
    _, run, *arguments = shlex.split(command[1].replace("\\\n", " "))
    inherited = {name: each for name, each in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    process = subprocess.Popen(
        [UV, run, "--isolated", "--frozen", "--no-dev", *arguments, "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**inherited, "COPILOTKIT_STORE": "memory"},
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("CopilotKit runtime: "):
                break
        else:
            raise AssertionError(process.communicate()[1])
        url = line.split()[-1]
        with httpx.Client(base_url=url.removesuffix("/api/copilotkit"), timeout=30) as client:
            yield client
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def told(
    client: httpx.Client, text: str, *, thread: str, tools: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """The events of a run on the AG-UI contract, without those of Agno's own."""
    body = {
        "threadId": thread,
        "runId": f"{thread}-{text}",
        "messages": [{"id": text, "role": "user", "content": text}],
        "tools": [{"name": name, "description": "", "parameters": {"type": "object"}} for name in tools],
        "context": [],
        "state": {},
    }
    answer = client.post("/api/copilotkit/agent/default/run", json=body)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [event for event in map(json.loads, lines) if event["type"] != "RAW"]


def spoken(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


@pytest.mark.packaging
@pytest.mark.timeout(300)
def test_the_pydantic_ai_agent_looks_up_the_weather_on_both_contracts() -> None:
    with started("pydantic_ai_agent.py") as client:
        events = told(client, "How is the weather in Rome?", thread="t1", tools=("paint",))
        response = say(client, "And in Oslo?", threadId="t2")

    assert spoken(events) == "It is 21 °C and sunny in Rome. "
    assert [event["content"] for event in events if event["type"] == "TOOL_CALL_RESULT"] == [
        "It is 21 °C and sunny in Rome."
    ]
    assert (events[0]["type"], events[-1]["type"]) == ("RUN_STARTED", "RUN_FINISHED")
    assert text(response) == "It is 21 °C and sunny in Oslo. "


@pytest.mark.packaging
@pytest.mark.timeout(300)
def test_the_agno_agent_remembers_each_thread_on_both_contracts() -> None:
    with started("agno_agent.py") as client:
        first = told(client, "buy milk", thread="t1")
        second = told(client, "call Ada", thread="t1")
        elsewhere = say(client, "water the plants", threadId="t2")
        third = say(client, "go home", threadId="t1")

    assert spoken(first) == "You have noted: buy milk"
    assert spoken(second) == "You have noted: buy milk, call Ada"
    assert text(elsewhere) == "You have noted: water the plants"
    assert text(third) == "You have noted: buy milk, call Ada, go home"
