"""A client that leaves stops its run: the agent's connection is closed, and nothing else is touched."""

from __future__ import annotations

import queue
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from copilotkit_runtime_py import AfterRequest, StopGeneration
from tests.clients.conftest import Serve
from tests.clients.driver import Clients, chat
from tests.clients.socket_client import RawRequest, generate
from tests.clients.wire import check_stream, comparable, merge, multipart
from tests.scripted_agent import RUN_STARTED, ScriptedAgent, Step, run, text

START: Step = {"event": {"type": "TEXT_MESSAGE_START", "messageId": "m1", "role": "assistant"}}
ONE: Step = {"event": {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "one"}}
HANG: Step = {"hang": True}


class Told:
    """What the hooks were told."""

    def __init__(self) -> None:
        self.stops: queue.Queue[StopGeneration] = queue.Queue()
        self.ends: queue.Queue[AfterRequest] = queue.Queue()

    def options(self) -> dict[str, Any]:
        return {"on_stop_generation": self.stops.put, "on_after_request": self.ends.put}


@pytest.fixture
def told() -> Told:
    return Told()


def obey(run_input: dict[str, Any]) -> list[Step]:
    """Hangs when told so, and greets otherwise."""
    order = run_input["messages"][-1]["content"]
    if order == "hang":
        return [RUN_STARTED, START, ONE, HANG]
    if order == "hang before":
        return [HANG]
    if order == "stream":
        return [RUN_STARTED, START, *[{**ONE, "delay": 2}] * 40, HANG]
    if order == "wait":
        return [{"gate": "go on"}, *run(*text("m1", "waited"))]
    return run(*text("m1", "hello"))


@pytest.fixture
def url(serve: Serve, agent: ScriptedAgent, told: Told) -> str:
    return serve({"a": agent.play("a", obey)}, **told.options())


def said(url: str, content: str, thread: str = "t1") -> str:
    """What the agent says to a message, at the end of a run that succeeds."""
    with RawRequest(url, generate(chat("a", content, thread))) as request:
        parts = multipart(b"".join(request.chunks()).decode())
    check_stream(parts)
    response = comparable(merge(parts))
    assert response["status"]["code"] == "Success"
    return "".join(message["content"] for message in response["messages"])


def check_stopped_once(url: str, agent: ScriptedAgent, told: Told) -> None:
    """The agent's connection is closed, the hook was told once, and the thread takes the next message."""
    assert agent.wait_for_call("a").played.result(5) is False
    stop = told.stops.get(timeout=5).request
    assert (stop.thread_id, stop.agent_name) == ("t1", "a")
    assert said(url, "hi") == "hello"
    assert told.ends.get(timeout=5).request.thread_id == "t1"
    assert told.stops.empty()
    assert told.ends.empty()


@pytest.mark.clients
def test_the_client_aborts_in_the_middle_of_a_message(
    clients: Clients, url: str, agent: ScriptedAgent, told: Told
) -> None:
    request = clients.start("generateCopilotResponse", url, variables=chat("a", "hang"), watch=True)
    agent.wait_for_call("a")
    request.wait_for_emission(2)
    request.abort()
    check_stopped_once(url, agent, told)
    assert request.result()["final"]["generateCopilotResponse"]["threadId"] == "t1"


@pytest.mark.clients
def test_the_client_aborts_before_the_agent_says_anything(
    clients: Clients, url: str, agent: ScriptedAgent, told: Told
) -> None:
    request = clients.start("generateCopilotResponse", url, variables=chat("a", "hang before"), watch=True)
    agent.wait_for_call("a")
    request.wait_for_emission(1)
    request.abort()
    check_stopped_once(url, agent, told)


@pytest.mark.parametrize("count", [0, 1, 17, 170, 400, 777, 1234, 2500])
def test_the_client_vanishes_at_a_byte(count: int, url: str, agent: ScriptedAgent, told: Told) -> None:
    with RawRequest(url, generate(chat("a", "stream"))) as request:
        agent.wait_for_call("a")
        request.read(count)
    check_stopped_once(url, agent, told)


def test_a_client_that_vanishes_before_its_request_is_whole_starts_nothing(
    url: str, agent: ScriptedAgent, told: Told
) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(f'{head}Content-Length: 5000\r\n\r\n{{"query": '.encode())
    assert said(url, "hi") == "hello"
    assert len(agent.calls) == 1
    assert told.stops.empty()


def test_one_users_stop_leaves_the_others_alone(url: str, agent: ScriptedAgent, told: Told) -> None:
    with RawRequest(url, generate(chat("a", "wait", "theirs"))) as theirs:
        agent.wait_for_call("a")
        with RawRequest(url, generate(chat("a", "hang", "mine"))):
            assert agent.wait_for_call("a", 2).input["threadId"] == "mine"
        assert told.stops.get(timeout=5).request.thread_id == "mine"
        agent.open_gate("go on")
        parts = multipart(b"".join(theirs.chunks()).decode())
    check_stream(parts)
    response = comparable(merge(parts))
    assert (response["status"]["code"], response["messages"][0]["content"]) == ("Success", "waited")
    assert told.stops.empty()


def test_a_run_that_ended_is_not_stopped_when_the_client_leaves(url: str, told: Told) -> None:
    assert said(url, "hi") == "hello"
    told.ends.get(timeout=5)
    assert said(url, "hi again") == "hello"
    assert told.stops.empty()
