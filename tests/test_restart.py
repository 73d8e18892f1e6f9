"""What a new process finds of the threads of an ended or killed one, through both contracts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

SERVE = [sys.executable, "-c", "from copilotkit_runtime_py.cli import main; main()", "serve", "--port", "0"]
GRAPH = """
import operator
from typing import Annotated
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

class Shopping(MessagesState):
    items: Annotated[list[str], operator.add]

def node(state):
    text = state["messages"][-1].text
    if text == "ask":
        text = interrupt("What shall I add?")
    return {"items": [text], "messages": [AIMessage(f"Added {text}.", id=f"a{len(state['messages'])}")]}

graph = StateGraph(Shopping).add_node("node", node).add_edge(START, "node").compile()
"""
STATE = """query ($data: LoadAgentStateInput!) {
  loadAgentState(data: $data) { threadId threadExists state messages }
}"""


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def store(request: pytest.FixtureRequest) -> str | None:
    """The URL of a store, or None for the one that the command chooses."""
    if request.param == "sqlite":
        return None
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@contextmanager
def served(directory: Path, store: str | None, stop: signal.Signals) -> Iterator[httpx.Client]:
    """Serves two agents of one graph, in a process that ends by a signal."""
    (directory / "shop.py").write_text(GRAPH)
    process = subprocess.Popen(
        [*SERVE, "--agent", "home=shop.py:graph", "--agent", "work=shop.py:graph"],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **({"COPILOTKIT_STORE": store} if store is not None else {})},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "\n", process.communicate(timeout=10)[1]
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=url, timeout=30) as client:
            yield client
    finally:
        process.send_signal(stop)
        process.communicate(timeout=30)


def post(client: httpx.Client, path: str, thread: str, *messages: str, **fields: Any) -> list[dict[str, Any]]:
    """Runs an agent, or connects to a thread, and returns the events."""
    sent = [{"id": f"u{i}", "role": "user", "content": text} for i, text in enumerate(messages)]
    body = {
        "threadId": thread,
        "runId": "r",
        "messages": sent,
        "tools": [],
        "context": [],
        "state": {},
        "forwardedProps": {},
        **fields,
    }
    lines = client.post(path, json=body).raise_for_status().text.splitlines()
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def load(client: httpx.Client, agent: str, thread: str) -> dict[str, Any]:
    data = {"threadId": thread, "agentName": agent}
    answer = client.post("", json={"query": STATE, "variables": {"data": data}}).raise_for_status()
    found: dict[str, Any] = answer.json()["data"]["loadAgentState"]
    return found


def seen(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns what a frontend shows after these events: texts, state and questions."""
    texts: dict[str, str] = {}
    state: Any = None
    questions: list[Any] = []
    for event in events:
        if event["type"] == "RUN_STARTED":
            questions = []
            for message in event.get("input", {}).get("messages", ()):
                texts[message["id"]] = message["content"]
        elif event["type"] == "MESSAGES_SNAPSHOT":
            texts = {message["id"]: message["content"] for message in event["messages"]}
        elif event["type"] == "STATE_SNAPSHOT":
            state = event["snapshot"]
        elif event["type"] == "CUSTOM" and event["name"] == "on_interrupt":
            questions.append(event["value"])
    return {"texts": list(texts.values()), "state": state, "questions": questions}


def test_state_history_and_questions_of_two_agents_outlive_the_process(
    tmp_path: Path, store: str | None
) -> None:
    with served(tmp_path, store, signal.SIGTERM) as client:
        post(client, "/agent/home/run", "both", "milk")
        post(client, "/agent/work/run", "both", "paper")
        post(client, "/agent/work/run", "asked", "ask")
    with served(tmp_path, store, signal.SIGKILL) as client:
        home, work = load(client, "home", "both"), load(client, "work", "both")
        threads = client.get("/threads", params={"agentId": "work"}).json()["threads"]
        question = seen(post(client, "/agent/work/connect", "asked"))
        post(client, "/agent/work/run", "asked", "ask", forwardedProps={"command": {"resume": "pens"}})
    with served(tmp_path, store, signal.SIGTERM) as client:
        answered = seen(post(client, "/agent/work/connect", "asked"))
        unknown = load(client, "home", "unknown")

    assert json.loads(home["state"])["items"] == ["milk"]
    assert json.loads(work["state"])["items"] == ["paper"]
    assert [message["content"] for message in json.loads(work["messages"])] == ["paper", "Added paper."]
    assert [thread["id"] for thread in threads] == ["asked", "both"]
    assert question["questions"] == ["What shall I add?"]
    assert answered == {"texts": ["ask", "Added pens."], "state": {"items": ["pens"]}, "questions": []}
    assert unknown["threadExists"] is False


def test_a_deleted_thread_is_gone_from_the_graphs_memory_too(tmp_path: Path) -> None:
    with served(tmp_path, None, signal.SIGTERM) as client:
        post(client, "/agent/home/run", "t", "milk")
        client.request("DELETE", "/threads/t", json={"agentId": "home"}).raise_for_status()

        assert load(client, "home", "t")["threadExists"] is False
        assert seen(post(client, "/agent/home/connect", "t")) == {"texts": [], "state": None, "questions": []}
