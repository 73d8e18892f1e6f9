import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.testclient import TestClient

from copilotkit_runtime_py.app.application import create_app
from copilotkit_runtime_py.app.settings import Settings
from examples.fastapi_app import app as fastapi_app
from examples.fastapi_auth import app as auth_app
from examples.two_agents import app as two_agents_app
from tests.servers import free_port
from tests.test_packaging import ROOT

pytestmark = pytest.mark.processes

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


SERVED = sorted(
    str(path.relative_to(EXAMPLES))
    for path in EXAMPLES.glob("*.py")
    if " --with " not in path.read_text(encoding="utf-8")  # those are tested in test_frameworks.py
)


def command_of(example: str) -> list[str]:
    """The command that an example gives, without what installs its packages."""
    source = (EXAMPLES / example).read_text(encoding="utf-8")
    command = re.search(r"^    uv run --no-dev (.*\\\n.*|.*)$", source, re.MULTILINE)
    assert command is not None
    words = shlex.split(command[1].replace("\\\n", " "))
    while words[0] == "--extra":
        words = words[2:]
    return words


def run(client: TestClient | httpx.Client, text: str, *, agent: str = "default", **body: Any) -> list[Any]:
    """The events of a run on the AG-UI contract."""
    body = {
        "threadId": "t1",
        "runId": uuid4().hex,
        "messages": [{"id": uuid4().hex, "role": "user", "content": text}],
        "tools": [],
        "context": [],
        "state": {},
        **body,
    }
    answer = client.post(f"/api/copilotkit/agent/{agent}/run", json=body)
    assert answer.status_code == 200, answer.text
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


@contextmanager
def process_of(example: str, port: int | None = None, **environment: str) -> Iterator[httpx.Client]:
    """Starts an example by its command on a free port, and yields a client of it."""
    program, *arguments = command_of(example)
    port = port or free_port()
    process = subprocess.Popen(
        [Path(sys.executable).with_name(program), *arguments, "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COPILOTKIT_STORE": "memory", "PYTHONUNBUFFERED": "1", **environment},
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "Uvicorn running on" in line or line.startswith("CopilotKit runtime"):
                break
        else:
            raise AssertionError("".join(said))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.packaging
@pytest.mark.timeout(120)
@pytest.mark.parametrize("example", SERVED)
def test_every_example_starts_by_its_command(example: str, tmp_path: Path) -> None:
    with process_of(example, CREWAI_STORAGE_DIR=str(tmp_path)) as client:
        headers = {"authorization": "Bearer ada-secret"}
        assert client.get("/api/copilotkit/info", headers=headers).json()["agents"]


def test_the_readme_of_the_examples_names_every_one_and_its_command() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert {path.name for path in EXAMPLES.iterdir() if not path.name.startswith(("README", "__"))} == set(
        re.findall(r"\]\(([\w.-]+?)/?\)", page)
    )
    for example in SERVED:
        assert shlex.join(command_of(example)) in page


def test_in_the_app_with_users_each_has_their_own_threads_and_agents() -> None:
    ada, bob = ({"authorization": f"Bearer {name}-secret"} for name in ("ada", "bob"))
    with TestClient(auth_app) as client:
        assert client.get("/api/copilotkit/info").status_code == 401
        agents = [client.get("/api/copilotkit/info", headers=user).json()["agents"] for user in (ada, bob)]
        client.headers = ada
        greeted = run(client, "hello")
        threads = client.get("/api/copilotkit/threads", params={"agentId": "greeter"}).json()["threads"]
        client.headers = bob
        others = client.get("/api/copilotkit/threads", params={"agentId": "greeter"}).json()["threads"]

    assert [sorted(each) for each in agents] == [["default", "greeter", "payroll"], ["default", "greeter"]]
    assert spoken(greeted) == "Hello Ada, this is message 1 of our conversation."
    assert [thread["id"] for thread in threads] == ["t1"]
    assert others == []


def test_the_graph_shares_a_list_and_uses_the_pages_tool() -> None:
    tool = {"name": "setBackgroundColor", "description": "", "parameters": {"type": "object"}}
    app = create_app(Settings(agents={"demo": str(EXAMPLES / "langgraph_tools.py") + ":graph"}))
    with TestClient(app, base_url="http://localhost") as client:
        added = run(client, "add milk to my list", state={"items": ["bread"]})
        painted = run(client, "paint the page green", threadId="t2", tools=[tool])

    states = [event["snapshot"]["items"] for event in added if event["type"] == "STATE_SNAPSHOT"]
    assert states[-1] == ["bread", "milk"]
    assert spoken(added) == "The list has 2 items."
    assert [event["toolCallName"] for event in painted if event["type"] == "TOOL_CALL_START"] == [
        "setBackgroundColor"
    ]


@pytest.mark.packaging
@pytest.mark.timeout(120)
def test_the_flow_asks_before_it_publishes(tmp_path: Path) -> None:
    with process_of("crewai_flow.py", CREWAI_STORAGE_DIR=str(tmp_path)) as client:
        asked = run(client, "bicycles")
        (question,) = (event["value"] for event in asked if event.get("name") == "on_interrupt")
        answered = run(client, "yes", messages=[], forwardedProps={"command": {"resume": "yes"}})

    assert "Publish it?" in question
    assert spoken(answered) == "It is published."
    states = [event["snapshot"] for event in answered if event["type"] == "STATE_SNAPSHOT"]
    assert states[-1]["published"] == ["All about bicycles"]


def test_the_remote_agent_is_reached_over_http() -> None:
    port = free_port()
    with process_of("remote_agent.py", port, AGENT_URL=f"http://127.0.0.1:{port}/agents/echo") as client:
        events = run(client, "good morning")

    assert spoken(events) == "good morning "


def test_the_reception_hands_over_to_the_workshop() -> None:
    with TestClient(two_agents_app) as client:
        greeted = run(client, "hello")
        repaired = run(client, "my bell is broken", threadId="t2")
        asked_directly = run(client, "my saddle", agent="workshop", threadId="t3")

    assert spoken(greeted) == "Good morning! What can we do for you?"
    assert spoken(repaired) == "I shall repair it by tomorrow."
    assert [event["toolCallName"] for event in repaired if event["type"] == "TOOL_CALL_START"] == ["workshop"]
    assert spoken(asked_directly) == "I shall repair it by tomorrow."
